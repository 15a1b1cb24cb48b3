//! A group's directory and those of its ancestors, up to the mount point: the paths of the files in them.

use super::PATH_MAX;

/// The longest name of a file in a group, its end included.
const NAME: usize = 32;
/// A mount point, a group below it, a file's name.
const SPACE: usize = 2 * PATH_MAX + NAME;

/// See the head of this file. It begins at the group itself.
pub struct Levels {
    path: [u8; SPACE],
    len: usize,
    /// The length of the mount point.
    top: usize,
}

impl Levels {
    /// The empty one.
    pub(super) const fn new() -> Levels {
        Levels { path: [0; SPACE], len: 0, top: 0 }
    }

    /// The group at `below` (empty, or a path that begins with `/`) under `mount_point`, both shorter than `PATH_MAX`.
    pub(super) fn set(&mut self, mount_point: &[u8], below: &[u8]) {
        (self.len, self.top) = (0, 0);
        self.push(mount_point);
        self.top = self.len;
        self.push(below);
    }

    fn push(&mut self, bytes: &[u8]) {
        let bytes = &bytes[..bytes.len().min(PATH_MAX)];
        self.path[self.len..self.len + bytes.len()].copy_from_slice(bytes);
        self.len += bytes.len();
    }

    /// The mount point.
    pub(super) fn mount_point(&self) -> &[u8] {
        &self.path[..self.top]
    }

    /// The path of file `name` at this level, with a zero byte at its end. It may be longer than the kernel takes at once.
    pub fn file(&mut self, name: &str) -> &mut [u8] {
        let name = &name.as_bytes()[..name.len().min(NAME - 2)];
        let end = self.len + 1 + name.len();
        self.path[self.len] = b'/';
        self.path[self.len + 1..end].copy_from_slice(name);
        self.path[end] = 0;
        &mut self.path[..=end]
    }

    /// Goes to the parent. False: this was the mount point, and nothing is in sight above it.
    pub fn up(&mut self) -> bool {
        let below = &self.path[self.top..self.len];
        match below.iter().rposition(|&b| b == b'/') {
            Some(at) => {
                self.len = self.top + at;
                true
            }
            None => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::string::{String, ToString};
    use std::vec::Vec;

    fn all(mount_point: &str, below: &str) -> Vec<String> {
        let mut levels = Levels::new();
        levels.set(mount_point.as_bytes(), below.as_bytes());
        let mut paths = Vec::new();
        loop {
            paths.push(String::from_utf8_lossy(levels.file("cpu.max")).trim_end_matches('\0').to_string());
            if !levels.up() {
                return paths;
            }
        }
    }

    #[test]
    fn from_the_group_to_the_mount_point() {
        assert_eq!(all("/sys/fs/cgroup", "/a/b c"), ["/sys/fs/cgroup/a/b c/cpu.max", "/sys/fs/cgroup/a/cpu.max", "/sys/fs/cgroup/cpu.max"]);
        assert_eq!(all("/sys/fs/cgroup", ""), ["/sys/fs/cgroup/cpu.max"]);
        assert_eq!(all("/", "/a"), ["//a/cpu.max", "//cpu.max"]);
    }

    proptest! {
        #[test]
        fn paths_of_any_length_have_room(point in 0..PATH_MAX, below in "(/[a-z.]{0,5}){0,90}", name in "[a-z.]{0,40}") {
            let mut levels = Levels::new();
            levels.set(&std::vec![b'm'; point], below.as_bytes());
            let mut steps = 0;
            loop {
                let file = levels.file(&name);
                prop_assert_eq!(file.iter().position(|&b| b == 0), Some(file.len() - 1));
                if !levels.up() {
                    break;
                }
                steps += 1;
            }
            prop_assert_eq!(steps, below.matches('/').count());
            prop_assert_eq!(levels.mount_point().len(), point);
        }
    }
}
