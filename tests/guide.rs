//! `docs/for-go-programmers.md`: each piece of Rust compiles, in one program, and prints what stands below it, at several values of GOMAXPROCS.

mod common;

use common::package::Package;
use common::{root, run_for};
use std::process::Command;
use std::time::Duration;

/// A fenced block: the words behind the fence, and its lines.
struct Block {
    kind: String,
    text: String,
}

fn blocks(page: &str) -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    let mut is_inside = false;
    for line in page.lines() {
        match line.strip_prefix("```") {
            Some("") if is_inside => is_inside = false,
            Some(kind) => {
                assert!(!is_inside && !kind.is_empty(), "a fence without a kind, or inside of another: {line}");
                blocks.push(Block { kind: kind.into(), text: String::new() });
                is_inside = true;
            }
            None if is_inside => blocks.last_mut().unwrap().text += &format!("{line}\n"),
            None => {}
        }
    }
    assert!(!is_inside, "a fence is open in the end");
    blocks
}

/// What the page says that stands in front of the pieces.
fn front(page: &str) -> String {
    let lines: Vec<&str> = page.lines().skip_while(|line| !line.starts_with("    #![no_std]")).map_while(|line| line.strip_prefix("    ")).collect();
    assert!(lines.last().is_some_and(|line| *line == "gort::main!(main);"), "{lines:?}");
    lines.join("\n")
}

#[test]
fn every_piece_of_the_guide_prints_what_stands_below_it() {
    let page = std::fs::read_to_string(root().join("docs/for-go-programmers.md")).unwrap();
    let blocks: Vec<Block> = blocks(&page).into_iter().filter(|block| block.kind != "go").collect();
    let pairs: Vec<&[Block]> = blocks.chunks(2).collect();
    assert!(pairs.len() >= 15, "{} pieces", pairs.len());
    let mut program = front(&page).replace("#![no_main]", "#![no_main]\n#![allow(unused_imports)]");
    program += "\nfn main() {\n    match gort::os::args().nth(1).unwrap() {\n";
    for (n, pair) in pairs.iter().enumerate() {
        assert!(pair.len() == 2 && pair[0].kind == "rust" && ["text", "text unordered", "stderr"].contains(&&*pair[1].kind), "piece {n}: what does it print?");
        program += &format!("        \"{n}\" => piece_{n}(),\n");
    }
    program += "        _ => unreachable!(),\n    }\n}\n";
    for (n, pair) in pairs.iter().enumerate() {
        program += &format!("\nfn piece_{n}() {{\n{}}}\n", pair[0].text);
    }
    let package = Package::new("guide");
    package.write("src/main.rs", &program);
    let outcome = package.cargo(&["build", "-q"]);
    assert_eq!((outcome.status, outcome.stderr.as_str()), (Some(0), ""), "{program}");
    for (n, pair) in pairs.iter().enumerate() {
        for procs in ["1", "2", "8"] {
            let outcome = run_for(Command::new(package.0.join("target/debug/sum")).arg(n.to_string()).env("GOMAXPROCS", procs), Duration::from_secs(120));
            let sorted = |text: &str| {
                let mut lines: Vec<String> = text.lines().map(String::from).collect();
                if pair[1].kind == "text unordered" {
                    lines.sort();
                }
                lines
            };
            let holds = match pair[1].kind.as_str() {
                "stderr" => outcome.status == Some(2) && outcome.stderr.starts_with(pair[1].text.trim_end()),
                _ => outcome.status == Some(0) && sorted(&outcome.stdout) == sorted(&pair[1].text),
            };
            assert!(holds, "at GOMAXPROCS={procs}:\n{}\nprints\n{}\nand not\n{outcome:#?}", pair[0].text, pair[1].text);
        }
    }
}
