//! Which line an address is of, and which functions have been inlined around it: by the program's DWARF.
//!
//! 1. Made once: two sorted tables, counted first and then filled, in memory that the caller gives. They never change, so who reads them waits for nobody.
//! 2. What cannot be read is left out: a unit, a line program, or all of it. A lookup is a search in the tables, and a walk up the functions that a place
//!    is in; names and files are read from the sections when they are printed.
//! 3. Addresses are those of the file, below 4 GiB; a linker leaves 0 and 1 for code that it has thrown away.
//!
//! Rejected: addr2line, which allocates: its memory would have to come past the program's allocator, which may be broken, and where it finds none it
//! ends the program.

use crate::name::{Name, PARTS};
use crate::sections::{Bytes, DwTag0, Sections, Unit, Value, cut, value};
use crate::symtab::Source;
use crate::text::Text;
use gimli::{DwForm, Encoding, Reader, constants as dw};

/// A row of the line table: address, order (0: nothing is known from here on), line program, file, line.
type Row = [u32; 5];
/// A range of a function: from, to, twice how deep it is nested (odd: inlined), the entry that names it, and of its call: line program, file, line;
/// then the range around it, by its place in the table, counted from 1.
type Scope = [u32; 8];

/// A function, a type or a namespace, and the one around it, by their entries; 0 is none.
type Around = [u32; 2];

/// Ranges around each other. More are not followed.
const DEPTH_MAX: usize = 128;
/// Namespaces, types and functions around each other. Inner ones are not known as what is around others.
const NAMED_MAX: usize = 32;

/// See the head of this file.
#[derive(Clone, Copy)]
pub struct Lines {
    sections: Sections,
    rows: &'static [Row],
    scopes: &'static [Scope],
    around: &'static [Around],
    /// Where the program begins, by its file.
    pub entry: u64,
    /// What the paths of the runtime's own files begin with.
    own: &'static [u8],
}

/// A line of a source file.
#[derive(Clone, Copy)]
pub struct Line {
    program: u32,
    file: u32,
    /// Its number.
    pub line: u32,
}

/// A table that is counted, or filled.
struct Table<'a, T> {
    slots: &'a mut [T],
    count: usize,
}

impl<T> Table<'_, T> {
    fn push(&mut self, one: T) {
        if let Some(place) = self.slots.get_mut(self.count) {
            *place = one;
        }
        self.count += 1;
    }
}

impl Table<'_, Row> {
    fn push_row(&mut self, at: u64, known: bool, program: u32, file: u32, line: u32) {
        if let Some(at) = address(at).filter(|_| known) {
            self.push([at, self.count as u32 + 1, program, file, line]);
        }
    }

    fn push_end(&mut self, at: u64, known: bool) {
        if let Some(at) = address(at).filter(|_| known) {
            self.push([at, 0, 0, 0, 0]);
        }
    }
}

fn address(address: u64) -> Option<u32> {
    u32::try_from(address).ok().filter(|&address| address > 1)
}

impl Lines {
    /// Nothing is known.
    pub const EMPTY: Lines = Lines { sections: Sections::EMPTY, rows: &[], scopes: &[], around: &[], entry: 0, own: &[] };

    /// Reads the lines of a file. None: there are none, and there will be none. `own`: what the paths of the runtime's files begin with.
    #[inline(never)]
    pub fn read(source: &mut dyn Source, own: &'static [u8]) -> Option<Lines> {
        let (sections, entry) = Sections::read(source)?;
        let (mut rows, mut scopes) = (Table { slots: &mut [], count: 0 }, Table { slots: &mut [], count: 0 });
        let mut around = Table { slots: &mut [], count: 0 };
        scan(&sections, &mut rows, &mut scopes, &mut around);
        let memory = source.words(rows.count.checked_mul(5)?)?;
        let (rows, _) = memory.as_chunks_mut::<5>();
        let (scopes, _) = source.words(scopes.count.checked_mul(8)?)?.as_chunks_mut::<8>();
        // Sorted by itself: entries come in their order.
        let (names, _) = source.words(around.count.checked_mul(2)?)?.as_chunks_mut::<2>();
        scan(&sections, &mut Table { slots: rows, count: 0 }, &mut Table { slots: scopes, count: 0 }, &mut Table { slots: names, count: 0 });
        rows.sort_unstable_by_key(|row| (row[0], row[1]));
        scopes.sort_unstable_by_key(|scope| (scope[0], !scope[1], scope[2]));
        for n in 1..scopes.len() {
            // Around it: the one before it, or what that is in.
            let from = scopes.get(n).map_or(0, |scope| scope[0]);
            let mut around = n;
            while let Some(before) = around.checked_sub(1).and_then(|n| scopes.get(n)) {
                if before[1] > from {
                    break;
                }
                around = before[7] as usize;
            }
            if let Some(scope) = scopes.get_mut(n) {
                scope[7] = around as u32;
            }
        }
        Some(Lines { sections, rows, scopes, around: names, entry, own })
    }

    /// The line of `address`.
    #[inline(never)]
    fn line(&self, address: u32) -> Option<Line> {
        let after = self.rows.partition_point(|row| row[0] <= address);
        let &[_, order, program, file, line] = self.rows.get(after.checked_sub(1)?)?;
        (order != 0 && line != 0).then_some(Line { program, file, line })
    }

    /// Calls `f` for each function that `address` is in, the innermost first: its name, the line, and is it inlined. The last is not: it comes without a name
    /// if none is known, for a function that the DWARF does not have too.
    #[inline(never)]
    pub fn frames(&self, address: usize, f: &mut dyn FnMut(Option<Name<'static>>, Option<Line>, bool)) {
        let at = u32::try_from(address).unwrap_or(0);
        let mut line = self.line(at);
        let mut next = self.scopes.partition_point(|scope| scope[0] <= at);
        for _ in 0..DEPTH_MAX {
            let Some(&[_, to, depth, entry, program, file, call, around]) = next.checked_sub(1).and_then(|n| self.scopes.get(n)) else { break };
            next = around as usize;
            if to <= at {
                continue;
            }
            let name = self.name(entry.into());
            if depth & 1 == 0 {
                return f(name, line, false);
            }
            f(name, line, true);
            line = (call != 0).then_some(Line { program, file, line: call });
        }
        f(None, line, false);
    }

    fn name(&self, mut entry: u64) -> Option<Name<'static>> {
        for _ in 0..8 {
            let (unit, mut bytes) = Unit::of(&self.sections, entry)?;
            let read = unit.entry(&mut bytes, &mut { u64::MAX })?;
            if let Some(symbol) = unit.symbol(&read) {
                return Some(Name::Symbol(symbol));
            }
            if let Some(name) = unit.name(&read) {
                let mut parts: [&[u8]; PARTS] = [b""; PARTS];
                let mut name = Some(name);
                for part in &mut parts {
                    *part = name.unwrap_or(b"");
                    let at = u32::try_from(entry).ok()?;
                    let Some(&[_, around]) = self.around.binary_search_by_key(&at, |&[entry, _]| entry).ok().and_then(|n| self.around.get(n)) else { break };
                    if around == 0 {
                        break;
                    }
                    entry = around.into();
                    name = Unit::of(&self.sections, entry).and_then(|(unit, mut bytes)| unit.name(&unit.entry(&mut bytes, &mut { u64::MAX })?));
                }
                return Some(Name::Path(parts));
            }
            let Value::Entry(origin) = read.origin else { break };
            entry = origin;
        }
        None
    }

    /// Is the line in a file of the runtime? Where the DWARF is no more than tables of lines, inlined functions have no paths to tell it by.
    #[inline(never)]
    pub fn is_own(&self, line: Line) -> bool {
        let mut bytes = [0; 512];
        let mut text = Text::within(&mut bytes);
        self.print(line, &mut text);
        !self.own.is_empty() && text.bytes().starts_with(self.own)
    }

    /// Prints a line's file, as the compiler was told it.
    #[inline(never)]
    pub fn print(&self, line: Line, out: &mut Text) {
        let (directory, name) = Program::read(&self.sections, line.program).and_then(|program| program.file(line.file)).unwrap_or((None, b"??"));
        if let Some(directory) = directory.filter(|_| !name.starts_with(b"/")) {
            out.put(directory);
            out.put(b"/");
        }
        out.put(name);
        out.put(b":");
        out.number(line.line.into());
    }
}

#[inline(never)]
fn scan(sections: &Sections, rows: &mut Table<Row>, scopes: &mut Table<Scope>, around: &mut Table<Around>) {
    let mut rest = None;
    let mut budget = sections.budget();
    while let Some(unit) = Unit::next(sections, &mut rest, true) {
        if let Some(program) = unit.program
            && let Some(read) = Program::read(sections, program)
        {
            read.run(program, rows, &mut budget);
        }
        scan_unit(&unit, scopes, around, &mut budget);
        if budget == 0 {
            break;
        }
    }
}

#[inline(never)]
fn scan_unit(unit: &Unit, scopes: &mut Table<Scope>, around: &mut Table<Around>, budget: &mut u64) -> Option<()> {
    let mut bytes = unit.entries();
    let mut depth = 0u32;
    // Those around the entry, and how deep they are; and how many.
    let (mut outer, mut count) = ([(0, 0); NAMED_MAX], 0);
    loop {
        let at = unit.offset(&bytes);
        let entry = unit.entry(&mut bytes, budget)?;
        let inlined = entry.tag == DwTag0(dw::DW_TAG_inlined_subroutine);
        if inlined || entry.tag == DwTag0(dw::DW_TAG_subprogram) {
            let number = |value: Value| value.number().and_then(|number| u32::try_from(number).ok()).unwrap_or(0);
            let (program, file, line) = (unit.program.unwrap_or(u32::MAX), number(entry.call_file), number(entry.call_line));
            unit.ranges(&entry, budget, &mut |from, to| {
                if let (Some(from), Some(to)) = (address(from), address(to))
                    && from < to
                {
                    scopes.push([from, to, depth << 1 | u32::from(inlined), at as u32, program, file, line, 0]);
                }
            });
        }
        while count > 0 && outer.get(count - 1).is_some_and(|&(outer, _)| outer >= depth) {
            count -= 1;
        }
        if matches!(entry.tag.0, dw::DW_TAG_namespace | dw::DW_TAG_structure_type | dw::DW_TAG_union_type | dw::DW_TAG_enumeration_type | dw::DW_TAG_subprogram)
        {
            around.push([at as u32, count.checked_sub(1).and_then(|n| outer.get(n)).map_or(0, |&(_, entry)| entry)]);
            if let Some(place) = outer.get_mut(count).filter(|_| entry.has_children) {
                *place = (depth, at as u32);
                count += 1;
            }
        }
        if entry.tag == DwTag0::default() {
            depth = depth.checked_sub(1)?;
        } else {
            depth += u32::from(entry.has_children);
        }
        if depth == 0 {
            return None;
        }
    }
}

/// A line program.
struct Program {
    sections: Sections,
    encoding: Encoding,
    instruction: u8,
    base: i8,
    range: u8,
    /// How many arguments the instructions from 1 on have.
    arguments: Bytes,
    files: Bytes,
    code: Bytes,
}

impl Program {
    fn read(sections: &Sections, offset: u32) -> Option<Program> {
        let mut bytes = sections.lines(offset.into())?;
        let (length, format) = bytes.read_initial_length().ok()?;
        let mut bytes = bytes.split(length).ok()?;
        let version = bytes.read_u16().ok().filter(|version| (2..=5).contains(version))?;
        let encoding = Encoding { address_size: 8, format, version };
        if version >= 5 && bytes.read_u16().ok()? != 8 {
            return None;
        }
        let length = bytes.read_offset(format).ok()?;
        let mut files = bytes.split(length).ok()?;
        let instruction = files.read_u8().ok()?;
        if version >= 4 {
            files.read_u8().ok()?;
        }
        files.read_u8().ok()?;
        let (base, range, first) = (files.read_i8().ok()?, files.read_u8().ok().filter(|&range| range != 0)?, files.read_u8().ok()?);
        let arguments = files.split(usize::from(first.checked_sub(1)?)).ok()?;
        Some(Program { sections: *sections, encoding, instruction, base, range, arguments, files, code: bytes })
    }

    #[inline(never)]
    fn run(&self, program: u32, rows: &mut Table<Row>, budget: &mut u64) -> Option<()> {
        let mut bytes = self.code;
        let first = self.arguments.len() as u8 + 1;
        let (mut at, mut file, mut line, mut known) = (0u64, 1u32, 1u32, false);
        while !bytes.is_empty() {
            *budget = budget.checked_sub(1)?;
            let code = bytes.read_u8().ok()?;
            if code >= first {
                let step = code - first;
                at = at.wrapping_add(u64::from(self.instruction) * u64::from(step / self.range));
                line = line.wrapping_add_signed(i32::from(self.base) + i32::from(step % self.range));
                rows.push_row(at, known, program, file, line);
                continue;
            }
            match gimli::DwLns(code) {
                gimli::DwLns(0) => {
                    let length = bytes.read_uleb128().ok()?;
                    let mut own = bytes.split(usize::try_from(length).ok()?).ok()?;
                    match gimli::DwLne(own.read_u8().ok()?) {
                        dw::DW_LNE_end_sequence => {
                            rows.push_end(at, known);
                            (at, file, line, known) = (0, 1, 1, false);
                        }
                        dw::DW_LNE_set_address => {
                            at = own.read_address(8).ok()?;
                            known = address(at).is_some();
                        }
                        _ => {}
                    }
                }
                dw::DW_LNS_copy => rows.push_row(at, known, program, file, line),
                dw::DW_LNS_advance_pc => at = at.wrapping_add(u64::from(self.instruction).wrapping_mul(bytes.read_uleb128().ok()?)),
                dw::DW_LNS_advance_line => line = line.wrapping_add(bytes.read_sleb128().ok()? as u32),
                dw::DW_LNS_set_file => file = bytes.read_uleb128().ok()? as u32,
                dw::DW_LNS_const_add_pc => at = at.wrapping_add(u64::from(self.instruction) * u64::from((255 - first) / self.range)),
                dw::DW_LNS_fixed_advance_pc => at = at.wrapping_add(bytes.read_u16().ok()?.into()),
                _ => {
                    let count = self.arguments.slice().get(usize::from(code) - 1).copied()?;
                    for _ in 0..count {
                        bytes.read_uleb128().ok()?;
                    }
                }
            }
        }
        Some(())
    }

    /// The directory, if it is not the compiler's, and the name of a file.
    #[inline(never)]
    fn file(&self, file: u32) -> Option<(Option<&'static [u8]>, &'static [u8])> {
        let mut bytes = self.files;
        if self.encoding.version >= 5 {
            let directories = bytes;
            self.path(&mut bytes, u64::MAX);
            let (name, directory) = self.path(&mut bytes, file.into())?;
            let directory = (directory != 0).then(|| self.path(&mut { directories }, directory)).flatten();
            return Some((directory.map(|(path, _)| path), name));
        }
        let directories = bytes;
        while cut(&mut bytes).is_some() {}
        for _ in 1..file {
            cut(&mut bytes)?;
            for _ in 0..3 {
                bytes.read_uleb128().ok()?;
            }
        }
        let name = cut(&mut bytes)?;
        let directory = bytes.read_uleb128().ok()?;
        let mut bytes = directories;
        for _ in 1..directory {
            cut(&mut bytes)?;
        }
        Some((if directory == 0 { None } else { cut(&mut bytes) }, name))
    }

    /// Reads one of the tables of version 5: the path and the directory of its entry `wanted`.
    fn path(&self, bytes: &mut Bytes, wanted: u64) -> Option<(&'static [u8], u64)> {
        let formats = bytes.read_u8().ok()?;
        let format = *bytes;
        for _ in 0..2 * u16::from(formats) {
            bytes.read_uleb128().ok()?;
        }
        let count = bytes.read_uleb128().ok()?;
        let mut found = None;
        // An entry without bytes is none.
        for n in 0..count.min(bytes.len() as u64) {
            let (mut format, mut name, mut directory) = (format, None, 0);
            for _ in 0..formats {
                let (content, form) = (format.read_uleb128_u16().ok()?, DwForm(format.read_uleb128_u16().ok()?));
                match (gimli::DwLnct(content), value(&self.sections, bytes, form, 0, self.encoding, 0)?) {
                    (dw::DW_LNCT_path, Value::Text(mut text)) => name = cut(&mut text),
                    (dw::DW_LNCT_directory_index, Value::Number(number)) => directory = number,
                    _ => {}
                }
            }
            if n == wanted {
                found = name.map(|name| (name, directory));
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::string::{String, ToString};
    use std::vec::Vec;

    struct File(Vec<u8>);

    impl Source for File {
        fn read(&mut self, offset: u64, buffer: &mut [u8]) -> bool {
            let from = usize::try_from(offset).ok().and_then(|offset| self.0.get(offset..)?.get(..buffer.len()));
            from.map(|from| buffer.copy_from_slice(from)).is_some()
        }

        fn memory(&mut self, bytes: usize) -> Option<&'static mut [u8]> {
            (bytes < 1 << 28).then(|| std::vec![0; bytes].leak())
        }

        fn words(&mut self, count: usize) -> Option<&'static mut [u32]> {
            (count < 1 << 26).then(|| std::vec![0; count].leak())
        }
    }

    fn own() -> Vec<u8> {
        std::fs::read("/proc/self/exe").unwrap()
    }

    type Shown = (Option<String>, Option<(String, u32)>);
    type Frames = Vec<Shown>;

    fn ours(lines: &Lines, address: usize) -> Frames {
        let mut frames = Vec::new();
        lines.frames(address, &mut |name, line, _| {
            let mut bytes = [0; 1024];
            let mut text = Text::within(&mut bytes);
            let line = line.map(|line| {
                lines.print(line, &mut text);
                let text = core::str::from_utf8(text.bytes()).unwrap();
                (text.rsplit_once(':').unwrap().0.to_string(), line.line)
            });
            // They have but the last part of a path.
            let name = name.map(|name| match name {
                Name::Symbol(symbol) => String::from_utf8_lossy(symbol).into_owned(),
                Name::Path([last, ..]) => String::from_utf8_lossy(last).into_owned(),
            });
            frames.push((name, line));
        });
        frames
    }

    /// What addr2line says of this test's own program, at places of all its functions: the same frames, names and lines.
    #[test]
    fn frames_and_lines_are_those_that_addr2line_finds() {
        use object::{Object, ObjectSection, ObjectSymbol, SymbolKind};
        let own = own();
        let file = object::File::parse(&*own).unwrap();
        let section = |id: gimli::SectionId| {
            let data = file.section_by_name(id.name()).map_or(&[][..], |section| section.data().unwrap());
            Ok::<_, gimli::Error>(gimli::EndianSlice::new(data, gimli::LittleEndian))
        };
        let context = addr2line::Context::from_dwarf(gimli::Dwarf::load(section).unwrap()).unwrap();
        let lines = Lines::read(&mut File(own.clone()), b"src/").unwrap();
        assert_eq!(lines.entry, file.entry());
        let (mut same, mut inlined, mut others) = (0, 0, Vec::new());
        let symbols: Vec<_> = file.symbols().filter(|symbol| symbol.kind() == SymbolKind::Text && symbol.size() != 0).collect();
        for symbol in symbols.iter().step_by(symbols.len() / 2000 + 1) {
            for address in [symbol.address(), symbol.address() + symbol.size() / 2, symbol.address() + symbol.size() - 1] {
                let mut theirs = Frames::new();
                let mut frames = context.find_frames(address).skip_all_loads().unwrap();
                while let Some(frame) = frames.next().unwrap() {
                    let name = frame.function.map(|name| name.raw_name().unwrap().into_owned());
                    let line = frame.location.and_then(|place| Some((place.file?.to_string(), place.line.filter(|&line| line != 0)?)));
                    theirs.push((name, line));
                }
                let ours = ours(&lines, address as usize);
                let alike = |(ours, theirs): (&Shown, &Shown)| {
                    let line = match (&ours.1, &theirs.1) {
                        // The compiler's directory stands before theirs.
                        (Some(ours), Some(theirs)) => theirs.0.ends_with(&ours.0) && ours.1 == theirs.1,
                        (ours, theirs) => ours.is_none() == theirs.is_none(),
                    };
                    line && ours.0 == theirs.0
                };
                if theirs.is_empty() && ours == [(None, None)] || ours.len() == theirs.len() && ours.iter().zip(&theirs).all(alike) {
                    same += 1;
                    inlined += usize::from(ours.len() > 1);
                } else {
                    others.push((address, ours, theirs));
                }
            }
        }
        assert!(same > 1000 && inlined > 100, "{same} {inlined}");
        assert!(others.len() * 200 < same, "{} of {same}: {:#x?}", others.len(), &others[..others.len().min(5)]);
    }

    /// Changed here and there, or cut off: it ends, and so does what is asked of it.
    #[test]
    fn broken_sections_end() {
        use object::{Object, ObjectSection};
        let own = own();
        let file = object::File::parse(&*own).unwrap();
        let sections: Vec<_> = file.sections().filter(|s| s.name().unwrap().starts_with(".debug_")).map(|s| s.file_range().unwrap()).collect();
        let mut random = 0x9e37_79b9_7f4a_7c15u64;
        let mut next = move || {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            random
        };
        for round in 0..8 {
            let mut broken = own.clone();
            for &(offset, length) in &sections {
                // Few, so that something is left.
                for _ in 0..1 << (2 * round) {
                    broken[(offset + next() % length) as usize] = next() as u8;
                }
            }
            if let Some(lines) = Lines::read(&mut File(broken), b"") {
                (0..200).for_each(|_| drop(ours(&lines, (next() % own.len() as u64) as usize)));
            }
        }
        for length in [0, 64, 4096, own.len() / 2, own.len() - 1] {
            assert!(Lines::read(&mut File(own[..length].to_vec()), b"").is_none());
        }
    }
}
