//! The double of `switch` in a model: a commit without a switch (`models::double::sched` says what a goroutine is there).

/// The 32-bit store that a switch makes once it has left the old stack.
#[derive(Clone, Copy)]
pub struct Commit {
    addr: *mut u32,
    val: u32,
}

impl Commit {
    /// As the real one.
    ///
    /// # Safety
    /// As the real one.
    pub const unsafe fn store(addr: *mut u32, val: u32) -> Commit {
        Commit { addr, val }
    }

    /// The word and the value.
    pub fn parts(self) -> (*mut u32, u32) {
        (self.addr, self.val)
    }
}
