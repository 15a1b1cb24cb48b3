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
/// `without_knobs`, as the last word, makes the program some KiB smaller: then it does not print what `GODEBUG` asks for by `schedtrace`,
/// `scheddetail`, `gctrace` and `allocfreetrace` (`docs/debugging.md`). All else is as it was.
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
        $crate::main!(@ $main, || (), $crate::__private::knobs);
    };
    ($main:path, lock_os_thread) => {
        $crate::main!(@ $main, $crate::runtime::lock_os_thread, $crate::__private::knobs);
    };
    ($main:path, without_knobs) => {
        $crate::main!(@ $main, || (), || ());
    };
    ($main:path, lock_os_thread, without_knobs) => {
        $crate::main!(@ $main, $crate::runtime::lock_os_thread, || ());
    };
    (@ $main:path, $first:expr, $knobs:expr) => {
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
            $crate::__private::run_main($main, $first, $knobs)
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

/// One of several sends and receives, whichever can go on first; as Go's `select`.
///
/// ```no_run
/// # fn main() {
/// use gort::{chan, println};
/// let (work, results, done) = (chan::make::<u32>(0), chan::make::<u32>(1), chan::make::<()>(0));
/// loop {
///     gort::select! {
///         recv(work) -> item => match item {
///             Some(item) => println!("{item}"),
///             None => break, // closed
///         },
///         send(results, 42) => println!("sent"),
///         recv(done) => return,
///         default => gort::runtime::gosched(),
///     }
/// }
/// # }
/// ```
///
/// - `recv(channel) -> pattern => body`: receives; the pattern gets an `Option`, none from a channel that is closed and empty. Without `-> pattern` the value is dropped.
/// - `send(channel, value) => body`: sends; panics with `send on closed channel` if it is the one that goes on and the channel is closed. With
///   `-> pattern` it does not panic: the pattern gets `Ok(())`, or the value back as an `Err`.
/// - `send(channel, in slot) => body`: sends what is in `slot`, a place with an `Option`. It is moved out only if this is the case that goes on; an empty slot's case never
///   goes on. So a value can be offered again and again, beside other cases, until somebody takes it.
/// - `default => body`: if nothing can go on at once. Without it, the goroutine waits.
///
/// A body is a block, or an expression with a comma behind it; all have the same type. `break`, `continue`, `return` and `?` in it belong to what is around the select.
///
/// A channel is any expression that is a handle, a reference to one, or an `Option` of these; a nil channel never goes on. Channels and values are
/// evaluated once, in the order in which they stand, before anything else. Which case goes on is chosen uniformly at random among those that can. The values of
/// the other sends are dropped before the body, or are in their slots again. The same channel may stand in several cases, in both directions too. `select! {}` waits for ever.
///
/// Source: the Go specification, Select statements.
#[macro_export]
macro_rules! select {
    () => { $crate::__private::select_nothing() };
    ($($cases:tt)+) => { $crate::__select!(@parse [] [] $($cases)+) };
}

/// The steps of `select!`: `@parse [the cases so far] [the default's body, if any] what is left`.
#[doc(hidden)]
#[macro_export]
macro_rules! __select {
    (@parse $done:tt $default:tt recv($channel:expr $(,)?) -> $value:pat => $($rest:tt)+) => {
        $crate::__select!(@body $done $default {recv ($channel) ($value)} $($rest)+)
    };
    (@parse $done:tt $default:tt recv($channel:expr $(,)?) => $($rest:tt)+) => {
        $crate::__select!(@body $done $default {recv ($channel) (_)} $($rest)+)
    };
    (@parse $done:tt $default:tt send($channel:expr, in $slot:expr $(,)?) -> $result:pat => $($rest:tt)+) => {
        $crate::__select!(@body $done $default {send_in ($channel) ($slot) ($result)} $($rest)+)
    };
    (@parse $done:tt $default:tt send($channel:expr, in $slot:expr $(,)?) => $($rest:tt)+) => {
        $crate::__select!(@body $done $default {send_in ($channel) ($slot) panics} $($rest)+)
    };
    (@parse $done:tt $default:tt send($channel:expr, $sent:expr $(,)?) -> $result:pat => $($rest:tt)+) => {
        $crate::__select!(@body $done $default {send ($channel) ($sent) ($result)} $($rest)+)
    };
    (@parse $done:tt $default:tt send($channel:expr, $sent:expr $(,)?) => $($rest:tt)+) => {
        $crate::__select!(@body $done $default {send ($channel) ($sent) panics} $($rest)+)
    };
    (@parse $done:tt [] default => $($rest:tt)+) => {
        $crate::__select!(@body $done [] {default} $($rest)+)
    };
    // All is there. The operands are evaluated into cases, and these done with, before any body.
    (@parse [$({$case:ident $kind:tt $operands:tt $then:tt})*] [$($default:tt)*]) => {{
        #[allow(unused_imports)]
        use $crate::__private::SelectOperand as _;
        let (done, $($case,)*) = match ($($crate::__select!(@case $kind $operands),)*) {
            ($(mut $case,)*) => {
                let done = $crate::__private::select_run(&mut [$($case.case()),*], $crate::__select!(@waits $($default)*));
                (done, $($case.outcome(),)*)
            }
        };
        $crate::__select!(@arms done (0usize) [$({$case $then})*] [$($default)*] [])
    }};
    // Nothing fits: what is wrong?
    (@parse $done:tt $default:tt default => $($rest:tt)+) => { compile_error!("select!: more than one `default`") };
    (@parse $done:tt $default:tt default ($($operands:tt)*) $($rest:tt)*) => { compile_error!("select!: `default` takes nothing in parentheses: `default => body`") };
    (@parse $done:tt $default:tt default $($rest:tt)*) => { $crate::__select!(@no_body "`default`", $($rest)*) };
    (@parse $done:tt $default:tt recv($($operands:tt)*) $($rest:tt)*) => {
        $crate::__select!(@recv ($($operands)*) ($($operands)*) $($rest)*)
    };
    (@parse $done:tt $default:tt send($($operands:tt)*) $($rest:tt)*) => {
        $crate::__select!(@send ($($operands)*) ($($operands)*) $($rest)*)
    };
    (@parse $done:tt $default:tt $first:tt $($rest:tt)*) => {
        compile_error!(concat!(
            "select!: a case begins with `recv(channel)`, `send(channel, value)` or `default`, not with `", stringify!($first), "`"
        ))
    };
    // `recv` and `send` with the right operands: so it is what is behind them.
    (@recv ($channel:expr $(,)?) $operands:tt $($rest:tt)*) => { $crate::__select!(@no_body concat!("`recv", stringify!($operands), "`"), $($rest)*) };
    (@recv $wrong:tt $operands:tt $($rest:tt)*) => {
        compile_error!(concat!("select!: `recv` takes a channel: `recv(channel)`, not `recv", stringify!($operands), "`"))
    };
    (@send ($channel:expr, in $slot:expr $(,)?) $operands:tt $($rest:tt)*) => {
        $crate::__select!(@no_body concat!("`send", stringify!($operands), "`"), $($rest)*)
    };
    (@send ($channel:expr, $sent:expr $(,)?) $operands:tt $($rest:tt)*) => {
        $crate::__select!(@no_body concat!("`send", stringify!($operands), "`"), $($rest)*)
    };
    (@send $wrong:tt $operands:tt $($rest:tt)*) => {
        compile_error!(concat!(
            "select!: `send` takes a channel and a value: `send(channel, value)`, not `send", stringify!($operands), "`"
        ))
    };
    (@no_body $case:expr, -> $pattern:pat => $($rest:tt)*) => { compile_error!(concat!("select!: ", $case, " has no body behind `=>`")) };
    (@no_body $case:expr, => $($rest:tt)*) => { compile_error!(concat!("select!: ", $case, " has no body behind `=>`")) };
    (@no_body $case:expr, -> $($rest:tt)*) => { compile_error!(concat!("select!: ", $case, " has no `pattern => body` behind `->`")) };
    (@no_body $case:expr,) => { compile_error!(concat!("select!: ", $case, " has no `=> body`")) };
    (@no_body $case:expr, $found:tt $($rest:tt)*) => {
        compile_error!(concat!("select!: behind ", $case, " comes `-> pattern => body` or `=> body`, not `", stringify!($found), "`"))
    };

    (@body $done:tt $default:tt $case:tt $body:block , $($rest:tt)*) => { $crate::__select!(@push $done $default $case ($body) $($rest)*) };
    (@body $done:tt $default:tt $case:tt $body:block $($rest:tt)*) => { $crate::__select!(@push $done $default $case ($body) $($rest)*) };
    (@body $done:tt $default:tt $case:tt $body:expr , $($rest:tt)*) => { $crate::__select!(@push $done $default $case ($body) $($rest)*) };
    (@body $done:tt $default:tt $case:tt $body:expr) => { $crate::__select!(@push $done $default $case ($body)) };
    (@body $done:tt $default:tt {$kind:tt $($operands:tt)*} $($rest:tt)*) => {
        compile_error!(concat!("select!: a body is a block, or an expression with a comma behind it: that of `", stringify!($kind), "` is neither"))
    };

    // Each `case` is a name of its own, for each comes from an expansion of its own.
    (@push [$($done:tt)*] $default:tt {recv ($channel:expr) $value:tt} $body:tt $($rest:tt)*) => {
        $crate::__select!(@parse [$($done)* {case recv ($channel) (is $value $body)}] $default $($rest)*)
    };
    (@push [$($done:tt)*] $default:tt {send ($channel:expr) ($sent:expr) panics} $body:tt $($rest:tt)*) => {
        $crate::__select!(@parse [$($done)* {case send ($channel, $sent) (sent $body)}] $default $($rest)*)
    };
    (@push [$($done:tt)*] $default:tt {send ($channel:expr) ($sent:expr) $result:tt} $body:tt $($rest:tt)*) => {
        $crate::__select!(@parse [$($done)* {case send ($channel, $sent) (is $result $body)}] $default $($rest)*)
    };
    (@push [$($done:tt)*] $default:tt {send_in ($channel:expr) ($slot:expr) panics} $body:tt $($rest:tt)*) => {
        $crate::__select!(@parse [$($done)* {case send_in ($channel, $slot) (sent $body)}] $default $($rest)*)
    };
    (@push [$($done:tt)*] $default:tt {send_in ($channel:expr) ($slot:expr) $result:tt} $body:tt $($rest:tt)*) => {
        $crate::__select!(@parse [$($done)* {case send_in ($channel, $slot) (is $result $body)}] $default $($rest)*)
    };
    (@push $done:tt [] {default} $body:tt $($rest:tt)*) => { $crate::__select!(@parse $done [$body] $($rest)*) };

    (@waits) => { true };
    (@waits $default:tt) => { false };

    (@case recv ($channel:expr)) => { $channel.__gort_receives() };
    (@case send ($channel:expr, $sent:expr)) => { $channel.__gort_sends($sent) };
    (@case send_in ($channel:expr, $slot:expr)) => { $channel.__gort_sends_in($slot.__gort_slot()) };

    // The arms of a match: so bodies that do not fit each other are named.
    (@arms $done:ident ($n:expr) [{$case:ident (is ($outcome:pat) ($body:expr))} $($rest:tt)*] $default:tt [$($arms:tt)*]) => {
        $crate::__select!(@arms $done ($n + 1usize) [$($rest)*] $default [$($arms)* _ if $done == Some($n) => { let ($outcome) = $case; $body }])
    };
    (@arms $done:ident ($n:expr) [{$case:ident (sent ($body:expr))} $($rest:tt)*] $default:tt [$($arms:tt)*]) => {
        $crate::__select!(@arms $done ($n + 1usize) [$($rest)*] $default [
            $($arms)* _ if $done == Some($n) => { $crate::__private::select_sent($case); $body }
        ])
    };
    (@arms $done:ident $n:tt [] [($body:expr)] [$($arms:tt)*]) => { match () { $($arms)* _ => $body } };
    (@arms $done:ident $n:tt [] [] [$($arms:tt)*]) => { match () { $($arms)* _ => unreachable!() } };
}
