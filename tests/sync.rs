//! `sync` by the documentation of Go's package: each scenario at several values of GOMAXPROCS, with preemptions each 100 µs and without.

mod common;

use common::scenarios::Scenarios;
use common::{Outcome, number_after, storm_seconds};

const PROGRAM: Scenarios = Scenarios("sync", 180);

fn at(procs: u32, arguments: &[&str]) -> Outcome {
    PROGRAM.at(procs, arguments)
}

/// The scenario checks itself, and says so; what else it prints is returned, with the number of Ps.
fn holds(scenario: &str, number: &str) -> Vec<(u32, String)> {
    PROGRAM.hold(scenario, number)
}

#[test]
fn permits_of_a_semaphore_are_never_more_than_there_are() {
    holds("permits", "");
}

#[test]
fn each_address_has_its_own_queue_first_in_first_out() {
    holds("addresses", "");
}

#[test]
fn who_comes_lifo_is_served_first() {
    holds("lifo", "");
}

#[test]
fn who_is_handed_a_permit_runs_at_once() {
    for procs in [1, 2, 8] {
        let outcome = at(procs, &["handed_over"]);
        // Go's measure.
        assert!(outcome.status == Some(0) && number_after(&outcome.stdout, "first") > 666, "{outcome:#?}");
    }
}

#[test]
fn a_mutex_is_held_by_one_and_an_attempt_changes_nothing() {
    holds("mutex", "");
}

#[test]
fn a_rwmutex_is_read_by_many_or_written_by_one() {
    holds("rwmutex", "");
}

#[test]
fn readers_read_at_once() {
    holds("parallel_readers", "");
}

#[test]
fn a_rwmutex_is_hammered_on() {
    holds("rwmutex_hammer", "");
}

#[test]
fn a_writer_who_waits_is_before_readers_who_come_later() {
    holds("writers_first", "");
}

#[test]
fn readers_who_wait_for_a_writer_are_before_the_next_one() {
    holds("readers_next", "");
}

#[test]
fn guards_are_held_across_preemptions_and_changes_of_thread() {
    for (procs, said) in holds("guards", "") {
        assert!(procs == 1 || number_after(&said, "changes") > 0, "nobody changed threads: {said}");
    }
}

#[test]
fn a_signal_wakes_one() {
    holds("cond_signal", "");
}

#[test]
fn signals_wake_in_the_order_of_waiting() {
    holds("cond_order", "");
}

#[test]
fn a_broadcast_wakes_all_once() {
    holds("cond_broadcast", "");
}

#[test]
fn who_waits_before_a_broadcast_is_woken_by_it() {
    holds("cond_stealing", "");
}

#[test]
fn a_condition_goes_with_the_guards_of_all_locks() {
    holds("cond_guards", "");
}

#[test]
fn something_is_done_once_before_anybody_goes_on() {
    holds("once", "");
}

#[test]
fn what_ends_by_goexit_counts_as_done_and_an_empty_cell_is_filled_by_the_next() {
    holds("once_goexit", "");
}

#[test]
fn functions_that_do_their_work_once() {
    holds("once_value", "");
}

#[test]
fn a_cell_is_filled_once_and_drops_what_it_has() {
    holds("once_lock", "");
}

#[test]
fn weights_in_use_are_never_more_than_there_is() {
    holds("weighted", "");
}

#[test]
fn a_large_request_is_not_passed_by_small_ones() {
    holds("weighted_order", "");
}

#[test]
fn requests_are_taken_back_without_loss() {
    let said = holds("weighted_withdrawn", "");
    for name in ["kept", "withdrawn"] {
        assert!(said.iter().any(|(_, said)| number_after(said, name) > 0), "this was not seen: {name} in {said:?}");
    }
}

#[test]
fn a_wait_group_is_used_again_after_its_waits() {
    holds("waitgroup", "");
}

#[test]
fn a_wait_returns_only_when_all_are_done() {
    holds("waitgroup_race", "");
}

#[test]
fn crates_that_are_generic_over_lock_api_have_locks_for_goroutines() {
    holds("generic_locks", "");
}

#[test]
fn a_fair_unlock_hands_over() {
    holds("fair", "");
}

#[test]
fn critical_sections_hold_across_preemptions_and_changes_of_thread() {
    holds("sections", "");
}

/// Guards cannot; the raw locks of `lock_api` can.
#[test]
fn an_unlock_of_what_is_not_locked_is_fatal() {
    for (scenario, words) in [
        ("unlock_mutex", "sync: unlock of unlocked mutex"),
        ("unlock_mutex_twice", "sync: unlock of unlocked mutex"),
        ("unlock_mutex_fair", "sync: fair unlock of unlocked mutex"),
        ("unlock_write", "sync: Unlock of unlocked RWMutex"),
        ("unlock_write_read", "sync: Unlock of unlocked RWMutex"),
        ("unlock_write_twice", "sync: Unlock of unlocked RWMutex"),
        ("unlock_read", "sync: RUnlock of unlocked RWMutex"),
        ("unlock_read_written", "sync: RUnlock of unlocked RWMutex"),
        ("unlock_read_twice", "sync: RUnlock of unlocked RWMutex"),
    ] {
        let outcome = at(2, &[scenario]);
        assert!(outcome.status == Some(2) && outcome.stderr.starts_with(&format!("fatal error: {words}\n")), "{scenario}: {outcome:#?}");
    }
}

#[test]
fn who_waits_for_a_lost_lock_is_leaked() {
    for procs in [1, 2, 8] {
        let outcome = at(procs, &["leaked"]);
        let want = "[\"sync.Cond.Wait\", \"sync.RWMutex.RLock\"]\nleaked done\n";
        assert_eq!((outcome.status, &*outcome.stdout), (Some(0), want), "{outcome:#?}");
    }
}

#[test]
fn they_are_small() {
    let outcome = at(1, &["sizes"]);
    for (name, most) in [("RwMutex", 48), ("Mutex", 32), ("Cond", 24), ("Once", 4), ("OnceLock", 8)] {
        assert!(number_after(&outcome.stdout, name) <= most, "{name}: {outcome:#?}");
    }
}

#[test]
fn all_of_it_at_once() {
    for (_, said) in holds("storm", &storm_seconds().to_string()) {
        assert!(number_after(&said, "steps") > 0, "{said}");
    }
}

#[test]
fn who_waits_for_ever_is_deadlocked_in_gos_words() {
    for (scenario, state) in [
        ("deadlock_read", "sync.RWMutex.RLock"),
        ("deadlock_write", "sync.RWMutex.Lock"),
        ("deadlock_cond", "sync.Cond.Wait"),
        ("deadlock_once", "sync.Mutex.Lock"),
        ("deadlock_weighted", "chan receive (nil chan)"),
    ] {
        for procs in [1, 2, 8] {
            let outcome = at(procs, &[scenario]);
            let want = format!("fatal error: all goroutines are asleep - deadlock!\n\ngoroutine 1 [{state}]:\n");
            assert!(outcome.status == Some(2) && outcome.stderr.starts_with(&want), "{scenario}: {outcome:#?}");
        }
    }
}

#[test]
fn misuse_panics_in_gos_words() {
    for (procs, scenario, words) in [
        (2, "negative", "sync: negative WaitGroup counter"),
        (1, "reused", "sync: WaitGroup is reused before previous Wait has returned"),
        (2, "released", "semaphore: released more than held"),
    ] {
        let outcome = at(procs, &[scenario]);
        // The place named is the program's, not the library's.
        let place = "\n\tat tests/programs/src/bin/sync.rs:";
        assert!(outcome.status == Some(2) && outcome.stderr.starts_with(&format!("panic: {words}{place}")), "{scenario}: {outcome:#?}");
    }
}

#[test]
fn more_forgotten_guards_than_a_rwmutex_counts_panic() {
    let outcome = at(1, &["too_many_readers"]);
    assert!(outcome.status == Some(2) && outcome.stderr.starts_with("panic: sync: RwMutex has too many readers\n"), "{outcome:#?}");
}

/// Who adds amid the last `done`, or who waits, notices; which of them depends.
#[test]
fn a_wait_group_that_is_used_again_too_soon_panics() {
    let outcome = at(8, &["reused_race"]);
    let words = ["sync: WaitGroup misuse: Add called concurrently with Wait", "sync: WaitGroup is reused before previous Wait has returned"];
    assert!(outcome.status == Some(2) && words.iter().any(|words| outcome.stderr.starts_with(&format!("panic: {words}\n"))), "{outcome:#?}");
}

/// No wait returns before the panic has ended the program.
#[test]
fn a_panic_of_what_a_wait_group_waits_for_ends_the_program_first() {
    for procs in [1, 2, 8] {
        let outcome = at(procs, &["waitgroup_panic"]);
        assert!(outcome.status == Some(2) && outcome.stdout.is_empty() && outcome.stderr.starts_with("panic: test\n"), "{outcome:#?}");
    }
}

#[test]
fn a_once_whose_function_panics_is_done() {
    let outcome = at(2, &["once_panic"]);
    assert_eq!((outcome.status, &*outcome.stdout), (Some(2), "a deferred call finds it done\n"), "{outcome:#?}");
    assert!(outcome.stderr.starts_with("panic: failed\n"), "{outcome:#?}");
    let outcome = at(2, &["once_value_panic"]);
    assert!(outcome.status == Some(2) && outcome.stderr.starts_with("panic: sync: the function that is called once has not returned\n"), "{outcome:#?}");
}
