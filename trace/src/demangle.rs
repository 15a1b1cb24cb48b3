//! Names of functions as their authors wrote them: Rust's symbols of both manglings (v0 and legacy), without hashes. For generic arguments `[...]` stands, as
//! in Go's traces, and `_` for a type that is no path.
//!
//! 1. Nothing of a symbol is trusted: what is no mangled name, or says something that is not known here, is printed as it is.
//! 2. No allocation. Depth and work are bounded: a few bytes of back references can mean an endless name.
//! 3. But for those the result is that of `rustc-demangle` (`{:#}`), against which tests compare each symbol of a program. Not known here: names that
//!    are not ASCII, constants with more parts, pattern types.
//! 4. A fault of the symbol is noted (`bad`) and reading goes on with zeros: smaller than to hand it up.
//!
//! Rejected: rustc-demangle: 33 KB of the 130 that a hello may have; this is a fifteenth.

use crate::text::Text;

/// Deeper names, or those that take more steps, are printed as they are.
const DEPTH: u32 = 64;
const STEPS: u32 = 1000;

/// Prints the name that `symbol` stands for.
#[inline(never)]
pub fn print(symbol: &[u8], out: &mut Text) {
    let kind = symbol.get(..3).unwrap_or(b"");
    let start = if kind == b"_ZN" { 3 } else { 2 };
    // First without printing, so that nothing is printed of what turns out to be none.
    if kind == b"_ZN" || kind.starts_with(b"_R") {
        for muted in [true, false] {
            let mut name = Name { symbol, start, at: start, out, muted, bad: false, depth: 0, steps: 0 };
            if start == 3 {
                name.legacy()
            } else {
                name.path()
            }
            if name.bad {
                break;
            }
            if !muted {
                return;
            }
        }
    }
    out.put(symbol);
}

/// A walk through a symbol. The grammar of the newer mangling: RFC 2603.
struct Name<'a, 't> {
    symbol: &'a [u8],
    /// Back references count from here.
    start: usize,
    at: usize,
    out: &'a mut Text<'t>,
    muted: bool,
    bad: bool,
    depth: u32,
    steps: u32,
}

impl Name<'_, '_> {
    #[inline(never)]
    fn put(&mut self, text: &[u8]) {
        if !self.muted {
            self.out.put(text);
        }
    }

    fn peek(&self) -> u8 {
        self.symbol.get(self.at).copied().unwrap_or(0)
    }

    #[inline(never)]
    fn next(&mut self) -> u8 {
        let byte = self.peek();
        self.bad |= byte == 0;
        self.at += 1;
        byte
    }

    #[inline(never)]
    fn eat(&mut self, byte: u8) -> bool {
        let found = self.peek() == byte;
        self.at += usize::from(found);
        found
    }

    fn decimal(&mut self) -> usize {
        let mut number = 0usize;
        self.bad |= !self.peek().is_ascii_digit();
        while self.peek().is_ascii_digit() {
            number = number.wrapping_mul(10).wrapping_add(usize::from(self.next() - b'0')) & 0xf_ffff;
            if number == 0 {
                break;
            }
        }
        number
    }

    /// `bytes` of the symbol; none if there are not so many.
    fn take(&mut self, bytes: usize) -> (usize, usize) {
        let from = self.at;
        self.at += bytes;
        self.bad |= self.at > self.symbol.len();
        if self.bad { (0, 0) } else { (from, self.at) }
    }

    /// The older mangling: lengths and identifiers, the last one a hash.
    fn legacy(&mut self) {
        let mut first = true;
        loop {
            let length = self.decimal();
            let (mut at, end) = self.take(length);
            let part = self.symbol.get(at..end).unwrap_or(b"");
            let last = self.peek() == b'E';
            self.bad |= part.is_empty();
            if self.bad || last && length == 17 && part.starts_with(b"h") {
                self.bad |= first;
                return;
            }
            if !first {
                self.put(b"::");
            }
            first = false;
            at += usize::from(part.starts_with(b"_$"));
            while at < end && !self.bad {
                at += self.escape(at, end);
            }
            if last {
                return;
            }
        }
    }

    /// Prints a character of the older mangling, and says how long it is.
    fn escape(&mut self, at: usize, end: usize) -> usize {
        let rest = self.symbol.get(at..end).unwrap_or(b"");
        if rest.starts_with(b"..") {
            self.put(b"::");
            return 2;
        }
        if !rest.starts_with(b"$") {
            self.put(rest.get(..1).unwrap_or(b""));
            return 1;
        }
        let length = rest.iter().skip(1).position(|&byte| byte == b'$').unwrap_or(0);
        let hex = |n: usize| rest.get(n).and_then(|&digit| (digit as char).to_digit(16)).unwrap_or(0) as u8;
        let byte = match (length, rest.get(1..3).unwrap_or(b"")) {
            (1, b"C$") => b',',
            (3, [b'u', _]) => hex(2) << 4 | hex(3),
            (2, two) => b"SP@BP*RF&LT<GT>LP(RP)".chunks(3).find(|known| known.starts_with(two)).and_then(|known| known.last()).copied().unwrap_or(0),
            _ => 0,
        };
        self.bad |= !(b' '..0x7f).contains(&byte);
        self.put(&[byte]);
        length + 2
    }

    /// Digits of base 62 up to `_`: nothing is 0, and all else is one more than it says.
    #[inline(never)]
    fn base_62(&mut self) -> u64 {
        let mut number = 0u64;
        if self.eat(b'_') {
            return 0;
        }
        loop {
            let digit = match self.next() {
                byte @ b'0'..=b'9' => byte - b'0',
                byte @ b'a'..=b'z' => byte - b'a' + 10,
                byte @ b'A'..=b'Z' => byte - b'A' + 36,
                byte => {
                    self.bad |= byte != b'_';
                    return number.wrapping_add(1);
                }
            };
            self.bad |= number > (u64::MAX - 61) / 62;
            number = number.wrapping_mul(62).wrapping_add(digit.into());
        }
    }

    /// The same after `tag`, as a count; 0 without it.
    fn tagged(&mut self, tag: u8) -> u64 {
        if self.eat(tag) { self.base_62().wrapping_add(1) } else { 0 }
    }

    #[inline(never)]
    fn identifier(&mut self, before: &[u8]) {
        // One in Punycode begins with a `u`.
        let length = self.decimal();
        self.eat(b'_');
        let (from, to) = self.take(length);
        let symbol = self.symbol;
        if from != to {
            self.put(before);
            self.put(symbol.get(from..to).unwrap_or(b""));
        }
    }

    /// Something that stands earlier in the symbol. `B` has been read.
    fn back(&mut self, what: fn(&mut Self)) {
        let at = self.at - 1;
        let there = (self.base_62() as usize).saturating_add(self.start);
        let here = core::mem::replace(&mut self.at, there);
        self.bad |= there >= at;
        self.inside(what);
        self.at = here;
    }

    /// One level deeper.
    #[inline(never)]
    fn inside(&mut self, what: fn(&mut Self)) {
        self.depth += 1;
        self.steps += 1;
        self.bad |= self.depth > DEPTH || self.steps > STEPS;
        if !self.bad {
            what(self);
        }
        self.depth -= 1;
    }

    /// Items up to `E`.
    #[inline(never)]
    fn list(&mut self, item: fn(&mut Self)) {
        while !self.bad && !self.eat(b'E') {
            self.inside(item);
        }
    }

    fn path(&mut self) {
        let tag = self.next();
        match tag {
            b'C' => {
                self.tagged(b's');
                self.identifier(b"");
            }
            b'N' => {
                let space = self.next();
                self.inside(Self::path);
                let number = self.tagged(b's');
                if space >= b'a' {
                    return self.identifier(b"::");
                }
                self.put(b"::{");
                match space {
                    b'C' => self.put(b"closure"),
                    b'S' => self.put(b"shim"),
                    _ => self.put(&[space]),
                }
                self.identifier(b":");
                self.put(b"#");
                if !self.muted {
                    self.out.number(number);
                }
                self.put(b"}");
            }
            b'M' | b'X' | b'Y' => {
                if tag != b'Y' {
                    // Where the implementation stands.
                    self.tagged(b's');
                    let muted = core::mem::replace(&mut self.muted, true);
                    self.inside(Self::path);
                    self.muted = muted;
                }
                self.put(b"<");
                self.inside(Self::kind);
                if tag != b'M' {
                    self.put(b" as ");
                    self.inside(Self::path);
                }
                self.put(b">");
            }
            b'I' => {
                self.inside(Self::path);
                let muted = core::mem::replace(&mut self.muted, true);
                self.list(Self::argument);
                self.muted = muted;
                self.put(b"[...]");
            }
            b'B' => self.back(Self::path),
            _ => self.bad = true,
        }
    }

    fn argument(&mut self) {
        if self.eat(b'L') {
            self.base_62();
        } else if self.eat(b'K') {
            self.constant();
        } else {
            self.kind();
        }
    }

    /// A type. What is none of the program's own, but for references, is `_`.
    fn kind(&mut self) {
        let tag = self.next();
        match tag {
            b'R' | b'Q' => {
                self.put(if tag == b'Q' { b"&mut " } else { b"&" });
                self.tagged(b'L');
                self.inside(Self::kind);
            }
            b'B' => self.back(Self::kind),
            b'A'..=b'Z' if !b"PSATOFD".contains(&tag) => {
                self.at -= 1;
                self.path();
            }
            _ => {
                self.put(b"_");
                let muted = core::mem::replace(&mut self.muted, true);
                match tag {
                    b'a'..=b'z' => {}
                    b'T' => self.list(Self::kind),
                    b'F' => {
                        self.tagged(b'G');
                        self.eat(b'U');
                        if self.eat(b'K') && !self.eat(b'C') {
                            self.identifier(b"");
                        }
                        self.list(Self::kind);
                        self.inside(Self::kind);
                    }
                    b'D' => {
                        self.tagged(b'G');
                        self.list(Self::bound);
                        self.bad |= !self.eat(b'L');
                        self.base_62();
                    }
                    _ => {
                        self.inside(Self::kind);
                        if tag == b'A' {
                            self.constant();
                        }
                    }
                }
                self.muted = muted;
            }
        }
    }

    /// A trait of a `dyn`.
    fn bound(&mut self) {
        self.path();
        while self.eat(b'p') {
            self.identifier(b"");
            self.inside(Self::kind);
        }
    }

    fn constant(&mut self) {
        match self.next() {
            b'p' => {}
            b'B' => self.back(Self::constant),
            // A number or a character: its type, its sign, its digits.
            b'a'..=b'z' => while !self.bad && self.next() != b'_' {},
            _ => self.bad = true,
        }
    }
}

#[cfg(test)]
pub use tests::check;

#[cfg(test)]
mod tests {
    use super::*;
    use std::string::String;
    use std::vec::Vec;

    fn name(symbol: &str) -> String {
        let mut bytes = [0; 1 << 16];
        let mut text = Text::within(&mut bytes);
        print(symbol.as_bytes(), &mut text);
        String::from_utf8(text.bytes().to_vec()).unwrap()
    }

    /// The parts of a name that both print: what stands outside of brackets, but for what an implementation is of.
    fn parts(name: &str) -> Vec<String> {
        let name = name.replace("[...]", "").replace("->", "").replace("::<", "<");
        let (mut depth, mut outside) = (0, String::new());
        for c in name.chars() {
            match c {
                '<' | '(' | '[' => depth += 1,
                '>' | ')' | ']' => depth -= 1,
                c if depth == 0 => outside.push(c),
                _ => {}
            }
        }
        outside.split("::").map(String::from).collect()
    }

    /// Compares with rustc-demangle. True: the name is printed as it is.
    pub fn check(symbol: &str) -> bool {
        let theirs = std::format!("{:#}", rustc_demangle::demangle(symbol));
        let ours = name(symbol);
        assert!(ours == theirs || ours == symbol || symbol.starts_with("_R") && parts(&ours) == parts(&theirs), "{symbol}: {ours} is not {theirs}");
        ours == symbol && theirs != symbol
    }

    #[test]
    fn names_are_those_of_rustc_demangle() {
        for symbol in [
            "_RNvCsfLfy6EI15iL_7___rustc14___rust_dealloc",
            "_RNvMsa_NtCsgEmfK2I1SDS_4core3fmtNtB5_9Formatter12pad_integral",
            "_RINvNtNtCs1234_4gort5sched4exit5entryNCNvCs_5hello4main0EB2_",
            "_RNvXsv_NtNtCsgEmfK2I1SDS_4core3str7patternNtB5_11StrSearcherNtB5_8Searcher4next",
            "_RINvNtC3std3mem8align_ofNtNtC3std3mem12DiscriminantE",
            "_RNCNvC4main4mains_0",
            "_RNvYNtC1a1XNtC1b1Y1f",
            "_RINvC1a1fRNtC1a1XQhPjOyASmj2a_TlEThxEFUKCmEuFG_RL0_eEsDNtC1a1TG_p4Itemdp1BmEL_E",
            "_RINvC1a1fDINtC1a1TmEp4ItemdEL_E",
            "_RINvC1a1fKj7_Kin3_Kb1_KpE",
            "_ZN4core3fmt9Formatter3pad17h0123456789abcdefE",
            "_ZN71_$LT$Test$u20$$u2b$$u20$$u27$static$u20$as$u20$foo..Bar$LT$Test$GT$$GT$3bar17h930b740aa94f1d3aE",
            "_ZN44_$LT$$RF$T$u20$as$u20$core..fmt..Display$GT$3fmt17h2f237584052b979bE",
            "main",
            "_ZN",
            "_R",
            "",
        ] {
            check(symbol);
        }
        assert_eq!(name("_RINvNtNtCs1234_4gort5sched4exit5entryNCNvCs_5hello4main0EB2_"), "gort::sched::exit::entry[...]");
        assert_eq!(name("_RNvXs_C1aINtC1a1XmENtC1b1Y1f"), "<a::X[...] as b::Y>::f");
        assert_eq!(name("_RNCNvC4main4mains_0"), "main::main::{closure#1}");
        assert_eq!(name("_ZN4core3fmt9Formatter3pad17h0123456789abcdefE"), "core::fmt::Formatter::pad");
        assert_eq!(name("_ZN44_$LT$$RF$T$u20$as$u20$core..fmt..Display$GT$3fmt17h2f237584052b979bE"), "<&T as core::fmt::Display>::fmt");
        assert_eq!(name("_ZN4main4main28_$u7b$$u7b$closure$u7d$$u7d$17h0123456789abcdefE"), "main::main::{{closure}}");
    }

    proptest::proptest! {
        #[test]
        fn garbage_prints_something_and_ends(text in "(_R|_ZN)[a-zA-Z0-9_$.]{0,200}") {
            let ours = name(&text);
            if let Ok(theirs) = rustc_demangle::try_demangle(&text).map(|name| std::format!("{name:#}")) {
                assert!(ours == text || parts(&ours) == parts(&theirs), "{ours} {theirs}");
            }
        }

        #[test]
        fn what_a_grammar_makes_of_chance_is_never_endless(bytes in proptest::collection::vec(0..24usize, 0..300)) {
            const WORDS: [&str; 24] = ["N", "v", "C", "I", "E", "B_", "B0_", "M", "X", "Y", "R", "T", "D", "G_", "p", "L_", "Ks", "1a", "0", "F", "u", "K", "j3_", "s_"];
            let symbol: String = core::iter::once("_R").chain(bytes.iter().map(|&n| WORDS[n])).collect();
            assert!(name(&symbol).len() < 1 << 16);
        }
    }
}
