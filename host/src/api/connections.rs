//! The open connections: how many there are, and which may be closed for
//! another.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use tokio_util::sync::CancellationToken;

/// Counts connections and knows those that wait for their client.
#[derive(Clone)]
pub(super) struct Connections(Arc<Inner>);

struct Inner {
    limit: usize,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    open: usize,
    /// Connections without a complete request, the longest waiting first.
    waiting: BTreeMap<u64, CancellationToken>,
    next: u64,
}

/// One open connection. Clones are the same one; it is counted until the last
/// is dropped.
#[derive(Clone)]
pub(super) struct Connection(Arc<Open>);

struct Open {
    connections: Connections,
    closing: CancellationToken,
    phase: Mutex<Phase>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// For a request, with its place among the waiting ones.
    Waiting(u64),
    /// The request is complete.
    Serving,
    /// The answer is made; some of it may not be sent yet.
    Answered,
}

impl Connections {
    pub(super) fn new(limit: usize) -> Self {
        Self(Arc::new(Inner {
            limit,
            state: Mutex::default(),
        }))
    }

    /// A new connection, if need be in the place of another. `None`, if all are
    /// being served.
    pub(super) fn open(&self) -> Option<Connection> {
        let mut state = self.lock();
        if state.open >= self.0.limit {
            let (_, longest_waiting) = state.waiting.pop_first()?;
            longest_waiting.cancel();
        }
        state.open += 1;
        let closing = CancellationToken::new();
        let place = state.wait(closing.clone());
        drop(state);
        Some(Connection(Arc::new(Open {
            connections: self.clone(),
            closing,
            phase: Mutex::new(Phase::Waiting(place)),
        })))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().expect("no panic while it is held")
    }
}

impl State {
    fn wait(&mut self, closing: CancellationToken) -> u64 {
        let place = self.next;
        self.next += 1;
        self.waiting.insert(place, closing);
        place
    }
}

impl Connection {
    /// Ends when the connection has to make room.
    pub(super) async fn closing(&self) {
        self.0.closing.cancelled().await;
    }

    /// A request has arrived as a whole: the connection can't be taken away now.
    pub(super) fn serve(&self) {
        let mut phase = self.phase();
        if let Phase::Waiting(place) = *phase {
            self.0.connections.lock().waiting.remove(&place);
            *phase = Phase::Serving;
        }
    }

    /// The answer's last piece was handed over.
    pub(super) fn answered(&self) {
        let mut phase = self.phase();
        if *phase == Phase::Serving {
            *phase = Phase::Answered;
        }
    }

    /// All that was handed over is with the client's side.
    pub(super) fn flushed(&self) {
        let mut phase = self.phase();
        if *phase == Phase::Answered {
            let place = self.0.connections.lock().wait(self.0.closing.clone());
            *phase = Phase::Waiting(place);
        }
    }

    fn phase(&self) -> MutexGuard<'_, Phase> {
        self.0.phase.lock().expect("no panic while it is held")
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        let phase = *self.phase.get_mut().expect("no panic while it is held");
        let mut state = self.connections.lock();
        state.open -= 1;
        if let Phase::Waiting(place) = phase {
            state.waiting.remove(&place);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_closing(connection: &Connection) -> bool {
        connection.0.closing.is_cancelled()
    }

    #[test]
    fn the_connection_that_waits_longest_makes_room() {
        let connections = Connections::new(2);
        let first = connections.open().unwrap();
        let second = connections.open().unwrap();
        first.serve();
        let third = connections.open().unwrap();
        assert_eq!(
            [&first, &second, &third].map(is_closing),
            [false, true, false]
        );

        drop(second);
        third.serve();
        assert!(connections.open().is_none(), "all are being served");

        first.answered();
        assert!(connections.open().is_none(), "the answer is not sent yet");
        first.flushed();
        let fourth = connections.open().unwrap();
        assert!(is_closing(&first) && !is_closing(&fourth));

        drop((first, third, fourth));
        let state = connections.lock();
        assert_eq!((state.open, state.waiting.len()), (0, 0));
    }
}
