//! What a tenant may use: tools, credentials, hosts and limits. What is not
//! granted is denied.

mod model;

pub use model::{Allowed, BUILT_IN_TOOLS, Caller, Grant, HostPattern};
