//! The block that fs points to, as memory: `tls` has the table of what each word is.

use super::header::GHeader;

/// The block that fs points to. An M begins with it.
#[repr(C)]
pub struct Tls {
    /// The address of this block.
    pub this: *mut Tls,
    /// `fs:8`.
    pub g: *mut GHeader,
    /// `fs:0x10`.
    pub m: *mut u8,
    /// `fs:0x18`.
    pub cache: *mut u8,
    /// `fs:0x20`.
    pub p: *mut u8,
    /// `fs:0x28`.
    pub canary: u64,
}

static_assertions::const_assert_eq!(core::mem::offset_of!(Tls, g), 8);
static_assertions::const_assert_eq!(core::mem::offset_of!(Tls, m), 0x10);
static_assertions::const_assert_eq!(core::mem::offset_of!(Tls, cache), 0x18);
static_assertions::const_assert_eq!(core::mem::offset_of!(Tls, p), 0x20);
static_assertions::const_assert_eq!(core::mem::offset_of!(Tls, canary), 0x28);
