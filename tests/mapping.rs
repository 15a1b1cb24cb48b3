//! `tests/go-tests.md` names, for each of Go's tests in the groups that are begun, a test of ours that exists, a listed deviation, or what it waits for.

mod common;

use common::named::Tree;
use std::collections::BTreeMap;

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
fn fault(answer: &str, is_begun: bool, tree: &Tree) -> Option<String> {
    let has = |word: &str| answer.strip_prefix(word).is_some_and(|rest| rest.len() > 10);
    let named: Vec<&str> = answer.split('`').skip(1).step_by(2).collect();
    if let Some(fault) = named.iter().find_map(|name| tree.fault_of_test(name)) {
        return Some(fault);
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

#[test]
fn every_row_of_a_group_begun_has_its_test() {
    let tree = Tree::of_project();
    let groups = groups(tree.text("tests/go-tests.md"));
    let counts: Vec<(&str, usize)> = groups.iter().map(|(name, (_, rows))| (*name, rows.len())).collect();
    let mut want = GROUPS.to_vec();
    want.sort();
    assert_eq!(counts, want);
    let rows = groups.iter().flat_map(|(name, (begun, rows))| rows.iter().map(move |(test, answer)| (name, *begun, test, *answer)));
    let faults: Vec<String> = rows.filter_map(|(name, begun, test, answer)| Some(format!("{name}: {test}: {}", fault(answer, begun, &tree)?))).collect();
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn rows_that_say_nothing_or_name_what_is_not_there_are_faults() {
    let tree = Tree::made_up(&[("tests/a.rs", "#[test]\nfn it_holds() {}\n")]);
    let fault = |answer, begun| fault(answer, begun, &tree).is_some();
    for good in ["`tests/a.rs::it_holds`", "deviation: stacks do not move", "waits for select (issue 6)"] {
        assert!(!fault(good, true), "{good}");
    }
    for bad in ["", "deviation: ", "waits for ", "`tests/a.rs::gone`", "`tests/a.rs`", "`tests/a.rs::it_holds`, `tests/b.rs::it_holds`", "soon"] {
        assert!(fault(bad, true), "{bad}");
    }
    assert!(!fault("", false) && fault("`tests/a.rs::gone`", false));
}
