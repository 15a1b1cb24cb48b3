//! Files that the runtime reads: the kernel's own, about this process.

use super::Errno;
use core::ffi::CStr;
use rustix::fd::AsFd;
use rustix::fs::{CWD, Mode, OFlags, openat};

pub use rustix::fd::OwnedFd;

/// The longest path that the kernel takes at once, its end included.
const PATH_MAX: usize = 4096;

/// Opens a file for reading; it is closed when the result drops. `path` ends with a zero byte; the kernel sees what stands before the first. One
/// longer than the kernel takes at once is followed by way of directories in between.
///
/// It waits for nobody: a pipe in place of the file reads as empty.
#[cold]
pub fn open(path: &mut [u8]) -> Result<OwnedFd, Errno> {
    let mut directory = None;
    let mut rest = path;
    while rest.len() > PATH_MAX {
        let cut = rest[..PATH_MAX].iter().rposition(|&b| b == b'/').filter(|&at| at > 0).ok_or(Errno::NAMETOOLONG)?;
        let (head, tail) = rest.split_at_mut(cut + 1);
        head[cut] = 0;
        let opened = open_at(directory.as_ref(), head, OFlags::PATH | OFlags::DIRECTORY);
        head[cut] = b'/';
        directory = Some(opened?);
        let slashes = tail.iter().take_while(|&&b| b == b'/').count();
        rest = &mut tail[slashes..];
    }
    open_at(directory.as_ref(), rest, OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY)
}

#[cold]
#[inline(never)]
fn open_at(directory: Option<&OwnedFd>, path: &[u8], flags: OFlags) -> Result<OwnedFd, Errno> {
    if path.last() != Some(&0) {
        return Err(Errno::INVAL);
    }
    // SAFETY: it ends with a zero byte, or before.
    let path = unsafe { CStr::from_ptr(path.as_ptr().cast()) };
    openat(directory.map_or(CWD, AsFd::as_fd), path, flags | OFlags::CLOEXEC, Mode::empty())
}

/// Reads some of the file into `buffer`, and says how much; 0 is its end.
pub fn read(file: &OwnedFd, buffer: &mut [u8]) -> Result<usize, Errno> {
    rustix::io::read(file, buffer)
}

/// Reads what stands at `offset` into `buffer`, and says how much that was.
pub fn read_at(file: &OwnedFd, buffer: &mut [u8], offset: u64) -> Result<usize, Errno> {
    rustix::io::pread(file, buffer, offset)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ffi::CString;
    use std::os::unix::ffi::OsStrExt;
    use std::path::PathBuf;
    use std::vec::Vec;

    fn text_of(path: &[u8]) -> Result<Vec<u8>, Errno> {
        let mut path = CString::new(path).unwrap().into_bytes_with_nul();
        let before = path.clone();
        let opened = open(&mut path);
        assert_eq!(path, before);
        let mut buffer = [0; 64];
        let n = read(&opened?, &mut buffer)?;
        Ok(buffer[..n].to_vec())
    }

    /// A folder of this test's own, removed at its end.
    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Folder {
            let path = std::env::temp_dir().join(std::format!("gort-file-{}-{name}", std::process::id()));
            std::fs::create_dir(&path).unwrap();
            Folder(path)
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            // A deep tree: std would hold a descriptor for each level.
            let _ = std::process::Command::new("rm").arg("-rf").arg(&self.0).status();
        }
    }

    #[test]
    fn a_path_longer_than_the_kernel_takes_is_followed() {
        let folder = Folder::new("deep");
        let base = folder.0.as_os_str().as_bytes();
        for (depth, name) in [(3, 200), (19, 200), (45, 200), (45, 1), (2100, 1), (4500, 1)] {
            // Made step by step, for no call takes the whole path.
            let name = "d".repeat(name);
            let mut at = rustix::fs::open(base, OFlags::PATH, Mode::empty()).unwrap();
            for _ in 0..depth {
                let _ = rustix::fs::mkdirat(&at, &*name, Mode::RWXU);
                at = openat(&at, &*name, OFlags::PATH, Mode::empty()).unwrap();
            }
            let file = openat(&at, "f", OFlags::CREATE | OFlags::WRONLY | OFlags::TRUNC, Mode::RWXU).unwrap();
            rustix::io::write(&file, std::format!("{depth}").as_bytes()).unwrap();
            for slash in ["/", "//"] {
                let path = [base, std::format!("{slash}{name}").repeat(depth).as_bytes(), b"/f"].concat();
                assert_eq!(text_of(&path), Ok(std::format!("{depth}").into_bytes()), "{} bytes", path.len());
            }
        }
    }

    #[test]
    fn what_cannot_be_read_is_an_error_and_never_waits() {
        let folder = Folder::new("odd");
        let path = |name: &str| folder.0.join(name).into_os_string().as_bytes().to_vec();
        rustix::fs::mknodat(CWD, &path("pipe")[..], rustix::fs::FileType::Fifo, Mode::RWXU, 0).unwrap();
        assert_eq!(text_of(&path("pipe")), Ok(Vec::new()));
        assert_eq!(text_of(&path("")), Err(Errno::ISDIR));
        assert_eq!(text_of(&path("missing")), Err(Errno::NOENT));
        assert_eq!(text_of(&[b'/'; 1].repeat(9000)), Err(Errno::NOENT));
        assert_eq!(text_of(&[b'x'; 1].repeat(9000)), Err(Errno::NAMETOOLONG));
        assert_eq!(open(&mut b"/missing\0/dev/null\0".to_vec()).err(), Some(Errno::NOENT));
        assert_eq!(open(&mut b"/dev/null".to_vec()).err(), Some(Errno::INVAL));
        assert_eq!(open(&mut []).err(), Some(Errno::INVAL));
    }
}
