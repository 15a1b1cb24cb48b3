//! `/proc/self/cgroup`: one line a hierarchy, `id:controllers:path`.
//!
//! 1. A v1 hierarchy with `cpu` among its controllers shares out CPU time; where there is none, that of v2 (`0::path`) may. No controller is in both.
//! 2. The order of the lines does not matter; a v1 line for `cpu` ends the search.
//! 3. The path is relative to the process's cgroup namespace: what lies above that namespace's root begins with `/..`.

use super::text::Text;
use super::{PATH_MAX, Version};

/// What a line is about, once its controllers are known.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Field {
    Id,
    Controllers,
    /// The path, of a hierarchy that may share out CPU time.
    Path(Version),
    /// The rest of a line that does not matter.
    Rest,
}

/// See the head of this file.
pub struct Group {
    field: Field,
    word: Text<4>,
    is_v2: bool,
    has_cpu: bool,
    version: Option<Version>,
    path: Text<PATH_MAX>,
}

impl Group {
    /// Nothing read yet.
    #[allow(clippy::new_without_default)]
    pub const fn new() -> Group {
        Group { field: Field::Id, word: Text::new(), is_v2: false, has_cpu: false, version: None, path: Text::new() }
    }

    /// Reads on. True: the rest of the file does not matter.
    // Cold, like all that runs once: it is made small, not fast.
    #[cold]
    pub fn feed(&mut self, text: &[u8]) -> bool {
        for &byte in text {
            if self.version == Some(Version::V1) {
                break;
            }
            self.step(byte);
        }
        self.version == Some(Version::V1)
    }

    fn step(&mut self, byte: u8) {
        match (self.field, byte) {
            (_, b'\n') => self.end_line(),
            (Field::Rest, _) => {}
            (Field::Path(_), byte) => self.path.push(byte),
            (Field::Id, b':') => {
                self.is_v2 = self.word.is(b"0");
                self.has_cpu = false;
                self.word.clear();
                self.field = Field::Controllers;
            }
            (Field::Controllers, b':' | b',') => {
                self.has_cpu |= self.word.is(b"cpu");
                self.word.clear();
                if byte == b':' {
                    self.begin_path();
                }
            }
            (Field::Id | Field::Controllers, byte) => self.word.push(byte),
        }
    }

    fn begin_path(&mut self) {
        self.field = match (self.is_v2, self.has_cpu) {
            (true, _) => Field::Path(Version::V2),
            (false, true) => Field::Path(Version::V1),
            (false, false) => Field::Rest,
        };
        if self.field != Field::Rest {
            self.path.clear();
        }
    }

    #[cold]
    fn end_line(&mut self) {
        if let Field::Path(version) = self.field {
            self.version = Some(version);
        }
        self.word.clear();
        self.field = Field::Id;
    }

    /// The file is at its end: the hierarchy, and the group's path in it, which begins with `/`.
    pub fn finish(&mut self) -> Option<(Version, &[u8])> {
        if self.version != Some(Version::V1) {
            self.end_line();
        }
        let path = self.path.get().filter(|path| path.first() == Some(&b'/'))?;
        Some((self.version?, path))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::format;
    use std::string::{String, ToString};
    use std::vec::Vec;

    fn parse(text: &[u8], piece: usize) -> Option<(Version, Vec<u8>)> {
        let mut group = Group::new();
        for piece in text.chunks(piece) {
            if group.feed(piece) {
                break;
            }
        }
        group.finish().map(|(version, path)| (version, path.to_vec()))
    }

    #[track_caller]
    fn says(text: &str, want: Option<(Version, &str)>) {
        for piece in [1, 2, 3, 7, 4096] {
            let got = parse(text.as_bytes(), piece);
            assert_eq!(got, want.map(|(version, path)| (version, path.as_bytes().to_vec())), "{text:?} in pieces of {piece}");
        }
    }

    #[test]
    fn v1_is_the_hierarchy_with_cpu_among_its_controllers() {
        says("12:cpu,cpuacct:/docker/ab\n11:memory:/m\n", Some((Version::V1, "/docker/ab")));
        says("2:cpuacct,cpu:/x\n", Some((Version::V1, "/x")));
        says("9:name=systemd:/\n2:cpuacct:/a\n1:cpu:/b\n0::/\n", Some((Version::V1, "/b")));
    }

    #[test]
    fn v2_counts_where_no_v1_hierarchy_has_cpu() {
        says("0::/user.slice/a b\n", Some((Version::V2, "/user.slice/a b")));
        says("0::/\n4:memory:/m\n2:cpuset,cpuacct:/a\n", Some((Version::V2, "/")));
        says("3:cpuset:/s\n0::/g", Some((Version::V2, "/g")));
    }

    #[test]
    fn hybrid_has_cpu_in_v1_whatever_the_order() {
        says("0::/two\n1:cpu:/one\n", Some((Version::V1, "/one")));
        says("1:cpu:/one\n0::/two\n", Some((Version::V1, "/one")));
    }

    #[test]
    fn only_the_first_two_colons_separate() {
        says("0::/a:b:cpu:/c\n", Some((Version::V2, "/a:b:cpu:/c")));
        says("1:cpu:/a:0::/b\n", Some((Version::V1, "/a:0::/b")));
    }

    #[test]
    fn a_path_above_the_namespace_is_kept_as_it_stands() {
        says("0::/../../init\n", Some((Version::V2, "/../../init")));
    }

    #[test]
    fn what_is_no_such_file_says_nothing() {
        for text in ["", "\n\n", "0", "0:", "0::", "0::relative\n", "1:cpu\n", ":::\n", "1:cpux:/a\n", "1:xcpu:/a\n", "00::/a\n", "1:name=cpu:/a\n", "garbage"]
        {
            says(text, None);
        }
        says("garbage\n0::/a\n", Some((Version::V2, "/a")));
    }

    #[test]
    fn a_path_may_be_as_long_as_the_kernel_prints_and_a_longer_one_is_none() {
        let long = "/".to_string() + &"x".repeat(PATH_MAX - 1);
        says(&format!("0::{long}\n"), Some((Version::V2, &long)));
        says(&format!("0::{long}x\n"), None);
        // A long line that does not matter is skipped.
        says(&format!("7:{}:/{long}{long}\n0::/a\n", "memory,".repeat(3000)), Some((Version::V2, "/a")));
    }

    proptest! {
        #[test]
        fn any_bytes_in_any_pieces_are_survived_alike(lines in proptest::collection::vec("(0|1|12|x)?:?(cpu|cpuacct|,|memory)*:?[/.:a\\n]{0,9}", 0..6), noise in any::<Vec<u8>>(), piece in 1usize..40) {
            for text in [lines.join("\n").into_bytes(), noise] {
                let whole = parse(&text, text.len().max(1));
                prop_assert_eq!(&whole, &parse(&text, piece), "{:?}", String::from_utf8_lossy(&text));
                prop_assert!(whole.is_none_or(|(_, path)| path.starts_with(b"/")));
            }
        }
    }
}
