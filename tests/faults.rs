//! The fault matrix: each call of the contract × each phase in which it is made × each error. What becomes of the program is what the contract says.
//!
//! `tests/programs/src/bin/faults.rs` goes through all phases; from the begin of one of them on a seccomp filter answers the call by the error. What no
//! kernel answers for ever (an interrupted or a full write, an interrupted read) strace injects a few times.

mod common;

use common::{kill_group, program, start_group};
use gort::__private::contract::{CALLS, Call, Error, Outcome, Phase, Value};
use std::fmt::Write as _;
use std::io::Read;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, ExitStatus};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};

/// What the program prints, whatever is refused to it.
const LINES: [&str; 3] = ["threads: 6, 3 blocked\n", "steady: 8 blocked, 100 waited, 17532836 bytes\n", "exit\n"];

/// An injected fault.
struct Cell {
    call: &'static Call,
    phase: Phase,
    error: Error,
    outcome: Outcome,
}

/// All of the matrix. A cell that the contract has no answer for, or two, is a failure.
fn cells() -> Vec<Cell> {
    let mut cells = Vec::new();
    for call in CALLS {
        for &phase in call.phases {
            for error in call.all_errors() {
                let answers: Vec<_> = call.answers_to(phase, error).collect();
                assert_eq!(answers.len(), 1, "{} in phase {phase:?} answered by {}: {answers:?}", call.name, error.name);
                cells.push(Cell { call, phase, error, outcome: answers[0].outcome });
            }
        }
    }
    cells
}

/// The calls of a row, as the program takes them.
fn rule(number: u32, only: &[(u8, Value)]) -> String {
    let condition = |(argument, value): &(u8, Value)| match value {
        Value::Is(value) => format!("{number}:{argument}={value}"),
        Value::ThreadBlock => format!("{number}:{argument}=block"),
    };
    if only.is_empty() { number.to_string() } else { only.iter().map(condition).collect::<Vec<_>>().join(",") }
}

/// What makes the program call what it calls only where another call is refused.
fn provocation(call: &Call) -> Vec<String> {
    let Some((name, argument, error)) = call.after else { return Vec::new() };
    let number = CALLS.iter().find(|call| call.name == name).unwrap().number;
    let only: Vec<(u8, Value)> = argument.iter().map(|&value| (2, Value::Is(value))).collect();
    vec![error.number.to_string(), rule(number, &only)]
}

impl Cell {
    fn command(&self) -> Command {
        let mut command;
        let is_message = self.is_message();
        if self.is_passing() {
            command = Command::new("strace");
            let inject = format!("inject={}:error={}:when=1..2", self.call.name, self.error.name);
            command.args(["-f", "-qq", "-o", "/dev/null", "-e", &format!("trace={}", self.call.name), "-e", &inject]).arg(program("faults"));
            command.args(is_message.then_some("throw"));
            return command;
        }
        command = Command::new(program("faults"));
        command.arg(if is_message { "throw" } else { word(self.phase) });
        command.arg(self.error.number.to_string()).arg(rule(self.call.number, self.call.only));
        command.args(provocation(self.call));
        command
    }

    /// Is it about the message of a fatal error, or the trace that follows it?
    fn is_message(&self) -> bool {
        is_of_a_death(self.call, self.phase)
    }

    /// Nobody gets this answer for ever.
    fn is_passing(&self) -> bool {
        let passing: &[&str] = match self.call.name {
            "read" => &["EINTR"],
            "write" if self.is_message() => &["EINTR"],
            "write" => &["EINTR", "EAGAIN"],
            _ => &[],
        };
        passing.contains(&self.error.name)
    }

    fn judge(&self, status: ExitStatus, stdout: &str, stderr: &str) -> Result<(), String> {
        // What was printed before the fault.
        let before = match self.phase {
            Phase::Start | Phase::Threads => 0,
            Phase::Steady => 1,
            Phase::Exit => 2,
        };
        let all = LINES.concat();
        let whole = if self.is_message() { LINES[..2].concat() } else { all.clone() };
        let first = LINES[..before].concat();
        let (code, signal) = (status.code(), status.signal());
        let ok = match self.outcome {
            Outcome::GoesOn if self.is_message() => code == Some(2) && stdout == whole && stderr.starts_with("fatal error: all goroutines are asleep"),
            Outcome::GoesOn => code == Some(0) && stdout == whole && stderr.is_empty(),
            Outcome::OutputLost => code == Some(0) && stdout == first && stderr.is_empty(),
            Outcome::MessageLost => code == Some(2) && stdout == whole && stderr.is_empty(),
            Outcome::Fatal(text) => {
                code == Some(2) && all.starts_with(stdout) && stdout.len() >= first.len() && stderr.starts_with(&format!("fatal error: {text}"))
            }
            Outcome::Killed(number) => signal == Some(number as i32) && all.starts_with(stdout) && stdout.len() >= first.len() && stderr.is_empty(),
        };
        if ok { Ok(()) } else { Err(format!("{status}\nstdout: {stdout}\nstderr: {stderr}")) }
    }
}

/// At the end of a program only one that dies makes such calls.
fn is_of_a_death(call: &Call, phase: Phase) -> bool {
    let always = call.rare || call.name == "exit_group" || call.name == "write" && call.only == [(0, Value::Is(1))];
    phase == Phase::Exit && !always
}

fn word(phase: Phase) -> &'static str {
    match phase {
        Phase::Start => "start",
        Phase::Threads => "threads",
        Phase::Steady => "steady",
        Phase::Exit => "exit",
    }
}

/// The phase before.
fn before(phase: Phase) -> Option<Phase> {
    match phase {
        Phase::Start => None,
        Phase::Threads => Some(Phase::Start),
        Phase::Steady => Some(Phase::Threads),
        Phase::Exit => Some(Phase::Steady),
    }
}

/// Runs it for half a minute at most.
fn outcome_of(mut command: Command) -> Result<(ExitStatus, String, String), String> {
    let mut child = start_group(&mut command);
    let start = Instant::now();
    let status = loop {
        match child.try_wait().unwrap() {
            Some(status) => break Ok(status),
            None if start.elapsed() > Duration::from_secs(30) => {
                kill_group(&mut child);
                break Err("it hangs");
            }
            None => std::thread::sleep(Duration::from_millis(2)),
        }
    };
    let (mut stdout, mut stderr) = (String::new(), String::new());
    child.stdout.take().unwrap().read_to_string(&mut stdout).unwrap();
    child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
    match status {
        Ok(status) => Ok((status, stdout, stderr)),
        Err(what) => Err(format!("{what}\nstdout: {stdout}\nstderr: {stderr}")),
    }
}

#[test]
fn every_cell_ends_as_the_contract_says() {
    let cells = cells();
    program("faults");
    let (next, wrong) = (AtomicUsize::new(0), std::sync::Mutex::new(String::new()));
    std::thread::scope(|s| {
        // Most of each run is waiting.
        for _ in 0..6 {
            s.spawn(|| {
                while let Some(cell) = cells.get(next.fetch_add(1, Relaxed)) {
                    let judged = outcome_of(cell.command()).and_then(|(status, stdout, stderr)| cell.judge(status, &stdout, &stderr));
                    if let Err(why) = judged {
                        let Cell { call, phase, error, outcome } = cell;
                        let name = format!("{} {:?} answered by {} in phase {phase:?}", call.name, call.only, error.name);
                        writeln!(wrong.lock().unwrap(), "{name}: the contract says {outcome:?}\n{:?}\n{why}", cell.command()).unwrap();
                    }
                }
            });
        }
    });
    let wrong = wrong.into_inner().unwrap();
    assert!(wrong.is_empty(), "of {} cells:\n{wrong}", cells.len());
}

/// A call in a trace of raw arguments, and the phase in which it was made.
struct Made {
    phase: Phase,
    name: String,
    arguments: Vec<u64>,
}

fn made(trace: &str) -> Vec<Made> {
    const AFTER_START: [Phase; 3] = [Phase::Threads, Phase::Steady, Phase::Exit];
    let mut phases = AFTER_START.into_iter();
    let mut phase = Phase::Start;
    let mut all = Vec::new();
    for line in trace.lines() {
        let rest = line.split_once(char::is_whitespace).map_or("", |(_, rest)| rest.trim_start());
        let Some((name, arguments)) = rest.split_once('(') else { continue };
        match name {
            // What came before was the shell, or the program that starts anew.
            "execve" => {
                all.clear();
                (phase, phases) = (Phase::Start, AFTER_START.into_iter());
            }
            "getppid" => phase = phases.next().unwrap(),
            _ => {}
        }
        let arguments = arguments.split([')', '<']).next().unwrap().split(", ");
        let number =
            |text: &str| text.trim().strip_prefix("0x").map_or_else(|| text.trim().parse().unwrap_or(0), |hex| u64::from_str_radix(hex, 16).unwrap_or(0));
        all.push(Made { phase, name: name.to_string(), arguments: arguments.map(number).collect() });
    }
    all
}

/// Does a row speak of this call? `block` is the length of a thread's block.
fn is_of(call: &Call, made: &Made, block: u64) -> bool {
    let holds = |&(argument, value): &(u8, Value)| {
        let found = made.arguments.get(usize::from(argument)).map(|&word| word & 0xffff_ffff);
        found
            == Some(match value {
                Value::Is(value) => value.into(),
                Value::ThreadBlock => block,
            })
    };
    made.name == call.name && (call.only.is_empty() || call.only.iter().any(holds))
}

/// Without this the matrix would show nothing: an error that is never given.
#[test]
fn every_row_is_met_in_each_of_its_phases() {
    let script = format!("exec {} \"$@\" <&-", program("faults").display());
    let trace_of = |arguments: &[String]| {
        let log = std::env::temp_dir().join(format!("gort-faults-{}-{}", std::process::id(), arguments.join("-").replace(['/', ':', ','], "_")));
        let mut strace = Command::new("strace");
        strace.args(["-f", "-qq", "-e", "raw=all", "-o"]).arg(&log).args(["sh", "-c", &script, "sh"]).args(arguments);
        let outcome = outcome_of(strace).unwrap();
        let trace = std::fs::read_to_string(&log).unwrap();
        let _ = std::fs::remove_file(&log);
        assert!(outcome.0.success() || arguments.first().is_some_and(|phase| phase == "throw"), "{outcome:?}");
        made(&trace)
    };
    let whole = trace_of(&[]);
    let dying = trace_of(&["throw".into()]);
    // The first thing that a program does is to map its first thread's block.
    let block = whole.iter().find(|made| made.name == "mmap").unwrap().arguments[1];
    for call in CALLS.iter().filter(|call| !call.rare) {
        for &phase in call.phases {
            let provoked;
            let provocation = provocation(call);
            let trace = match provocation.is_empty() {
                true if is_of_a_death(call, phase) => &dying,
                true => &whole,
                false => {
                    provoked = trace_of(&[vec![word(phase).to_string()], provocation].concat());
                    &provoked
                }
            };
            let met = trace.iter().any(|made| made.phase == phase && is_of(call, made, block));
            assert!(met, "{} {:?} is not made in phase {phase:?}", call.name, call.only);
        }
        if call.after.is_none() {
            // What other threads had begun comes a moment after the mark; and on a busy machine a phase lasts long enough for a preemption.
            let preempts = ["rt_sigreturn", "rt_tgsigqueueinfo"].contains(&call.name);
            let listed = |made: &Made| {
                preempts && made.phase != Phase::Start
                    || call.phases.contains(&made.phase)
                    || before(made.phase).is_some_and(|phase| call.phases.contains(&phase))
            };
            let elsewhere = whole.iter().find(|made| is_of(call, made, block) && !listed(made));
            if let Some(made) = elsewhere {
                panic!("{} {:?} is made in phase {:?} as well", call.name, call.only, made.phase);
            }
        }
    }
}
