//! The smallest program with a goroutine: what starting and ending cost.
#![no_std]
#![no_main]

gort::main!(main, without_knobs);

fn main() {
    let hello = gort::spawn(|| gort::println!("hello"));
    hello.join().expect("the goroutine ends");
}
