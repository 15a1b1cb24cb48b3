//! `docs/specification.md` and the pages beside it name, for each row of the specification, where it lives and a test that shows it, a deviation, or what it
//! waits for. This fails on a row that has none of these, on a test that is not there or that `ci/test` does not run, on a place that is not there, and
//! on a section that has lost rows.
//!
//! A row is `| what the specification says | in gort | shown by | remark |`: `in gort` has files (`src/runtime.rs`, `src/runtime.rs::gomaxprocs`), `shown by` has
//! tests (`tests/FILE.rs::NAME`, `src/models/FILE.rs::NAME`, …) or `waits for …`. A remark that begins with `deviation: ` or `about Go: ` stands in for a test.

mod common;

use common::named::Tree;

/// The sections of a page, each with the number of its rows.
type Page = (&'static str, &'static [(&'static str, usize)]);

/// Every page: a row or a section that is deleted does not go unnoticed.
const PAGES: &[Page] = &[
    (
        "docs/specification.md",
        &[
            ("Introduction", 1),
            ("What the Go spec says (and does not say) about threads", 18),
            ("The Go runtime documentation", 28),
            ("POSIX threads (pthreads)", 1),
            ("Linux clone(2) reference", 13),
            ("The Go memory model and thread visibility", 14),
            ("runtime package APIs related to threads", 12),
            ("runtime/metrics names related to threads", 8),
            ("GMP-related versions and release notes", 2),
            ("GODEBUG knobs related to threads", 26),
            ("GOMAXPROCS specification", 16),
            ("Cgroup integration specification", 13),
            ("References", 0),
        ],
    ),
    ("docs/versions.md", &[("Versions", 13)]),
    (
        "docs/threads-and-pthreads.md",
        &[("pthread_create(3)", 3), ("pthread_join(3)", 3), ("pthread_cancel(3)", 3), ("pthread_self(3)", 1), ("Stack size", 2), ("Thread-local storage", 2)],
    ),
    ("docs/references.md", &[("References", 23)]),
];

/// The rows of each section of a page, in order; a row is its cells.
fn sections(page: &str) -> Vec<(&str, Vec<Vec<String>>)> {
    let parts = page.split("\n## ").skip(1).map(|part| part.split_once('\n').unwrap_or((part, "")));
    let row = |line: &str| {
        let inside = line.trim_end().strip_prefix('|')?.strip_suffix('|')?.replace("\\|", "\0");
        let cells: Vec<String> = inside.split('|').map(|cell| cell.trim().replace('\0', "|")).collect();
        (!cells.iter().all(|cell| cell.starts_with("---"))).then_some(cells)
    };
    // Each table begins with the names of its columns.
    let rows = |body: &str| body.lines().filter_map(row).filter(|cells| cells.get(1).is_none_or(|cell| cell != "in gort")).collect();
    parts.map(|(name, body)| (name, rows(body))).collect()
}

/// What stands in `backticks`.
fn quoted(cell: &str) -> impl Iterator<Item = &str> {
    cell.split('`').skip(1).step_by(2)
}

/// Does the cell say this, and then something?
fn says(cell: &str, word: &str) -> bool {
    cell.find(word).is_some_and(|at| cell[at + word.len()..].trim().len() >= 5)
}

/// What is wrong with a row, if anything.
fn fault(row: &[String], tree: &Tree) -> Option<String> {
    let [claim, places, tests, remark] = row else { return Some(format!("{} cells, not 4", row.len())) };
    if claim.is_empty() {
        return Some("it does not say which row it is".into());
    }
    if let Some(fault) = quoted(tests).find_map(|test| tree.fault_of_test(test)) {
        return Some(fault);
    }
    if let Some(fault) = quoted(places).find_map(|place| tree.fault_of_place(place)) {
        return Some(fault);
    }
    let waits = says(tests, "waits for ");
    if quoted(tests).next().is_none() && !waits && !tests.is_empty() {
        return Some(format!("neither a test nor `waits for …`: {tests}"));
    }
    if tests.is_empty() && !["deviation: ", "about Go: "].iter().any(|word| remark.starts_with(word) && says(remark, word)) {
        return Some("it has neither a test, nor a deviation, nor `waits for …`".into());
    }
    (quoted(places).next().is_none() && !waits).then(|| "it does not say where it lives".into())
}

/// What is wrong with a page that must have these sections.
fn faults(page: &str, want: &[(&str, usize)], tree: &Tree) -> Vec<String> {
    let sections = sections(page);
    let counts: Vec<(&str, usize)> = sections.iter().map(|(name, rows)| (*name, rows.len())).collect();
    let mut faults = Vec::new();
    if counts != want {
        faults.push(format!("its sections are\n{counts:?}\nnot\n{want:?}"));
    }
    for (name, rows) in &sections {
        faults.extend(rows.iter().filter_map(|row| Some(format!("{name}: {}: {}", row.first().map_or("", String::as_str), fault(row, tree)?))));
    }
    faults
}

#[test]
fn every_row_of_the_specification_has_its_place_and_its_test() {
    let tree = Tree::of_project();
    let faults: Vec<String> =
        PAGES.iter().flat_map(|(path, want)| faults(tree.text(path), want, &tree).into_iter().map(move |fault| format!("{path}: {fault}"))).collect();
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn every_test_there_is_is_run() {
    let never = Tree::of_project().never_run();
    assert!(never.is_empty(), "{}", never.join("\n"));
}

// --- The checks themselves, by pages and sources that are made up ---

const SOURCES: [(&str, &str); 9] = [
    (
        "tests/a.rs",
        "mod common;\n\n#[test]\nfn it_holds() {\n    let text = \"\n#[test]\nfn in_a_string() {}\n\";\n}\n\n/*\n#[test]\nfn in_a_comment() {}\n*/\n\nfn no_test() {}\n\n\
         #[test]\n#[ignore]\nfn ignored() {}\n\n#[ignore = \"slow\"]\n/// Why.\n#[test]\nfn ignored_with_a_reason() {}\n\n\
         #[test]\n#[cfg_attr(not(miri), ignore)]\nfn ignored_here() {}\n\n#[test]\n#[cfg_attr(miri, ignore)]\nfn ignored_elsewhere() {}\n\n\
         #[cfg(feature = \"x\")]\n#[test]\nfn of_a_feature() {}\n\n#[cfg(all(unix, not(feature = \"x\")))]\n#[test]\nfn without_a_feature() {}\n\n\
         #[test]\n#[cfg(any(\n    feature = \"x\",\n    loom,\n))]\nfn of_long_conditions() {}\n\n#[test]\n#[cfg(knob)]\nfn of_a_knob() {}\n\n\
         #[cfg(loom)]\nmod inside {\n    #[test]\n    fn of_a_module() {}\n}\n\nproptest! {\n    #[test]\n    fn of_proptest(n in 0..5) {}\n}\n\n\
         ours! {\n    #[test]\n    fn of_a_macro() {}\n}\n",
    ),
    ("tests/common/mod.rs", "#[test]\nfn it_holds() {}\n"),
    ("tests/gone.rs", "#![cfg(feature = \"x\")]\n\n#[test]\nfn it_holds() {}\n"),
    ("benches/a.rs", "#[test]\nfn it_holds() {}\n"),
    ("src/lib.rs", "mod a;\n#[cfg(loom)]\nmod models;\nin_programs! {\n    mod b;\n}\n#[cfg(not(test))]\n#[path = \"a.rs\"]\nmod c;\n"),
    ("src/a.rs", "pub mod d;\n\n#[cfg(test)]\nmod tests {\n    #[test]\n    fn it_holds() {}\n}\n\nfn item() {}\n"),
    ("src/a/d.rs", "#[test]\nfn it_holds() {}\n"),
    ("src/b.rs", "#[test]\nfn it_holds() {}\n"),
    ("src/models/mod.rs", "#[test]\nfn it_holds() {}\n"),
];

#[test]
fn a_named_test_must_be_there_and_be_run() {
    let tree = Tree::made_up(&SOURCES);
    for good in [
        "tests/a.rs::it_holds",
        "tests/a.rs::ignored_elsewhere",
        "tests/a.rs::without_a_feature",
        "tests/a.rs::of_proptest",
        "src/a.rs::it_holds",
        "src/a/d.rs::it_holds",
        "src/models/mod.rs::it_holds",
    ] {
        assert_eq!(tree.fault_of_test(good), None);
    }
    for (bad, why) in [
        ("tests/a.rs", "not FILE::TEST"),
        ("tests/a.rs::it_hold", "no such test"),
        ("tests/a.rs::renamed", "no such test"),
        ("tests/a.rs::no_test", "no such test"),
        ("tests/a.rs::in_a_string", "no such test"),
        ("tests/a.rs::in_a_comment", "no such test"),
        ("tests/deleted.rs::it_holds", "no such file"),
        ("tests/a.rs::ignored", "is ignored"),
        ("tests/a.rs::ignored_with_a_reason", "is ignored"),
        ("tests/a.rs::ignored_here", "is ignored"),
        ("tests/a.rs::of_a_feature", "is behind cfg(feature = \"x\")"),
        ("tests/a.rs::of_long_conditions", "is behind cfg("),
        ("tests/a.rs::of_a_knob", "is behind cfg(knob), which is not known here"),
        ("tests/a.rs::of_a_module", "is behind cfg(loom)"),
        ("tests/a.rs::of_a_macro", "stands in the macro ours!"),
        ("tests/common/mod.rs::it_holds", "cargo makes no test of this file"),
        ("tests/gone.rs::it_holds", "is behind cfg(feature"),
        ("benches/a.rs::it_holds", "of tests/ and src/ alone"),
        ("src/b.rs::it_holds", "cargo test does not compile this file"),
    ] {
        let fault = tree.fault_of_test(bad);
        assert!(fault.as_ref().is_some_and(|fault| fault.contains(why)), "{bad}: {fault:?}");
    }
    // What ci/test runs no more, or not as a whole.
    for (path, text) in [
        ("ci/test", "tests \"models\" ci/models\n"),
        ("ci/test", "tests \"tests\" cargo test --no-fail-fast\n"),
        ("ci/test", "tests \"tests\" cargo test --test a\ntests \"models\" ci/models\n"),
        ("ci/test", "# tests \"tests\" cargo test --no-fail-fast\ntests \"models\" ci/models\n"),
        ("ci/models", "cargo test --release --lib\n"),
        ("Cargo.toml", "[package]\nautotests = false\n"),
        ("Cargo.toml", "[[test]]\nname = \"a\"\n"),
    ] {
        let tree = Tree::made_up(&[&SOURCES[..], &[(path, text)]].concat());
        assert!(tree.fault_of_test("tests/a.rs::it_holds").is_some(), "{path}: {text}");
    }
    assert!(tree.never_run().iter().any(|fault| fault.starts_with("src/b.rs::it_holds")));
}

#[test]
fn places_must_be_there() {
    let tree = Tree::made_up(&SOURCES);
    for good in ["src/a.rs", "src/a/", "src/a.rs::item", "Cargo.toml"] {
        assert_eq!(tree.fault_of_place(good), None);
    }
    for bad in ["src/gone.rs", "src/gone/", "src/a.rs::ite", "src/a.rs::items", "a.rs"] {
        assert!(tree.fault_of_place(bad).is_some(), "{bad}");
    }
}

#[test]
fn rows_without_an_answer_and_sections_that_lost_rows_are_faults() {
    let page = |row: &str| {
        format!(
            "# A page\n\nIts head.\n\n## First\n\n| the specification | in gort | shown by | remark |\n|---|---|---|---|\n{row}\n\n## Second\n\nNo table.\n"
        )
    };
    let of = |row: &str, sources: &[(&str, &str)]| faults(&page(row), &[("First", 1), ("Second", 0)], &Tree::made_up(sources));
    for good in [
        "| x | `src/a.rs` | `tests/a.rs::it_holds` |  |",
        "| x | `src/a.rs::item`, `src/b.rs` | `tests/a.rs::it_holds`, `src/a.rs::it_holds` | deviation: more or less |",
        "| x |  | waits for metrics |  |",
        "| x | `src/a.rs` | `tests/a.rs::it_holds`; the rest waits for metrics |  |",
        "| x | `src/a.rs` |  | deviation: stacks do not move |",
        "| x \\| y | `src/a.rs` |  | about Go: its history |",
    ] {
        assert_eq!(of(good, &SOURCES), [""; 0]);
    }
    for bad in [
        "",
        "| x | `src/a.rs` |  |  |",
        "| x | `src/a.rs` |  | said elsewhere |",
        "| x | `src/a.rs` |  | deviation: |",
        "| x | `src/a.rs` | waits for |  |",
        "| x | `src/a.rs` | soon |  |",
        "| x | `src/a.rs` | `tests/a.rs::it_holds` |",
        "|  | `src/a.rs` | `tests/a.rs::it_holds` |  |",
        "| x |  | `tests/a.rs::it_holds` |  |",
        "| x | `src/gone.rs` | `tests/a.rs::it_holds` |  |",
        "| x | `src/a.rs` | `tests/a.rs::gone` | deviation: more or less |",
        "| x | `src/a.rs` | `tests/a.rs::it_holds`, `tests/a.rs::ignored` |  |",
        "| x | `src/a.rs` | `tests/a.rs::it_holds` |  |\n| y | `src/a.rs` | `tests/a.rs::it_holds` |  |",
    ] {
        assert_ne!(of(bad, &SOURCES), [""; 0], "{bad}");
    }
    // The test that a good row names is renamed, ignored, or deleted with its file.
    let row = "| x | `src/a.rs` | `tests/a.rs::it_holds` |  |";
    for text in ["#[test]\nfn it_is_so() {}\n", "#[test]\n#[ignore]\nfn it_holds() {}\n", "fn it_holds() {}\n"] {
        assert_ne!(of(row, &[("src/a.rs", ""), ("tests/a.rs", text)]), [""; 0], "{text}");
    }
    assert_ne!(of(row, &[("src/a.rs", "")]), [""; 0]);
    assert_eq!(of(row, &[("src/a.rs", ""), ("tests/a.rs", "#[test]\nfn it_holds() {}\n")]), [""; 0]);
}
