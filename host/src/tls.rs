//! Who does the cryptography of TLS.

/// Chooses it for the whole process, before the first HTTP client is made.
pub fn choose_cryptography() {
    // Whoever was first has chosen the same.
    let _ = rustls::crypto::ring::default_provider().install_default();
}
