//! What the compiler must refuse: a goroutine that could outlive what it borrows (R17, `sched/scope.rs`), memory that goroutines share bare. Each snippet is a program of a stranger;
//! beside it stands the same one with the fault mended, which must pass.

mod common;

use common::package::Package;

/// A snippet of `main`, with `BAD` in it; what the compiler says with the bad text there; and the good text.
struct Case {
    name: &'static str,
    snippet: &'static str,
    bad: &'static str,
    /// The error's code; where there is none, a piece of the message.
    error: &'static str,
    good: &'static str,
}

const CASES: &[Case] = &[
    Case {
        name: "a_scope_does_not_lend_what_its_own_body_holds",
        snippet: "OUTSIDE gort::scope(|s| { INSIDE s.go(|| n.load(Relaxed)); });",
        bad: "let n = AtomicU32::new(1);",
        error: "E0373",
        good: "",
    },
    Case {
        name: "a_borrow_of_a_local_of_the_body_does_not_go_to_a_goroutine",
        snippet: "let m = AtomicU32::new(1); gort::scope(|s| { let n = AtomicU32::new(1); let lent = BAD; s.go(move || lent.load(Relaxed)); });",
        bad: "&n",
        error: "E0597",
        good: "&m",
    },
    Case {
        name: "a_scope_does_not_return_what_it_lent_to_its_goroutines",
        snippet: "let n = AtomicU32::new(1); let s: BAD; gort::scope(|t| { t.go(|| n.load(Relaxed)); });",
        bad: "&'static Scope<'static, 'static> = gort::scope(|s| s)",
        error: "lifetime may not live long enough",
        good: "u32 = gort::scope(|_| 1)",
    },
    Case {
        name: "a_scoped_handle_does_not_leave_its_scope",
        snippet: "let n = AtomicU32::new(1); let v = gort::scope(|s| { let h = s.spawn(|| n.load(Relaxed)); BAD }); drop(v);",
        bad: "h",
        error: "lifetime may not live long enough",
        good: "h.join()",
    },
    Case {
        name: "a_scoped_handle_is_not_put_away_outside",
        snippet: "let mut kept = None; gort::scope(|s| { let h = s.spawn(|| 1); kept = Some(BAD); }); drop(kept);",
        bad: "h",
        error: "E0521",
        good: "h.join()",
    },
    Case {
        name: "what_is_lent_is_not_changed_meanwhile",
        snippet: "let mut n = 1; gort::scope(|s| { s.go(|| n += 1); BAD });",
        bad: "n += 1;",
        error: "E0506",
        good: "",
    },
    Case {
        name: "what_is_lent_outlives_the_scope",
        snippet: "let kept = AtomicU32::new(0); let lent; { let n = AtomicU32::new(1); lent = BAD; } gort::scope(|s| s.go(|| lent.load(Relaxed)));",
        bad: "&n",
        error: "E0597",
        good: "{ drop(n); &kept }",
    },
    Case {
        name: "what_cannot_be_sent_is_not_captured_by_a_scope",
        snippet: "let n = BAD::new(1); gort::scope(|s| s.go(|| drop(n.clone())));",
        bad: "alloc::rc::Rc",
        error: "E0277",
        good: "alloc::sync::Arc",
    },
    Case {
        name: "what_cannot_be_sent_is_not_captured_by_go",
        snippet: "let n = BAD::new(1); gort::go(move || drop(n));",
        bad: "alloc::rc::Rc",
        error: "E0277",
        good: "alloc::sync::Arc",
    },
    Case {
        name: "what_cannot_be_sent_is_no_result",
        snippet: "drop(gort::spawn(|| BAD::new(1)).join());",
        bad: "alloc::rc::Rc",
        error: "E0277",
        good: "alloc::sync::Arc",
    },
    Case {
        name: "go_does_not_borrow",
        snippet: "let n = AtomicU32::new(1); BAD",
        bad: "gort::go(|| n.load(Relaxed));",
        error: "E0373",
        good: "gort::go(move || n.load(Relaxed));",
    },
    Case {
        name: "spawn_does_not_borrow",
        snippet: "let n = AtomicU32::new(1); let r = &n; BAD",
        bad: "drop(gort::spawn(move || r.load(Relaxed)).join());",
        error: "E0597",
        good: "drop(gort::scope(|s| s.spawn(move || r.load(Relaxed)).join()));",
    },
    Case {
        name: "defer_does_not_borrow",
        snippet: "let n = AtomicU32::new(1); BAD",
        bad: "gort::defer(|| drop(n.load(Relaxed)));",
        error: "E0373",
        good: "gort::defer_scope(|d| d.defer(|| { n.load(Relaxed); }));",
    },
    Case {
        name: "defer_scope_does_not_borrow_from_its_own_body",
        snippet: "let m = AtomicU32::new(1); gort::defer_scope(|d| { let n = AtomicU32::new(1); let lent = BAD; d.defer(move || { lent.load(Relaxed); }); });",
        bad: "&n",
        error: "E0597",
        good: "&m",
    },
    Case {
        name: "a_channel_carries_only_what_can_be_sent_to_another_goroutine",
        snippet: "let c = gort::chan::make::<BAD<u32>>(1); gort::go(move || drop(c.recv()));",
        bad: "alloc::rc::Rc",
        error: "E0277",
        good: "alloc::sync::Arc",
    },
];

/// Of memory that goroutines share without a lock: it is atomic, or there is none.
const SHARED: &[Case] = &[
    Case {
        name: "what_is_shared_is_atomic_or_locked",
        snippet: "let n = BAD::new(1); gort::scope(|s| { s.go(|| drop(&n)); s.go(|| drop(&n)); });",
        bad: "core::cell::Cell",
        error: "E0277",
        good: "gort::sync::Mutex",
    },
    Case {
        name: "a_word_is_not_written_beside_its_readers",
        snippet: "let mut n = [1u64; 2]; gort::scope(|s| { s.go(|| n = [2; 2]); BAD });",
        bad: "s.go(|| drop(n));",
        error: "E0502",
        good: "",
    },
    Case {
        name: "a_static_is_shared_by_all",
        snippet: "static N: BAD = BAD::new(1); gort::go(|| drop(&N));",
        bad: "core::cell::UnsafeCell::<u32>",
        error: "E0277",
        good: "AtomicU32",
    },
];

fn program(body: &str) -> String {
    format!(
        "#![no_std]\n#![no_main]\n#![allow(unused)]\nextern crate alloc;\nuse core::sync::atomic::{{AtomicU32, Ordering::Relaxed}};\nuse gort::Scope;\ngort::main!(main);\nfn main() {{\n    {body}\n}}\n"
    )
}

fn refused(name: &str, cases: &[Case]) {
    let package = Package::new(name);
    let mut wrong = Vec::new();
    for case in cases {
        let (bad, good) = match case.snippet.contains("OUTSIDE") {
            true => (case.snippet.replace("OUTSIDE", "").replace("INSIDE", case.bad), case.snippet.replace("OUTSIDE", case.bad).replace("INSIDE", "")),
            false => (case.snippet.replace("BAD", case.bad), case.snippet.replace("BAD", case.good)),
        };
        package.write("src/main.rs", &program(&bad));
        let outcome = package.cargo(&["check", "-q"]);
        if outcome.status == Some(0) || !outcome.stderr.contains(case.error) {
            wrong.push(format!("{}: expected {}, not {:?}:\n{}", case.name, case.error, outcome.status, outcome.stderr));
        }
        package.write("src/main.rs", &program(&good));
        let outcome = package.cargo(&["check", "-q"]);
        if outcome.status != Some(0) {
            wrong.push(format!("{}: the mended program does not compile:\n{}", case.name, outcome.stderr));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn goroutines_that_could_outlive_what_they_borrow_do_not_compile() {
    refused("borrows", CASES);
}

#[test]
fn memory_that_is_neither_atomic_nor_locked_is_not_shared() {
    refused("shared", SHARED);
}
