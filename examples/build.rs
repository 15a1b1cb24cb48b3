fn main() {
    println!("{}", std::env::var("DEP_GORT_BINS").unwrap().replace(' ', "\n"));
}
