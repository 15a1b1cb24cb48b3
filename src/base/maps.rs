//! Lines of /proc/self/maps: text in, ranges out. No allocation, no panic, whatever is in there.

/// A mapping that may hold pointers: it can be read, and has been written, or may have been.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Range {
    /// Where it begins.
    pub start: usize,
    /// Where it ends.
    pub end: usize,
}

/// Why a line gives no range.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Other {
    /// It holds no pointers of ours: code, constants, what the kernel shows.
    Uninteresting,
    /// It is not understood.
    Strange,
}

/// The range of `line`, without its line feed.
pub fn range(line: &[u8]) -> Result<Range, Other> {
    let mut words = line.split(|&b| b == b' ').filter(|word| !word.is_empty());
    let mut word = || words.next().ok_or(Other::Strange);
    let (addresses, rights, _offset, _device, inode) = (word()?, word()?, word()?, word()?, word()?);
    let name = words.next().unwrap_or(b"");
    let dash = addresses.iter().position(|&b| b == b'-').ok_or(Other::Strange)?;
    let hex = |text: &[u8]| core::str::from_utf8(text).ok().and_then(|text| usize::from_str_radix(text, 16).ok()).ok_or(Other::Strange);
    let (start, end) = (hex(&addresses[..dash])?, hex(&addresses[dash + 1..])?);
    if start >= end || rights.len() != 4 {
        return Err(Other::Strange);
    }
    // What is not a file's may have been written before it was protected. The kernel's own pages hold nothing of ours, and some cannot be read.
    let may_hold = rights[0] == b'r' && (rights[1] == b'w' || inode == b"0" && rights[2] != b'x') && !name.starts_with(b"[v");
    if may_hold { Ok(Range { start, end }) } else { Err(Other::Uninteresting) }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_may_hold_pointers_is_found() {
        let is = |text: &str, start, end| assert_eq!(range(text.as_bytes()), Ok(Range { start, end }), "{text}");
        is("00221000-00a63000 rw-p 00000000 00:00 0 ", 0x221000, 0xa63000);
        is("0021f000-00221000 rw-p 0001c000 fe:01 1234    /a path/with spaces", 0x21f000, 0x221000);
        is("7ffc00000000-7ffc00021000 rw-p 00000000 00:00 0    [stack]", 0x7ffc_0000_0000, 0x7ffc_0002_1000);
        is("7f0000000000-7f0000001000 rw-s 00000000 00:05 77  /dev/shm/x", 0x7f00_0000_0000, 0x7f00_0000_1000);
        is("7f0000000000-7f0000001000 r--p 00000000 00:00 0", 0x7f00_0000_0000, 0x7f00_0000_1000);
        for text in [
            "00200000-00205000 r--p 00000000 fe:01 1234 /program",
            "00205000-0021d000 r-xp 00004000 fe:01 1234 /program",
            "7f0000000000-7f0000001000 ---p 00000000 00:00 0",
            "7ffc0000a000-7ffc0000e000 r--p 00000000 00:00 0 [vvar]",
            "ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0 [vsyscall]",
        ] {
            assert_eq!(range(text.as_bytes()), Err(Other::Uninteresting), "{text}");
        }
        for text in ["", "x", "1-2 rw-p", "2-1 rw-p 0 0 0", "10 rw-p 0 00:00 0", "g-h rw-p 0 00:00 0", "1-2 rw 0 00:00 0", "11111111111111111-2 rw-p 0 00:00 0"]
        {
            assert_eq!(range(text.as_bytes()), Err(Other::Strange), "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_line_makes_it_panic(line: std::vec::Vec<u8>) {
            let _ = range(&line);
        }
    }
}
