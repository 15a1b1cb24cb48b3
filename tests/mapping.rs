//! `tests/go-tests.md` names, for each of Go's tests in the groups that are begun, a test of ours that exists, a listed deviation, or what it waits for.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// Every group with the number of its rows: a row that is deleted does not go unnoticed.
const GROUPS: [(&str, usize); 13] = [
    ("chan/select: whole programs", 20),
    ("chan (runtime)", 11),
    ("proc (runtime)", 22),
    ("proc/crash (runtime)", 20),
    ("proc other (runtime)", 14),
    ("cgroup parser", 3),
    ("sync", 14),
    ("time", 21),
    ("context", 14),
    ("net", 35),
    ("net/resolver", 12),
    ("internal/poll", 4),
    ("synctest (virtual time)", 8),
];

/// A row's answer: what is wrong with it, if anything.
fn fault(answer: &str, is_begun: bool, exists: &dyn Fn(&str, &str) -> bool) -> Option<String> {
    let has = |word: &str| answer.strip_prefix(word).is_some_and(|rest| rest.len() > 10);
    let named: Vec<&str> = answer.split('`').skip(1).step_by(2).collect();
    for name in &named {
        match name.split_once("::") {
            Some((file, test)) if exists(file, test) => {}
            Some(_) => return Some(format!("no such test: {name}")),
            None => return Some(format!("not FILE::TEST: {name}")),
        }
    }
    (named.is_empty() && is_begun && !has("deviation: ") && !has("waits for ")).then(|| "it has neither a test, nor `deviation: …`, nor `waits for …`".into())
}

/// A group: is it begun, and its rows as (test, answer).
type Group<'a> = (bool, Vec<(&'a str, &'a str)>);

/// The groups of the page, by name.
fn groups(page: &str) -> BTreeMap<&str, Group<'_>> {
    let mut groups = BTreeMap::new();
    for part in page.split("\n## ").skip(1) {
        let (name, body) = part.split_once('\n').expect("a group has a body");
        let is_begun = body.contains("`: begun.");
        assert!(is_begun || body.contains("`: not begun."), "{name}: neither begun nor not begun");
        let rows = body.lines().filter_map(|line| line.strip_prefix("| ")?.strip_suffix('|')?.split_once(" | "));
        let rows = rows.filter(|&(test, _)| test != "test").map(|(test, answer)| (test, answer.trim())).collect();
        groups.insert(name, (is_begun, rows));
    }
    groups
}

/// Is there a test of this name in the file?
fn is_test(text: &str, test: &str) -> bool {
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    let declares = |line: &str| line.strip_prefix("fn ").and_then(|rest| rest.strip_prefix(test)).is_some_and(|rest| rest.starts_with('('));
    let marked = |at: usize| lines[..at].iter().rev().take_while(|line| line.starts_with("#[")).any(|line| *line == "#[test]");
    (0..lines.len()).any(|at| declares(lines[at]) && marked(at))
}

#[test]
fn every_row_of_a_group_begun_has_its_test() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = fs::read_to_string(root.join("tests/go-tests.md")).unwrap();
    let exists = |file: &str, test: &str| fs::read_to_string(root.join(file)).is_ok_and(|text| is_test(&text, test));
    let groups = groups(&page);
    let counts: Vec<(&str, usize)> = groups.iter().map(|(name, (_, rows))| (*name, rows.len())).collect();
    let mut want = GROUPS.to_vec();
    want.sort();
    assert_eq!(counts, want);
    let rows = groups.iter().flat_map(|(name, (begun, rows))| rows.iter().map(move |(test, answer)| (name, *begun, test, *answer)));
    let faults: Vec<String> = rows.filter_map(|(name, begun, test, answer)| Some(format!("{name}: {test}: {}", fault(answer, begun, &exists)?))).collect();
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn rows_that_say_nothing_or_name_what_is_not_there_are_faults() {
    let exists = |file: &str, test: &str| (file, test) == ("tests/a.rs", "it_holds");
    let fault = |answer, begun| fault(answer, begun, &exists).is_some();
    for good in ["`tests/a.rs::it_holds`", "deviation: stacks do not move", "waits for select (issue 6)"] {
        assert!(!fault(good, true), "{good}");
    }
    for bad in ["", "deviation: ", "waits for ", "`tests/a.rs::gone`", "`tests/a.rs`", "`tests/a.rs::it_holds`, `tests/b.rs::it_holds`", "soon"] {
        assert!(fault(bad, true), "{bad}");
    }
    assert!(!fault("", false) && fault("`tests/a.rs::gone`", false));
    assert!(is_test("    #[test]\n    fn a() {", "a"));
    for text in ["fn a() {", "#[test]\nfn ab() {", "// fn a()", "#[test]\nfn b() {}\nfn a() {"] {
        assert!(!is_test(text, "a"), "{text}");
    }
}
