//! Asynchronous preemption: a call injected between two instructions of a goroutine, by the handler of a signal (R5).
//!
//! 1. `inject` edits the registers that the handler will return to: the goroutine calls `gort_preempt` as if it had wanted to. That keeps every
//!    register (`arch/x86_64/preempt.s`), calls the scheduler, and goes on where it was interrupted; on another M, perhaps.
//! 2. What cannot be kept is not injected: a goroutine whose AMX tiles are in use (8 KiB a switch) is preempted at its next call of the runtime.
//! 3. The kind of CPU is found once, by `find_kind`, before the first injection.
//!
//! Rejected: switching inside the handler (the signal mask and the alternate stack belong to the thread, and the goroutine may go on on another).

use core::arch::{global_asm, x86_64 as x86};
use core::sync::atomic::{AtomicPtr, AtomicU32, AtomicU64, Ordering::Relaxed};

/// How the vector registers are kept.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u32)]
pub enum Kind {
    /// x87 and SSE only: a CPU or a kernel without XSAVE.
    Fxsave = 0,
    /// All, in the standard layout.
    Xsave = 1,
    /// All, compacted: what is not in use is not written.
    Xsavec = 2,
}

static KIND: AtomicU32 = AtomicU32::new(Kind::Fxsave as u32);
static MASK: AtomicU32 = AtomicU32::new(0);
static BYTES: AtomicU32 = AtomicU32::new(512);
/// What `gort_preempt` calls, on the goroutine's stack.
static PREEMPTED: AtomicPtr<()> = AtomicPtr::new(core::ptr::null_mut());
/// Components that make a goroutine not injectable.
static TILES: AtomicU64 = AtomicU64::new(AMX);

/// XTILECFG and XTILEDATA.
const AMX: u64 = 3 << 17;
/// x87, SSE, AVX, AVX-512's masks, upper halves and upper registers, APX's general registers.
const KEPT: u64 = 0b1110_0111 | 1 << 19;
/// The classes of registers that are counted: x87, SSE, AVX, masks, upper halves of ZMM, ZMM16 to 31.
pub const CLASSES: [(u32, &str); 6] = [(0, "x87"), (1, "sse"), (2, "avx"), (5, "opmask"), (6, "zmm_hi256"), (7, "hi16_zmm")];
/// The legacy area and the header.
const HEAD: usize = 512 + 64;
const RED_ZONE: usize = 128;
/// The place to go on, the flags, 15 integer registers.
const WORDS: usize = 17 * 8;
/// Stack that the scheduler may use below the saved registers.
const ROOM: usize = 4096;

global_asm!(
    include_str!("../../arch/x86_64/preempt.s"),
    kind = sym KIND,
    mask = sym MASK,
    bytes = sym BYTES,
    preempted = sym preempted,
);

unsafe extern "C" {
    fn gort_preempt();
    fn gort_preempt_end();
}

/// Called by the assembly with the area in which the vector registers were kept.
unsafe extern "C" fn preempted(area: *const u8) {
    let in_use = if KIND.load(Relaxed) == Kind::Fxsave as u32 {
        3
    } else {
        // SAFETY: the assembly passes an area with a header behind the legacy part; its first word says what was in use.
        unsafe { area.add(512).cast::<u64>().read() }
    };
    // SAFETY: `set_hook` writes it before the first injection, and only with such a function.
    let hook: fn(u64) = unsafe { core::mem::transmute(PREEMPTED.load(Relaxed)) };
    hook(in_use);
}

/// Finds out how to keep registers here, and whom to call: `hook`, on the goroutine's stack, with the components that were in use.
pub fn set_up(hook: fn(u64)) -> Kind {
    PREEMPTED.store(hook as *mut (), Relaxed);
    let leaf_1 = x86::__cpuid(1);
    let os_uses_xsave = leaf_1.ecx & (1 << 27) != 0;
    if !os_uses_xsave {
        return Kind::Fxsave;
    }
    // SAFETY: OSXSAVE says that the kernel has turned XGETBV on.
    let enabled = unsafe { xgetbv(0) };
    let mask = enabled & KEPT;
    let mut end = HEAD;
    for component in 2..32 {
        if mask & (1 << component) != 0 {
            let leaf = x86::__cpuid_count(0xd, component);
            end = end.max(leaf.ebx as usize + leaf.eax as usize);
        }
    }
    let kind = if x86::__cpuid_count(0xd, 1).eax & 2 != 0 { Kind::Xsavec } else { Kind::Xsave };
    // Compacted, nothing lies further from the start than in the standard layout, which leaves room for what is not kept.
    BYTES.store(end.next_multiple_of(64) as u32, Relaxed);
    MASK.store(mask as u32, Relaxed);
    KIND.store(kind as u32, Relaxed);
    kind
}

/// What `set_up` has found; `Fxsave` before it.
pub fn kind() -> Kind {
    match KIND.load(Relaxed) {
        2 => Kind::Xsavec,
        1 => Kind::Xsave,
        _ => Kind::Fxsave,
    }
}

/// XGETBV.
///
/// # Safety
/// CPUID says OSXSAVE.
unsafe fn xgetbv(register: u32) -> u64 {
    let (low, high): (u32, u32);
    // SAFETY: the caller's contract.
    unsafe { core::arch::asm!("xgetbv", in("ecx") register, out("eax") low, out("edx") high, options(nomem, nostack, preserves_flags)) };
    u64::from(high) << 32 | u64::from(low)
}

/// Has tests take other components for tiles, since few CPUs have those.
pub fn set_tiles(components: u64) {
    TILES.store(components, Relaxed);
}

/// Are tiles in use, if these components are?
pub fn has_tiles(in_use: u64) -> bool {
    in_use & TILES.load(Relaxed) != 0
}

/// Is `rip` in the injected call itself?
pub fn is_inside(rip: usize) -> bool {
    (gort_preempt as *const () as usize..gort_preempt_end as *const () as usize).contains(&rip)
}

/// Bytes of stack that an injection needs below the stack pointer.
pub fn stack_needed() -> usize {
    RED_ZONE + WORDS + 64 + BYTES.load(Relaxed) as usize + ROOM
}

/// Makes the interrupted code call `gort_preempt`, and go on at `rip` after it.
///
/// # Safety
/// In the handler of a signal that interrupted a goroutine which has `stack_needed` bytes below `*rsp`, preemption not disabled.
pub unsafe fn inject(rip: &mut u64, rsp: &mut u64) {
    let at = *rsp - RED_ZONE as u64 - 8;
    // SAFETY: the caller's contract: below the red zone nothing is in use.
    unsafe { (at as *mut u64).write(*rip) };
    *rsp = at;
    *rip = gort_preempt as *const () as u64;
}
