//! Goroutines, scopes, locks.

use core::num::ParseIntError;
use gort::prelude::*;

gort::test! {
    fn a_goroutine_hands_back_its_result() -> Result<(), ParseIntError> {
        let words = ["1", "20", "300"];
        let sum = scope(|s| {
            let parts = words.map(|word| s.spawn(move || word.parse::<u32>()));
            parts.into_iter().map(|part| part.join().unwrap()).sum::<Result<u32, _>>()
        })?;
        assert_eq!(sum, 321);
        Ok(())
    }

    fn a_mutex_lets_one_in_at_a_time() {
        let count = Mutex::new(0);
        scope(|s| {
            for _ in 0..8 {
                s.go(|| {
                    for _ in 0..1000 {
                        *count.lock() += 1;
                    }
                });
            }
        });
        assert_eq!(count.into_inner(), 8000);
    }

    #[should_panic(expected = "in another goroutine")]
    fn a_panic_of_any_goroutine_of_a_test_is_a_panic_of_the_test() {
        let _ = spawn(|| panic!("in another goroutine")).join();
    }

    #[ignore = "a minute of stress"]
    fn a_million_goroutines_come_and_go() {
        for _ in 0..1000 {
            scope(|s| (0..1000).for_each(|_| s.go(|| ())));
        }
    }
}
