//! `main` returns an exit status: its argument.
#![no_std]
#![no_main]

gort::main!(main);

fn main() -> i32 {
    gort::os::args().nth(1).and_then(|text| text.parse().ok()).expect("a status")
}
