//! `/proc/self/mountinfo`: where the hierarchy that shares out CPU time is mounted, and our group in it.
//!
//! `36 35 98:0 /root /mount/point rw,noatime master:1 … - cgroup2 source rw,super,options`, separated by single spaces; a field may be empty.
//!
//! 1. A mount of v2 is of type `cgroup2`; one of v1 of type `cgroup`, with `cpu` among its super options.
//! 2. It shows the part of the hierarchy below its root. Root and group are relative to the process's cgroup namespace, `/..` for each level above
//!    that. Our group is in sight if it is the root or lies below it; of several such mounts the one with the highest root is taken, for it shows the
//!    most ancestors, and of equal ones the first.
//! 3. Of a root above the namespace we do not know which of its groups the namespace's root is: in sight is then that root alone, an ancestor.
//!    It is taken only if no mount shows more.
//! 4. A mount on the same mount point, whose parent is the first one, hides that.
//! 5. A line that is malformed, or a path that is too long, is passed over.

use super::levels::Levels;
use super::text::Text;
use super::{PATH_MAX, Version};

#[derive(Clone, Copy, PartialEq, Eq)]
enum Field {
    Id,
    Parent,
    Device,
    Root,
    Point,
    /// The mount's options, and the optional fields up to `-`.
    Options,
    Type,
    Source,
    Super,
}

/// Where our group lies in what a mount shows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Place<'a> {
    /// At this path below the mount's root: empty, or it begins with `/`.
    Below(&'a [u8]),
    /// Somewhere below it.
    Unknown,
}

/// See the head of this file.
pub struct Mounts<'a> {
    version: Version,
    group: &'a [u8],
    field: Field,
    malformed: bool,
    id: u64,
    parent: u64,
    root: Path,
    point: Path,
    word: Text<8>,
    /// Of a v1 line: is `cpu` among the super options?
    has_cpu: bool,
    best: Option<Best>,
    levels: Levels,
}

/// The mount that shows the most up to now.
struct Best {
    id: u64,
    /// The length of its root.
    root: usize,
}

impl<'a> Mounts<'a> {
    /// Nothing read yet; looks for `group`, which begins with `/`.
    pub const fn new(version: Version, group: &'a [u8]) -> Mounts<'a> {
        Mounts {
            version,
            group,
            field: Field::Id,
            malformed: false,
            id: 0,
            parent: 0,
            root: Path::new(),
            point: Path::new(),
            word: Text::new(),
            has_cpu: false,
            best: None,
            levels: Levels::new(),
        }
    }

    /// Reads on.
    // Cold, like all that runs once: it is made small, not fast.
    #[cold]
    pub fn feed(&mut self, text: &[u8]) {
        text.iter().for_each(|&byte| self.step(byte));
    }

    #[cold]
    fn step(&mut self, byte: u8) {
        match (self.field, byte) {
            (_, b'\n') => self.end_line(),
            (Field::Super, b',') => self.end_option(),
            (Field::Super, byte) => self.word.push(byte),
            (field, b' ') => self.next_field(field),
            (Field::Id, digit) => self.malformed |= !push_digit(&mut self.id, digit),
            (Field::Parent, digit) => self.malformed |= !push_digit(&mut self.parent, digit),
            (Field::Root, byte) => self.root.push(byte),
            (Field::Point, byte) => self.point.push(byte),
            (Field::Options | Field::Type, byte) => self.word.push(byte),
            (Field::Device | Field::Source, _) => {}
        }
    }

    fn next_field(&mut self, field: Field) {
        self.field = match field {
            Field::Id => Field::Parent,
            Field::Parent => Field::Device,
            Field::Device => Field::Root,
            Field::Root => Field::Point,
            Field::Point => Field::Options,
            Field::Options if self.word.is(b"-") => Field::Type,
            Field::Options => Field::Options,
            Field::Type => {
                self.malformed |= !self.word.is(if self.version == Version::V1 { b"cgroup" } else { b"cgroup2" });
                Field::Source
            }
            Field::Source | Field::Super => Field::Super,
        };
        self.word.clear();
    }

    fn end_option(&mut self) {
        self.has_cpu |= self.word.is(b"cpu");
        self.word.clear();
    }

    #[cold]
    fn end_line(&mut self) {
        if self.field == Field::Super {
            self.end_option();
        }
        if matches!(self.field, Field::Source | Field::Super) {
            self.look();
        }
        self.field = Field::Id;
        (self.malformed, self.has_cpu, self.id, self.parent) = (false, false, 0, 0);
        self.root.clear();
        self.point.clear();
        self.word.clear();
    }

    /// A whole line has been read.
    fn look(&mut self) {
        let (Some(root), Some(point)) = (self.root.get(), self.point.get()) else { return };
        if self.best.as_ref().is_some_and(|best| best.id == self.parent) && self.levels.mount_point() == point {
            self.best = None;
        }
        if self.malformed || (self.version == Version::V1 && !self.has_cpu) {
            return;
        }
        let Some(place) = place(self.group, root) else { return };
        let (below, root) = match place {
            Place::Below(below) => (below, root.len()),
            Place::Unknown => (&b""[..], usize::MAX),
        };
        if self.best.as_ref().is_none_or(|best| root < best.root) {
            self.best = Some(Best { id: self.id, root });
            self.levels.set(point, below);
        }
    }

    /// The file is at its end: the group's directory, and those above it.
    pub fn finish(&mut self) -> Option<&mut Levels> {
        self.end_line();
        self.best.as_ref()?;
        Some(&mut self.levels)
    }
}

/// Invariants 2 and 3: where `group` lies below a mount's root.
fn place<'a>(group: &'a [u8], root: &[u8]) -> Option<Place<'a>> {
    let ((group_ups, group), (root_ups, root)) = (split_ups(group)?, split_ups(root)?);
    if root_ups > group_ups && root.is_empty() {
        return Some(Place::Unknown);
    }
    let below = group.strip_prefix(root)?;
    (root_ups == group_ups && (below.is_empty() || below[0] == b'/')).then_some(Place::Below(below))
}

/// How many `/..` a path begins with, and the rest, which is empty for the root itself. None if it is no absolute path.
#[cold]
#[inline(never)]
fn split_ups(path: &[u8]) -> Option<(usize, &[u8])> {
    let (mut ups, mut rest) = (0, path);
    while let Some(after) = rest.strip_prefix(b"/..")
        && (after.is_empty() || after[0] == b'/')
    {
        (ups, rest) = (ups + 1, after);
    }
    match rest {
        b"/" => Some((ups, b"")),
        [] if ups > 0 => Some((ups, b"")),
        [b'/', ..] => Some((ups, rest)),
        _ => None,
    }
}

fn push_digit(number: &mut u64, digit: u8) -> bool {
    let value = digit.wrapping_sub(b'0');
    *number = number.wrapping_mul(10).wrapping_add(value.into());
    value <= 9
}

/// A path of mountinfo, without its escapes: a backslash and three octal digits are one byte.
struct Path {
    text: Text<{ PATH_MAX - 1 }>,
    /// Digits to come, and what those before say.
    escape: (u8, u16),
    malformed: bool,
}

impl Path {
    const fn new() -> Path {
        Path { text: Text::new(), escape: (0, 0), malformed: false }
    }

    fn clear(&mut self) {
        self.text.clear();
        (self.escape, self.malformed) = ((0, 0), false);
    }

    #[cold]
    fn push(&mut self, byte: u8) {
        match (self.escape, byte) {
            ((0, _), b'\\') => self.escape = (3, 0),
            ((0, _), byte) => self.text.push(byte),
            ((left, value), b'0'..=b'7') => {
                let value = value * 8 + u16::from(byte - b'0');
                self.escape = (left - 1, value);
                if left == 1 {
                    match u8::try_from(value) {
                        Ok(byte) => self.text.push(byte),
                        Err(_) => self.malformed = true,
                    }
                }
            }
            _ => self.malformed = true,
        }
    }

    /// All of it; none if it was malformed or too long, or is no absolute path.
    fn get(&self) -> Option<&[u8]> {
        let text = self.text.get().filter(|text| text.first() == Some(&b'/'))?;
        (!self.malformed && self.escape.0 == 0).then_some(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Version::{V1, V2};
    use proptest::prelude::*;
    use std::format;
    use std::string::{String, ToString};
    use std::vec::Vec;

    /// The path of the group's directory, and the length of the mount point in it.
    fn parse(version: Version, group: &str, text: &[u8], piece: usize) -> Option<(String, usize)> {
        let mut mounts = Mounts::new(version, group.as_bytes());
        text.chunks(piece).for_each(|piece| mounts.feed(piece));
        let levels = mounts.finish()?;
        let top = levels.mount_point().len();
        Some((String::from_utf8_lossy(levels.file("")).trim_end_matches("/\0").to_string(), top))
    }

    #[track_caller]
    fn finds(version: Version, group: &str, text: &str, want: Option<(&str, &str)>) {
        for piece in [1, 5, 4096] {
            let got = parse(version, group, text.as_bytes(), piece);
            let want = want.map(|(point, below)| (format!("{point}{below}"), point.len()));
            assert_eq!(got, want, "{group} in {text}, in pieces of {piece}");
        }
    }

    const HYBRID: &str = "27 1 254:0 / / rw,relatime - ext4 /dev/vda rw\n\
        31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755\n\
        33 31 0:30 / /sys/fs/cgroup/cpuacct rw,relatime shared:4 - cgroup cgroup rw,cpuacct\n\
        32 31 0:29 / /sys/fs/cgroup/cpu rw,relatime shared:5 master:3 - cgroup cgroup rw,cpu\n\
        41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw,nsdelegate\n";

    #[test]
    fn v1_is_the_mount_with_cpu_and_v2_the_cgroup2_one() {
        finds(V1, "/a/b", HYBRID, Some(("/sys/fs/cgroup/cpu", "/a/b")));
        finds(V2, "/a/b", HYBRID, Some(("/sys/fs/cgroup/unified", "/a/b")));
        finds(V1, "/", "1 2 0:3 / /c rw - cgroup cgroup rw,cpuacct,cpu,x\n", Some(("/c", "")));
        finds(V1, "/", "1 2 0:3 / /c rw - cgroup cgroup rw,xcpu,cpux,cpuset\n", None);
        finds(V2, "/", "1 2 0:3 / /c rw - cgroup cgroup rw,cpu\n1 2 0:3 / /d rw - tmpfs cgroup2 cpu\n", None);
    }

    #[test]
    fn the_root_of_a_bind_mount_is_taken_off_the_group() {
        let docker = "1 2 0:3 /docker/ab /sys/fs/cgroup/cpu ro - cgroup cgroup rw,cpu\n";
        finds(V1, "/docker/ab", docker, Some(("/sys/fs/cgroup/cpu", "")));
        finds(V1, "/docker/ab/in/side", docker, Some(("/sys/fs/cgroup/cpu", "/in/side")));
        finds(V1, "/docker/abc", docker, None);
        finds(V1, "/docker", docker, None);
        finds(V1, "/", docker, None);
    }

    #[test]
    fn the_mount_that_shows_the_most_ancestors_is_taken() {
        let leaf = "1 9 0:3 /a/b /leaf rw - cgroup2 none rw\n";
        let middle = "2 9 0:3 /a /middle rw - cgroup2 none rw\n";
        let root = "3 9 0:3 / /root rw - cgroup2 none rw\n4 9 0:3 / /again rw - cgroup2 none rw\n";
        finds(V2, "/a/b", &format!("{leaf}{middle}"), Some(("/middle", "/b")));
        for text in [format!("{leaf}{middle}{root}"), format!("{root}{middle}{leaf}")] {
            finds(V2, "/a/b", &text, Some(("/root", "/a/b")));
        }
    }

    #[test]
    fn namespaces_show_what_lies_above_them_by_dots() {
        let text = |root: &str| format!("1 2 0:3 {root} /c rw - cgroup2 none rw\n");
        finds(V2, "/", &text("/"), Some(("/c", "")));
        // In sight, though outside of the namespace.
        finds(V2, "/../init", &text("/.."), Some(("/c", "/init")));
        finds(V2, "/../../x/y", &text("/../../x"), Some(("/c", "/y")));
        // Out of sight.
        finds(V2, "/../init", &text("/"), None);
        finds(V2, "/..", &text("/"), None);
        finds(V2, "/", &text("/../other"), None);
        // An ancestor is in sight, its way down to us is not.
        finds(V2, "/", &text("/.."), Some(("/c", "")));
        finds(V2, "/in", &text("/../.."), Some(("/c", "")));
        finds(V2, "/in", &(text("/..") + "2 2 0:3 /in /own rw - cgroup2 none rw\n"), Some(("/own", "")));
        // A name that begins with dots.
        finds(V2, "/..a", &text("/"), Some(("/c", "/..a")));
        finds(V2, "/..a/b", &text("/..a"), Some(("/c", "/b")));
    }

    #[test]
    fn a_mount_that_is_mounted_over_is_not_in_sight() {
        let below = "10 2 0:3 / /c rw - cgroup2 none rw\n";
        finds(V2, "/a", &format!("{below}11 10 0:4 / /c rw - tmpfs none rw\n"), None);
        finds(V2, "/a", &format!("{below}11 10 0:3 /a /c rw - cgroup2 none rw\n"), Some(("/c", "")));
        finds(V2, "/a", &format!("{below}11 10 0:4 / /c/d rw - tmpfs none rw\n12 9 0:4 / /c rw - tmpfs none rw\n"), Some(("/c", "/a")));
    }

    #[test]
    fn escapes_are_undone_in_root_and_mount_point() {
        let text = r"1 2 0:3 /a\040b /mnt\011t\012n\134b\043 rw - cgroup2 none rw";
        finds(V2, "/a b/c", text, Some(("/mnt\tt\nn\\b#", "/c")));
        for bad in [r"/a\04", r"/a\08x", r"/a\777", r"/a\", r"/a\x41"] {
            finds(V2, "/", &format!("1 2 0:3 / {bad} rw - cgroup2 none rw\n"), None);
        }
    }

    #[test]
    fn a_path_of_escapes_only_may_be_as_long_as_any() {
        let (plain, escaped) = (" ".repeat(PATH_MAX - 2), r"\040".repeat(PATH_MAX - 2));
        let text = format!("1 2 0:3 /{escaped} /{escaped} rw - cgroup2 none rw\n");
        finds(V2, &format!("/{plain}"), &text, Some((&format!("/{plain}"), "")));
        finds(V2, "/", &format!("1 2 0:3 / /{escaped}x rw - cgroup2 none rw\n"), None);
    }

    #[test]
    fn long_lines_of_others_are_passed_over() {
        let overlay = format!("5 2 0:9 / /merged rw - overlay overlay rw,lowerdir={}\n", "/very/long:".repeat(100_000));
        finds(V2, "/a", &format!("{overlay}1 2 0:3 / /c rw - cgroup2 none rw\n{overlay}"), Some(("/c", "/a")));
    }

    #[test]
    fn malformed_lines_are_passed_over() {
        let good = "1 2 0:3 / /c rw - cgroup2 none rw";
        for text in [
            "",
            "\n\n",
            "x",
            "1 2 0:3 / /c rw cgroup2 none rw\n",
            "1 2 0:3 / /c rw - cgroup2",
            "x 2 0:3 / /c rw - cgroup2 none rw\n",
            "1 2 0:3 / c rw - cgroup2 none rw\n",
        ] {
            finds(V2, "/", text, None);
            finds(V2, "/", &format!("{text}\n{good}"), Some(("/c", "")));
        }
        // An empty source, as some mounts have it; many optional fields.
        finds(V2, "/", "1 2 0:3 / /c rw a:1 b:2 -x c - cgroup2  rw\n", Some(("/c", "")));
    }

    proptest! {
        #[test]
        fn any_bytes_in_any_pieces_are_survived_alike(
            lines in proptest::collection::vec(r"[0-9]? ?[0-9]? ?(/|/a|/\.\.|\\040|\\9){0,4} /?(c|\\134){0,3} (rw|-| ){0,4} - (cgroup2?|tmpfs) ?[a-z]{0,3} ?(rw|cpu|,){0,5}", 0..6),
            noise in any::<Vec<u8>>(), group in r"(/a|/\.\.|/){1,4}", piece in 1usize..50,
        ) {
            for text in [lines.join("\n").into_bytes(), noise] {
                for version in [V1, V2] {
                    prop_assert_eq!(parse(version, &group, &text, text.len().max(1)), parse(version, &group, &text, piece));
                }
            }
        }

        #[test]
        fn a_mount_is_found_among_others(
            point in "/[ -~]{1,40}", root in "(/[ -~&&[^/.]]{1,9}){0,3}", below in "(/[ -~&&[^/.]]{1,9}){0,3}",
            before in "[0-9]{1,3} [0-9]{1,3} 0:1 / /[a-z]{1,9} rw - (tmpfs|overlay) x [a-z,=]{0,50}\n", v1 in any::<bool>(), piece in 1usize..50,
        ) {
            let escape = |text: &str| text.replace('\\', r"\134").replace(' ', r"\040").replace('#', r"\043");
            let (version, kind) = if v1 { (V1, "cgroup cgroup rw,cpu,cpuacct") } else { (V2, "cgroup2 cgroup2 rw,nsdelegate") };
            let shown = if root.is_empty() { "/" } else { &root };
            let text = format!("{before}1234 5678 0:42 {} {} rw,nosuid master:7 - {kind}\n{before}", escape(shown), escape(&point));
            let group = if root.is_empty() && below.is_empty() { "/".to_string() } else { format!("{root}{below}") };
            prop_assert_eq!(parse(version, &group, text.as_bytes(), piece), Some((format!("{point}{below}"), point.len())));
        }
    }
}
