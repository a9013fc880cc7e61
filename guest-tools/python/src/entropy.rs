//! Fresh randomness for an instance whose memory is a copy of a snapshot.
//!
//! Everything that was seeded at build time would give the same numbers in every
//! instance. What can be seeded anew is:
//! - Rust's thread generator, which seeds `random.Random()`;
//! - the one `random.Random` behind the functions of the module `random`.
//!
//! `secrets`, `uuid4`, `os.urandom` and `random.SystemRandom` ask `wasi:random`
//! each time. The key of `hash(str)` stays that of the build: every dict of the
//! snapshot is laid out by it, and strings carry their hash with them. It is drawn
//! at random by each build; no instance outlives its step.

use rustpython_vm::{PyResult, VirtualMachine};

use crate::interpreter::Python;

/// Seeds what the snapshot had seeded.
pub fn renew(vm: &VirtualMachine, python: &Python) -> PyResult<()> {
    rand::rng()
        .reseed()
        .map_err(|error| vm.new_os_error(format!("no randomness: {error}")))?;
    python.runtime("reseed_random", vm)?.call((), vm)?;
    Ok(())
}
