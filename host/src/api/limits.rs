//! What the server takes from its clients.

use std::time::Duration;

/// Limits of connections and requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HttpLimits {
    /// Connections at once. A further one takes the place of the one that has
    /// sent nothing complete for longest; if all are being served, it is told so.
    pub connections: usize,
    /// A request's line and header fields, in bytes. There are at most 100
    /// fields, and the URL has at most 64 KiB.
    pub head_bytes: usize,
    /// How long a request's head may take to arrive, from the connection's start
    /// or the last answer on.
    pub head_time: Duration,
    /// A request's body, in bytes.
    pub body_bytes: usize,
    /// The body of a request that pushes a tool, in bytes.
    pub component_bytes: usize,
    /// How long a body may take to arrive.
    pub body_time: Duration,
    /// Larger bodies that are held at once, all together, in bytes.
    pub bodies_bytes: usize,
    /// How long an answer may wait for a client that does not read.
    pub answer_time: Duration,
}

impl Default for HttpLimits {
    fn default() -> Self {
        Self {
            connections: 1024,
            head_bytes: 32 << 10,
            head_time: Duration::from_secs(30),
            body_bytes: 4 << 20,
            component_bytes: 64 << 20,
            body_time: Duration::from_secs(60),
            bodies_bytes: 256 << 20,
            answer_time: Duration::from_secs(60),
        }
    }
}
