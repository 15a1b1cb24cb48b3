//! `docs/crates.md`: each program of the page is a stranger's, built outside of the workspace, and prints what the page says.

mod common;

use common::package::Package;
use common::root;

struct Section {
    name: String,
    dependencies: String,
    /// `.cargo/config.toml`, if it needs one.
    config: Option<String>,
    program: String,
    output: String,
}

/// The blocks of code of a section, each with its language.
fn blocks(text: &str) -> Vec<(String, String)> {
    let mut blocks = Vec::new();
    let mut rest = text;
    while let Some((_, after)) = rest.split_once("```") {
        let (language, body) = after.split_once('\n').expect("a block has lines");
        let (body, after) = body.split_once("```").expect("a block has an end");
        blocks.push((language.to_string(), body.to_string()));
        rest = after;
    }
    blocks
}

fn sections(page: &str) -> Vec<Section> {
    let sections = page.split("\n## ").skip(1).map(|text| {
        let name = text.lines().next().unwrap().to_string();
        let mut blocks = blocks(text).into_iter();
        let mut next = |language: &str| blocks.next().filter(|block| block.0 == language).unwrap_or_else(|| panic!("{name}: no block of {language}")).1;
        let dependencies = next("toml");
        let config = text.contains("\n`.cargo/config.toml`:\n").then(|| next("toml"));
        let (program, output) = (next("rust"), next("text"));
        Section { name, dependencies, config, program, output }
    });
    sections.collect()
}

#[test]
fn the_programs_of_the_page_build_and_print_what_it_says() {
    let page = std::fs::read_to_string(root().join("docs/crates.md")).unwrap();
    let sections = sections(&page);
    let names: Vec<&str> = sections.iter().map(|section| section.name.as_str()).collect();
    assert_eq!(names, ["hashbrown", "log", "serde", "futures-util, async-channel", "getrandom"]);
    // One package, whose files change: gort is built once for all that need no flags.
    let package = Package::new("crates");
    let manifest = std::fs::read_to_string(package.0.join("Cargo.toml")).unwrap();
    std::fs::create_dir(package.0.join(".cargo")).unwrap();
    for section in &sections {
        package.write("Cargo.toml", &manifest.replace("[dependencies]\n", &format!("[dependencies]\n{}", section.dependencies)));
        package.write(".cargo/config.toml", section.config.as_deref().unwrap_or_default());
        package.write("src/main.rs", &section.program);
        for procs in ["1", "4"] {
            let outcome = package.run_with(&["run", "-q"], procs);
            assert_eq!((outcome.status, &outcome.stdout), (Some(0), &section.output), "{}: {outcome:#?}", section.name);
        }
    }
}
