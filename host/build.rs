//! The program is built again when what is embedded in it was.

fn main() {
    for embedded in [
        "build/console",
        "guest-tools/templates",
        "guest-tools/sdk",
        "wit",
    ] {
        // What is missing would be taken for changed, at each build.
        std::fs::create_dir_all(format!("../{embedded}")).ok();
        println!("cargo:rerun-if-changed=../{embedded}");
    }
    println!("cargo:rerun-if-changed=migrations");
}
