//! `test!` and `test_main!`.
//!
//! Tests find their way to the program by a section that the linker puts together out of all modules: each `test!` puts the address of its test there. `R` has the linker keep what
//! nobody names; it has pointers, so that it is the same in a program that relocates itself.
//!
//! Rejected: a list of all modules in the root (one is forgotten, and its tests with it); `#[link_section]` (some linkers drop such statics, for it has no `R`).

/// Makes functions tests. In any module of the program that has [`test_main!`](crate::test_main).
///
/// ```text
/// gort::test! {
///     fn a_sum_is_right() {
///         assert_eq!(1 + 1, 2);
///     }
///
///     fn a_parse_is_right() -> Result<(), core::num::ParseIntError> {
///         assert_eq!("7".parse::<u32>()?, 7);
///         Ok(())
///     }
///
///     #[should_panic(expected = "send on closed channel")]
///     fn a_closed_channel_takes_nothing() {
///         let channel = gort::chan::make(1);
///         channel.close();
///         channel.send(1);
///     }
///
///     #[ignore = "takes an hour"]
///     fn all_of_them() { /* … */ }
///
///     #[bubble]
///     fn an_hour_goes_by_at_once() {
///         let start = gort::time::Instant::now();
///         gort::time::sleep(gort::time::Duration::from_secs(3600));
///         assert_eq!(start.elapsed().as_secs(), 3600);
///     }
/// }
/// ```
///
/// The attributes are those of `#[test]` functions: `#[ignore]`, `#[ignore = "why"]`, `#[should_panic]`, `#[should_panic(expected = "text")]`; others go to the function.
/// `#[bubble]` calls the function in a [`bubble`](crate::testing::bubble), with a clock of its own. A function may return whatever `main` may.
///
/// A test's name is its path: that of the module, without the crate's name, and the function's. See [`testing`](crate::testing) for what tests are and how they are run.
#[macro_export]
macro_rules! test {
    ($($(#[$($attribute:tt)*])* $vis:vis fn $name:ident() $(-> $result:ty)? $body:block)*) => {
        $($crate::__test!(@ [] [] $([$($attribute)*])* => $vis fn $name() $(-> $result)? $body);)*
    };
    ($($other:tt)*) => { compile_error!("test!: expected functions without arguments: `fn name() { … }`"); };
}

/// The steps of `test!`, for one function: `@ [what goes to the function] [what the attributes mean] attributes that are left => function`.
#[doc(hidden)]
#[macro_export]
macro_rules! __test {
    (@ $kept:tt [$($means:tt)*] [ignore] $($rest:tt)*) => { $crate::__test!(@ $kept [$($means)* .ignore("")] $($rest)*); };
    (@ $kept:tt [$($means:tt)*] [ignore = $why:literal] $($rest:tt)*) => { $crate::__test!(@ $kept [$($means)* .ignore($why)] $($rest)*); };
    (@ $kept:tt [$($means:tt)*] [should_panic] $($rest:tt)*) => { $crate::__test!(@ $kept [$($means)* .should_panic()] $($rest)*); };
    (@ $kept:tt [$($means:tt)*] [should_panic(expected = $text:literal $(,)?)] $($rest:tt)*) => {
        $crate::__test!(@ $kept [$($means)* .should_panic_saying($text)] $($rest)*);
    };
    (@ $kept:tt [$($means:tt)*] [should_panic = $text:literal] $($rest:tt)*) => {
        $crate::__test!(@ $kept [$($means)* .should_panic_saying($text)] $($rest)*);
    };
    (@ $kept:tt [$($means:tt)*] [bubble] $($rest:tt)*) => { $crate::__test!(@ $kept [$($means)* .bubble()] $($rest)*); };
    (@ [$($kept:tt)*] $means:tt [$($attribute:tt)*] $($rest:tt)*) => { $crate::__test!(@ [$($kept)* #[$($attribute)*]] $means $($rest)*); };
    (@ [$($kept:tt)*] [$($means:tt)*] => $vis:vis fn $name:ident() $(-> $result:ty)? $body:block) => {
        $($kept)*
        $vis fn $name() $(-> $result)? $body

        const _: () = {
            // A module within, for assembly stands in modules only, and names of modules could meet others.
            mod __gort_test {
                static TEST: $crate::__private::Test =
                    $crate::__private::Test::new(module_path!(), stringify!($name), || $crate::__private::status_of(super::$name()))$($means)*;
                core::arch::global_asm!(".pushsection gort_tests, \"awR\", @progbits", ".balign 8", ".quad {}", ".popsection", sym TEST);
            }
        };
    };
}

/// Makes a program of tests: runs those of [`test!`](crate::test), of all its modules, as the command line says. Stands once, in place of [`main!`](crate::main), in a
/// `#![no_std] #![no_main]` program.
///
/// ```text
/// #![no_std]
/// #![no_main]
///
/// mod sums;
/// mod queues;
///
/// gort::test_main!();
/// ```
///
/// The exit status is 0, or 101 if a test failed, or for a wrong command line.
#[macro_export]
macro_rules! test_main {
    () => {
        fn __gort_tests() -> i32 {
            unsafe extern "C" {
                #[link_name = "__start_gort_tests"]
                static FIRST: $crate::__private::Entry;
                #[link_name = "__stop_gort_tests"]
                static END: $crate::__private::Entry;
            }
            // SAFETY: the linker makes these two symbols, around the section in which `test!` and the line below put entries.
            let entries = unsafe {
                let (first, end) = (&raw const FIRST, &raw const END);
                core::slice::from_raw_parts(first, end.offset_from_unsigned(first))
            };
            $crate::__private::run_tests(entries)
        }
        // Without an entry there would be no section, and no symbols.
        core::arch::global_asm!(".pushsection gort_tests, \"awR\", @progbits", ".balign 8", ".quad 0", ".popsection");
        $crate::main!(__gort_tests);
    };
}
