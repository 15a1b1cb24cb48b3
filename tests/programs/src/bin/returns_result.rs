//! `main` returns a `Result`: its argument as a status, or an error if it is none.
#![no_std]
#![no_main]

gort::main!(main);

#[derive(Debug)]
#[allow(dead_code)] // what the error says is read by its `Debug` alone
struct NoStatus {
    argument: &'static str,
}

fn main() -> Result<i32, NoStatus> {
    let argument = gort::os::args().nth(1).unwrap_or_default();
    argument.parse().map_err(|_| NoStatus { argument })
}
