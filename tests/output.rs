//! What a program leaves behind: the status that `main` returns, whole lines, and the names of its threads.

mod common;

use common::{Child, program, root, run};
use std::collections::BTreeSet;
use std::io::{PipeReader, PipeWriter, Read};
use std::os::fd::AsRawFd;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

#[test]
fn main_that_returns_nothing_ends_the_process_whatever_others_compute() {
    for procs in [1, 2, 8] {
        let outcome = run(Command::new(program("returns_nothing")).env("GOMAXPROCS", procs.to_string()));
        assert_eq!((outcome.status, outcome.stderr.as_str()), (Some(0), ""), "GOMAXPROCS={procs}: {outcome:?}");
        assert_eq!(outcome.stdout, format!("{} goroutines compute\nmain has returned\n", 2 * procs));
    }
}

#[test]
fn an_exit_status_that_main_returns_is_that_of_the_process() {
    // The kernel keeps the lowest eight bits.
    for (returned, status) in [("0", 0), ("7", 7), ("255", 255), ("-1", 255), ("258", 2)] {
        let outcome = run(Command::new(program("returns_status")).arg(returned));
        assert_eq!((outcome.status, outcome.stdout + &outcome.stderr), (Some(status), String::new()), "main returned {returned}");
    }
}

#[test]
fn a_result_that_main_returns_is_its_status_or_an_error_that_is_printed() {
    for (returned, status, stderr) in [
        ("0", 0, ""),
        ("9", 9, ""),
        ("none", 1, "Error: NoStatus { argument: \"none\" }\n"),
        ("two\nlines", 1, "Error: NoStatus { argument: \"two\\nlines\" }\n"),
    ] {
        let outcome = run(Command::new(program("returns_result")).arg(returned));
        assert_eq!((outcome.status, outcome.stdout.as_str(), outcome.stderr.as_str()), (Some(status), "", stderr), "main returned {returned:?}");
    }
}

/// What `lines COUNT LONGEST` has written: every line whole, each goroutine's in order, none missing.
fn are_whole(written: &str, count: usize) {
    let mut next = [0; 8];
    for (at, line) in written.lines().enumerate() {
        let whole = (|| {
            let [goroutine, number, length, body] = line.splitn(4, ' ').collect::<Vec<_>>().try_into().ok()?;
            let (goroutine, number, length): (usize, usize, usize) = (goroutine.parse().ok()?, number.parse().ok()?, length.parse().ok()?);
            let letter = b'a' + goroutine as u8;
            let fits = body.len() == length + 1 && body.ends_with('.') && body.bytes().take(length).all(|byte| byte == letter);
            (fits && *next.get(goroutine)? == number).then_some(goroutine)
        })();
        let shown = &line[..line.len().min(200)];
        next[whole.unwrap_or_else(|| panic!("line {at} is torn, or not in order ({next:?}): {shown:?}"))] += 1;
    }
    assert!(written.ends_with(".\n") && next == [count; 8], "lines are missing: {next:?} of {count} each");
}

fn lines(count: usize, longest: usize) -> Command {
    let mut command = Command::new(program("lines"));
    command.args([count.to_string(), longest.to_string()]).env("GOMAXPROCS", "8");
    command
}

#[test]
fn lines_to_a_pipe_are_whole() {
    let outcome = run(&mut lines(3000, 400));
    assert_eq!(outcome.status, Some(0), "{}", outcome.stderr);
    are_whole(&outcome.stdout, 3000);
    let outcome = run(lines(1000, 400).arg("err"));
    assert_eq!((outcome.status, outcome.stdout.as_str()), (Some(0), ""));
    are_whole(&outcome.stderr, 1000);
}

#[test]
fn lines_to_a_file_are_whole() {
    let path = std::env::temp_dir().join(format!("gort-lines-{}", std::process::id()));
    let mut child = Child(lines(3000, 6000).stdout(std::fs::File::create(&path).unwrap()).spawn().unwrap());
    let start = Instant::now();
    let status = loop {
        match child.0.try_wait().unwrap() {
            Some(status) => break status,
            None => assert!(start.elapsed() < Duration::from_secs(120), "not done"),
        }
        std::thread::sleep(Duration::from_millis(2));
    };
    let written = std::fs::read_to_string(&path).unwrap();
    std::fs::remove_file(&path).unwrap();
    assert_eq!(status.code(), Some(0));
    are_whole(&written, 3000);
}

/// fcntl(2).
fn fcntl(file: &impl AsRawFd, command: usize, argument: usize) {
    const FCNTL: usize = 72;
    let result: isize;
    // SAFETY: the commands below touch no memory.
    unsafe {
        std::arch::asm!("syscall", inlateout("rax") FCNTL as isize => result, in("rdi") file.as_raw_fd() as usize, in("rsi") command, in("rdx") argument,
            lateout("rcx") _, lateout("r11") _, options(nostack));
    }
    assert!(result >= 0, "fcntl {command}: error {}", -result);
}

/// A pipe that holds one page.
fn narrow_pipe(writes_block: bool) -> (PipeReader, PipeWriter) {
    const F_SETFL: usize = 4;
    const F_SETPIPE_SZ: usize = 1031;
    const O_NONBLOCK: usize = 0o4000;
    let (reader, writer) = std::io::pipe().unwrap();
    fcntl(&writer, F_SETPIPE_SZ, 4096);
    if !writes_block {
        fcntl(&writer, F_SETFL, O_NONBLOCK);
    }
    (reader, writer)
}

/// All that comes out of the pipe, taken in small pieces, with a rest now and then: its buffer is full most of the time.
fn read_slowly(mut reader: PipeReader) -> String {
    let (mut all, mut piece) = (Vec::new(), [0; 700]);
    for n in 0.. {
        match reader.read(&mut piece[..n % 700 + 1]).unwrap() {
            0 => break,
            n => all.extend_from_slice(&piece[..n]),
        }
        if n % 16 == 0 {
            std::thread::sleep(Duration::from_micros(200));
        }
    }
    String::from_utf8(all).unwrap()
}

/// Lines of up to 20 000 bytes through that pipe: a `write` takes part of one. What strace saw of the writes comes back.
fn through_a_narrow_pipe(writes_block: bool) -> String {
    let (reader, writer) = narrow_pipe(writes_block);
    let log = std::env::temp_dir().join(format!("gort-writes-{}-{writes_block}", std::process::id()));
    let mut strace = Command::new("strace");
    strace.args(["-f", "-qq", "-s", "0", "-e", "trace=write", "-o"]).arg(&log).arg(program("lines")).args(["60", "20000"]).env("GOMAXPROCS", "8");
    let mut child = Child(strace.stdin(Stdio::null()).stdout(writer).spawn().unwrap());
    drop(strace); // and with it our end for writing
    let reading = std::thread::spawn(|| read_slowly(reader));
    let start = Instant::now();
    while child.0.try_wait().unwrap().is_none() {
        assert!(start.elapsed() < Duration::from_secs(120), "not done");
        std::thread::sleep(Duration::from_millis(2));
    }
    are_whole(&reading.join().unwrap(), 60);
    let writes = std::fs::read_to_string(&log).unwrap();
    std::fs::remove_file(&log).unwrap();
    writes
}

/// Did a write take less than it was given?
fn is_short(line: &str) -> bool {
    let numbers = || Some((line.split(", ").nth(2)?.split(')').next()?.parse::<u64>().ok()?, line.rsplit("= ").next()?.parse::<u64>().ok()?));
    numbers().is_some_and(|(given, taken)| taken < given)
}

#[test]
fn lines_to_a_pipe_that_is_always_full_are_whole() {
    through_a_narrow_pipe(true);
}

#[test]
fn lines_to_a_full_pipe_that_takes_pieces_and_refuses_are_whole() {
    let writes = through_a_narrow_pipe(false);
    let (short, refused) = (writes.lines().filter(|line| is_short(line)).count(), writes.matches("EAGAIN").count());
    assert!(short > 20 && refused > 20, "{short} short writes, {refused} refused: the pipe was never full");
}

/// One sysmon, the initial thread with the program's name, and eight Ms or more, each with a number of its own.
fn are_right(names: &[String]) -> bool {
    let count = |wanted: &str| names.iter().filter(|name| name.trim_end() == wanted).count();
    let numbers: Vec<u32> = names.iter().filter_map(|name| name.strip_prefix("gort-m")?.trim_end().parse().ok()).collect();
    let distinct: BTreeSet<u32> = numbers.iter().copied().filter(|&number| number != 0).collect();
    let others = names.len() == numbers.len() + 2 && count("gort-sysmon") == 1 && count("starvation") == 1;
    others && numbers.len() >= 8 && distinct.len() == numbers.len()
}

#[test]
fn threads_are_named_for_ps_and_debuggers() {
    let mut command = Command::new(program("starvation"));
    // 32 goroutines in system calls: some Ms more than Ps.
    let child = Child::start(command.args(["calls", "60000"]).env("GOMAXPROCS", "4").current_dir(root()));
    let start = Instant::now();
    let mut names = Vec::new();
    // One that has just been made has its maker's name: a look may come too early.
    while !are_right(&names) {
        assert!(start.elapsed() < Duration::from_secs(30), "{names:?}");
        std::thread::sleep(Duration::from_millis(5));
        let tasks = std::fs::read_dir(format!("/proc/{}/task", child.pid())).unwrap();
        names = tasks.filter_map(|task| std::fs::read_to_string(task.ok()?.path().join("comm")).ok()).collect();
    }
    // What ps says of the whole process is still the program.
    assert_eq!(std::fs::read_to_string(format!("/proc/{}/comm", child.pid())).unwrap(), "starvation\n");
}
