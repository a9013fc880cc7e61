//! Which cryptography speaks TLS: ring's, which is in the program anyway.

/// Chooses it for the whole process. `main` does that before anything else makes an
/// HTTP client; tests that make one without the program do it themselves. Once is
/// enough, and more is no harm.
pub fn choose_provider() {
    rustls::crypto::ring::default_provider()
        .install_default()
        .ok();
}
