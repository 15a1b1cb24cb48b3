//! Call frame information: who called, by the tables that every program carries (`.eh_frame_hdr` and `.eh_frame`).
//!
//! 1. Nothing in the tables is trusted: every read of them is inside `Tables::bytes`, and what makes no sense ends the walk.
//! 2. The stack is read through `read` alone, which refuses what is not on it. Each step goes up the stack, so a walk ends.
//! 3. No allocation, no lock, a few hundred bytes of stack: it runs in a signal handler.
//! 4. A fault of the tables is noted (`bad`) and reading goes on with zeros: smaller than to hand it up.
//! 5. What it knows is what compilers for x86-64 Linux make: a sorted table of 32-bit offsets, frames as a register and an offset. A frame that is
//!    described by a DWARF expression (only the stubs of dynamic linking are) ends the walk.
//!
//! Rejected: gimli (`read-core`, its context in fixed storage: 18 KB of the 130 that a hello may have; this is 2), framehop (it is gimli and more).

/// The registers by their DWARF numbers: rax rdx rcx rbx rsi rdi rbp rsp r8 … r15, and where to go on.
pub type Registers = [usize; 17];
/// Index of rbx.
pub const RBX: usize = 3;
/// Index of rbp.
pub const RBP: usize = 6;
/// Index of rsp.
pub const RSP: usize = 7;
/// Index of where to go on.
pub const PC: usize = 16;

/// The tables, as they lie in memory.
#[derive(Clone, Copy)]
pub struct Tables<'a> {
    /// The read-only segment that both tables are in.
    pub bytes: &'a [u8],
    /// The address of its first byte.
    pub at: usize,
    /// The address of `.eh_frame_hdr`.
    pub header: usize,
}

/// How a register of the caller is found: at an offset from the frame's address, or one of the two below.
type Rule = i32;
/// It is what it is in the callee.
const SAME: Rule = i32::MAX;
/// Nobody knows. For `PC`: nobody called.
const UNDEFINED: Rule = i32::MIN;

/// The rules at one instruction.
#[derive(Clone, Copy)]
struct Row {
    /// The frame's address: this register and this offset.
    frame: (u8, i32),
    rules: [Rule; 17],
}

/// What a step found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Step {
    /// The registers are the caller's, who had made a call.
    Caller,
    /// The registers are those of code that was interrupted: it goes on at exactly this instruction.
    Interrupted,
    /// Nobody called: the stack ends here.
    End,
    /// The tables do not know this address, or the frame is not on the stack.
    Lost,
}

/// Where the tables are read.
struct Cursor<'a> {
    bytes: &'a [u8],
    /// Offset in `bytes`.
    at: usize,
    end: usize,
    bad: bool,
}

impl Cursor<'_> {
    #[inline(never)]
    fn number(&mut self, bytes: usize) -> u64 {
        let end = self.at.wrapping_add(bytes);
        let mut number = 0u64;
        match self.bytes.get(self.at..end) {
            Some(word) if end <= self.end => {
                for &byte in word.iter().rev() {
                    number = number << 8 | u64::from(byte);
                }
            }
            _ => self.bad = true,
        }
        self.at = end;
        number
    }

    fn byte(&mut self) -> u8 {
        self.number(1) as u8
    }

    fn word(&mut self) -> u32 {
        self.number(4) as u32
    }

    /// A number of LEB128: without and with its sign.
    #[inline(never)]
    fn leb(&mut self) -> (u64, i64) {
        let (mut number, mut shift) = (0u64, 0u32);
        loop {
            let byte = self.byte();
            number |= u64::from(byte & 0x7f).wrapping_shl(shift);
            shift += 7;
            if byte & 0x80 == 0 || shift > 56 {
                self.bad |= byte & 0x80 != 0;
                let spare = 64 - shift;
                return (number, (number << spare) as i64 >> spare);
            }
        }
    }

    fn unsigned(&mut self) -> u64 {
        self.leb().0
    }

    fn skip(&mut self, bytes: u64) {
        self.at = self.at.wrapping_add(bytes as usize);
        self.bad |= bytes > self.end as u64 || self.at > self.end;
    }
}

/// What the entries of one compiled file have in common (a CIE).
struct Common {
    code_align: u64,
    data_align: i64,
}

/// How pointers are written: relative to themselves, in 32 bits. All compilers choose that.
const RELATIVE_32: u8 = 0x1b;

impl<'a> Tables<'a> {
    /// The record at an offset: its content.
    fn record(&self, at: usize) -> Cursor<'a> {
        let mut c = Cursor { bytes: self.bytes, at, end: self.bytes.len(), bad: false };
        let bytes = c.word() as usize;
        c.end = c.at.wrapping_add(bytes).min(c.end);
        c.bad |= bytes >= 0xffff_fff0;
        c
    }

    /// The rules at `pc`, and whether its frame is one that was interrupted.
    fn row(&self, pc: usize) -> Option<(Row, bool)> {
        // Version 1; a pointer to .eh_frame; a 32-bit count; offsets from the header, in order.
        let header = self.header.wrapping_sub(self.at);
        let mut c = Cursor { bytes: self.bytes, at: header, end: self.bytes.len(), bad: false };
        let kind = c.word();
        c.word();
        let (mut low, mut high) = (0, c.word() as usize);
        let mut at = |n: usize, word: usize| {
            c.at = header.wrapping_add(12 + 8 * n + 4 * word);
            header.wrapping_add_signed(c.word() as i32 as isize)
        };
        if kind != u32::from_le_bytes([1, RELATIVE_32, 0x03, 0x3b]) {
            return None;
        }
        let offset = pc.wrapping_sub(self.at);
        let is_before = |begin: usize| begin.wrapping_sub(offset) as isize <= 0;
        while low < high {
            let middle = low + (high - low) / 2;
            if is_before(at(middle, 0)) { low = middle + 1 } else { high = middle }
        }
        let n = low.checked_sub(1)?;
        let (begin, entry) = (at(n, 0), at(n, 1));
        let until = offset.wrapping_sub(begin);

        let mut c2 = self.record(entry);
        let common_at = c2.at.wrapping_sub(c2.word() as usize);
        let (_, bytes) = (c2.word(), c2.word() as usize);
        let augmentation = c2.unsigned();
        c2.skip(augmentation);

        let mut c1 = self.record(common_at);
        let (id, version, letters) = (c1.word(), c1.byte(), c1.at);
        let mut count = 0;
        while c1.byte() != 0 && !c1.bad {
            count += 1;
        }
        let common = Common { code_align: c1.unsigned(), data_align: c1.leb().1 };
        let caller = if version == 1 { c1.byte().into() } else { c1.unsigned() };
        // Pointers are as in the table; what else there is (a personality) is skipped.
        let augmentation = c1.unsigned();
        c1.skip(augmentation);
        let letters = self.bytes.get(letters..letters + count).unwrap_or(b"");
        let is_signal_frame = letters.contains(&b'S');
        if c1.bad || c2.bad || id != 0 || !letters.starts_with(b"z") || caller != PC as u64 || until >= bytes {
            return None;
        }
        let mut row = Row { frame: (0, 0), rules: [SAME; 17] };
        let mut bad = run(c1, &common, u64::MAX, &mut row, None);
        let initial = row;
        bad |= run(c2, &common, until as u64, &mut row, Some(&initial));
        (!bad).then_some((row, is_signal_frame))
    }

    /// Makes `registers`, of a function that is at `PC`, those of its caller. `exact`: it is at this instruction; else it has made a call there.
    ///
    /// `read` gives the word of the stack at an address, or none if that is not on it.
    #[inline(never)]
    pub fn step(&self, registers: &mut Registers, exact: bool, read: &dyn Fn(usize) -> Option<usize>) -> Step {
        let pc = registers[PC].wrapping_sub(usize::from(!exact));
        let Some((row, is_signal_frame)) = self.row(pc) else { return Step::Lost };
        if row.rules[PC] == UNDEFINED {
            return Step::End;
        }
        let frame = registers.get(usize::from(row.frame.0)).copied().unwrap_or(0).wrapping_add_signed(row.frame.1 as isize);
        if frame <= registers[RSP] {
            return Step::Lost;
        }
        let before = *registers;
        for (register, &rule) in registers.iter_mut().zip(&row.rules) {
            *register = match rule {
                SAME => *register,
                UNDEFINED => 0,
                offset => match read(frame.wrapping_add_signed(offset as isize)) {
                    Some(word) => word,
                    None => {
                        *registers = before;
                        return Step::Lost;
                    }
                },
            };
        }
        registers[RSP] = frame;
        match registers[PC] {
            0 => Step::End,
            _ if is_signal_frame => Step::Interrupted,
            _ => Step::Caller,
        }
    }
}

/// Follows the instructions of `c` up to that for `until` bytes into the function. True: one is unknown, or makes no sense.
#[inline(never)]
fn run(mut c: Cursor, common: &Common, until: u64, row: &mut Row, initial: Option<&Row>) -> bool {
    let mut kept = [*row; 2];
    let mut depth = 0;
    let mut at = 0u64;
    while c.at < c.end && !c.bad {
        let byte = c.byte();
        let (kind, low) = (byte & 0xc0, byte & 0x3f);
        // The instructions with their operands in them as the others of the same meaning.
        let code = match kind {
            0x40 => 0x02,
            0x80 => 0x05,
            0xc0 => 0x06,
            _ => byte,
        };
        // The register that it is about; those that are not kept here (vectors) have no place.
        let register = match code {
            0x05..=0x09 | 0x0c | 0x0d | 0x10..=0x12 | 0x14..=0x16 if kind == 0 => c.unsigned() as usize,
            _ => low.into(),
        };
        let mut rule = None;
        match code {
            0x00 => {}
            0x02..=0x04 => {
                let advance = if kind != 0 { low.into() } else { c.number(1 << (code - 2)) };
                at = at.wrapping_add(advance.wrapping_mul(common.code_align));
                if at > until {
                    break;
                }
            }
            0x05 => rule = Some(c.unsigned() as i64),
            0x11 => rule = Some(c.leb().1),
            0x06 | 0x08 => {
                let before = initial.and_then(|initial| initial.rules.get(register)).copied().unwrap_or(SAME);
                set(row, register, if code == 0x08 { SAME } else { before });
            }
            0x07 => set(row, register, UNDEFINED),
            // In another register, or by an expression: unknown.
            0x09 | 0x14 | 0x15 => {
                c.leb();
                set(row, register, UNDEFINED);
            }
            0x10 | 0x16 => {
                let bytes = c.unsigned();
                c.skip(bytes);
                set(row, register, UNDEFINED);
            }
            0x0a => {
                match kept.get_mut(depth) {
                    Some(place) => *place = *row,
                    None => c.bad = true,
                }
                depth += 1;
            }
            0x0b => match kept.get(depth.wrapping_sub(1)) {
                Some(before) => {
                    *row = *before;
                    depth -= 1;
                }
                None => c.bad = true,
            },
            0x0c..=0x0e | 0x12 | 0x13 => {
                if !matches!(code, 0x0e | 0x13) {
                    c.bad |= register >= PC;
                    row.frame.0 = register as u8;
                }
                if code != 0x0d {
                    let (unsigned, signed) = c.leb();
                    row.frame.1 = if code > 0x0e { signed.wrapping_mul(common.data_align) } else { unsigned as i64 } as i32;
                }
            }
            // How much of the stack is arguments.
            0x2e => drop(c.leb()),
            _ => c.bad = true,
        }
        if let Some(offset) = rule {
            set(row, register, offset.wrapping_mul(common.data_align) as i32);
        }
    }
    c.bad
}

fn set(row: &mut Row, register: usize, rule: Rule) {
    if let Some(place) = row.rules.get_mut(register) {
        *place = rule;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gimli::{BaseAddresses, CfaRule, CieOrFde, EhFrame, LittleEndian, RegisterRule, UnwindContext, UnwindSection};
    use object::{Object, ObjectSection, ObjectSegment};
    use std::vec::Vec;

    /// The tables of this test's own program, as they lie in its file.
    struct Own {
        bytes: Vec<u8>,
        at: usize,
        header: usize,
        frames: (u64, Vec<u8>),
    }

    impl Own {
        fn new() -> Own {
            let file = std::fs::read("/proc/self/exe").unwrap();
            let file = object::File::parse(&*file).unwrap();
            let section = |name| file.section_by_name(name).unwrap();
            let header = section(".eh_frame_hdr").address();
            let segment = file.segments().find(|s| (s.address()..s.address() + s.data().unwrap().len() as u64).contains(&header)).unwrap();
            let frames = section(".eh_frame");
            Own {
                bytes: segment.data().unwrap().to_vec(),
                at: segment.address() as usize,
                header: header as usize,
                frames: (frames.address(), frames.data().unwrap().to_vec()),
            }
        }

        fn tables(&self) -> Tables<'_> {
            Tables { bytes: &self.bytes, at: self.at, header: self.header }
        }
    }

    #[test]
    fn every_row_of_this_program_is_that_of_gimli() {
        let own = Own::new();
        let tables = own.tables();
        let bases = BaseAddresses::default().set_eh_frame(own.frames.0);
        let section = EhFrame::new(&own.frames.1, LittleEndian);
        let mut entries = section.entries(&bases);
        let (mut seen, mut expressions) = (0, 0);
        while let Some(entry) = entries.next().unwrap() {
            let CieOrFde::Fde(partial) = entry else { continue };
            let fde = partial.parse(EhFrame::cie_from_offset).unwrap();
            let mut context = UnwindContext::new();
            let mut rows = fde.rows(&section, &bases, &mut context).unwrap();
            while let Some(row) = rows.next_row().unwrap() {
                // Both ends: the rules hold from the first to the last.
                for pc in [row.start_address(), row.end_address() - 1] {
                    seen += 1;
                    let CfaRule::RegisterAndOffset { register, offset } = *row.cfa() else {
                        expressions += 1;
                        continue;
                    };
                    let (ours, signal) = tables.row(pc as usize).unwrap_or_else(|| panic!("no row at {pc:#x}"));
                    assert_eq!(signal, fde.is_signal_trampoline());
                    assert_eq!(ours.frame, (register.0 as u8, offset as i32), "{pc:#x}");
                    for (n, &rule) in ours.rules.iter().enumerate() {
                        let theirs = match row.register(gimli::Register(n as u16)) {
                            None | Some(RegisterRule::SameValue) => SAME,
                            Some(RegisterRule::Undefined) => UNDEFINED,
                            Some(RegisterRule::Offset(offset)) => offset as i32,
                            Some(_) => UNDEFINED,
                        };
                        assert_eq!(rule, theirs, "register {n} at {pc:#x}");
                    }
                }
            }
        }
        assert!(seen > 10_000 && expressions * 100 < seen, "{seen} {expressions}");
    }

    #[test]
    fn what_no_table_knows_is_lost() {
        let own = Own::new();
        let mut registers = [1; 17];
        for pc in [0, 1, own.at, usize::MAX, usize::MAX / 2] {
            registers[PC] = pc;
            assert_eq!(own.tables().step(&mut registers, true, &|_| Some(1)), Step::Lost);
            let none = Tables { bytes: &[], at: own.at, header: own.header };
            assert_eq!(none.step(&mut registers, false, &|_| Some(1)), Step::Lost);
        }
    }

    proptest::proptest! {
        #![proptest_config(proptest::prelude::ProptestConfig::with_cases(64))]
        #[test]
        fn broken_tables_end(seed in proptest::num::u64::ANY, every in 1..64usize) {
            let mut own = Own::new();
            let text: Vec<usize> = (0..200).map(|n| n * 997 + own.at).collect();
            // A chance byte in each few, behind the header's first words.
            let mut chance = seed | 1;
            let from = own.header - own.at + 12;
            for at in (from..own.bytes.len()).step_by(every * 7) {
                chance = chance.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
                own.bytes[at] = (chance >> 56) as u8;
            }
            for pc in text {
                let mut registers = [pc; 17];
                own.tables().step(&mut registers, true, &|address| Some(address));
            }
        }
    }
}
