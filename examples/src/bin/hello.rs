//! The first program of the README.
#![no_std]
#![no_main]

gort::main!(main);

fn main() {
    let greeting = gort::spawn(|| "hello from a goroutine");
    gort::println!("{}", greeting.join().unwrap());
}
