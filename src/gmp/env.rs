//! What the kernel gave the process at its start: arguments and environment.

use core::ffi::{CStr, c_char};
use core::sync::atomic::{AtomicPtr, AtomicUsize, Ordering::Relaxed};
use linux_raw_sys::auxvec::AT_SYSINFO_EHDR;

static ARGC: AtomicUsize = AtomicUsize::new(0);
static ARGV: AtomicPtr<*const c_char> = AtomicPtr::new(core::ptr::null_mut());
static ENVP: AtomicPtr<*const c_char> = AtomicPtr::new(core::ptr::null_mut());

/// Remembers where they are. They stay there, unchanged, until the process ends.
///
/// # Safety
/// `sp` is the stack pointer that the kernel started the process with: argc, argv, null, envp, null, auxv.
pub unsafe fn init(sp: *const usize) {
    // SAFETY: the caller's contract.
    unsafe {
        let argc = *sp;
        ARGC.store(argc, Relaxed);
        ARGV.store(sp.add(1) as *mut *const c_char, Relaxed);
        ENVP.store(sp.add(argc + 2) as *mut *const c_char, Relaxed);
    }
}

/// The auxiliary vector's value for `key`; none if it is not there.
pub fn auxv(key: usize) -> Option<usize> {
    let mut at = ENVP.load(Relaxed);
    if at.is_null() {
        return None;
    }
    // SAFETY: the kernel's layout: the environment ends with a null, pairs of words follow and end with AT_NULL (0).
    unsafe {
        while !(*at).is_null() {
            at = at.add(1);
        }
        let mut pair = at.add(1).cast::<usize>();
        while *pair != 0 {
            if *pair == key {
                return Some(*pair.add(1));
            }
            pair = pair.add(2);
        }
    }
    None
}

/// Where the kernel's vDSO lies; none if there is none.
pub fn vdso() -> Option<(usize, usize)> {
    use linux_raw_sys::elf::{Elf_Ehdr, Elf_Phdr, PT_LOAD};
    let base = auxv(AT_SYSINFO_EHDR as usize)? as *const u8;
    // SAFETY: the kernel's own ELF image, mapped for as long as the process lives; its program headers lie in its first page.
    unsafe {
        let header = &*base.cast::<Elf_Ehdr>();
        let table = base.add(header.e_phoff).cast::<Elf_Phdr>();
        let segments = core::slice::from_raw_parts(table, header.e_phnum.into());
        let load = segments.iter().find(|segment| segment.p_type == PT_LOAD)?;
        Some((base as usize, base as usize + load.p_memsz as usize))
    }
}

/// Argument `i`; number 0 is the program's name, as its caller gave it.
pub fn arg(i: usize) -> Option<&'static CStr> {
    if i >= ARGC.load(Relaxed) {
        return None;
    }
    // SAFETY: argv has argc strings, which live as long as the process.
    Some(unsafe { CStr::from_ptr(*ARGV.load(Relaxed).add(i)) })
}

/// Line `i` of the environment: `NAME=value`.
pub fn line(i: usize) -> Option<&'static CStr> {
    let envp = ENVP.load(Relaxed);
    if envp.is_null() {
        return None;
    }
    // SAFETY: envp ends with a null pointer; callers count up from 0 and stop at the first None.
    let line = unsafe { *envp.add(i) };
    // SAFETY: as above.
    (!line.is_null()).then(|| unsafe { CStr::from_ptr(line) })
}

/// The value of variable `name`, the first if it is there twice.
pub fn var(name: &[u8]) -> Option<&'static [u8]> {
    let mut i = 0;
    while let Some(line) = line(i) {
        let line = line.to_bytes();
        if line.len() > name.len() && line.starts_with(name) && line[name.len()] == b'=' {
            return Some(&line[name.len() + 1..]);
        }
        i += 1;
    }
    None
}

/// The value of `key` in `GODEBUG`, a list of `key=value` separated by commas; the last if it is there more than once, as in Go.
pub fn godebug(key: &[u8]) -> Option<&'static [u8]> {
    let list = var(b"GODEBUG")?;
    let setting = list.split(|&b| b == b',').rfind(|item| item.len() > key.len() && item.starts_with(key) && item[key.len()] == b'=')?;
    Some(&setting[key.len() + 1..])
}

/// The number of `key` in `GODEBUG`: the last that is one of 32 bits, as Go reads its own; those that are not are passed over. 0 if there is none.
#[inline(never)]
pub fn godebug_number(key: &[u8]) -> i32 {
    var(b"GODEBUG").map_or(0, |list| number_in(list, key))
}

/// `godebug_number` of a list.
#[cold]
#[inline(never)]
fn number_in(list: &[u8], key: &[u8]) -> i32 {
    let mut value = 0;
    for item in list.split(|&b| b == b',') {
        if let Some(text) = item.strip_prefix(key).and_then(|rest| rest.strip_prefix(b"="))
            && let Some(number) = number(text)
        {
            value = number;
        }
    }
    value
}

/// `text` as a number of 32 bits: digits only, an optional sign.
#[inline(never)]
fn number(text: &[u8]) -> Option<i32> {
    core::str::from_utf8(text).ok()?.parse().ok()
}

/// `text` as a positive 32-bit number, as Go reads GOMAXPROCS: digits only, an optional sign; else none.
pub fn positive(text: &[u8]) -> Option<u32> {
    number(text).filter(|&n| n > 0).map(|n| n as u32)
}

/// `text` as an unsigned 32-bit number of digits alone; 0 if it is none.
#[inline(never)]
pub fn digits(text: &[u8]) -> u32 {
    let mut number = 0u64;
    for &byte in text {
        number = number * 10 + u64::from(byte.wrapping_sub(b'0'));
        if !byte.is_ascii_digit() || number > u32::MAX.into() {
            return 0;
        }
    }
    number as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each is what Go 1.27.3 reads: strconv.ParseInt(value, 10, 32), the fields from left to right, what does not parse changes nothing.
    #[test]
    fn numbers_of_godebug_are_read_as_go_does() {
        for (list, value) in [
            ("k=1", 1),
            ("a=2,k=1,b=3", 1),
            ("k=1,k=2", 2),
            ("k=1,k=x", 1),
            ("k=1,k=", 1),
            ("k=1,k", 1),
            ("k=x,k=2", 2),
            ("k=-5", -5),
            ("k=+5", 5),
            ("k=007", 7),
            ("k=2147483647", i32::MAX),
            ("k=3,k=2147483648", 3),
            ("k=1e3", 0),
            ("k=0x10", 0),
            ("k=1_000", 0),
            ("k= 1", 0),
            ("k=1 ", 0),
            (" k=1", 0),
            ("K=1", 0),
            ("kk=1", 0),
            ("=k=1", 0),
            ("k=1=2", 0),
            ("k==1", 0),
            ("", 0),
            (",,,k=4,,", 4),
            ("k=1;k=2", 0),
        ] {
            assert_eq!(number_in(list.as_bytes(), b"k"), value, "{list:?}");
        }
        assert_eq!(number_in(b"k=1,k=\xff", b"k"), 1);
    }
}
