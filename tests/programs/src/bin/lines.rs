//! Eight goroutines print lines of many lengths to the same stream, and are preempted all the time: `lines COUNT LONGEST [err]`.
//!
//! Each prints COUNT lines of at most some LONGEST bytes: `GOROUTINE NUMBER LENGTH BODY.`, where the body is that goroutine's letter, LENGTH times.
#![no_std]
#![no_main]

extern crate alloc;

use alloc::string::String;
use gort::__private::hooks;
use gort::prelude::*;
use gort::{os, scope};

gort::main!(main);

fn main() {
    let number = |n: usize| os::args().nth(n).and_then(|text| text.parse::<usize>().ok()).expect("a number");
    let (count, longest, to_stderr) = (number(1), number(2), os::args().nth(3) == Some("err"));
    hooks::storm_preemptions(100_000);
    scope(|s| {
        for goroutine in 0..8u8 {
            s.go(move || {
                let body: String = core::iter::repeat_n(char::from(b'a' + goroutine), longest).collect();
                let mut random = u64::from(goroutine) + 1;
                for number in 0..count {
                    random = random.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
                    // Short ones are as frequent as long ones.
                    let length = (random >> 33) as usize % (longest >> (random >> 60)).max(2);
                    match to_stderr {
                        true => eprintln!("{goroutine} {number} {length} {}.", &body[..length]),
                        false => println!("{goroutine} {number} {length} {}.", &body[..length]),
                    }
                }
            });
        }
    });
}
