//! Packages of a stranger, made from exactly what the README tells users to write.

use super::{Outcome, root, run_for};
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

/// The README's block of code behind the line that names `file`.
pub fn block(file: &str) -> String {
    let readme = std::fs::read_to_string(root().join("README.md")).unwrap();
    let at = readme.find(&format!("`{file}`:")).unwrap_or_else(|| panic!("README.md names no `{file}`"));
    let rest = &readme[at..];
    let start = rest.find("```").unwrap();
    let start = start + rest[start..].find('\n').unwrap() + 1;
    rest[start..start + rest[start..].find("```").unwrap()].to_string()
}

/// A folder outside of the workspace, removed in the end.
pub struct Package(pub PathBuf);

impl Package {
    /// The README's program.
    pub fn new(name: &str) -> Package {
        let folder = std::env::temp_dir().join(format!("gort-downstream-{}-{name}", std::process::id()));
        std::fs::create_dir_all(folder.join("src")).unwrap();
        let package = Package(folder);
        let manifest = block("Cargo.toml").replace("gort = \"0.1\"", &format!("gort = {{ path = {:?} }}", root()));
        assert!(manifest.contains("path ="), "{manifest}");
        package.write("Cargo.toml", &manifest);
        package.write("build.rs", &block("build.rs"));
        package.write("src/main.rs", &block("src/main.rs"));
        std::fs::copy(root().join("Cargo.lock"), package.0.join("Cargo.lock")).unwrap();
        package
    }

    pub fn write(&self, file: &str, text: &str) {
        std::fs::write(self.0.join(file), text).unwrap();
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut cargo = Command::new(env!("CARGO"));
        cargo.args(arguments).current_dir(&self.0).env("CARGO_TARGET_DIR", self.0.join("target"));
        cargo
    }

    pub fn cargo(&self, arguments: &[&str]) -> Outcome {
        run_for(&mut self.command(arguments), Duration::from_secs(300))
    }

    pub fn run_with(&self, arguments: &[&str], procs: &str) -> Outcome {
        run_for(self.command(arguments).env("GOMAXPROCS", procs), Duration::from_secs(300))
    }
}

impl Drop for Package {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
