//! The sections of a program's DWARF, and how their entries are read. It trusts nothing it reads.
//!
//! 1. What is wrong ends in `None`, at the entry that is wrong; every loop takes bytes off its input, or steps off a budget.
//! 2. No allocation: gimli is used without its `read` feature, for its primitives, forms, tags and range lists alone.
//!
//! Left out: compressed sections, split units (`.dwo`), type units, supplementary files. Such a program has names and addresses.

use crate::symtab::Source;
use gimli::{
    DebugAddr, DebugAddrBase, DebugAddrIndex, DebugRanges, DebugRngLists, DebugRngListsBase, DebugRngListsIndex, DwAt, DwForm, DwTag, Encoding, EndianSlice,
    Format, LittleEndian, RangeLists, RangeListsOffset, Reader, constants as dw,
};

pub type Bytes = EndianSlice<'static, LittleEndian>;

/// Larger sections are not read: offsets fit 32 bits.
const BYTES_MAX: u64 = 1 << 30;
const COMPRESSED: u64 = 0x800;
const WITHOUT_BYTES: u64 = 8;

const NAMES: [&[u8]; 9] = [
    b".debug_abbrev\0",
    b".debug_info\0",
    b".debug_line\0",
    b".debug_str\0",
    b".debug_line_str\0",
    b".debug_ranges\0",
    b".debug_rnglists\0",
    b".debug_addr\0",
    b".debug_str_offsets\0",
];
const ABBREV: usize = 0;
const INFO: usize = 1;
const LINE: usize = 2;
const STR: usize = 3;
const LINE_STR: usize = 4;
const RANGES: usize = 5;
const RNGLISTS: usize = 6;
const ADDR: usize = 7;
const STR_OFFSETS: usize = 8;

/// Those of `NAMES`, empty where there is none.
#[derive(Clone, Copy)]
pub struct Sections([&'static [u8]; NAMES.len()]);

fn number(bytes: &[u8], at: usize, length: usize) -> u64 {
    bytes.get(at..at + length).unwrap_or(&[]).iter().rev().fold(0, |number, &byte| number << 8 | u64::from(byte))
}

impl Sections {
    pub const EMPTY: Sections = Sections([&[]; NAMES.len()]);

    /// Reads the sections of a file; says also where the program begins.
    pub fn read(source: &mut dyn Source) -> Option<(Sections, u64)> {
        let mut header = [0; 64];
        if !source.read(0, &mut header) || !header.starts_with(b"\x7fELF\x02\x01") || number(&header, 58, 2) != 64 {
            return None;
        }
        let (table, count, names) = (number(&header, 40, 8), number(&header, 60, 2), number(&header, 62, 2));
        let section = |source: &mut dyn Source, n: u64| {
            let mut section = [0; 64];
            (n < count && source.read(table.checked_add(n * 64)?, &mut section)).then_some(section)
        };
        let names = number(&section(source, names)?, 24, 8);
        let mut sections = Sections::EMPTY;
        for n in 0..count {
            let row = section(source, n)?;
            let mut name = [0; 19];
            if number(&row, 4, 4) == WITHOUT_BYTES || number(&row, 8, 8) & COMPRESSED != 0 || number(&row, 32, 8) > BYTES_MAX {
                continue;
            }
            // A name that ends with the file is none of ours.
            if !source.read(names.checked_add(number(&row, 0, 4))?, &mut name) {
                continue;
            }
            if let Some(which) = NAMES.iter().position(|wanted| name.starts_with(wanted))
                && let Some(place) = sections.0.get_mut(which).filter(|place| place.is_empty())
            {
                let memory = source.memory(number(&row, 32, 8) as usize)?;
                if source.read(number(&row, 24, 8), memory) {
                    *place = memory;
                }
            }
        }
        Some((sections, number(&header, 24, 8)))
    }

    fn section(&self, which: usize) -> Bytes {
        EndianSlice::new(self.0.get(which).copied().unwrap_or(&[]), LittleEndian)
    }

    fn from(&self, which: usize, offset: u64) -> Option<Bytes> {
        let mut bytes = self.section(which);
        bytes.skip(usize::try_from(offset).ok()?).ok()?;
        Some(bytes)
    }

    /// What `.debug_line` has at `offset`.
    pub fn lines(&self, offset: u64) -> Option<Bytes> {
        self.from(LINE, offset)
    }

    /// How many steps it may take to read all of it: far more than it takes where nothing is wrong.
    pub fn budget(&self) -> u64 {
        self.0.iter().map(|section| section.len() as u64 * 16).sum()
    }

    fn addresses(&self) -> DebugAddr<Bytes> {
        DebugAddr::from(self.section(ADDR))
    }
}

/// The value of an attribute, as far as anybody asks.
#[derive(Clone, Copy, Default)]
pub enum Value {
    #[default]
    None,
    Number(u64),
    Address(u64),
    AddressIndex(u64),
    ListIndex(u64),
    /// An entry, by its offset in `.debug_info`.
    Entry(u64),
    /// It ends with a zero byte, or with the section.
    Text(Bytes),
    TextIndex(u64),
}

impl Value {
    pub fn number(self) -> Option<u64> {
        if let Value::Number(number) = self { Some(number) } else { None }
    }
}

/// Reads a value. `unit`: where its unit begins.
pub fn value(sections: &Sections, bytes: &mut Bytes, mut form: DwForm, constant: i64, encoding: Encoding, unit: u64) -> Option<Value> {
    let offset = |bytes: &mut Bytes| bytes.read_offset(encoding.format).ok().map(|offset| offset as u64);
    let skip = |bytes: &mut Bytes, count: u64| bytes.skip(usize::try_from(count).ok()?).ok().map(|()| Value::None);
    if form == dw::DW_FORM_indirect {
        form = DwForm(bytes.read_uleb128_u16().ok()?);
    }
    Some(match form {
        dw::DW_FORM_addr => Value::Address(bytes.read_address(encoding.address_size).ok()?),
        dw::DW_FORM_data1 | dw::DW_FORM_flag => Value::Number(bytes.read_u8().ok()?.into()),
        dw::DW_FORM_data2 => Value::Number(bytes.read_u16().ok()?.into()),
        dw::DW_FORM_data4 => Value::Number(bytes.read_u32().ok()?.into()),
        dw::DW_FORM_data8 => Value::Number(bytes.read_u64().ok()?),
        dw::DW_FORM_udata => Value::Number(bytes.read_uleb128().ok()?),
        dw::DW_FORM_sdata => Value::Number(bytes.read_sleb128().ok()? as u64),
        dw::DW_FORM_implicit_const => Value::Number(constant as u64),
        dw::DW_FORM_sec_offset => Value::Number(offset(bytes)?),
        dw::DW_FORM_flag_present => Value::None,
        dw::DW_FORM_data16 => skip(bytes, 16)?,
        dw::DW_FORM_string => Value::Text(bytes.read_null_terminated_slice().ok()?),
        dw::DW_FORM_strp => Value::Text(sections.from(STR, offset(bytes)?)?),
        dw::DW_FORM_line_strp => Value::Text(sections.from(LINE_STR, offset(bytes)?)?),
        dw::DW_FORM_strx => Value::TextIndex(bytes.read_uleb128().ok()?),
        dw::DW_FORM_strx1 => Value::TextIndex(bytes.read_uint(1).ok()?),
        dw::DW_FORM_strx2 => Value::TextIndex(bytes.read_uint(2).ok()?),
        dw::DW_FORM_strx3 => Value::TextIndex(bytes.read_uint(3).ok()?),
        dw::DW_FORM_strx4 => Value::TextIndex(bytes.read_uint(4).ok()?),
        dw::DW_FORM_addrx => Value::AddressIndex(bytes.read_uleb128().ok()?),
        dw::DW_FORM_addrx1 => Value::AddressIndex(bytes.read_uint(1).ok()?),
        dw::DW_FORM_addrx2 => Value::AddressIndex(bytes.read_uint(2).ok()?),
        dw::DW_FORM_addrx3 => Value::AddressIndex(bytes.read_uint(3).ok()?),
        dw::DW_FORM_addrx4 => Value::AddressIndex(bytes.read_uint(4).ok()?),
        dw::DW_FORM_rnglistx => Value::ListIndex(bytes.read_uleb128().ok()?),
        dw::DW_FORM_ref1 => Value::Entry(unit.checked_add(bytes.read_u8().ok()?.into())?),
        dw::DW_FORM_ref2 => Value::Entry(unit.checked_add(bytes.read_u16().ok()?.into())?),
        dw::DW_FORM_ref4 => Value::Entry(unit.checked_add(bytes.read_u32().ok()?.into())?),
        dw::DW_FORM_ref8 => Value::Entry(unit.checked_add(bytes.read_u64().ok()?)?),
        dw::DW_FORM_ref_udata => Value::Entry(unit.checked_add(bytes.read_uleb128().ok()?)?),
        dw::DW_FORM_ref_addr => Value::Entry(offset(bytes)?),
        dw::DW_FORM_ref_sig8 => skip(bytes, 8)?,
        dw::DW_FORM_loclistx => skip(bytes, 0).filter(|_| bytes.read_uleb128().is_ok())?,
        dw::DW_FORM_exprloc | dw::DW_FORM_block => bytes.read_uleb128().ok().and_then(|count| skip(bytes, count))?,
        dw::DW_FORM_block1 => bytes.read_uint(1).ok().and_then(|count| skip(bytes, count))?,
        dw::DW_FORM_block2 => bytes.read_uint(2).ok().and_then(|count| skip(bytes, count))?,
        dw::DW_FORM_block4 => bytes.read_uint(4).ok().and_then(|count| skip(bytes, count))?,
        _ => return None,
    })
}

/// How many abbreviations of a unit are found at once; the others by a search.
const INDEXED: usize = 256;

/// One unit of `.debug_info`.
pub struct Unit {
    sections: Sections,
    /// Where it begins.
    start: u64,
    encoding: Encoding,
    abbreviations: Bytes,
    /// Where in them those with the codes from 1 on are; 0: unknown.
    index: [u32; INDEXED],
    /// From its first entry on.
    entries: Bytes,
    /// The line program.
    pub program: Option<u32>,
    low: u64,
    texts: u64,
    addresses: DebugAddrBase,
    lists: DebugRngListsBase,
}

/// An entry's attributes, as far as anybody asks.
#[derive(Clone, Copy, Default)]
pub struct Entry {
    pub tag: DwTag0,
    pub has_children: bool,
    low: Value,
    high: Value,
    ranges: Value,
    name: Value,
    linkage_name: Value,
    /// Where it is described.
    pub origin: Value,
    pub call_file: Value,
    pub call_line: Value,
    program: Value,
    texts: Value,
    addresses: Value,
    lists: Value,
}

/// A tag; 0 for the end of a list of children.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct DwTag0(pub DwTag);

impl Default for DwTag0 {
    fn default() -> DwTag0 {
        DwTag0(DwTag(0))
    }
}

/// The header of the next unit, which `rest` then begins behind: where the unit begins, its encoding, its abbreviations, its entries, if it is one of ours.
fn header(sections: &Sections, rest: &mut Bytes) -> Option<(u64, Encoding, u64, Option<Bytes>)> {
    let start = rest.offset_from(sections.section(INFO)) as u64;
    let (length, format) = rest.read_initial_length().ok()?;
    let mut bytes = rest.split(length).ok()?;
    let mut read = || {
        let version = bytes.read_u16().ok()?;
        let kind = if version >= 5 { bytes.read_u8().ok()? } else { dw::DW_UT_compile.0 };
        let (abbreviations, address_size) = if version >= 5 {
            let size = bytes.read_u8().ok()?;
            (bytes.read_offset(format).ok()?, size)
        } else {
            let offset = bytes.read_offset(format).ok()?;
            (offset, bytes.read_u8().ok()?)
        };
        let is_known = (2..=5).contains(&version) && address_size == 8 && (kind == dw::DW_UT_compile.0 || kind == dw::DW_UT_partial.0);
        is_known.then_some((Encoding { address_size, format, version }, abbreviations as u64))
    };
    let read = read();
    let unknown = Encoding { address_size: 8, format: Format::Dwarf32, version: 0 };
    let (encoding, abbreviations) = read.unwrap_or((unknown, 0));
    Some((start, encoding, abbreviations, read.map(|_| bytes)))
}

impl Unit {
    /// The units, one after another. None: there is no more that can be read.
    pub fn next(sections: &Sections, rest: &mut Option<Bytes>, index: bool) -> Option<Unit> {
        let rest = rest.get_or_insert(sections.section(INFO));
        loop {
            let (start, encoding, abbreviations, entries) = header(sections, rest)?;
            if let Some(unit) = entries.and_then(|entries| Unit::new(sections, start, encoding, abbreviations, entries, index)) {
                return Some(unit);
            }
        }
    }

    /// The unit that the entry at `offset` is in, and the bytes from there.
    pub fn of(sections: &Sections, offset: u64) -> Option<(Unit, Bytes)> {
        let mut rest = sections.section(INFO);
        loop {
            let (start, encoding, abbreviations, entries) = header(sections, &mut rest)?;
            let end = rest.offset_from(sections.section(INFO)) as u64;
            if (start..end).contains(&offset) {
                let unit = Unit::new(sections, start, encoding, abbreviations, entries?, false)?;
                let mut bytes = unit.entries;
                let first = bytes.offset_from(sections.section(INFO)) as u64;
                bytes.skip(offset.checked_sub(first)? as usize).ok()?;
                return Some((unit, bytes));
            }
        }
    }

    fn new(sections: &Sections, start: u64, encoding: Encoding, abbreviations: u64, entries: Bytes, index: bool) -> Option<Unit> {
        let abbreviations = sections.from(ABBREV, abbreviations)?;
        let header = if encoding.format == Format::Dwarf64 { 16 } else { 8 };
        let mut unit = Unit {
            sections: *sections,
            start,
            encoding,
            abbreviations,
            index: [0; INDEXED],
            entries,
            program: None,
            low: 0,
            // Where the first table of a section begins.
            texts: header,
            addresses: DebugAddrBase(header as usize),
            lists: DebugRngListsBase(header as usize + 4),
        };
        if index {
            unit.make_index();
        }
        let root = unit.entry(&mut unit.entries(), &mut { u64::MAX })?;
        unit.texts = root.texts.number().unwrap_or(unit.texts);
        unit.addresses = DebugAddrBase(root.addresses.number().map_or(unit.addresses.0, |base| base as usize));
        unit.lists = DebugRngListsBase(root.lists.number().map_or(unit.lists.0, |base| base as usize));
        unit.program = root.program.number().and_then(|offset| u32::try_from(offset).ok());
        unit.low = unit.address(root.low).unwrap_or(0);
        Some(unit)
    }

    /// The bytes from its first entry on.
    pub fn entries(&self) -> Bytes {
        self.entries
    }

    /// Where in `.debug_info` these bytes of it begin.
    pub fn offset(&self, bytes: &Bytes) -> u64 {
        bytes.offset_from(self.sections.section(INFO)) as u64
    }

    fn make_index(&mut self) {
        let mut bytes = self.abbreviations;
        loop {
            let at = bytes.offset_from(self.abbreviations) as u32;
            let Some(code) = bytes.read_uleb128().ok().filter(|&code| code != 0) else { break };
            match self.index.get_mut((code as usize).wrapping_sub(1)) {
                Some(place) => *place = at + 1,
                None => break,
            }
            if skip_abbreviation(&mut bytes).is_none() {
                break;
            }
        }
    }

    /// The abbreviation of `code`, from its tag on.
    fn abbreviation(&self, code: u64) -> Option<Bytes> {
        let mut bytes = self.abbreviations;
        let known = self.index.get(usize::try_from(code - 1).ok()?.min(INDEXED - 1)).copied().unwrap_or(0);
        bytes.skip(known.saturating_sub(1) as usize).ok()?;
        loop {
            match bytes.read_uleb128().ok()? {
                0 => return None,
                found if found == code => return Some(bytes),
                _ => skip_abbreviation(&mut bytes)?,
            }
        }
    }

    /// Reads an entry. Each attribute costs a step of the budget.
    pub fn entry(&self, bytes: &mut Bytes, budget: &mut u64) -> Option<Entry> {
        let mut entry = Entry::default();
        let code = bytes.read_uleb128().ok()?;
        *budget = budget.checked_sub(1)?;
        if code == 0 {
            return Some(entry);
        }
        let mut abbreviation = self.abbreviation(code)?;
        entry.tag = DwTag0(DwTag(abbreviation.read_uleb128_u16().ok()?));
        entry.has_children = abbreviation.read_u8().ok()? != 0;
        while let (Some((name, form, constant)), more) = (attribute(&mut abbreviation)?, budget.checked_sub(1)) {
            *budget = more?;
            let value = value(&self.sections, bytes, form, constant, self.encoding, self.start)?;
            match name {
                dw::DW_AT_low_pc => entry.low = value,
                dw::DW_AT_high_pc => entry.high = value,
                dw::DW_AT_ranges => entry.ranges = value,
                dw::DW_AT_name => entry.name = value,
                dw::DW_AT_linkage_name | dw::DW_AT_MIPS_linkage_name => entry.linkage_name = value,
                dw::DW_AT_abstract_origin | dw::DW_AT_specification => entry.origin = value,
                dw::DW_AT_call_file => entry.call_file = value,
                dw::DW_AT_call_line => entry.call_line = value,
                dw::DW_AT_stmt_list => entry.program = value,
                dw::DW_AT_str_offsets_base => entry.texts = value,
                dw::DW_AT_addr_base => entry.addresses = value,
                dw::DW_AT_rnglists_base => entry.lists = value,
                _ => {}
            }
        }
        Some(entry)
    }

    fn address(&self, value: Value) -> Option<u64> {
        match value {
            Value::Address(address) => Some(address),
            Value::AddressIndex(n) => self.sections.addresses().get_address(8, self.addresses, DebugAddrIndex(usize::try_from(n).ok()?)).ok(),
            _ => None,
        }
    }

    /// Calls `f` with the beginning and the end of each of its ranges.
    pub fn ranges(&self, entry: &Entry, budget: &mut u64, f: &mut dyn FnMut(u64, u64)) -> Option<()> {
        let ranges = RangeLists::new(DebugRanges::from(self.sections.section(RANGES)), DebugRngLists::from(self.sections.section(RNGLISTS)));
        let list = match entry.ranges {
            Value::Number(offset) => Some(RangeListsOffset(usize::try_from(offset).ok()?)),
            Value::ListIndex(n) => ranges.get_offset(self.encoding, self.lists, DebugRngListsIndex(usize::try_from(n).ok()?)).ok(),
            _ => None,
        };
        if let Some(list) = list {
            let mut list = ranges.ranges(list, self.encoding, self.low, &self.sections.addresses(), self.addresses).ok()?;
            while let Some(range) = list.next().ok()? {
                *budget = budget.checked_sub(1)?;
                f(range.begin, range.end);
            }
        } else if let Some(low) = self.address(entry.low) {
            f(low, self.address(entry.high).or_else(|| low.checked_add(entry.high.number()?)).unwrap_or(low));
        }
        Some(())
    }

    /// The entry's symbol.
    pub fn symbol(&self, entry: &Entry) -> Option<&'static [u8]> {
        self.text(entry.linkage_name)
    }

    /// What the source calls it.
    pub fn name(&self, entry: &Entry) -> Option<&'static [u8]> {
        self.text(entry.name)
    }

    fn text(&self, value: Value) -> Option<&'static [u8]> {
        let mut bytes = match value {
            Value::Text(bytes) => bytes,
            Value::TextIndex(n) => {
                let word = u64::from(self.encoding.format.word_size());
                let mut at = self.sections.from(STR_OFFSETS, self.texts.checked_add(n.checked_mul(word)?)?)?;
                self.sections.from(STR, at.read_offset(self.encoding.format).ok()? as u64)?
            }
            _ => return None,
        };
        cut(&mut bytes)
    }
}

/// Up to the zero byte, or the end.
pub fn cut(bytes: &mut Bytes) -> Option<&'static [u8]> {
    let text = bytes.read_null_terminated_slice().unwrap_or(*bytes).slice();
    (!text.is_empty()).then_some(text)
}

/// One attribute of an abbreviation; `Some(None)` at its end.
fn attribute(bytes: &mut Bytes) -> Option<Option<(DwAt, DwForm, i64)>> {
    let (name, form) = (bytes.read_uleb128_u16().ok()?, DwForm(bytes.read_uleb128_u16().ok()?));
    let constant = if form == dw::DW_FORM_implicit_const { bytes.read_sleb128().ok()? } else { 0 };
    Some((name != 0 || form.0 != 0).then_some((DwAt(name), form, constant)))
}

/// From its tag on.
fn skip_abbreviation(bytes: &mut Bytes) -> Option<()> {
    bytes.read_uleb128().ok()?;
    bytes.read_u8().ok()?;
    while attribute(bytes)?.is_some() {}
    Some(())
}
