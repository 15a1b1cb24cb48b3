//! A file imports from lower floors or its own (HACKING.md, "The house"); folders of one floor form no cycle.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

const FLOORS: &[&[&str]] = &[
    &["arch"],
    &["sys"],
    &["base", "cgroup"],
    &["mem"],
    &["gmp"],
    &["timer", "netpoll"],
    &["sched"],
    &["chan", "sync", "time", "context", "io", "fs", "net", "os"],
    &["observe"],
    &["runtime", "syscall", "debug", "ffi", "entry", "macros", "testing", "prelude", "future", "lib", "models"],
];

fn floor(name: &str) -> Option<usize> {
    FLOORS.iter().position(|floor| floor.contains(&name))
}

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, found);
        } else if path.extension().is_some_and(|e| e == "rs") {
            found.push(path);
        }
    }
}

/// The climbs and cycles among `(from, to)` imports.
fn faults(imports: &BTreeSet<(String, String)>) -> Vec<String> {
    let mut faults = Vec::new();
    let mut same: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (from, to) in imports {
        match (floor(from), floor(to)) {
            (Some(a), Some(b)) if a < b => faults.push(format!("{from} (floor {a}) imports {to} (floor {b})")),
            (Some(a), Some(b)) if a == b && from != to && a < 9 => same.entry(from).or_default().push(to),
            (None, _) => faults.push(format!("{from} has no floor")),
            _ => {}
        }
    }
    for start in same.keys() {
        let (mut seen, mut todo) = (BTreeSet::new(), same[start].clone());
        while let Some(next) = todo.pop() {
            if next == *start {
                faults.push(format!("a cycle goes through {start}"));
                break;
            }
            if seen.insert(next) {
                todo.extend(same.get(next).into_iter().flatten());
            }
        }
    }
    faults
}

#[test]
fn no_import_climbs_a_floor() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    files(&src, &mut found);
    let mut imports = BTreeSet::new();
    for path in &found {
        let relative = path.strip_prefix(&src).unwrap().with_extension("");
        let from = relative.iter().next().unwrap().to_str().unwrap();
        for line in std::fs::read_to_string(path).unwrap().lines().filter(|line| !line.trim_start().starts_with("//")) {
            for to in line.split("crate::").skip(1) {
                let to: String = to.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
                if floor(&to).is_some() {
                    imports.insert((from.to_string(), to));
                }
            }
        }
    }
    imports.remove(&("arch".into(), "sys".into())); // in its tests only
    assert!(imports.len() > 20, "the imports were not found: {imports:?}");
    assert_eq!(faults(&imports), [""; 0]);
}

#[test]
fn climbs_and_cycles_are_found() {
    let of = |pairs: &[(&str, &str)]| faults(&pairs.iter().map(|(a, b)| (a.to_string(), b.to_string())).collect());
    assert_eq!(of(&[("sched", "gmp"), ("io", "sync"), ("entry", "observe")]), [""; 0]);
    assert_eq!(of(&[("gmp", "sched")]), ["gmp (floor 4) imports sched (floor 6)"]);
    assert_eq!(of(&[("io", "sync"), ("sync", "chan"), ("chan", "io")]).len(), 3);
}
