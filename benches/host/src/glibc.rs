//! The glibc peer: its memory routines, and its allocator.
mod workloads;

fn main() {
    workloads::main(&["memcpy", "alloc"]);
}
