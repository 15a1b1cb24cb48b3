fn main() {
    println!("{}", std::env::var("DEP_GORT_BINS").unwrap().replace(' ', "\n"));
    // The C that one of the programs calls.
    println!("cargo::rerun-if-changed=src/bin/ffi.c");
    let object = format!("{}/ffi.o", std::env::var("OUT_DIR").unwrap());
    let cc = std::process::Command::new("cc").args(["-c", "-O2", "-ffreestanding", "-fno-stack-clash-protection", "src/bin/ffi.c", "-o", &object]).status();
    assert!(cc.expect("a C compiler").success());
    println!("cargo::rustc-link-arg-bin=ffi={object}");
}
