//! The symbol table of an ELF file: which function an address is in. A small reader that trusts nothing it reads.
//!
//! 1. It reads the file through `Source`: at offsets, into memory that the caller gives. Garbage, a file that is cut off, a stripped one: no table.
//! 2. The table is one block of memory: the functions, sorted by address, and their names behind them. It never changes once it is made.
//! 3. No allocation but `Source::memory`, no lock. It takes 24 bytes a symbol and the names; sorting is in place and n log n at worst.
//!
//! Rejected: one pass over the unsorted table for a batch of addresses (100 000 goroutines are as many batches); a mapping of the file (one that is cut off
//! meanwhile means SIGBUS).

/// A file, and where to put what is read of it.
pub trait Source {
    /// Fills `buffer` with what stands at `offset`. False: there is not so much.
    fn read(&mut self, offset: u64, buffer: &mut [u8]) -> bool;
    /// So many bytes, for ever.
    fn memory(&mut self, bytes: usize) -> Option<&'static mut [u8]>;
    /// So many words, for ever. For `lines`.
    #[cfg(feature = "lines")]
    fn words(&mut self, count: usize) -> Option<&'static mut [u32]>;
}

/// Larger tables are not read.
const BYTES_MAX: u64 = 1 << 30;
const SECTION_BYTES: usize = 64;
const SYMBOL_BYTES: usize = 24;
const TABLE_SECTION: u32 = 2;
const FUNCTION: u8 = 2;

/// Bytes of a function in the table: where it begins (8), how long it is (4), its name's offset (4).
const FUNCTION_BYTES: usize = 16;

/// See the head of this file.
#[derive(Clone, Copy)]
pub struct Symbols {
    functions: &'static [u8],
    names: &'static [u8],
    /// Where the program begins, by its file.
    pub entry: u64,
}

#[inline(never)]
fn number(bytes: &[u8], at: usize, length: usize) -> u64 {
    bytes.get(at..at + length).unwrap_or(&[]).iter().rev().fold(0, |number, &byte| number << 8 | u64::from(byte))
}

impl Symbols {
    /// Reads the table of a file.
    #[inline(never)]
    pub fn read(source: &mut dyn Source) -> Option<Symbols> {
        let mut header = [0; 64];
        if !source.read(0, &mut header) || !header.starts_with(b"\x7fELF\x02\x01") || number(&header, 58, 2) != SECTION_BYTES as u64 {
            return None;
        }
        let (sections, count) = (number(&header, 40, 8), number(&header, 60, 2));
        let mut section = [0; SECTION_BYTES];
        let mut at = |source: &mut dyn Source, n: u64| {
            let offset = sections.checked_add(n * SECTION_BYTES as u64)?;
            (n < count && source.read(offset, &mut section))
                .then(|| (number(&section, 4, 4) as u32, number(&section, 24, 8), number(&section, 32, 8), number(&section, 40, 4)))
        };
        let (_, table, table_bytes, link) = (0..count).find_map(|n| at(source, n).filter(|&(kind, ..)| kind == TABLE_SECTION))?;
        let (_, names, names_bytes, _) = at(source, link)?;
        if table_bytes > BYTES_MAX || names_bytes > BYTES_MAX {
            return None;
        }
        let count = table_bytes as usize / SYMBOL_BYTES;
        let (memory, rest) = source.memory(count * SYMBOL_BYTES + names_bytes as usize)?.split_at_mut_checked(count * SYMBOL_BYTES)?;
        if !source.read(table, memory) || !source.read(names, rest) {
            return None;
        }
        let count = compact(memory);
        sort(memory, count);
        Some(Symbols { functions: memory.get(..count * FUNCTION_BYTES)?, names: rest, entry: number(&header, 24, 8) })
    }

    /// The function at `address`, by the addresses of the file: its symbol and where it begins.
    #[inline(never)]
    pub fn find(&self, address: usize) -> Option<(&'static [u8], usize)> {
        let (mut low, mut high) = (0, self.functions.len() / FUNCTION_BYTES);
        while low < high {
            let middle = low + (high - low) / 2;
            if begin(self.functions, middle) <= address as u64 { low = middle + 1 } else { high = middle }
        }
        let at = low.checked_sub(1)?;
        let begin = begin(self.functions, at);
        if address as u64 - begin >= number(self.functions, at * FUNCTION_BYTES + 8, 4) {
            return None;
        }
        let name = self.names.get(number(self.functions, at * FUNCTION_BYTES + 12, 4) as usize..)?;
        let name = name.get(..name.iter().position(|&byte| byte == 0)?)?;
        (!name.is_empty()).then_some((name, begin as usize))
    }
}

fn begin(functions: &[u8], n: usize) -> u64 {
    number(functions, n * FUNCTION_BYTES, 8)
}

/// Makes functions of the symbols, in the same memory, and says how many.
fn compact(memory: &mut [u8]) -> usize {
    let mut count = 0;
    for n in 0..memory.len() / SYMBOL_BYTES {
        let Some(symbol) = memory.get(n * SYMBOL_BYTES..).and_then(|rest| rest.first_chunk::<SYMBOL_BYTES>()).copied() else { break };
        let bytes = number(&symbol, 16, 8);
        if symbol[4] & 15 == FUNCTION && number(&symbol, 6, 2) != 0 && bytes != 0 {
            // 16 bytes for 24: never past what has been read.
            let mut function = [0; FUNCTION_BYTES];
            function[..8].copy_from_slice(&symbol[8..16]);
            function[8..12].copy_from_slice(&(bytes.min(u32::MAX.into()) as u32).to_le_bytes());
            function[12..].copy_from_slice(&symbol[..4]);
            put(memory, count, function);
            count += 1;
        }
    }
    count
}

fn get(functions: &[u8], n: usize) -> [u8; FUNCTION_BYTES] {
    functions.get(n * FUNCTION_BYTES..).and_then(|rest| rest.first_chunk()).copied().unwrap_or([0; FUNCTION_BYTES])
}

fn put(functions: &mut [u8], n: usize, function: [u8; FUNCTION_BYTES]) {
    if let Some(place) = functions.get_mut(n * FUNCTION_BYTES..).and_then(|rest| rest.first_chunk_mut()) {
        *place = function;
    }
}

#[inline(never)]
fn swap(functions: &mut [u8], a: usize, b: usize) {
    let kept = get(functions, a);
    put(functions, a, get(functions, b));
    put(functions, b, kept);
}

/// A heap sort: small, in place, and n log n whatever the file says.
fn sort(functions: &mut [u8], count: usize) {
    for step in (0..count + count / 2).rev() {
        let (mut parent, end) = if step >= count {
            (step - count, count)
        } else {
            swap(functions, 0, step);
            (0, step)
        };
        loop {
            let mut child = 2 * parent + 1;
            if child >= end {
                break;
            }
            if child + 1 < end && begin(functions, child) < begin(functions, child + 1) {
                child += 1;
            }
            if begin(functions, parent) >= begin(functions, child) {
                break;
            }
            swap(functions, parent, child);
            parent = child;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec::Vec;

    struct Bytes<'a>(&'a [u8]);

    impl Source for Bytes<'_> {
        fn read(&mut self, offset: u64, buffer: &mut [u8]) -> bool {
            let Ok(offset) = usize::try_from(offset) else { return false };
            let Some(from) = self.0.get(offset..).and_then(|rest| rest.get(..buffer.len())) else { return false };
            buffer.copy_from_slice(from);
            true
        }

        fn memory(&mut self, bytes: usize) -> Option<&'static mut [u8]> {
            // What no machine has is refused, as the kernel does.
            if bytes > 1 << 28 {
                return None;
            }
            Some(std::vec![0; bytes].leak())
        }

        #[cfg(feature = "lines")]
        fn words(&mut self, count: usize) -> Option<&'static mut [u32]> {
            (count <= 1 << 26).then(|| std::vec![0; count].leak())
        }
    }

    fn own() -> Vec<u8> {
        std::fs::read("/proc/self/exe").unwrap()
    }

    #[test]
    fn every_function_of_this_program_is_found_by_its_first_and_its_last_byte() {
        use object::{Object, ObjectSymbol, SymbolKind};
        let own = own();
        let symbols = Symbols::read(&mut Bytes(&own)).unwrap();
        let file = object::File::parse(&*own).unwrap();
        let mut seen = 0;
        for symbol in file.symbols().filter(|s| s.kind() == SymbolKind::Text && s.size() != 0 && s.is_definition()) {
            let begin = symbol.address() as usize;
            assert_eq!(symbols.find(begin).unwrap().1, begin, "{symbol:?}");
            assert_eq!(symbols.find(begin + symbol.size() as usize - 1).unwrap().1, begin, "{symbol:?}");
            seen += 1;
        }
        assert!(seen > 1000, "{seen}");
        let count = symbols.functions.len() / FUNCTION_BYTES;
        assert!((1..count).all(|n| begin(symbols.functions, n - 1) <= begin(symbols.functions, n)));
        assert_eq!(symbols.find(1), None);
        assert_eq!(symbols.find(usize::MAX), None);
        assert_eq!(symbols.entry, file.entry());
        // The names too are what they are elsewhere, and nearly none stays mangled.
        let names = (0..count).map(|n| symbols.find(begin(symbols.functions, n) as usize).unwrap().0);
        let left: std::vec::Vec<_> = names.map(|name| core::str::from_utf8(name).unwrap()).filter(|name| crate::demangle::check(name)).collect();
        assert!(left.len() * 200 < seen, "{} of {seen}: {:?}", left.len(), &left[..left.len().min(9)]);
    }

    #[test]
    fn a_file_that_is_cut_off_has_no_table() {
        let own = own();
        for length in [0, 1, 63, 64, 65, 4096, own.len() / 2, own.len() - 1] {
            assert!(Symbols::read(&mut Bytes(&own[..length])).is_none(), "{length}");
        }
        assert!(Symbols::read(&mut Bytes(&std::vec![0x7f; 4096])).is_none());
    }

    /// A file with a table of three symbols, whose every byte may be changed.
    fn small() -> Vec<u8> {
        let mut file = std::vec![0u8; 64];
        file[..6].copy_from_slice(b"\x7fELF\x02\x01");
        file[40] = 64;
        file[58] = 64;
        file[60] = 3;
        let mut section = |kind: u8, offset: u16, bytes: u8, link: u8| {
            let mut row = [0u8; 64];
            row[4] = kind;
            row[24..26].copy_from_slice(&offset.to_le_bytes());
            (row[32], row[40]) = (bytes, link);
            file.extend(row);
        };
        section(0, 0, 0, 0);
        section(2, 256, 72, 2);
        section(3, 328, 16, 0);
        for (name, begin, bytes) in [(1u8, 0x40u8, 16u8), (5, 0x10, 16), (9, 0x20, 8)] {
            let mut symbol = [0u8; 24];
            (symbol[0], symbol[4], symbol[6], symbol[8], symbol[16]) = (name, FUNCTION, 1, begin, bytes);
            file.extend(symbol);
        }
        file.extend(b"\0one\0two\0three\0\0");
        file
    }

    #[test]
    fn a_small_table_is_sorted_and_has_gaps() {
        let symbols = Symbols::read(&mut Bytes(&small())).unwrap();
        let name = |address| symbols.find(address).map(|(name, _)| name);
        assert_eq!(
            [0x0f, 0x10, 0x1f, 0x20, 0x27, 0x28, 0x40, 0x50].map(name),
            [None, Some(&b"two"[..]), Some(b"two"), Some(b"three"), Some(b"three"), None, Some(b"one"), None]
        );
    }

    proptest::proptest! {
        #[test]
        fn garbage_ends(changes in proptest::collection::vec((0..344usize, proptest::num::u8::ANY), 1..24)) {
            let mut file = small();
            changes.iter().for_each(|&(at, byte)| file[at] = byte);
            if let Some(symbols) = Symbols::read(&mut Bytes(&file)) {
                for address in 0..256 {
                    let _ = symbols.find(address);
                }
            }
        }
    }
}
