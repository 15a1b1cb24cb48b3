//! What a function is called: by the symbol table, or by where its DWARF stands.

use crate::demangle;
use crate::text::Text;

/// Parts of a path. Outer ones beyond are left out.
#[cfg(feature = "lines")]
pub const PARTS: usize = 12;

/// See the head of this file.
#[derive(Clone, Copy)]
pub enum Name<'a> {
    /// A symbol, mangled or not.
    Symbol(&'a [u8]),
    /// Names inside each other, the innermost first; empty ones are none.
    #[cfg(feature = "lines")]
    Path([&'static [u8]; PARTS]),
}

impl Name<'_> {
    /// Prints it, with `[...]` for what it is generic over.
    #[inline(never)]
    pub fn print(&self, out: &mut Text) {
        match self {
            Name::Symbol(symbol) => demangle::print(symbol, out),
            #[cfg(feature = "lines")]
            Name::Path(parts) => {
                let mut first = true;
                for part in parts.iter().rev().filter(|part| !part.is_empty()) {
                    if !first {
                        out.put(b"::");
                    }
                    first = false;
                    match part.iter().position(|&byte| byte == b'<') {
                        Some(at) if at > 0 => {
                            out.put(part.get(..at).unwrap_or(part));
                            out.put(b"[...]");
                        }
                        _ => out.put(part),
                    }
                }
            }
        }
    }
}
