//! The macros: what must stand in the final program, because a library must not define it (R15), and printing.

/// Makes `main` the program's main function, run as its first goroutine. Stands once, in a `#![no_std] #![no_main]` program.
///
/// It defines what a program without libc needs: `_start`, the panic handler, the global allocator, `memcpy` and its kin, and for linked C
/// `__stack_chk_fail` (weak; a fatal error). `main` may return
/// nothing, an exit status (`i32`), or a `Result`; when it returns the process ends, whatever other goroutines do.
///
/// `gort::main!(main, lock_os_thread)` begins with main locked to the initial thread, for calls that only that thread may make: see
/// [`lock_os_thread`](crate::runtime::lock_os_thread).
///
/// ```text
/// #![no_std]
/// #![no_main]
/// gort::main!(main);
/// fn main() {
///     gort::println!("hello");
/// }
/// ```
#[macro_export]
macro_rules! main {
    ($main:path) => {
        $crate::main!(@ $main, || ());
    };
    ($main:path, lock_os_thread) => {
        $crate::main!(@ $main, $crate::runtime::lock_os_thread);
    };
    (@ $main:path, $first:expr) => {
        const _: () = assert!(
            option_env!("GORT_LINKED").is_some(),
            "gort: this package has no build script that passes gort's linker arguments on; see \"A program of your own\" in gort's README"
        );
        #[cfg(all(panic = "unwind", not(doc)))]
        compile_error!("gort: a program without libc cannot unwind: set panic = \"abort\" in [profile.dev] and [profile.release] of Cargo.toml");

        #[global_allocator]
        static __GORT_ALLOCATOR: $crate::__private::Allocator = $crate::__private::Allocator;

        #[panic_handler]
        fn __gort_panic(info: &core::panic::PanicInfo) -> ! {
            $crate::__private::panic(info)
        }

        fn __gort_main() -> ! {
            $crate::__private::run_main($main, $first)
        }

        unsafe extern "C" fn __gort_start(sp: *const usize) -> ! {
            // SAFETY: `_start` passes the stack pointer of the process's start.
            unsafe { $crate::__private::start(sp, __gort_main) }
        }

        $crate::__gort_start_symbol!(__gort_start);
        $crate::__gort_mem_symbols!();
        // The precompiled core and alloc refer to these; nothing calls them where a panic ends the process.
        core::arch::global_asm!(".globl rust_eh_personality", "rust_eh_personality:", ".globl _Unwind_Resume", "_Unwind_Resume:", "ud2");
        // What C compiled with -fstack-protector calls when a frame has been written past its end. Weak: linked C may bring its own.
        core::arch::global_asm!(
            ".pushsection .text.__stack_chk_fail, \"ax\", @progbits",
            ".weak __stack_chk_fail",
            ".type __stack_chk_fail, @function",
            "__stack_chk_fail:",
            "jmp {smashed}",
            ".size __stack_chk_fail, . - __stack_chk_fail",
            ".popsection",
            smashed = sym $crate::__private::stack_smashed,
        );
    };
}

/// `_start` of a program at a fixed address.
#[cfg(not(feature = "static-pie"))]
#[doc(hidden)]
#[macro_export]
macro_rules! __gort_start_symbol {
    ($start:ident) => {
        core::arch::global_asm!(
            ".globl _start",
            ".type _start, @function",
            "_start:",
            ".cfi_startproc",
            ".cfi_undefined rip",
            "xor ebp, ebp",
            "mov rdi, rsp",
            "and rsp, -16",
            "call {start}",
            "ud2",
            ".cfi_endproc",
            ".size _start, . - _start",
            start = sym $start,
        );
    };
}

/// `_start` of a static-pie program: it relocates itself first.
#[cfg(feature = "static-pie")]
#[doc(hidden)]
#[macro_export]
macro_rules! __gort_start_symbol {
    ($start:ident) => {
        core::arch::global_asm!(
            ".globl _start",
            ".type _start, @function",
            ".hidden __ehdr_start",
            ".hidden _DYNAMIC",
            "_start:",
            ".cfi_startproc",
            ".cfi_undefined rip",
            "xor ebp, ebp",
            "mov rbx, rsp",
            "and rsp, -16",
            "lea rdi, [rip + __ehdr_start]",
            "lea rsi, [rip + _DYNAMIC]",
            "call {relocate}",
            "mov rdi, rbx",
            "call {start}",
            "ud2",
            ".cfi_endproc",
            ".size _start, . - _start",
            relocate = sym $crate::__private::relocate,
            start = sym $start,
        );
    };
}

/// Prints to standard output, as core's formatting does. What one call prints is never torn by another goroutine.
#[macro_export]
macro_rules! print {
    ($($arg:tt)*) => { $crate::__private::print(1, core::format_args!($($arg)*)) };
}

/// As [`print!`], with a line feed.
#[macro_export]
macro_rules! println {
    () => { $crate::print!("\n") };
    ($($arg:tt)+) => { $crate::__private::print(1, core::format_args!("{}\n", core::format_args!($($arg)+))) };
}

/// Prints to standard error.
#[macro_export]
macro_rules! eprint {
    ($($arg:tt)*) => { $crate::__private::print(2, core::format_args!($($arg)*)) };
}

/// As [`eprint!`], with a line feed.
#[macro_export]
macro_rules! eprintln {
    () => { $crate::eprint!("\n") };
    ($($arg:tt)+) => { $crate::__private::print(2, core::format_args!("{}\n", core::format_args!($($arg)+))) };
}
