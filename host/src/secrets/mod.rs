//! What must not be seen: texts that are never printed, and the master keys
//! that they are sealed with where they are kept.

mod key;
mod ring;
mod secret;

pub use key::MasterKey;
pub use ring::{KeyRing, OpenError, Sealed};
pub use secret::Secret;
