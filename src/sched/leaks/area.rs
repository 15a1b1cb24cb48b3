//! Memory of the search's own: mapped for it and gone with it. Address space that is not touched costs nothing.

use crate::sys::{Errno, memory};
use core::ptr::NonNull;

/// A mapping that is cut up from its begin, and unmapped as this drops. What is cut off is zero.
pub struct Area {
    base: NonNull<u8>,
    bytes: usize,
    used: usize,
}

impl Area {
    /// Room for `bytes`.
    pub fn map(bytes: usize) -> Result<Area, Errno> {
        let bytes = bytes.next_multiple_of(memory::PAGE).max(memory::PAGE);
        Ok(Area { base: memory::map(bytes)?, bytes, used: 0 })
    }

    /// Where it lies.
    pub fn range(&self) -> (usize, usize) {
        let base = self.base.as_ptr() as usize;
        (base, base + self.bytes)
    }

    /// Cuts off `count` of `T`, aligned as a page is. They live as long as the area.
    ///
    /// # Safety
    /// All zero bytes are a `T`, which needs no drop. The area outlives the result.
    pub unsafe fn cut<T>(&mut self, count: usize) -> &'static mut [T] {
        let bytes = (count * size_of::<T>()).next_multiple_of(memory::PAGE);
        assert!(self.used + bytes <= self.bytes, "leaks: an area of {} bytes has no room for {bytes} more behind {}", self.bytes, self.used);
        // SAFETY: the range is inside, nobody else's, and zero.
        let cut = unsafe { core::slice::from_raw_parts_mut(self.base.as_ptr().add(self.used).cast(), count) };
        self.used += bytes;
        cut
    }

    /// Bytes that `cut` takes for so much.
    pub const fn bytes_of<T>(count: usize) -> usize {
        (count * size_of::<T>()).next_multiple_of(memory::PAGE)
    }
}

impl Drop for Area {
    fn drop(&mut self) {
        // SAFETY: nobody has the parts any more: the contract of `cut`.
        let _ = unsafe { memory::unmap(self.base, self.bytes) };
    }
}
