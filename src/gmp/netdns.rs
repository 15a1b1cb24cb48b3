//! `GODEBUG=netdns=…`: which resolver looks names up, and how much it says about that. Read here, heeded by the resolver.
//!
//! A way (`go`, `cgo`), a number, or both joined by `+`, in any order; the last `netdns` of the list counts. A way that is none of these is as
//! none: what the resolver does without being told.
//!
//! Source: Go package net, "Name Resolution"; `goDebugNetDNS`.

use super::env;

/// Who looks names up.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Way {
    /// The resolver decides.
    Either,
    /// Over the netpoller: a look-up holds no thread.
    Go,
    /// As C's resolver does it: a look-up holds its M.
    Cgo,
}

/// What `netdns` says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NetDns {
    /// Who looks names up.
    pub way: Way,
    /// From 1 on the resolver says what it does, from 2 on more.
    pub verbosity: u32,
}

/// What the environment says.
pub fn setting() -> NetDns {
    parse(env::godebug(b"netdns").unwrap_or(b""))
}

fn parse(value: &[u8]) -> NetDns {
    let mut setting = NetDns { way: Way::Either, verbosity: 0 };
    // Only the first plus parts: what follows the second belongs to a word or number that makes no sense.
    for part in value.splitn(2, |&b| b == b'+') {
        match part {
            b"" => {}
            [b'0'..=b'9', ..] => setting.verbosity = leading_number(part),
            b"go" => setting.way = Way::Go,
            b"cgo" => setting.way = Way::Cgo,
            _ => setting.way = Way::Either,
        }
    }
    setting
}

/// The digits that `text` begins with, as a number; one that is too large is the largest.
fn leading_number(text: &[u8]) -> u32 {
    let digits = text.iter().take_while(|b| b.is_ascii_digit());
    digits.fold(0u32, |n, b| n.saturating_mul(10).saturating_add(u32::from(b - b'0')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_way_a_number_or_both() {
        use Way::{Cgo, Either, Go};
        for (text, way, verbosity) in [
            ("", Either, 0),
            ("go", Go, 0),
            ("cgo", Cgo, 0),
            ("1", Either, 1),
            ("2+go", Go, 2),
            ("cgo+1", Cgo, 1),
            ("go+", Go, 0),
            ("+cgo", Cgo, 0),
            ("go+cgo", Cgo, 0),
            ("1+2", Either, 2),
            ("GO", Either, 0),
            ("dns", Either, 0),
            ("2x", Either, 2),
            ("99999999999", Either, u32::MAX),
            ("go+1+2", Go, 1),
            ("go+cgo+1", Either, 0),
        ] {
            assert_eq!(parse(text.as_bytes()), NetDns { way, verbosity }, "{text:?}");
        }
    }
}
