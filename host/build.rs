//! The program is built again when what is embedded in it was.

fn main() {
    // What is missing would be taken for changed, at each build.
    std::fs::create_dir_all("../build/console").ok();
    println!("cargo:rerun-if-changed=../build/console");
    println!("cargo:rerun-if-changed=migrations");
}
