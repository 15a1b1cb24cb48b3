//! The command line of a program of tests: that of std's harness.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

/// What is to be done.
pub(super) struct Options {
    pub filters: Vec<&'static str>,
    pub skips: Vec<&'static str>,
    pub exact: bool,
    pub list: bool,
    /// Which of those that are ignored by default, and of the others.
    pub ignored: Ignored,
    pub captures: bool,
    pub shows_output: bool,
    /// One character a test.
    pub terse: bool,
    /// How many tests run at a time; none: as many as there are Ps.
    pub at_once: Option<usize>,
    pub warn_after_s: u64,
}

/// What is done with tests that are ignored by default.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Ignored {
    Skip,
    Include,
    Only,
}

/// What the command line is.
pub(super) enum Parsed {
    Options(Options),
    Help,
    Wrong(String),
}

/// After so long std's harness tells of a test.
const WARN_AFTER_S: u64 = 60;

const HELP: &str = "Usage: tests [OPTIONS] [FILTERS...]

Options:
        --include-ignored 
                        Run ignored and not ignored tests
        --ignored       Run only ignored tests
        --test          Run tests: there is nothing else
        --list          List all tests
    -h, --help          Display this message
        --no-capture    don't capture stdout/stderr of each task, allow
                        printing directly (also --nocapture)
        --test-threads N
                        Number of tests that run at a time (GOMAXPROCS)
        --skip FILTER   Skip tests whose names contain FILTER (this flag can
                        be used multiple times)
    -q, --quiet         Display one character per test instead of one line.
                        Alias to --format=terse
        --exact         Exactly match filters rather than by substring
        --color auto|never
                        There are no colors
        --format pretty|terse
                        Configure formatting of output:
                        pretty = Print verbose output;
                        terse = Display one character per test
        --show-output   Show captured stdout of successful tests
        --warn-after SECONDS
                        Tell of tests that run for so long (60)

The FILTER string is tested against the name of all tests, and only those
tests whose names contain the filter are run. Multiple filter strings may
be passed, which will run all tests matching any of the filters.

All tests have their standard output and standard error captured by default:
see --no-capture. RUST_TEST_THREADS and RUST_TEST_NOCAPTURE in the environment
count as the flags.";

pub(super) fn print_help() {
    crate::println!("{HELP}");
}

/// The number behind a flag, which is not 0.
fn number(flag: &str, text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(0) => Err(format!("argument for {flag} must not be 0")),
        Ok(n) => Ok(n),
        Err(error) => Err(format!("argument for {flag} must be a number > 0 (error: {error})")),
    }
}

/// Reads the arguments behind the program's name, and the environment.
pub(super) fn parse(arguments: impl Iterator<Item = &'static str>, variable: impl Fn(&str) -> Option<&'static str>) -> Parsed {
    match options(arguments, variable) {
        Ok(Some(options)) => Parsed::Options(options),
        Ok(None) => Parsed::Help,
        Err(text) => Parsed::Wrong(text),
    }
}

fn options(mut arguments: impl Iterator<Item = &'static str>, variable: impl Fn(&str) -> Option<&'static str>) -> Result<Option<Options>, String> {
    let mut options = Options {
        filters: Vec::new(),
        skips: Vec::new(),
        exact: false,
        list: false,
        ignored: Ignored::Skip,
        captures: variable("RUST_TEST_NOCAPTURE").is_none_or(|value| value == "0"),
        shows_output: false,
        terse: false,
        at_once: match variable("RUST_TEST_THREADS") {
            Some(text) => Some(text.parse().ok().filter(|&n| n > 0).ok_or_else(|| format!("RUST_TEST_THREADS is `{text}`, should be a positive integer."))?),
            None => None,
        },
        warn_after_s: WARN_AFTER_S,
    };
    let mut only_filters = false;
    while let Some(argument) = arguments.next() {
        if only_filters || !argument.starts_with('-') || argument == "-" {
            options.filters.push(argument);
            continue;
        }
        let (name, value) = argument.split_once('=').map_or((argument, None), |(name, value)| (name, Some(value)));
        let bare = name.trim_start_matches('-');
        let is_flag = ["--help", "--include-ignored", "--ignored", "--test", "--list", "--exact", "--nocapture", "--no-capture", "--show-output", "--quiet"]
            .contains(&name);
        let mut operand = || value.or_else(|| arguments.next()).ok_or_else(|| format!("Argument to option '{bare}' missing"));
        match name {
            _ if value.is_some() && is_flag => return Err(format!("Option '{bare}' does not take an argument")),
            "--" => only_filters = true,
            "-h" | "--help" => return Ok(None),
            "--include-ignored" | "--ignored" if options.ignored != Ignored::Skip && (options.ignored == Ignored::Only) != (name == "--ignored") => {
                return Err("the options --include-ignored and --ignored are mutually exclusive".to_string());
            }
            "--include-ignored" => options.ignored = Ignored::Include,
            "--ignored" => options.ignored = Ignored::Only,
            "--test" => {}
            "--list" => options.list = true,
            "--exact" => options.exact = true,
            "--nocapture" | "--no-capture" => options.captures = false,
            "--show-output" => options.shows_output = true,
            "-q" | "--quiet" => options.terse = true,
            "--skip" => options.skips.push(operand()?),
            "--test-threads" => options.at_once = Some(number(name, operand()?)?),
            "--warn-after" => options.warn_after_s = number(name, operand()?)? as u64,
            "--format" => match operand()? {
                "pretty" => options.terse = false,
                "terse" => options.terse = true,
                other => return Err(format!("argument for --format must be pretty or terse (was {other})")),
            },
            "--color" => match operand()? {
                "auto" | "never" => {}
                other => return Err(format!("argument for --color must be auto or never (was {other})")),
            },
            _ => return Err(format!("Unrecognized option: '{bare}'")),
        }
    }
    Ok(Some(options))
}

impl Options {
    /// Is a test of this name among those that are meant?
    pub fn wants(&self, name: &str) -> bool {
        let matches = |filter: &&str| if self.exact { name == *filter } else { name.contains(*filter) };
        (self.filters.is_empty() || self.filters.iter().any(matches)) && !self.skips.iter().any(matches)
    }
}
