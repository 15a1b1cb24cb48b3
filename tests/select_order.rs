//! Each way to write a select in which one case can go on, by the hundred, in a generated program: the case goes on, all operands are evaluated once and in
//! source order, and nothing else happens. One goroutine and a buffer, for it is the macro that is shown, not what goes on beside it.

mod common;

use common::package::Package;
use common::run_for;
use std::fmt::Write;
use std::process::Command;
use std::time::Duration;

/// What the generated functions use. `channel`, `value` and `slot` say in which order they want to be called.
const HEAD: &str = r#"#![no_std]
#![no_main]
#![allow(unused)]
use core::cell::Cell;
use gort::chan::{self, Chan};
use gort::select;
gort::main!(main);

struct Env {
    c: Chan<u32>,
    dummy: Chan<u32>,
    nil: Chan<u32>,
    order: Cell<u32>,
    n: Cell<u32>,
}

impl Env {
    fn turn(&self, turn: u32) {
        assert_eq!(self.order.replace(turn), turn - 1, "out of order, or twice");
    }
    fn channel<'a>(&self, c: &'a Chan<u32>, turn: u32) -> &'a Chan<u32> {
        self.turn(turn);
        c
    }
    fn value(&self, n: u32, turn: u32) -> u32 {
        self.turn(turn);
        n
    }
    fn slot<'a>(&self, slot: &'a mut Option<u32>, turn: u32) -> &'a mut Option<u32> {
        self.turn(turn);
        slot
    }
    fn begin(&self) -> u32 {
        self.order.set(0);
        self.n.set(self.n.get() + 1);
        self.n.get()
    }
}
"#;

/// A way to write the case that goes on.
struct Live {
    text: &'static str,
    receives: bool,
}

/// T is the next turn, U the one behind it.
const LIVE: &[Live] = &[
    Live { text: "recv(e.channel(&e.c, T)) -> got => { x = got.unwrap(); }", receives: true },
    Live { text: "recv(e.channel(&e.c, T)) -> got => x = got.unwrap(),", receives: true },
    Live { text: "recv(e.channel(&e.c, T).clone(),) -> got => { x = got.unwrap() },", receives: true },
    Live { text: "recv(Some(e.channel(&e.c, T))) -> mut got => x = got.take().unwrap(),", receives: true },
    Live { text: "recv(&e.channel(&e.c, T).receiver()) => x = n,", receives: true },
    Live { text: "send(e.channel(&e.c, T), e.value(n, U)) => {}", receives: false },
    Live { text: "send(e.channel(&e.c, T).sender(), e.value(n, U),) -> result => result.unwrap(),", receives: false },
    Live { text: "send(Some(e.channel(&e.c, T)), e.value(n, U)) => (),", receives: false },
    Live { text: "send(e.channel(&e.c, T), in *e.slot(&mut full, U)) => {}", receives: false },
    Live { text: "send(e.channel(&e.c, T), in *e.slot(&mut full, U),) -> result => { result.unwrap() }", receives: false },
];

/// Cases that never go on.
const DEAD: &[&str] = &[
    "send(e.channel(&e.dummy, T), e.value(1, U)) => panic!(\"dummy send\"),",
    "recv(e.channel(&e.dummy, T)) -> got => { x = got.unwrap(); panic!(\"dummy receive\") }",
    "send(e.channel(&e.nil, T), e.value(1, U)) -> result => panic!(\"nil send {}\", result.is_ok()),",
    "recv(e.channel(&e.nil, T)) => panic!(\"nil receive\"),",
    "send(e.channel(&e.c, T), in *e.slot(&mut empty, U)) => panic!(\"empty slot\"),",
];

/// Puts the turns into the cases, and returns how many there are.
fn number(cases: &[String]) -> (String, u32) {
    let (mut text, mut turn) = (String::new(), 0);
    for case in cases {
        let second = case.contains(", U)");
        text += &case.replace(", T)", &format!(", {})", turn + 1)).replace(", U)", &format!(", {})", turn + 2));
        turn += if case.starts_with("default") { 0 } else { 1 + u32::from(second) };
        text.push(' ');
    }
    (text, turn)
}

/// The program, and how many selects it has.
fn program() -> (String, usize) {
    let (mut text, mut functions) = (HEAD.to_string(), 0);
    let mut add = |live: Option<&Live>, cases: &[String]| {
        let (select, turns) = number(cases);
        let name = functions;
        functions += 1;
        writeln!(text, "fn f{name}(e: &Env) {{ let n = e.begin(); let (mut x, mut full, mut empty) = (0, Some(n), None::<u32>);").unwrap();
        if live.is_some_and(|live| live.receives) {
            writeln!(text, "    e.c.send(n);").unwrap();
        }
        writeln!(text, "    select! {{ {select}}}").unwrap();
        match live {
            Some(live) if live.receives => writeln!(text, "    assert_eq!((x, full), (n, Some(n)));"),
            Some(live) => writeln!(text, "    assert_eq!((e.c.try_recv(), full.is_none()), (Ok(n), {}));", live.text.contains("full")),
            None => writeln!(text, "    assert_eq!((x, full), (n, Some(n)));"),
        }
        .unwrap();
        writeln!(text, "    assert!(e.order.get() == {turns} && empty.is_none() && e.c.is_empty() && e.dummy.is_empty()); }}").unwrap();
    };
    for dead in 0..1usize << DEAD.len() {
        let dead: Vec<String> = (0..DEAD.len()).filter(|n| dead >> n & 1 == 1).map(|n| DEAD[n].to_string()).collect();
        for live in LIVE {
            // First, last, and in the middle.
            let places = [0, dead.len(), dead.len() / 2];
            for (nth, &place) in places.iter().enumerate().filter(|(nth, place)| !places[..*nth].contains(place)) {
                let mut cases = dead.clone();
                cases.insert(place, live.text.to_string());
                // Without a default, and with one in front of it or behind it, in turn.
                add(Some(live), &cases);
                let at = if nth % 2 == 0 { 0 } else { cases.len() };
                cases.insert(at, "default => panic!(\"default\"),".to_string());
                add(Some(live), &cases);
            }
        }
        for place in [0, dead.len()] {
            let mut cases = dead.clone();
            cases.insert(place, "default => x = n,".to_string());
            add(None, &cases);
        }
    }
    writeln!(text, "fn main() {{\n    gort::__private::hooks::storm_preemptions(gort::os::args().nth(1).and_then(|ns| ns.parse().ok()).unwrap());").unwrap();
    writeln!(text, "    let e = Env {{ c: chan::make(1), dummy: chan::make(0), nil: Chan::nil(), order: Cell::new(0), n: Cell::new(0) }};").unwrap();
    writeln!(
        text,
        "    for round in 0..100 {{ for f in [{}] {{ f(&e) }} }}",
        (0..functions).map(|n| format!("f{n}")).collect::<Vec<_>>().join(", ").replacen("f0", "f0 as fn(&Env)", 1)
    )
    .unwrap();
    writeln!(text, "    gort::println!(\"{{}} selects\", e.n.get());\n}}").unwrap();
    (text, functions)
}

#[test]
fn every_form_of_a_select_with_one_case_that_can_go_on() {
    let (text, selects) = program();
    assert!(selects > 1000, "{selects}");
    let package = Package::new("select-order");
    package.write("src/main.rs", &text);
    let outcome = package.cargo(&["build", "-q"]);
    assert_eq!(outcome.status, Some(0), "{}", outcome.stderr);
    for procs in ["1", "2", "8"] {
        for preemptions_ns in ["0", "100000"] {
            let outcome = run_for(Command::new(package.0.join("target/debug/sum")).arg(preemptions_ns).env("GOMAXPROCS", procs), Duration::from_secs(120));
            let want = format!("{} selects\n", 100 * selects);
            assert_eq!((outcome.status, &outcome.stdout), (Some(0), &want), "at GOMAXPROCS={procs}, preempted each {preemptions_ns} ns: {outcome:#?}");
        }
    }
}
