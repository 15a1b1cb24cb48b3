//! Tests that std's harness runs too (`tests/testing.rs`), with a stand-in for gort that has `test!`, `print!` and their kin.

gort::test! {
    fn passes() {
        gort::println!("quiet");
    }

    fn fails() {
        gort::println!("said");
        gort::eprintln!("and shouted");
        panic!("boom {}", 1);
    }

    /// An assertion's message has several lines.
    #[allow(clippy::assertions_on_constants)]
    fn fails_in_an_assertion() {
        assert_eq!(1 + 1, 3, "sums");
    }

    #[ignore]
    fn is_ignored() {}

    #[ignore = "fails anyway"]
    fn is_ignored_and_fails() {
        panic!("ignored");
    }

    fn returns_a_value() -> Result<(), &'static str> {
        Ok(())
    }

    fn returns_an_error() -> Result<(), &'static str> {
        Err("bad")
    }
}

mod panics {
    gort::test! {
        #[should_panic]
        fn somehow() {
            panic!("x");
        }

        #[should_panic(expected = "boom")]
        fn as_expected() {
            panic!("a boom {}", "and more");
        }

        #[should_panic(expected = "yes")]
        fn not_as_expected() {
            gort::println!("before");
            panic!("no \"quoted\"");
        }

        #[should_panic]
        fn not_at_all() {}

        #[should_panic(expected = "soon")]
        fn not_at_all_but_prints() {
            gort::print!("unfinished");
        }

        #[should_panic]
        #[ignore = "later"]
        fn ignored() {}
    }
}

/// More than two lines of the terse format.
mod many {
    macro_rules! many {
        ($($name:ident)*) => { gort::test! { $(fn $name() {})* } };
    }

    many! {
        a00 a01 a02 a03 a04 a05 a06 a07 a08 a09 a10 a11 a12 a13 a14 a15 a16 a17 a18 a19 a20 a21 a22 a23 a24 a25 a26 a27 a28 a29
        b00 b01 b02 b03 b04 b05 b06 b07 b08 b09 b10 b11 b12 b13 b14 b15 b16 b17 b18 b19 b20 b21 b22 b23 b24 b25 b26 b27 b28 b29
        c00 c01 c02 c03 c04 c05 c06 c07 c08 c09 c10 c11 c12 c13 c14 c15 c16 c17 c18 c19 c20 c21 c22 c23 c24 c25 c26 c27 c28 c29
        d00 d01 d02 d03 d04 d05 d06 d07 d08 d09 d10 d11 d12 d13 d14 d15 d16 d17 d18 d19 d20 d21 d22 d23 d24 d25 d26 d27 d28 d29
        e00 e01 e02 e03 e04 e05 e06 e07 e08 e09 e10 e11 e12 e13 e14 e15 e16 e17 e18 e19 e20 e21 e22 e23 e24 e25 e26 e27 e28 e29
        f00 f01 f02 f03 f04 f05 f06 f07 f08 f09 f10 f11 f12 f13 f14 f15 f16 f17 f18 f19 f20 f21 f22 f23 f24 f25 f26 f27 f28 f29
    }
}
