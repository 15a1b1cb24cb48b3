//! What the compiler says of misused channels and selects: it names what is wrong, where the user wrote it. Beside each snippet stands the same one with the
//! fault mended, which must pass.

mod common;

use common::package::Package;

/// A snippet of `main`, with BAD in it.
struct Case {
    name: &'static str,
    snippet: &'static str,
    bad: &'static str,
    /// What the first error says, at least.
    says: &'static str,
    /// Where in the program it is said: at the last place of this. What the macro borrows is said of the whole select.
    at: &'static str,
    good: &'static str,
}

/// Handles that only send or only receive.
const DIRECTIONS: &[Case] = &[
    Case {
        name: "a_receiver_becomes_no_channel",
        snippet: "let both: Chan<u32> = BAD;",
        bad: "rx.clone()",
        says: "mismatched types",
        at: "rx.clone()",
        good: "c.clone()",
    },
    Case {
        name: "a_sender_becomes_no_receiver",
        snippet: "let from: Receiver<u32> = BAD.into();",
        bad: "tx.clone()",
        says: "Receiver<u32>: From<Sender<u32>>` is not satisfied",
        at: "into()",
        good: "c.clone()",
    },
    Case {
        name: "a_receiver_becomes_no_sender",
        snippet: "let to: Sender<u32> = BAD.into();",
        bad: "rx.clone()",
        says: "Sender<u32>: From<gort::chan::Receiver<u32>>` is not satisfied",
        at: "into()",
        good: "c.clone()",
    },
    Case {
        name: "a_receiver_sends_nothing",
        snippet: "BAD.send(1);",
        bad: "rx",
        says: "no method named `send` found for struct `gort::chan::Receiver<",
        at: "send(1)",
        good: "tx",
    },
    Case {
        name: "a_sender_receives_nothing",
        snippet: "let n = BAD.recv();",
        bad: "tx",
        says: "no method named `recv` found for struct `Sender<",
        at: "recv()",
        good: "rx",
    },
    Case {
        name: "a_receiver_closes_nothing",
        snippet: "BAD.close();",
        bad: "rx",
        says: "no method named `close` found for struct `gort::chan::Receiver<",
        at: "close()",
        good: "tx",
    },
    Case { name: "a_sender_is_not_ranged_over", snippet: "for n in &BAD {}", bad: "tx", says: "`&Sender<u32>` is not an iterator", at: "&tx", good: "rx" },
    Case {
        name: "a_select_does_not_send_on_a_receiver",
        snippet: "select! { recv(c) => {}, send(BAD, 1) => {} }",
        bad: "rx",
        says: "Receiver<u32>` is no channel that can be sent on",
        at: "select!",
        good: "tx",
    },
    Case {
        name: "a_select_does_not_receive_from_a_sender",
        snippet: "select! { send(c, 1) => {}, recv(BAD) -> value => drop(value) }",
        bad: "tx",
        says: "Sender<u32>` is no channel that can be received from",
        at: "select!",
        good: "rx",
    },
    Case {
        name: "a_slot_is_not_sent_on_a_receiver",
        snippet: "let mut slot = Some(1); select! { send(BAD, in slot) => {} }",
        bad: "rx",
        says: "Receiver<u32>` is no channel that can be sent on",
        at: "select!",
        good: "tx",
    },
    Case {
        name: "what_is_no_channel_is_not_received_from",
        snippet: "select! { recv(BAD) => {} }",
        bad: "1u32",
        says: "`u32` is no channel that can be received from",
        at: "select!",
        good: "Some(&c)",
    },
];

/// The grammar of `select!`.
const SELECT: &[Case] = &[
    Case {
        name: "two_defaults",
        snippet: "select! { recv(c) => {}, default => {}, BAD }",
        bad: "default => {}",
        says: "select!: more than one `default`",
        at: "select!",
        good: "",
    },
    Case {
        name: "a_case_without_a_body",
        snippet: "select! { recv(c) -> value BAD }",
        bad: "",
        says: "select!: `recv(c)` has no `pattern => body` behind `->`",
        at: "select!",
        good: "=> drop(value)",
    },
    Case {
        name: "a_case_with_nothing_behind_it",
        snippet: "select! { send(c, 1)BAD }",
        bad: "",
        says: "select!: `send(c, 1)` has no `=> body`",
        at: "select!",
        good: "=> {}",
    },
    Case {
        name: "nothing_behind_the_arrow_of_the_body",
        snippet: "select! { send(c, 1) -> result => BAD }",
        bad: "",
        says: "select!: `send(c, 1)` has no body behind `=>`",
        at: "select!",
        good: "{}",
    },
    Case {
        name: "a_default_without_a_body",
        snippet: "select! { recv(c) => {}, defaultBAD }",
        bad: "",
        says: "select!: `default` has no `=> body`",
        at: "select!",
        good: "=> {}",
    },
    Case {
        name: "a_default_with_parentheses",
        snippet: "select! { recv(c) => {}, defaultBAD => {} }",
        bad: "(1)",
        says: "select!: `default` takes nothing in parentheses: `default => body`",
        at: "select!",
        good: "",
    },
    Case {
        name: "no_arrow_in_front_of_the_pattern",
        snippet: "select! { recv(c) BAD value => drop(value) }",
        bad: "",
        says: "select!: behind `recv(c)` comes `-> pattern => body` or `=> body`, not `value`",
        at: "select!",
        good: "->",
    },
    Case {
        name: "a_body_without_its_arrow",
        snippet: "select! { recv(c) BAD { println!(\"one\") } }",
        bad: "",
        says: "select!: behind `recv(c)` comes `-> pattern => body` or `=> body`, not `{ println!(\"one\") }`",
        at: "select!",
        good: "=>",
    },
    Case {
        name: "no_comma_behind_an_expression",
        snippet: "select! { recv(c) => drop(1)BAD send(c, 1) => {} }",
        bad: "",
        says: "select!: a body is a block, or an expression with a comma behind it: that of `recv` is neither",
        at: "select!",
        good: ",",
    },
    Case {
        name: "a_send_without_a_value",
        snippet: "select! { send(cBAD) => {} }",
        bad: "",
        says: "select!: `send` takes a channel and a value: `send(channel, value)`, not `send(c)`",
        at: "select!",
        good: ", 1",
    },
    Case {
        name: "a_receive_with_a_value",
        snippet: "select! { recv(cBAD) => {} }",
        bad: ", 1",
        says: "select!: `recv` takes a channel: `recv(channel)`, not `recv(c, 1)`",
        at: "select!",
        good: "",
    },
    Case {
        name: "a_receive_without_a_channel",
        snippet: "select! { recv(BAD) => {} }",
        bad: "",
        says: "select!: `recv` takes a channel: `recv(channel)`, not `recv()`",
        at: "select!",
        good: "c",
    },
    Case {
        name: "gos_own_words",
        snippet: "select! { BAD => drop(value) }",
        bad: "case value := <-c",
        says: "select!: a case begins with `recv(channel)`, `send(channel, value)` or `default`, not with `case`",
        at: "select!",
        good: "recv(c) -> value",
    },
    Case {
        name: "a_pattern_that_may_not_fit",
        snippet: "select! { recv(c) -> BAD => drop(value) }",
        bad: "Some(value)",
        says: "refutable pattern in local binding",
        at: "Some(value)",
        good: "value",
    },
    Case {
        name: "bodies_of_two_types",
        snippet: "let n = select! { recv(c) => 1, send(c, 1) => BAD };",
        bad: "\"two\"",
        says: "`match` arms have incompatible types",
        at: "\"two\"",
        good: "2",
    },
];

/// What goes into a channel.
const VALUES: &[Case] = &[
    Case {
        name: "a_value_of_another_type",
        snippet: "select! { recv(c) => {}, send(c, BAD) => {} }",
        bad: "\"one\"",
        says: "mismatched types",
        at: "\"one\"",
        good: "1",
    },
    Case {
        name: "a_slot_without_an_option",
        snippet: "let mut value = BAD; select! { send(c, in value) => {} }",
        bad: "1u32",
        says: "mismatched types",
        at: "select!",
        good: "Some(1)",
    },
    Case {
        name: "a_slot_that_cannot_be_emptied",
        snippet: "let BAD value = Some(1); select! { send(c, in value) => {} }",
        bad: "",
        says: "cannot borrow `value` as mutable, as it is not declared as mutable",
        at: "value) => {}",
        good: "mut",
    },
    Case {
        name: "a_value_is_sent_by_one_case_only",
        snippet: "let text = String::new(); select! { send(texts, text.clone()) => {}, send(texts, text) => {}, send(texts, BAD) => {} }",
        bad: "text",
        says: "use of moved value: `text`",
        at: "text) => {} }",
        good: "String::new()",
    },
    Case {
        name: "a_value_goes_into_several_bodies_but_not_behind_them",
        snippet: "let text = String::new(); select! { recv(c) => drop(text), send(c, 1) => drop(text) } BAD",
        bad: "drop(text)",
        says: "use of moved value: `text`",
        at: "text)\n",
        good: "",
    },
    Case {
        name: "what_cannot_be_sent_goes_into_no_channel",
        snippet: "let shared = chan::make(1); select! { send(shared, BAD::new(1)) => {} }",
        bad: "alloc::rc::Rc",
        says: "`Rc<{integer}>` cannot be sent between threads safely",
        at: "chan::make(1); select!",
        good: "alloc::sync::Arc",
    },
];

/// What Go says of `make` where it sees the argument: here it is the type that says so.
const CAPACITIES: &[Case] = &[
    Case { name: "less_than_nothing", snippet: "let c = chan::make::<u8>(BAD);", bad: "-1", says: "cannot apply unary operator `-`", at: "-1", good: "0" },
    Case { name: "a_fraction", snippet: "let c = chan::make::<u8>(BAD);", bad: "0.5", says: "mismatched types", at: "0.5", good: "1" },
    Case { name: "a_whole_number_that_is_none", snippet: "let c = chan::make::<u8>(BAD);", bad: "1.0", says: "mismatched types", at: "1.0", good: "1" },
    Case {
        name: "more_than_there_is",
        snippet: "let c = chan::make::<u8>(BAD);",
        bad: "0x1_0000_0000_0000_0000",
        says: "literal out of range for `usize`",
        at: "0x1_",
        good: "1 << 10",
    },
];

fn program(body: &str) -> String {
    format!(
        "#![no_std]\n#![no_main]\n#![allow(unused)]\nextern crate alloc;\nuse alloc::string::String;\nuse gort::prelude::*;\ngort::main!(main);\nfn main() {{\n    \
         let (c, texts) = (chan::make::<u32>(1), chan::make::<String>(1));\n    let (tx, rx) = (c.sender(), c.receiver());\n    {body}\n}}\n"
    )
}

/// `LINE:COLUMN` of the last place of `text`.
fn place(program: &str, text: &str) -> String {
    let at = program.rfind(text).unwrap_or_else(|| panic!("{text:?} is not in {program}"));
    let before = &program[..at];
    format!("{}:{}", before.matches('\n').count() + 1, before.len() - before.rfind('\n').map_or(0, |end| end + 1) + 1)
}

fn refused(name: &str, cases: &[Case]) {
    let package = Package::new(name);
    let mut wrong = Vec::new();
    for case in cases {
        let bad = program(&case.snippet.replace("BAD", case.bad));
        package.write("src/main.rs", &bad);
        let outcome = package.cargo(&["check", "-q", "--message-format", "short"]);
        let first = outcome.stderr.lines().find(|line| line.contains(": error")).unwrap_or_default();
        let want = format!("src/main.rs:{}: error", place(&bad, case.at));
        if outcome.status == Some(0) || !first.starts_with(&want) || !first.contains(case.says) {
            wrong.push(format!("{}: expected `{}` at {want}, not {:?}:\n{}", case.name, case.says, outcome.status, outcome.stderr));
        }
    }
    // All of them mended, in one.
    let good: String = cases.iter().map(|case| format!("{{ {} }}\n    ", case.snippet.replace("BAD", case.good))).collect();
    package.write("src/main.rs", &program(&good));
    let outcome = package.cargo(&["check", "-q"]);
    if outcome.status != Some(0) {
        wrong.push(format!("the mended programs do not compile:\n{}", outcome.stderr));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_handle_of_one_direction_does_not_go_the_other_way() {
    refused("directions", DIRECTIONS);
}

#[test]
fn a_select_that_is_written_wrong_is_told_what_is_wrong() {
    refused("select-grammar", SELECT);
}

#[test]
fn what_does_not_go_into_a_channel_is_named() {
    refused("values", VALUES);
}

#[test]
fn a_capacity_is_a_number_of_places() {
    refused("capacities", CAPACITIES);
}
