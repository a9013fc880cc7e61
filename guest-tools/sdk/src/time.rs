//! Waiting.

use std::time::Duration;

/// Waits. The step's time goes on. In a test it takes none, and is noted
/// by the host.
pub fn sleep(duration: Duration) {
    crate::backend::sleep(duration);
}
