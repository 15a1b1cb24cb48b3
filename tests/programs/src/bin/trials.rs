//! Tests that do what no test of std's harness could do and go on: panics in goroutines, goexit, leftovers, deaths.

#![no_std]
#![no_main]

extern crate alloc;

use gort::prelude::*;
use gort::time::{Duration, sleep};

gort::test_main!();

mod alive {
    use super::*;
    use core::sync::atomic::{AtomicU32, Ordering::SeqCst};

    static DROPPED: AtomicU32 = AtomicU32::new(0);

    struct Counted;

    impl Drop for Counted {
        fn drop(&mut self) {
            DROPPED.fetch_add(1, SeqCst);
        }
    }

    gort::test! {
        fn a_panic_in_a_goroutine_of_it_fails_it() {
            let handle = spawn(|| {
                spawn(|| {
                    println!("from below");
                    if DROPPED.load(SeqCst) < 1000 {
                        panic!("in the second goroutine");
                    }
                })
                .join()
            });
            assert!(handle.join().unwrap().is_err());
            println!("and on");
        }

        fn a_panic_in_a_scope_fails_it() {
            let words = alloc::vec!["borrowed"; 3];
            scope(|s| {
                for word in &words {
                    s.go(move || panic!("{word}"));
                }
            });
            println!("the scope has ended");
        }

        fn a_panic_in_a_wait_groups_goroutine_fails_it() {
            let group = WaitGroup::new();
            group.go(|| panic!("one of a group"));
            group.wait();
        }

        fn a_panic_in_an_after_func_fails_it() {
            let done = chan::make::<()>(0);
            let _timer = gort::time::after_func(Duration::from_millis(1), {
                let done = done.clone();
                move || {
                    gort::defer({
                        let done = done.clone();
                        move || done.close()
                    });
                    panic!("in a timer's goroutine")
                }
            });
            done.recv();
            // The report is written once the deferred calls have run.
            while gort::runtime::num_goroutine() > 2 {
                sleep(Duration::from_millis(1));
            }
        }

        fn goexit_fails_it() {
            gort::runtime::goexit();
        }

        #[should_panic(expected = "first")]
        fn the_first_panic_counts() {
            gort::defer(|| panic!("second"));
            panic!("first");
        }

        fn deferred_calls_run_before_the_report() {
            gort::defer(|| println!("deferred"));
            panic!("late");
        }

        fn a_status_fails_it() -> i32 {
            3
        }

        fn nothing_unwinds() {
            let _kept = Counted;
            spawn(|| {
                let _kept = Counted;
                panic!("no destructor runs");
            })
            .join()
            .unwrap_err();
            assert_eq!(DROPPED.load(SeqCst), 0);
        }

        #[should_panic(expected = "below")]
        fn a_panic_in_a_goroutine_is_a_panic() {
            spawn(|| panic!("below")).join().unwrap_err();
        }

        fn long_output_is_whole() {
            for n in 0..10_000 {
                println!("line {n} of ten thousand");
            }
            panic!("to show it");
        }

        fn panics_with_a_long_message() {
            panic!("{}", alloc::string::String::from_utf8(alloc::vec![b'x'; 5000]).unwrap());
        }
    }
}

/// Each leaves a goroutine behind.
mod left {
    use super::*;

    gort::test! {
        #[ignore]
        fn a_leftover_that_panics_fails_it_late() {
            go(|| {
                sleep(Duration::from_millis(50));
                panic!("too late");
            });
        }

        #[ignore]
        fn b_outlasts_it() {
            sleep(Duration::from_millis(1500));
        }

        #[ignore]
        fn c_leftovers_do_not_keep_the_program() {
            go(|| loop {
                sleep(Duration::from_secs(3600));
            });
        }
    }
}

mod slow {
    use super::*;

    gort::test! {
        #[ignore]
        fn never_ends() {
            println!("on and on");
            loop {
                sleep(Duration::from_millis(10));
            }
        }

        #[ignore]
        fn takes_two_seconds() {
            sleep(Duration::from_secs(2));
        }

        #[ignore]
        fn computes_for_ever() {
            #[allow(clippy::empty_loop)]
            loop {}
        }
    }
}

/// What ends the process, whatever it is made of.
mod deadly {
    use super::*;

    #[inline(never)]
    fn deeper(n: u64) -> u64 {
        let words = core::hint::black_box([n; 64]);
        if n == u64::MAX { 0 } else { deeper(n + 1) + words[(n % 64) as usize] }
    }

    gort::test! {
        #[ignore]
        fn deadlock() {
            println!("before the deadlock");
            chan::make::<()>(0).recv();
        }

        #[ignore]
        fn overflow() {
            println!("before the overflow");
            core::hint::black_box(deeper(core::hint::black_box(0)));
        }

        #[ignore]
        fn bad_address() {
            println!("before the fault");
            // SAFETY: none: this is what the test is about.
            unsafe { core::ptr::without_provenance_mut::<u32>(core::hint::black_box(16)).write_volatile(1) };
        }

        #[ignore]
        fn no_memory() {
            let all = alloc::vec::Vec::<u8>::with_capacity(core::hint::black_box(1 << 60));
            core::hint::black_box(all);
        }

        #[ignore]
        fn leaves() {
            gort::runtime::exit(7);
        }
    }
}

/// What happens to tests in bubbles.
mod bubbles {
    use super::*;
    use gort::testing::{bubble, wait};

    gort::test! {
        #[bubble]
        fn a_day_takes_no_time() {
            let start = gort::time::Instant::now();
            sleep(Duration::from_secs(86400));
            assert_eq!(start.elapsed().as_secs(), 86400);
        }

        #[bubble]
        fn a_panic_in_it_fails_the_test() {
            sleep(Duration::from_secs(1));
            panic!("in the bubble");
        }

        fn a_panic_in_it_ends_the_test() {
            bubble(|| panic!("in the bubble"));
            println!("not printed");
        }

        #[bubble]
        fn a_panic_in_a_child_fails_the_test_and_main_goes_on() {
            let child = spawn(|| panic!("in a child"));
            child.join().unwrap_err();
            wait();
            println!("and on");
        }

        #[bubble]
        #[should_panic(expected = "deadlock: all goroutines in bubble are blocked")]
        fn a_deadlock_is_a_panic() {
            select! {}
        }

        #[bubble]
        fn a_deadlock_of_children_fails_the_test() {
            go(|| chan::make::<()>(0).recv());
        }

        #[should_panic(expected = "receive on synctest channel from outside bubble")]
        fn misuse_is_a_panic() {
            let out = chan::make(1);
            bubble(|| out.send(chan::make::<()>(0)));
            out.recv().unwrap().recv();
        }

        #[bubble]
        #[should_panic(expected = "synctest.Run called from within a synctest bubble")]
        fn bubbles_do_not_nest() {
            bubble(|| ());
        }
    }
}
