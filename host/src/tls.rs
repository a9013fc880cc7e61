//! Which cryptography speaks TLS: ring's, which is in the program anyway.

/// Chooses it for the whole process. To be called before an HTTP client is made;
/// once is enough, and more is no harm.
pub fn choose_provider() {
    rustls::crypto::ring::default_provider()
        .install_default()
        .ok();
}
