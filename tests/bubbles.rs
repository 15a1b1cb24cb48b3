//! Bubbles, as Go's testing/synctest: each scenario at several values of GOMAXPROCS, with preemptions each 100 µs and without.

mod common;

use common::scenarios::Scenarios;
use common::{Outcome, is_long, number_after, storm_seconds};

const PROGRAM: Scenarios = Scenarios("bubbles", 180);

fn at(procs: u32, arguments: &[&str]) -> Outcome {
    PROGRAM.at(procs, arguments)
}

/// The scenario checks itself, and says so; what else it prints is returned.
fn holds(scenario: &str, number: &str) -> Vec<String> {
    PROGRAM.say(scenario, number)
}

#[test]
fn a_clock_of_its_own_that_begins_in_2000() {
    holds("now", "");
}

#[test]
fn times_do_not_go_back_and_compare_with_those_outside() {
    holds("monotonic", "");
}

#[test]
fn wait_returns_when_all_others_are_durably_blocked() {
    holds("waits", "");
}

#[test]
fn what_others_did_is_seen_behind_wait() {
    holds("happens_before", "");
}

#[test]
fn timers_fire_at_their_exact_times() {
    holds("timers", "");
}

#[test]
fn what_is_due_at_once_fires_where_it_is_armed() {
    holds("at_once", "");
}

#[test]
fn a_timer_read_late_says_when_it_fired() {
    holds("in_the_past", "");
}

#[test]
fn what_comes_at_the_same_time_comes_in_any_order() {
    holds("chance", "");
}

#[test]
fn functions_called_later_belong_to_the_bubble() {
    holds("after_funcs", "");
}

#[test]
fn timeouts_take_no_time() {
    holds("timeouts", "");
}

#[test]
fn tickers_tick_by_its_clock() {
    holds("tickers", "");
}

#[test]
fn channels_and_timers_from_outside_work_and_stop_the_clock() {
    holds("outside", "");
}

#[test]
fn locks_and_system_calls_stop_the_clock() {
    holds("not_durable", "");
}

#[test]
fn who_waits_for_a_condition_is_durably_blocked() {
    holds("conds", "");
}

#[test]
fn wait_groups_belong_to_the_bubble_that_adds_to_them() {
    holds("groups", "");
}

#[test]
fn scopes_and_joins_wait_durably() {
    holds("scopes_and_joins", "");
}

#[test]
fn a_bubble_ends_with_its_last_goroutine() {
    holds("ends", "");
}

#[test]
fn values_are_dropped_once() {
    holds("values", "");
}

#[test]
fn goroutines_locked_to_their_threads_wait_durably_too() {
    holds("locked", "");
}

#[test]
fn finalizers_run_outside() {
    holds("finalizer", "");
}

#[test]
fn handles_may_be_dropped_outside() {
    holds("handles_outlive_it", "");
}

#[test]
fn thousands_sleep_and_are_woken_together() {
    holds("many", if is_long() { "100000" } else { "5000" });
}

#[test]
fn bubbles_of_everything_beside_each_other_and_others() {
    for said in holds("storm", &storm_seconds().to_string()) {
        assert!(number_after(&said, "rounds") > 10, "{said}");
    }
}

#[test]
fn a_deadlock_of_the_bubble_is_a_panic_with_the_goroutines() {
    const MAIN: &str = "all goroutines in bubble are blocked";
    const CHILD: &str = "main bubble goroutine has exited but blocked goroutines remain";
    for (scenario, words, states) in [
        ("deadlock_main", MAIN, &["select (no cases) (durable)"][..]),
        ("deadlock_child", CHILD, &["select (no cases) (durable)"]),
        ("deadlock_ticker", CHILD, &["chan receive (durable)"]),
        ("deadlock_sleeper", CHILD, &["sleep (durable)"]),
        ("deadlock_channel", MAIN, &["chan receive (durable)", "chan send (durable)"]),
    ] {
        for procs in [1, 2, 8] {
            let outcome = at(procs, &[scenario]);
            let place = format!("\npanic: deadlock: {words}\n\tat tests/programs/src/bin/bubbles.rs:");
            assert!(outcome.status == Some(2) && outcome.stderr.contains(&place), "{scenario}: {outcome:#?}");
            assert!(outcome.stderr.starts_with("the goroutines that are left in synctest bubble 1:\n\ngoroutine "), "{outcome:#?}");
            for state in states {
                assert!(outcome.stderr.contains(&format!(" [{state}, synctest bubble 1]:\n")), "{state}: {outcome:#?}");
            }
            assert_eq!(outcome.stderr.matches("synctest bubble 1]").count(), states.len(), "{outcome:#?}");
        }
    }
}

#[test]
fn a_deadlock_of_the_process_is_as_ever() {
    for procs in [1, 2] {
        let outcome = at(procs, &["process_deadlock"]);
        assert!(outcome.stderr.starts_with("fatal error: all goroutines are asleep - deadlock!\n"), "{outcome:#?}");
        for state in ["synctest.Run (durable)", "sync.Mutex.Lock"] {
            assert!(outcome.stderr.contains(&format!(" [{state}, synctest bubble 1]:\n")), "{outcome:#?}");
        }
    }
}

#[test]
fn misuse_panics_in_gos_words() {
    for (scenario, words) in [
        ("nested", "synctest.Run called from within a synctest bubble"),
        ("wait_outside", "goroutine is not in a bubble"),
        ("sleep_outside", "goroutine is not in a bubble"),
        ("receive_outside", "receive on synctest channel from outside bubble"),
        ("try_receive_outside", "receive on synctest channel from outside bubble"),
        ("iterate_outside", "receive on synctest channel from outside bubble"),
        ("send_outside", "send on synctest channel from outside bubble"),
        ("try_send_outside", "send on synctest channel from outside bubble"),
        ("close_outside", "close of synctest channel from outside bubble"),
        ("select_outside", "select on synctest channel from outside bubble"),
        ("receive_in_another", "receive on synctest channel from outside bubble"),
        ("timer_stop_outside", "stop of synctest timer from outside bubble"),
        ("timer_reset_outside", "reset of synctest timer from outside bubble"),
        ("timer_receive_outside", "receive on synctest channel from outside bubble"),
        ("ticker_reset_outside", "reset of synctest timer from outside bubble"),
        ("func_stop_outside", "stop of synctest timer from outside bubble"),
        ("group_moved_in", "sync: WaitGroup.Add called from inside and outside synctest bubble"),
        ("group_done_in", "sync: WaitGroup.Add called from inside and outside synctest bubble"),
        ("group_moved_out", "sync: WaitGroup.Add called from inside and outside synctest bubble"),
        ("group_moved_between", "sync: WaitGroup.Add called from multiple synctest bubbles"),
    ] {
        let outcome = at(2, &[scenario]);
        // The place named is the program's, not the library's.
        let want = format!("panic: {words}\n\tat tests/programs/src/bin/bubbles.rs:");
        assert!(outcome.status == Some(2) && outcome.stderr.starts_with(&want), "{scenario}: {outcome:#?}");
    }
    for procs in [1, 2, 8] {
        let outcome = at(procs, &["wait_twice"]);
        assert!(outcome.status == Some(2) && outcome.stderr.starts_with("panic: wait already in progress\n"), "{outcome:#?}");
    }
}
