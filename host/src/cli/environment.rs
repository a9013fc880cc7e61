//! Secrets in the environment. They are taken out of it when the program starts,
//! so that no process that it starts inherits them and none can read them in
//! `/proc`.

use std::ffi::CString;
use std::sync::OnceLock;

use nix::libc;

use crate::secrets::Secret;

/// The variable with the master key.
pub const MASTER_KEY: &str = "NOETL_MASTER_KEY";

static TAKEN: OnceLock<Option<Secret>> = OnceLock::new();

/// Takes the secrets out of the environment. What the command line wanted of them
/// it has by now.
///
/// # Safety
/// The process must have one thread only.
pub unsafe fn take_secrets() {
    // SAFETY: the caller's promise is handed on.
    TAKEN.get_or_init(|| unsafe { take(MASTER_KEY) });
    for name in ["DATABASE_URL", "NOETL_API_KEY", "NOETL_REGISTRY_PASSWORD"] {
        // SAFETY: the same.
        unsafe { take(name) };
    }
}

/// The master key, if the environment had one.
pub fn master_key() -> Option<&'static Secret> {
    TAKEN.get()?.as_ref()
}

/// Takes a variable, and wipes the memory that it was in.
///
/// # Safety
/// The process must have one thread only.
unsafe fn take(name: &str) -> Option<Secret> {
    let value = std::env::var_os(name)?;
    let secret = value.to_str().map(Secret::new);
    let c_name = CString::new(name).expect("a constant without NUL");
    // SAFETY: no other thread reads or changes the environment meanwhile, and the
    // bytes up to the NUL are the variable's.
    unsafe {
        let bytes = libc::getenv(c_name.as_ptr());
        if !bytes.is_null() {
            libc::explicit_bzero(bytes.cast(), libc::strlen(bytes));
        }
        std::env::remove_var(name);
    }
    secret.filter(|secret| !secret.expose().is_empty())
}
