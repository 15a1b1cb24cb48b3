//! What a program's file is: static, small, without an interpreter, a library, or memory that is writable and executable.

mod common;

use common::{program, root};
use object::elf::{PF_W, PF_X, PT_DYNAMIC, PT_GNU_STACK, PT_INTERP, PT_LOAD};
use object::read::elf::{ElfFile64, ProgramHeader};
use object::{Object, ObjectSymbol};
use std::process::Command;

#[test]
fn programs_are_static_and_have_nothing_writable_and_executable() {
    for name in ["hello", "tour", "stress", "peer-gort", "hello-gort"] {
        let file = std::fs::File::open(program(name)).unwrap();
        // SAFETY: nobody changes the file while this test reads it.
        let map = unsafe { memmap2::Mmap::map(&file) }.unwrap();
        let elf = ElfFile64::<object::Endianness>::parse(&*map).unwrap();
        let endian = elf.endian();
        let headers = elf.elf_program_headers();
        assert!(headers.iter().any(|h| h.p_type(endian) == PT_LOAD));
        for header in headers {
            assert!(![PT_INTERP, PT_DYNAMIC].contains(&header.p_type(endian)), "{name} has an interpreter or a dynamic section");
            assert_ne!(header.p_flags(endian) & (PF_W | PF_X), PF_W | PF_X, "{name} has a segment that is writable and executable");
        }
        let stack = headers.iter().find(|h| h.p_type(endian) == PT_GNU_STACK).unwrap_or_else(|| panic!("{name} does not say what its stack is"));
        assert_ne!(stack.p_flags(endian) & PF_X, PF_X, "{name} has an executable stack");
        let undefined: Vec<_> = elf.symbols().filter(|s| s.is_undefined()).filter_map(|s| s.name().ok()).filter(|n| !n.is_empty()).collect();
        assert!(undefined.is_empty(), "{name}: {undefined:?}");
    }
}

fn stripped_bytes(name: &str) -> u64 {
    let stripped = std::env::temp_dir().join(format!("gort-stripped-{}-{name}", std::process::id()));
    assert!(Command::new("strip").arg("-o").arg(&stripped).arg(program(name)).status().unwrap().success());
    let size = std::fs::metadata(&stripped).unwrap().len();
    std::fs::remove_file(&stripped).unwrap();
    size
}

/// It is built without the feature `traces`.
#[test]
fn hello_stripped_is_below_130_kib() {
    let size = stripped_bytes("hello-gort");
    assert!(size < 130 << 10, "{size} bytes");
}

#[test]
fn a_hello_with_all_that_programs_have_is_below_170_kib() {
    let size = stripped_bytes("hello");
    assert!(size < 170 << 10, "{size} bytes");
}

#[test]
fn no_libc_is_in_the_tree_of_the_library_or_of_a_program() {
    for package in ["gort", "gort-examples", "gort-programs", "peer-gort"] {
        let tree = Command::new(env!("CARGO")).args(["tree", "-e", "normal", "--prefix", "none", "-p", package]).current_dir(root()).output().unwrap();
        let tree = String::from_utf8(tree.stdout).unwrap();
        assert!(tree.contains("rustix"), "{package}: {tree}");
        assert!(!tree.lines().any(|line| line.starts_with("libc ")), "{package}: {tree}");
        assert!(!tree.lines().any(|line| line.starts_with("gimli ")), "{package}: {tree}");
    }
    let mut tree = Command::new(env!("CARGO"));
    tree.args(["tree", "-e", "normal,features", "--prefix", "none", "-p", "gort", "--features", "lines"]);
    let tree = String::from_utf8(tree.current_dir(root()).output().unwrap().stdout).unwrap();
    assert!(tree.contains("gimli feature \"read-core\""), "{tree}");
    for other in ["libc ", "gimli feature \"read\"", "gimli feature \"std\"", "gimli feature \"default\""] {
        assert!(!tree.lines().any(|line| line.starts_with(other)), "{other}: {tree}");
    }
}
