//! The talc peer: its allocator behind a spinning lock, as a program without libc would have it.
mod workloads;

use talc::TalcLock;
use talc::source::Claim;

const HEAP_BYTES: usize = 64 << 20;
static mut HEAP: [u8; HEAP_BYTES] = [0; HEAP_BYTES];

#[global_allocator]
static ALLOCATOR: TalcLock<spin::mutex::Mutex<()>, Claim> = TalcLock::new({
    // SAFETY: nothing else touches the heap.
    unsafe { Claim::array(&raw mut HEAP) }
});

fn main() {
    workloads::main(&["alloc"]);
}
