//! The program `noetl`.

fn main() -> std::process::ExitCode {
    noetl::cli::main()
}
