//! Tests of the kind that std's harness has too: what `tests/testing.rs` compares.

#![no_std]
#![no_main]

#[path = "../cases/mod.rs"]
mod cases;

gort::test_main!();
