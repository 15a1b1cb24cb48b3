//! Each of the seven flags that gort makes a thread with, by its effect: one thread does something, another one sees it.
#![no_std]
#![no_main]

extern crate alloc;

use alloc::format;
use alloc::string::String;
use core::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering::SeqCst};
use core::time::Duration;
use gort::prelude::*;
use gort::{os, syscall};
use rustix::fs::{Mode, OFlags};

gort::main!(main);

const RT_SIGACTION: u32 = 13;
const GETPID: u32 = 39;
const CLONE: u32 = 56;
const SEMGET: u32 = 64;
const SEMOP: u32 = 65;
const SEMCTL: u32 = 66;
const ARCH_PRCTL: u32 = 158;
const CLONE3: u32 = 435;

/// System call `nr`.
///
/// # Safety
/// That of the call.
unsafe fn raw(nr: u32, arguments: &[usize]) -> Result<usize, i32> {
    // SAFETY: the caller's contract.
    unsafe { syscall::raw(nr, arguments) }.map_err(|error| error.raw_os_error())
}

fn pid() -> u32 {
    // SAFETY: getpid has no effect.
    unsafe { raw(GETPID, &[]) }.unwrap() as u32
}

/// Calls `first`, then `second` with its result, on two threads that both live, neither of them the process's first.
fn on_two_threads<T: Send + Sync, R: Send>(first: impl Fn() -> T + Sync, second: impl Fn(&T) -> R + Sync) -> R {
    let (inside, roles, steps) = (AtomicU32::new(0), AtomicU32::new(0), AtomicU32::new(0));
    let (from_first, result) = (Mutex::new(None), Mutex::new(None));
    let wait_for = |word: &AtomicU32, value| {
        while word.load(SeqCst) < value {
            let _ = rustix::thread::nanosleep(&rustix::time::Timespec { tv_sec: 0, tv_nsec: 100_000 });
        }
    };
    let tids = [const { AtomicU32::new(0) }; 2].map(|word: AtomicU32| word);
    scope(|s| {
        for _ in 0..3 {
            s.go(|| {
                // Three at once: at most one of them is on the first thread, and leaves the parts to the others.
                syscall::blocking(|| {
                    inside.fetch_add(1, SeqCst);
                    wait_for(&inside, 3);
                    let tid = syscall::gettid();
                    if tid == rustix::process::getpid().as_raw_nonzero().get() as u32 {
                        return wait_for(&steps, 2);
                    }
                    match roles.fetch_add(1, SeqCst) {
                        0 => {
                            tids[0].store(tid, SeqCst);
                            *from_first.try_lock().unwrap() = Some(first());
                            steps.store(1, SeqCst);
                        }
                        1 => {
                            tids[1].store(tid, SeqCst);
                            wait_for(&steps, 1);
                            *result.try_lock().unwrap() = Some(second(from_first.try_lock().unwrap().as_ref().unwrap()));
                            steps.store(2, SeqCst);
                        }
                        _ => {}
                    }
                    wait_for(&steps, 2);
                });
            });
        }
    });
    let [first, second] = tids.map(|tid| tid.into_inner());
    assert!(first != 0 && second != 0 && first != second && first != pid() && second != pid(), "threads {first} and {second}");
    result.into_inner().unwrap()
}

static SEEN_BY_ALL: AtomicU64 = AtomicU64::new(0);

fn vm_a_static_and_a_mapping_are_seen_by_all() {
    on_two_threads(
        || {
            SEEN_BY_ALL.store(4711, SeqCst);
            use rustix::mm::{MapFlags, ProtFlags, mmap_anonymous};
            // SAFETY: a new mapping touches no memory that anybody has.
            let mapping = unsafe { mmap_anonymous(core::ptr::null_mut(), 4096, ProtFlags::READ | ProtFlags::WRITE, MapFlags::PRIVATE) }.unwrap();
            // SAFETY: it is ours.
            unsafe { mapping.cast::<u64>().write(42) };
            mapping as usize
        },
        |&mapping| {
            assert_eq!(SEEN_BY_ALL.load(SeqCst), 4711);
            // SAFETY: the first thread mapped it, and leaves it to us.
            unsafe {
                assert_eq!((mapping as *const u64).read(), 42);
                rustix::mm::munmap(mapping as *mut _, 4096).unwrap();
            }
        },
    );
}

fn fs_chdir_and_umask_are_seen_by_others() {
    on_two_threads(
        || {
            rustix::process::chdir("/proc").unwrap();
            rustix::process::umask(Mode::from_bits_retain(0o27))
        },
        |&old| {
            let mut buffer = [0; 64];
            let n = rustix::fs::readlinkat_raw(rustix::fs::CWD, "/proc/thread-self/cwd", &mut buffer[..]).unwrap();
            assert_eq!(&buffer[..n], b"/proc");
            assert_eq!(rustix::process::umask(old), Mode::from_bits_retain(0o27));
        },
    );
}

fn files_a_descriptor_opened_elsewhere_is_used_and_closed() {
    let fd = on_two_threads(
        || {
            let fd = rustix::fs::open("/proc/self/comm", OFlags::RDONLY, Mode::empty()).unwrap();
            core::mem::ManuallyDrop::new(fd)
        },
        |fd| {
            use rustix::fd::{AsFd, AsRawFd, OwnedFd};
            let mut buffer = [0; 16];
            assert_eq!(rustix::io::read(fd.as_fd(), &mut buffer).map(|n| &buffer[..n]), Ok(&b"flags\n"[..]));
            let raw = fd.as_raw_fd();
            // SAFETY: the first thread never closes it.
            drop(unsafe { <OwnedFd as rustix::fd::FromRawFd>::from_raw_fd(raw) });
            raw
        },
    );
    // SAFETY: the descriptor is looked at, whatever it is.
    let gone = unsafe { rustix::fd::BorrowedFd::borrow_raw(fd) };
    on_two_threads(|| assert_eq!(rustix::io::fcntl_getfd(gone), Err(rustix::io::Errno::BADF)), |()| ());
}

fn sighand_an_action_is_shared() {
    const SIGUSR2: usize = 12;
    const SIG_IGN: usize = 1;
    on_two_threads(
        || {
            let action = [SIG_IGN, 0, 0, 0];
            // SAFETY: the four words are the kernel's `struct sigaction`: a signal that is ignored runs nothing.
            unsafe { raw(RT_SIGACTION, &[SIGUSR2, action.as_ptr() as usize, 0, 8]) }.unwrap();
        },
        |()| {
            let mut action = [usize::MAX; 4];
            // SAFETY: as above; the kernel writes the action here.
            unsafe { raw(RT_SIGACTION, &[SIGUSR2, 0, action.as_mut_ptr() as usize, 8]) }.unwrap();
            assert_eq!(action[0], SIG_IGN);
            let ignored = u64::from_str_radix(&of_thread("status", "SigIgn:"), 16).unwrap();
            assert_ne!(ignored & 1 << (SIGUSR2 - 1), 0, "{ignored:x}");
        },
    );
}

/// The word behind `name` in a file of this thread under /proc.
fn of_thread(file: &str, name: &str) -> String {
    let fd = rustix::fs::open(format!("/proc/thread-self/{file}").as_str(), OFlags::RDONLY, Mode::empty()).unwrap();
    let mut buffer = [0; 4096];
    let n = rustix::io::read(&fd, &mut buffer).unwrap();
    let text = core::str::from_utf8(&buffer[..n]).unwrap();
    text.split_whitespace().skip_while(|&word| word != name).nth(1).unwrap_or_else(|| panic!("no {name} in {text}")).into()
}

fn thread_one_group_with_many_ids() {
    on_two_threads(
        || (of_thread("status", "Tgid:"), of_thread("status", "Pid:")),
        |(group, id)| {
            assert_eq!((group, of_thread("status", "Tgid:")), (&format!("{}", pid()), format!("{}", pid())));
            let own = of_thread("status", "Pid:");
            assert!(own == format!("{}", syscall::gettid()) && own != *id);
            for id in [id, &own] {
                let task = format!("/proc/self/task/{id}");
                assert!(rustix::fs::access(task.as_str(), rustix::fs::Access::EXISTS).is_ok(), "{task}");
            }
        },
    );
}

fn settls_each_thread_has_its_own_fs_base() {
    const ARCH_GET_FS: usize = 0x1003;
    let base = || {
        let mut base = 0usize;
        // SAFETY: the kernel writes one word here.
        unsafe { raw(ARCH_PRCTL, &[ARCH_GET_FS, &raw mut base as usize]) }.unwrap();
        let own: usize;
        // SAFETY: fs:0 of every thread of gort is the address of its block.
        unsafe { core::arch::asm!("mov {}, fs:[0]", out(reg) own, options(nostack, readonly)) };
        assert_eq!(base, own);
        base
    };
    on_two_threads(base, |&other| assert!(other != 0 && base() != other));
}

static SEMAPHORE: AtomicUsize = AtomicUsize::new(0);

fn value(semaphore: usize) -> usize {
    const GETVAL: usize = 12;
    // SAFETY: it reads the semaphore alone.
    unsafe { raw(SEMCTL, &[semaphore, 0, GETVAL, 0]) }.unwrap()
}

fn threads() -> usize {
    let fd = rustix::fs::open("/proc/self/status", OFlags::RDONLY, Mode::empty()).unwrap();
    let mut buffer = [0; 4096];
    let n = rustix::io::read(&fd, &mut buffer).unwrap();
    let text = core::str::from_utf8(&buffer[..n]).unwrap();
    text.split_whitespace().skip_while(|&word| word != "Threads:").nth(1).unwrap().parse().unwrap()
}

/// Threads take from a semaphore with SEM_UNDO and end. With one list for all, what they took comes back when the process ends, not before.
fn sysvsem_one_undo_list_for_all() {
    const SETVAL: usize = 16;
    // SAFETY: a new semaphore, private to whom is told its number.
    let semaphore = unsafe { raw(SEMGET, &[0, 1, 0o600]) }.unwrap();
    // SAFETY: as above.
    unsafe { raw(SEMCTL, &[semaphore, 0, SETVAL, 100]) }.unwrap();
    SEMAPHORE.store(semaphore, SeqCst);
    runtime::gomaxprocs(2);
    let inside = AtomicU32::new(0);
    scope(|s| {
        for _ in 0..30 {
            s.go(|| {
                syscall::blocking(|| {
                    inside.fetch_add(1, SeqCst);
                    while inside.load(SeqCst) < 30 {
                        let _ = rustix::thread::nanosleep(&rustix::time::Timespec { tv_sec: 0, tv_nsec: 100_000 });
                    }
                    // `struct sembuf`: semaphore 0, minus 1, SEM_UNDO.
                    let take = [0i16, -1, 0x1000];
                    // SAFETY: the kernel reads the three numbers.
                    unsafe { raw(SEMOP, &[semaphore, take.as_ptr() as usize, 1]) }.unwrap();
                });
            });
        }
    });
    // All 30 were inside at once, each on a thread of its own; two Ps keep no more than ten of those.
    let start = gort::time::Instant::now();
    while threads() > 15 {
        assert!(start.elapsed() < Duration::from_secs(30), "{} threads stay", threads());
        gort::time::sleep(Duration::from_millis(5));
        go(|| ());
    }
    assert_eq!(value(semaphore), 70, "15 threads or more have ended");
}

/// The kernel's own rule, which the seven flags keep: CLONE_THREAD needs CLONE_SIGHAND, which needs CLONE_VM.
fn without_sighand_or_vm_it_is_einval() {
    const VM: usize = 0x100;
    const SIGHAND: usize = 0x800;
    const EXIT_SIGNAL: usize = 17;
    const EINVAL: i32 = 22;
    const SEVEN: usize = VM | 0x200 | 0x400 | SIGHAND | 0x1_0000 | 0x4_0000 | 0x8_0000;
    let fs: usize;
    // SAFETY: fs:0 is the address of this thread's block.
    unsafe { core::arch::asm!("mov {}, fs:[0]", out(reg) fs, options(nostack, readonly)) };
    for flags in [SEVEN & !SIGHAND, SEVEN & !VM, SEVEN & !VM & !SIGHAND, SIGHAND] {
        // flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls
        let signal = if flags == SIGHAND { EXIT_SIGNAL } else { 0 };
        let arguments = [flags, 0, 0, 0, signal, 0, 0, fs];
        // SAFETY: it must fail. If it does not, the child (on a stack that it shares or has a copy of) ends itself below.
        let three = unsafe { raw(CLONE3, &[arguments.as_ptr() as usize, 64]) };
        // SAFETY: as above.
        let one = unsafe { raw(CLONE, &[flags | signal, 0, 0, 0, fs]) };
        for (name, result) in [("clone3", three), ("clone", one)] {
            // A sandbox that has no clone3 has told so already.
            if !(name == "clone3" && gort::__private::clone3_missing()) {
                assert_eq!(result, Err(EINVAL), "{name} with flags {flags:#x}");
            }
        }
    }
}

/// Without CLONE_THREAD it is a process, of its own and with its own id: here one with a copy of all memory, which looks at that and ends.
fn without_thread_it_is_a_process() {
    const EXIT_SIGNAL: usize = 17;
    let pid = pid();
    syscall::blocking(|| {
        let child: usize;
        // SAFETY: the child has copies of all that it touches, its registers: it asks for its ids and ends with what it found.
        unsafe {
            core::arch::asm!(
                "syscall", // clone(SIGCHLD | CLONE_FS | CLONE_FILES, 0, …)
                "test rax, rax",
                "jnz 2f",
                "mov eax, 39", // getpid
                "syscall",
                "mov r12, rax",
                "mov eax, 186", // gettid
                "syscall",
                "xor edi, edi",
                "cmp rax, r12",
                "sete dil", // 1: it leads a group of threads of its own
                "cmp r12, r13",
                "setne al",
                "movzx eax, al",
                "lea edi, [rdi + 2 * rax]", // 2: another one than this
                "mov eax, 231", // exit_group
                "syscall",
                "2:",
                inlateout("rax") CLONE as usize => child, in("rdi") EXIT_SIGNAL | 0x200 | 0x400, in("rsi") 0, in("rdx") 0, in("r10") 0, in("r8") 0,
                in("r13") pid as usize, out("r12") _, lateout("rcx") _, lateout("r11") _,
            );
        }
        let child = rustix::process::Pid::from_raw(i32::try_from(child).unwrap()).expect("clone");
        let (_, status) = rustix::process::waitpid(Some(child), rustix::process::WaitOptions::empty()).unwrap().unwrap();
        assert_eq!(status.exit_status(), Some(3));
    });
}

fn main() {
    if let Some(semaphore) = os::args().nth(1) {
        // A second process looks at what the first has left, and removes it.
        const IPC_RMID: usize = 0;
        let semaphore = semaphore.parse().unwrap();
        println!("{}", value(semaphore));
        // SAFETY: the semaphore is ours.
        unsafe { raw(SEMCTL, &[semaphore, 0, IPC_RMID]) }.unwrap();
        return;
    }
    macro_rules! run {
        ($($name:ident)*) => {$(
            $name();
            println!("ok {}", stringify!($name));
        )*};
    }
    run! {
        vm_a_static_and_a_mapping_are_seen_by_all fs_chdir_and_umask_are_seen_by_others files_a_descriptor_opened_elsewhere_is_used_and_closed
        sighand_an_action_is_shared thread_one_group_with_many_ids settls_each_thread_has_its_own_fs_base sysvsem_one_undo_list_for_all
        without_sighand_or_vm_it_is_einval without_thread_it_is_a_process
    }
    println!("semaphore {}", SEMAPHORE.load(SeqCst));
}
