//! Functions that do their work once and then always give the same: `once_func`, `once_value`, `once_values`.

use super::{Mutex, Once, OnceLock};

/// A function that calls `f` the first time it is called, and returns what that returned, each time. It may be called by many goroutines at once: they wait
/// for `f`. `f` is dropped once it has been called.
///
/// If `f` ends its goroutine (`goexit`), later calls panic.
///
/// ```no_run
/// # fn main() {
/// let answer = gort::sync::once_value(|| 6 * 7);
/// assert_eq!(answer() + answer(), 84);
/// # }
/// ```
///
/// Source: Go package sync, OnceValue. There a later call panics as `f` did; here no call is left after a panic, but for those that were deferred.
pub fn once_value<T: Clone, F: FnOnce() -> T>(f: F) -> impl Fn() -> T {
    let call = Call { once: Once::new(), f: Mutex::new(Some(f)), value: OnceLock::new() };
    move || call.value().clone()
}

/// As [`once_value`], for a function that returns two values.
///
/// Source: Go package sync, OnceValues.
pub fn once_values<A: Clone, B: Clone, F: FnOnce() -> (A, B)>(f: F) -> impl Fn() -> (A, B) {
    once_value(f)
}

/// A function that calls `f` the first time it is called, and then no more. It may be called by many goroutines at once: they wait for `f`.
///
/// If `f` ends its goroutine (`goexit`), later calls panic.
///
/// Source: Go package sync, OnceFunc.
pub fn once_func<F: FnOnce()>(f: F) -> impl Fn() {
    once_value(f)
}

struct Call<T, F> {
    once: Once,
    f: Mutex<Option<F>>,
    value: OnceLock<T>,
}

impl<T, F: FnOnce() -> T> Call<T, F> {
    fn value(&self) -> &T {
        self.once.call_once(|| {
            let f = self.f.lock().take();
            if let Some(value) = f.map(|f| f()) {
                self.value.get_or_init(|| value);
            }
        });
        match self.value.get() {
            Some(value) => value,
            None => panic!("sync: the function that is called once has not returned"),
        }
    }
}
