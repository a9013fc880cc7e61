//! Attacks that must fail: the cases of `tests/attacks/`, one test for each.
//!
//! `cargo test --test attacks -- sql` runs those whose name has `sql` in it.
//! `tests/attacks/README.md` says how a case is written.

mod cache;
mod case;
mod expand;
mod expect;
mod http;
mod sandbox;
mod terminal;
mod world;

use std::process::ExitCode;
use std::sync::Arc;

use libtest_mimic::{Arguments, Failed, Trial};

use world::World;

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let world = Arc::new(World::new());
    let trials = case::all()
        .into_iter()
        .map(|(class, case)| {
            let world = world.clone();
            let name = format!("{class}::{}", case.name);
            let open = case.open.is_some();
            Trial::test(name, move || world.run(&case).map_err(Failed::from))
                .with_ignored_flag(open)
        })
        .collect();
    let conclusion = libtest_mimic::run(&arguments, trials);
    world.close();
    conclusion.exit_code()
}
