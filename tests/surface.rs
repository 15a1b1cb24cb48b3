//! What the public interface leaves out on purpose: a goroutine has no id, no name, and no storage of its own, and there is no handle of the current one.

mod common;

use common::named::Tree;

/// Modules about other things than goroutines: files, hosts and processes have names and ids.
const OTHERS: [&str; 5] = ["fs", "io", "net", "os", "process"];

/// A function's name has none of these words.
const WORDS: [&str; 11] = ["id", "ids", "goid", "gid", "tid", "gettid", "name", "named", "current", "local", "key"];

/// The thread's id is a system call's result: with `lock_os_thread` it is what Go's users have.
const ALLOWED: [(&str, &str); 1] = [("src/syscall.rs", "gettid")];

/// The files whose public functions are the interface: `pub mod` and `pub use` of `src/lib.rs`.
fn public_files<'a>(tree: &'a Tree, lib: &str) -> Vec<&'a str> {
    let mut places = Vec::new();
    for line in lib.lines().map(str::trim).take_while(|line| !line.starts_with("pub mod __private")) {
        if let Some(module) = line.strip_prefix("pub mod ").and_then(|rest| rest.strip_suffix(';')) {
            places.push(module.to_string());
        } else if let Some(path) = line.strip_prefix("pub use ") {
            let path: Vec<&str> = path.trim_end_matches(';').split("::").take_while(|part| !part.starts_with('{')).collect();
            places.push(path.join("/"));
            places.push(path[..path.len() - 1].join("/"));
        }
    }
    places.retain(|place| !place.is_empty() && place != "sched" && !OTHERS.contains(&place.as_str()));
    let is_public = |path: &&str| places.iter().any(|place| *path == format!("src/{place}.rs") || path.starts_with(&format!("src/{place}/")));
    tree.paths().filter(is_public).collect()
}

/// The public functions of a source whose names have a word that none should.
fn told(text: &str) -> Vec<&str> {
    let functions = text.lines().filter_map(|line| {
        let rest = line.trim().strip_prefix("pub ")?;
        let rest = ["const ", "unsafe ", "extern \"C\" "].into_iter().fold(rest, |rest, word| rest.strip_prefix(word).unwrap_or(rest));
        rest.strip_prefix("fn ")?.split(['(', '<']).next()
    });
    functions.filter(|function| function.split('_').any(|word| WORDS.contains(&word))).collect()
}

#[test]
fn no_public_function_tells_a_goroutines_id_or_gives_it_a_name_or_storage() {
    let tree = Tree::of_project();
    let files = public_files(&tree, tree.text("src/lib.rs"));
    for known in ["src/runtime.rs", "src/sched/join.rs", "src/sched/scope.rs", "src/debug.rs", "src/sync/waitgroup.rs"] {
        assert!(files.contains(&known), "{known} is not among {files:?}");
    }
    let found: Vec<(&str, &str)> = files.iter().flat_map(|&file| told(tree.text(file)).into_iter().map(move |function| (file, function))).collect();
    assert_eq!(found, ALLOWED);
    assert!(!files.iter().any(|file| tree.text(file).contains("thread_local")), "there is storage of a thread or a goroutine");
}

#[test]
fn such_functions_are_found() {
    let text = "    pub fn id(&self) -> u64 {\npub const fn set_name<T>(name: T) {\npub fn identity() {\nfn goid() {\npub(crate) fn tid() {\npub unsafe fn current() {\n";
    assert_eq!(told(text), ["id", "set_name", "current"]);
}
