//! What a program of tests prints: std's harness's words, line by line.

use super::args::Options;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

/// How many characters stand in a line of the terse format.
const TERSE_COLUMNS: usize = 87;

/// How a test has ended.
pub(super) enum Outcome {
    Passed,
    /// And what is to be said of it behind its output.
    Failed(Option<String>),
    Ignored(&'static str),
}

/// The name of a test, and what it has printed.
type Said = (&'static str, Vec<u8>);

pub(super) struct Report<'a> {
    options: &'a Options,
    /// How many are run, or ignored.
    total: usize,
    done: usize,
    /// One at a time: its name is printed before it runs.
    one_by_one: bool,
    passed: Vec<Said>,
    failed: Vec<Said>,
    ignored: usize,
    /// Characters in the last line of the terse format.
    column: usize,
}

impl<'a> Report<'a> {
    pub fn begin(options: &'a Options, total: usize, one_by_one: bool) -> Report<'a> {
        crate::println!("\nrunning {total} test{}", if total == 1 { "" } else { "s" });
        Report { options, total, done: 0, one_by_one, passed: Vec::new(), failed: Vec::new(), ignored: 0, column: 0 }
    }

    /// A test begins.
    pub fn starts(&self, name: &str, panics: bool) {
        if self.one_by_one && !self.options.terse {
            crate::print!("test {name}{} ... ", suffix(panics));
        }
    }

    /// It has ended, and has printed `output`.
    pub fn ended(&mut self, name: &'static str, panics: bool, outcome: Outcome, mut output: Vec<u8>) {
        let (word, character) = match &outcome {
            Outcome::Passed => ("ok", '.'),
            Outcome::Failed(_) => ("FAILED", 'F'),
            Outcome::Ignored(_) => ("ignored", 'i'),
        };
        if self.options.terse {
            self.terse(name, character);
        } else {
            let why = match outcome {
                Outcome::Ignored(why) if !why.is_empty() => format!(", {why}"),
                _ => String::new(),
            };
            match self.one_by_one {
                true => crate::println!("{word}{why}"),
                false => crate::println!("test {name}{} ... {word}{why}", suffix(panics)),
            }
        }
        self.done += 1;
        match outcome {
            Outcome::Passed => self.passed.push((name, output)),
            Outcome::Ignored(_) => self.ignored += 1,
            Outcome::Failed(note) => {
                if let Some(note) = note {
                    output.extend_from_slice(format!("note: {note}").as_bytes());
                }
                self.failed.push((name, output));
            }
        }
    }

    fn terse(&mut self, name: &str, character: char) {
        if character == 'F' {
            if self.column != 0 {
                crate::println!(" {}/{}", self.done, self.total);
                self.column = 0;
            }
            return crate::println!("{name} --- FAILED");
        }
        self.column += 1;
        match self.column == TERSE_COLUMNS {
            true => {
                crate::println!("{character} {}/{}", self.done + 1, self.total);
                self.column = 0;
            }
            false => crate::print!("{character}"),
        }
    }

    /// A test that had passed has failed since.
    pub fn failed_late(&mut self, name: &'static str) {
        if let Some(at) = self.passed.iter().position(|(passed, _)| *passed == name) {
            self.passed.swap_remove(at);
            self.failed.push((name, b"note: a goroutine that it left behind has panicked since".to_vec()));
        }
    }

    /// The end of the output. True: all is well.
    pub fn end(mut self, filtered_out: usize, took: Duration) -> bool {
        if self.options.shows_output {
            list("successes", &mut self.passed);
        }
        let is_ok = self.failed.is_empty();
        if !is_ok {
            list("failures", &mut self.failed);
        }
        crate::println!(
            "\ntest result: {}. {} passed; {} failed; {} ignored; 0 measured; {filtered_out} filtered out; finished in {:.2}s\n",
            if is_ok { "ok" } else { "FAILED" },
            self.passed.len(),
            self.failed.len(),
            self.ignored,
            took.as_secs_f64()
        );
        is_ok
    }
}

fn suffix(panics: bool) -> &'static str {
    if panics { " - should panic" } else { "" }
}

/// What the tests have printed, in the order in which they ended, and their names.
fn list(title: &str, tests: &mut [Said]) {
    crate::println!("\n{title}:");
    let mut first = true;
    for (name, output) in tests.iter().filter(|(_, output)| !output.is_empty()) {
        let text = String::from_utf8_lossy(output);
        crate::print!("{}---- {name} stdout ----\n{text}\n", if first { "\n" } else { "" });
        first = false;
    }
    tests.sort_unstable_by_key(|(name, _)| *name);
    crate::println!("\n{title}:");
    for (name, _) in tests {
        crate::println!("    {name}");
    }
}
