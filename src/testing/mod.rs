//! Tests of a program's own code: [`test!`](crate::test), and the program that runs them, [`test_main!`](crate::test_main).
//!
//! What `#[test]` and std's harness are to other crates: a program without libc cannot have those. The program is a bin, named `tests` by custom, and takes the arguments of
//! std's harness (`cargo run --bin tests -- FILTER`, `--help` lists them); its output and its exit status are the same too: 101 if a test failed.
//!
//! - Each test is a goroutine. What it prints is captured, and shown if it fails; what goroutines print that it has started is captured with it.
//! - A panic fails the test, be it in the test's own goroutine or in one that it has started, directly or not. Deferred calls run; then the goroutine ends as by
//!   [`goexit`](crate::runtime::goexit), for nothing unwinds: destructors do not run, and its stack is kept. All others go on, and so does the test if it was not its own goroutine.
//!   A panic behind the test's end fails it too, and is printed at once.
//! - What ends any other program ends this one: a deadlock, an overflow of a stack, a bad address. It says which tests were running, and what they had printed.
//! - A test that never ends keeps the program from ending, and no other test from running. It is named after a minute (`--warn-after SECONDS`); if nothing else is left that could
//!   wake it, the program is deadlocked, and says so at once. SIGQUIT (Ctrl-\) names the tests that run and prints where their goroutines are.
//!
//! Source: Go package testing; Rust's libtest.

mod args;
mod bubble;
mod macros;
mod report;
mod run;

pub use bubble::{bubble, sleep, wait};
pub use run::main;

use crate::Termination;
use alloc::format;
use alloc::string::String;

/// A test, as [`test!`](crate::test) makes it.
#[doc(hidden)]
pub struct Test {
    /// Where it is: the crate, modules, and `MODULE` of the macro.
    module: &'static str,
    function: &'static str,
    call: fn() -> i32,
    /// Why it is ignored; empty: nobody says.
    ignored: Option<&'static str>,
    panics: Panics,
    in_bubble: bool,
}

/// The module that the macro makes.
const MODULE: &str = "::__gort_test";

/// Is a test to panic?
#[derive(Clone, Copy)]
enum Panics {
    No,
    Somehow,
    /// With this in its message.
    Saying(&'static str),
}

/// What lies in the section that the linker puts together: one a test, and null for `test_main!`.
#[doc(hidden)]
pub type Entry = Option<&'static Test>;

impl Test {
    /// For the macro, as the functions below: one for each attribute.
    pub const fn new(module: &'static str, function: &'static str, call: fn() -> i32) -> Test {
        Test { module, function, call, ignored: None, panics: Panics::No, in_bubble: false }
    }

    #[allow(missing_docs)]
    pub const fn ignore(self, why: &'static str) -> Test {
        Test { ignored: Some(why), ..self }
    }

    #[allow(missing_docs)]
    pub const fn should_panic(self) -> Test {
        Test { panics: Panics::Somehow, ..self }
    }

    #[allow(missing_docs)]
    pub const fn should_panic_saying(self, text: &'static str) -> Test {
        Test { panics: Panics::Saying(text), ..self }
    }

    #[allow(missing_docs)]
    pub const fn bubble(self) -> Test {
        Test { in_bubble: true, ..self }
    }

    /// Its name: its path within the crate.
    fn name(&self) -> String {
        let module = self.module.strip_suffix(MODULE).unwrap_or(self.module);
        match module.split_once("::") {
            Some((_, module)) => format!("{module}::{}", self.function),
            None => self.function.into(),
        }
    }
}

/// The status that a test's result means.
#[doc(hidden)]
pub fn status_of(result: impl Termination) -> i32 {
    result.status()
}
