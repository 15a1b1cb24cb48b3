//! Documents name tests, as `tests/FILE.rs::NAME` or `src/…rs::NAME`: is there such a test, and does `ci/test` run it?
//!
//! 1. All is read from the sources as text, formatted by rustfmt (`ci/test` checks that): what encloses a line is indented less and ends with `{`.
//! 2. Whatever is not understood, a `cfg` of an unknown name or a test made by a macro of our own, is a fault: nothing is taken to run on trust.
//! 3. `ci/test` runs a named test once for all pages, in the same run as the check of the page: so a page needs to know that it is there, not that it passes.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::OnceLock;

type Modules = OnceLock<Result<BTreeSet<String>, String>>;

/// The project's files, by their paths from the root; and which of the library's each way to run tests compiles.
pub struct Tree {
    files: BTreeMap<String, String>,
    by_cargo: Modules,
    by_models: Modules,
}

/// The two ways in which `ci/test` runs tests: `cargo test`, and `ci/models`.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Run {
    Cargo,
    Models,
}

impl Tree {
    pub fn of_project() -> Tree {
        let mut files = BTreeMap::new();
        read(super::root(), "", &mut files);
        Tree { files, by_cargo: OnceLock::new(), by_models: OnceLock::new() }
    }

    /// A tree with these files, and with what else it takes for `ci/test` to run their tests.
    pub fn made_up(files: &[(&str, &str)]) -> Tree {
        let ground = [
            ("ci/test", "tests \"tests\" cargo test --no-fail-fast\ntests \"models\" ci/models\n"),
            ("ci/models", "export RUSTFLAGS=\"--cfg loom\"\n[ $# -gt 0 ] || set -- models\nexec cargo test --release -p gort --lib \"$@\"\n"),
            ("Cargo.toml", "[package]\n"),
            ("src/lib.rs", ""),
        ];
        let files = ground.iter().chain(files).map(|(path, text)| (path.to_string(), text.to_string())).collect();
        Tree { files, by_cargo: OnceLock::new(), by_models: OnceLock::new() }
    }

    pub fn text(&self, path: &str) -> &str {
        self.files.get(path).unwrap_or_else(|| panic!("no {path}"))
    }

    pub fn paths(&self) -> impl Iterator<Item = &str> {
        self.files.keys().map(String::as_str)
    }

    /// What is wrong with the test that is called `FILE::NAME`.
    pub fn fault_of_test(&self, named: &str) -> Option<String> {
        let Some((file, name)) = named.split_once("::") else { return Some(format!("not FILE::TEST: {named}")) };
        let Some(text) = self.files.get(file) else { return Some(format!("no such file: {named}")) };
        let run = match self.run_of(file) {
            Ok(run) => run,
            Err(why) => return Some(format!("{named}: {why}")),
        };
        let lines = code(text);
        let declared: Vec<usize> = (0..lines.len()).filter(|&at| is_function(lines[at], name)).collect();
        let verdicts: Vec<Result<bool, String>> = declared.iter().map(|&at| is_run(&lines, at, run)).collect();
        if verdicts.contains(&Ok(true)) {
            return None;
        }
        match verdicts.into_iter().find_map(Result::err) {
            Some(why) => Some(format!("{named} {why}")),
            None => Some(format!("no such test: {named}")),
        }
    }

    /// Every test of the sources and of `tests/` that `ci/test` does not run, with the reason.
    pub fn never_run(&self) -> Vec<String> {
        let mut faults = Vec::new();
        for (file, text) in &self.files {
            if !file.ends_with(".rs") || !(file.starts_with("src/") || file.starts_with("tests/") && file.matches('/').count() == 1) {
                continue;
            }
            let lines = code(text);
            for at in 0..lines.len() {
                let Some(name) = without_visibility(lines[at]).strip_prefix("fn ").and_then(|rest| rest.split('(').next()) else { continue };
                if attributes(&lines, at).iter().any(|attribute| attribute == "test") {
                    faults.extend(self.fault_of_test(&format!("{file}::{name}")));
                }
            }
        }
        faults
    }

    /// What is wrong with a place in the project, `FILE`, `FOLDER/` or `FILE::ITEM`.
    pub fn fault_of_place(&self, named: &str) -> Option<String> {
        let (file, item) = named.split_once("::").map_or((named, None), |(file, item)| (file, Some(item)));
        if let Some(folder) = file.strip_suffix('/') {
            return (!self.files.keys().any(|path| path.starts_with(file))).then(|| format!("no such folder: {folder}"));
        }
        let Some(text) = self.files.get(file) else { return Some(format!("no such file: {file}")) };
        let is_word = |item: &str| text.split(|c: char| !c.is_alphanumeric() && c != '_').any(|word| word == item);
        item.is_some_and(|item| !item.split("::").all(is_word)).then(|| format!("nothing is called so: {named}"))
    }

    /// How `ci/test` runs the tests of a file; or why it does not.
    fn run_of(&self, file: &str) -> Result<Run, String> {
        self.is_run_by_ci()?;
        if let Some(name) = file.strip_prefix("tests/") {
            return if name.contains('/') || !name.ends_with(".rs") { Err("cargo makes no test of this file".into()) } else { Ok(Run::Cargo) };
        }
        let run = if file.starts_with("src/models/") { Run::Models } else { Run::Cargo };
        if !file.starts_with("src/") {
            return Err("ci/test runs the tests of tests/ and src/ alone".into());
        }
        let modules = if run == Run::Cargo { &self.by_cargo } else { &self.by_models };
        match modules.get_or_init(|| self.modules(run)) {
            Err(why) => Err(why.clone()),
            Ok(compiled) if compiled.contains(file) => Ok(run),
            Ok(_) => Err(format!("{} does not compile this file", if run == Run::Cargo { "cargo test" } else { "ci/models" })),
        }
    }

    /// `ci/test` runs all that cargo finds, and all models.
    fn is_run_by_ci(&self) -> Result<(), String> {
        let ci = self.text("ci/test");
        let steps = || ci.lines().filter_map(|line| line.strip_prefix("tests ")).map(|line| line.split_once(" cargo test").unwrap_or((line, "")));
        if !steps().any(|(name, words)| !name.contains("ci/") && words.trim() == "--no-fail-fast") {
            return Err("ci/test has no step that runs `cargo test` with all that it finds".into());
        }
        if !steps().any(|(name, _)| name.ends_with(" ci/models")) {
            return Err("ci/test has no step that runs ci/models".into());
        }
        let models = self.text("ci/models");
        if !(models.contains("RUSTFLAGS=\"--cfg loom\"") && models.contains("|| set -- models") && models.contains("cargo test --release -p gort --lib")) {
            return Err("ci/models does not run what is called models, with `--cfg loom`".into());
        }
        let manifest = self.text("Cargo.toml");
        let odd = ["autotests = false", "[[test]]", "test = false", "harness = false", "[lib]"].into_iter().find(|odd| manifest.contains(odd));
        odd.map_or(Ok(()), |odd| Err(format!("Cargo.toml has {odd}: which tests are run then is not known here")))
    }

    /// The files of the library that are compiled.
    fn modules(&self, run: Run) -> Result<BTreeSet<String>, String> {
        let (mut found, mut todo) = (BTreeSet::new(), vec!["src/lib.rs".to_string()]);
        while let Some(file) = todo.pop() {
            let lines = code(self.text(&file));
            let folder = file.rsplit_once('/').unwrap().0.to_string();
            let own = match file.rsplit('/').next().unwrap() {
                "lib.rs" | "mod.rs" => folder.clone(),
                _ => file.trim_end_matches(".rs").to_string(),
            };
            for at in 0..lines.len() {
                let Some(name) = without_visibility(lines[at]).strip_prefix("mod ").and_then(|rest| rest.strip_suffix(';')) else { continue };
                if !is_there(&lines, at, run).map_err(|why| format!("module {name} of {file} {why}"))? {
                    continue;
                }
                let attributes = attributes(&lines, at);
                let path = attributes.iter().find_map(|attribute| attribute.strip_prefix("path = \"")?.strip_suffix('"'));
                let places = match path {
                    Some(path) => vec![format!("{folder}/{path}")],
                    None => vec![format!("{own}/{name}.rs"), format!("{own}/{name}/mod.rs")],
                };
                todo.extend(places.into_iter().filter(|place| self.files.contains_key(place)));
            }
            found.insert(file);
        }
        Ok(found)
    }
}

fn read(root: &Path, below: &str, files: &mut BTreeMap<String, String>) {
    for entry in std::fs::read_dir(root.join(below)).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        let path = if below.is_empty() { name.clone() } else { format!("{below}/{name}") };
        let kind = entry.file_type().unwrap();
        if kind.is_dir() && !matches!(name.as_str(), "target" | ".git" | "node_modules" | "__pycache__") {
            read(root, &path, files);
        } else if kind.is_file() {
            files.insert(path, std::fs::read(entry.path()).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default());
        }
    }
}

/// The lines of a source, with those empty that begin inside a string or a comment of several lines.
fn code(text: &str) -> Vec<&str> {
    let bytes = text.as_bytes();
    let mut begins_inside = BTreeSet::new();
    let mut at = 0;
    // From `at` on, a literal or comment goes to `end`: the lines that begin in it are none of code.
    let mut skip = |from: usize, end: usize| {
        begins_inside.extend(text[from..end].match_indices('\n').map(|(n, _)| from + n + 1));
        end
    };
    let find = |from: usize, what: &str| text.get(from..).and_then(|rest| rest.find(what)).map_or(text.len(), |n| from + n);
    while at < bytes.len() {
        at = match bytes[at] {
            b'/' if bytes[at..].starts_with(b"//") => find(at, "\n"),
            b'/' if bytes[at..].starts_with(b"/*") => {
                let (mut depth, mut end) = (1, at + 2);
                while depth > 0 && end < bytes.len() {
                    match &bytes[end..(end + 2).min(bytes.len())] {
                        b"/*" => (depth, end) = (depth + 1, end + 2),
                        b"*/" => (depth, end) = (depth - 1, end + 2),
                        _ => end += 1,
                    }
                }
                skip(at, end)
            }
            b'r' if !(at > 0 && (bytes[at - 1].is_ascii_alphanumeric() && bytes[at - 1] != b'b' || bytes[at - 1] == b'_'))
                && bytes[at + 1..].iter().find(|&&b| b != b'#') == Some(&b'"') =>
            {
                let hashes = bytes[at + 1..].iter().take_while(|&&b| b == b'#').count();
                let close = format!("\"{}", "#".repeat(hashes));
                skip(at, (find(at + hashes + 2, &close) + close.len()).min(text.len()))
            }
            b'"' => {
                let mut end = at + 1;
                while end < bytes.len() && bytes[end] != b'"' {
                    end += if bytes[end] == b'\\' { 2 } else { 1 };
                }
                skip(at, (end + 1).min(text.len()))
            }
            // A character, not a lifetime: its closing quote comes after one character or an escape.
            b'\'' if bytes[at + 1..].first() == Some(&b'\\') => find(at + 3, "'") + 1,
            b'\'' if text[at + 1..].chars().nth(1) == Some('\'') => at + 2 + text[at + 1..].chars().next().unwrap().len_utf8(),
            _ => at + 1,
        };
    }
    let mut start = 0;
    text.split('\n')
        .map(|line| {
            let begin = start;
            start += line.len() + 1;
            if begins_inside.contains(&begin) { "" } else { line }
        })
        .collect()
}

fn without_visibility(line: &str) -> &str {
    let line = line.trim();
    let Some(rest) = line.strip_prefix("pub") else { return line };
    let rest = if rest.starts_with('(') { rest.split_once(')').map_or(rest, |(_, rest)| rest) } else { rest };
    rest.trim_start()
}

fn is_function(line: &str, name: &str) -> bool {
    without_visibility(line).strip_prefix("fn ").and_then(|rest| rest.strip_prefix(name)).is_some_and(|rest| rest.starts_with('('))
}

/// The attributes that stand above a line, without `#[` and `]`.
fn attributes(lines: &[&str], at: usize) -> Vec<String> {
    let (mut found, mut behind) = (Vec::new(), String::new());
    for line in lines[..at].iter().rev().map(|line| line.trim()) {
        if line.starts_with("//") && behind.is_empty() {
            continue;
        }
        // One of several lines ends where it is met first.
        if behind.is_empty() && !line.ends_with(']') {
            break;
        }
        behind = format!("{line} {behind}");
        if let Some(inside) = behind.trim_end().strip_prefix("#[").and_then(|rest| rest.strip_suffix(']')) {
            found.push(inside.trim().to_string());
            behind.clear();
        } else if line.is_empty() || line.ends_with('}') || line.ends_with(';') {
            break;
        }
    }
    found
}

/// Is the item on this line compiled, by its own attributes and by those of all that encloses it?
fn is_there(lines: &[&str], at: usize, run: Run) -> Result<bool, String> {
    Ok(first_reason(lines, at, run)?.is_none())
}

/// Is the function on this line a test that is run? An error says why a test is not.
fn is_run(lines: &[&str], at: usize, run: Run) -> Result<bool, String> {
    let mut own = Vec::new();
    for attribute in attributes(lines, at) {
        own.extend(unfold(&attribute, run)?);
    }
    if !own.iter().any(|attribute| attribute == "test") {
        return Ok(false);
    }
    if own.iter().any(|attribute| attribute == "ignore" || attribute.starts_with("ignore ")) {
        return Err("is ignored".into());
    }
    first_reason(lines, at, run)?.map_or(Ok(true), Err)
}

/// What an attribute is in a run: itself, or what a `cfg_attr` makes of it.
fn unfold(attribute: &str, run: Run) -> Result<Vec<String>, String> {
    let Some(inside) = attribute.strip_prefix("cfg_attr(").and_then(|rest| rest.strip_suffix(')')) else { return Ok(vec![attribute.into()]) };
    let parts = split(inside);
    let holds = holds(parts[0], run)?;
    Ok(if holds { parts[1..].iter().map(|part| part.to_string()).collect() } else { Vec::new() })
}

/// Why the item on this line is not compiled.
fn first_reason(lines: &[&str], at: usize, run: Run) -> Result<Option<String>, String> {
    let indent = |line: &str| line.len() - line.trim_start().len();
    let (mut at, mut all) = (at, Vec::new());
    loop {
        all.extend(attributes(lines, at));
        let outer = (0..at).rev().find(|&n| !lines[n].trim().is_empty() && indent(lines[n]) < indent(lines[at]) && lines[n].ends_with('{'));
        let Some(outer) = outer else { break };
        if let Some(name) = lines[outer].trim().strip_suffix("! {") {
            match name {
                "proptest" => {}
                // `src/lib.rs`: what needs the runtime, which is not there in std's harness.
                "in_programs" => all.push("cfg(not(any(test, loom)))".into()),
                _ => return Err(format!("stands in the macro {name}!, which is not known here")),
            }
        }
        at = outer;
    }
    let of_file = lines.iter().take_while(|line| line.is_empty() || line.starts_with("//") || line.starts_with("#!["));
    all.extend(of_file.filter_map(|line| line.strip_prefix("#![")?.strip_suffix(']')).map(str::to_string));
    for attribute in &all {
        for attribute in unfold(attribute, run)? {
            if let Some(condition) = attribute.strip_prefix("cfg(").and_then(|rest| rest.strip_suffix(')'))
                && !holds(condition, run)?
            {
                return Ok(Some(format!("is behind cfg({condition}), which ci/test does not set")));
            }
        }
    }
    Ok(None)
}

/// The parts of a list, split at its commas but for those in brackets.
fn split(list: &str) -> Vec<&str> {
    let (mut depth, mut from, mut parts) = (0, 0, Vec::new());
    for (at, c) in list.char_indices() {
        match c {
            '(' => depth += 1,
            ')' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(list[from..at].trim());
                from = at + 1;
            }
            _ => {}
        }
    }
    parts.push(list[from..].trim());
    parts.retain(|part| !part.is_empty());
    parts
}

/// Does a condition of `cfg` hold? No step of `ci/test` turns a feature on.
fn holds(condition: &str, run: Run) -> Result<bool, String> {
    let list = |name: &str| condition.strip_prefix(name)?.trim_start().strip_prefix('(')?.strip_suffix(')');
    if let Some(inside) = list("not") {
        return Ok(!holds(inside, run)?);
    }
    if let Some(inside) = list("all") {
        return split(inside).into_iter().try_fold(true, |all, part| Ok(all & holds(part, run)?));
    }
    if let Some(inside) = list("any") {
        return split(inside).into_iter().try_fold(false, |any, part| Ok(any | holds(part, run)?));
    }
    match condition.split_once('=').map_or((condition, ""), |(name, value)| (name.trim(), value.trim().trim_matches('"'))) {
        ("test" | "unix", "") => Ok(true),
        ("loom", "") => Ok(run == Run::Models),
        ("debug_assertions", "") => Ok(run == Run::Cargo),
        ("doc" | "doctest" | "miri" | "windows", "") => Ok(false),
        ("feature", _) => Ok(false),
        ("target_os", value) => Ok(value == "linux"),
        ("target_arch", value) => Ok(value == "x86_64"),
        ("target_pointer_width", value) => Ok(value == "64"),
        ("panic", value) => Ok(value == "unwind"),
        _ => Err(format!("is behind cfg({condition}), which is not known here")),
    }
}
