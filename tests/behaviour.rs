//! Programs that check themselves, at several values of GOMAXPROCS.

mod common;

use common::{Outcome, number_after, program, run, storm_seconds};
use std::process::Command;

fn run_at(name: &str, procs: u32, arguments: &[&str]) -> Outcome {
    let outcome = run(Command::new(program(name)).args(arguments).env("GOMAXPROCS", procs.to_string()));
    assert_eq!(outcome.status, Some(0), "{name} at GOMAXPROCS={procs}: {outcome:#?}");
    outcome
}

#[test]
fn the_public_interface_does_what_it_says() {
    for procs in [1, 2, 8] {
        let outcome = run_at("basics", procs, &[]);
        assert!(outcome.stdout.ends_with("all ok\n"), "{outcome:#?}");
    }
}

#[test]
fn storms_lose_nothing_and_take_every_path() {
    let mut seen = [0; 6];
    for procs in [1, 2, 8, 64] {
        let outcome = run_at("stress", procs, &[&storm_seconds().to_string()]);
        assert_eq!(number_after(&outcome.stdout, "created"), number_after(&outcome.stdout, "finished"));
        for (sum, name) in seen.iter_mut().zip(["stolen", "runnext", "overflowed", "global", "published", "child_first"]) {
            *sum += number_after(&outcome.stdout, name);
        }
    }
    assert!(seen.iter().all(|&n| n > 0), "a path was never taken: {seen:?}");
}

#[test]
fn storms_survive_changes_of_gomaxprocs() {
    for procs in [1, 2, 8, 64] {
        let outcome = run_at("stress", procs, &[&storm_seconds().to_string(), "change"]);
        assert!(number_after(&outcome.stdout, "changes") > 0);
        assert_eq!(number_after(&outcome.stdout, "created"), number_after(&outcome.stdout, "finished"));
    }
}

#[test]
fn gomaxprocs_changes_while_goroutines_are_in_calls() {
    // Those who make short calls in a loop give way too: nobody who changes GOMAXPROCS waits for seconds.
    for kind in ["change", "few"] {
        let outcome = run_at("calls", 2, &[kind, &storm_seconds().to_string()]);
        assert!(number_after(&outcome.stdout, "changes") > 20, "{outcome:?}");
        assert!(number_after(&outcome.stdout, "longest") < 1500, "{outcome:?}");
    }
}

#[test]
fn twenty_thousand_runnable_goroutines_finish_on_ten_thousand_ps() {
    let from_environment = run_at("crowd", 10_000, &[]);
    let by_call = run_at("crowd", 2, &["call"]);
    for outcome in [from_environment, by_call] {
        assert_eq!(outcome.stdout, "turns 60000\n", "{outcome:?}");
    }
}

#[test]
fn what_need_not_schedule_may_be_used_inside_a_blocking_call() {
    for procs in [1, 2] {
        assert!(run_at("calls", procs, &["nested"]).stdout.starts_with("nested calls are calls\n"));
    }
}

#[test]
fn a_storm_that_comes_again_takes_no_more_threads_and_no_more_memory() {
    for procs in [1, 2, 8, 64] {
        let outcome = run_at("stress", procs, &["1", "settle"]);
        let lines: Vec<&str> = outcome.stdout.lines().filter(|line| line.starts_with("settled")).collect();
        assert_eq!(lines.len(), 4, "{outcome:?}");
        let numbers = |name| lines.iter().map(|line| number_after(line, name)).collect::<Vec<u64>>();
        let (threads, kib) = (numbers("threads"), numbers("kib"));
        // Without blocking calls no more are ever needed than GOMAXPROCS and a few in transit; one more is sysmon.
        assert!(threads.iter().all(|&n| n <= u64::from(procs) + 8 + 1), "{outcome:#?}");
        // The first storm may have grown less than it could; what the second keeps, the others keep too.
        let most = kib[..2].iter().max().unwrap();
        assert!(kib[2..].iter().all(|&n| n <= most + most / 4 + 1024), "{outcome:#?}");
    }
}

#[test]
fn work_pushed_as_the_last_spinner_leaves_is_run() {
    let outcome = run_at("recheck", 2, &[]);
    assert!(number_after(&outcome.stdout, "forced") > 0, "the window was never hit: {outcome:?}");
}

/// The path is taken. That it is this one which wakes somebody is shown by the model of the same name alone: sysmon would find the work too, a little later.
#[test]
fn what_an_m_that_is_to_end_finds_is_run_by_another() {
    let outcome = run_at("recheck", 2, &["reap"]);
    assert!(number_after(&outcome.stdout, "reaped") > 0, "the window was never hit: {outcome:?}");
}

#[test]
fn a_sleeper_beside_one_that_computes_alone_is_woken_on_time() {
    let outcome = run_at("alone", 1, &[]);
    // Who waits for sysmon's next round has 9 ms of computing before it each time.
    assert!(number_after(&outcome.stdout, "median") < 3000, "{outcome:?}");
}

#[test]
fn the_tour_lists_its_stages_and_refuses_what_it_does_not_know() {
    let tour = || Command::new(program("tour"));
    let list = run(tour().arg("--list")).stdout;
    let names: Vec<&str> = list.lines().filter_map(|line| line.split_whitespace().next()).collect();
    assert_eq!(names, ["kernel", "million", "sieve", "preempt", "calls", "timers", "forkjoin", "process"]);
    assert!(run(tour().arg("--help")).stdout.starts_with("usage: tour"));
    let outcome = run(tour().arg("nonsense"));
    assert_eq!((outcome.status, outcome.stderr.contains("no stage is called nonsense")), (Some(2), true), "{outcome:?}");
    assert_eq!(run(tour().args(["sieve", "million"])).status, Some(2));
    for stage in ["kernel", "sieve", "preempt", "calls", "timers", "forkjoin", "process"] {
        let outcome = run(tour().arg(stage));
        assert_eq!(outcome.status, Some(0), "{outcome:#?}");
    }
}

#[test]
fn the_tour_shows_a_sleeper_with_and_without_preemption() {
    let outcome = run(Command::new(program("tour")).arg("preempt").env("GOMAXPROCS", "2"));
    let naps: Vec<&str> = outcome.stdout.lines().filter_map(|line| line.split("that took a P from a hog: ").nth(1)).collect();
    assert!(naps.len() == 2 && naps[0] != "0" && naps[1] == "0", "{outcome:#?}");
    let off = run(Command::new(program("tour")).arg("preempt").env("GODEBUG", "asyncpreemptoff=1"));
    assert_eq!((off.status, off.stdout.contains("that took a P from a hog: 0\n")), (Some(0), true), "{off:#?}");
}

#[test]
fn gomaxprocs_in_the_environment_counts_only_as_a_positive_number() {
    let line = |value: &str| {
        let outcome = run(Command::new(program("tour")).arg("kernel").env("GOMAXPROCS", value));
        number_after(&outcome.stdout, "GOMAXPROCS")
    };
    assert_eq!(line("5"), 5);
    let default = line("");
    for bad in ["0", "-3", "x", "3x", "99999999999", " 4"] {
        assert_eq!(line(bad), default, "GOMAXPROCS={bad}");
    }
}

#[test]
fn no_sigurg_ends_a_raw_call() {
    // Ours must not, and nobody can tell a late one of ours from anybody else's.
    let script =
        format!("{} raw & child=$!; sleep 0.4; i=0; while [ $i -lt 20000 ]; do kill -URG $child; i=$((i + 1)); done; wait $child", program("calls").display());
    let outcome = run(Command::new("sh").args(["-c", &script]));
    assert_eq!(outcome.status, Some(0), "{outcome:#?}");
    assert!(outcome.stdout.contains("calls 6400 "), "{outcome:#?}");
}

#[test]
fn inits_refuse_to_act_unless_they_are_process_1() {
    for name in ["guest_init", "pid_one"] {
        let outcome = run(&mut Command::new(program(name)));
        assert_eq!((outcome.status, outcome.stdout.as_str()), (Some(2), ""), "{name}: {outcome:#?}");
        assert!(outcome.stderr.contains("as process 1 of a guest only"), "{name}: {outcome:#?}");
    }
}
