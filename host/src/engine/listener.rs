//! Whoever wants to hear of an execution while it runs.

use std::sync::Arc;

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::Event;

/// What waits for a listener that is slower than the execution, in bytes.
const WAITING_BYTES: usize = 8 << 20;

/// An event on its way to the listener.
#[derive(Debug)]
pub struct Told {
    /// The event's name.
    pub name: &'static str,
    /// The event as JSON.
    pub data: String,
    _room: Option<OwnedSemaphorePermit>,
}

/// Tells events. It never holds up the execution: a listener that does not keep
/// up is told so, and then hears no more.
pub struct Listener {
    sender: Option<UnboundedSender<Told>>,
    room: Arc<Semaphore>,
}

impl Listener {
    /// A listener, and where it hears.
    pub fn new() -> (Self, UnboundedReceiver<Told>) {
        let (sender, receiver) = unbounded_channel();
        let listener = Self {
            sender: Some(sender),
            room: Arc::new(Semaphore::new(WAITING_BYTES)),
        };
        (listener, receiver)
    }

    pub(crate) fn tell(&mut self, event: &Event) {
        let Some(sender) = &self.sender else { return };
        let data = serde_json::to_string(event).expect("events are JSON");
        let size = u32::try_from(data.len()).unwrap_or(u32::MAX);
        let room = Arc::clone(&self.room).try_acquire_many_owned(size).ok();
        let fits = room.is_some();
        let told = Told {
            name: if fits {
                event.name()
            } else {
                "events_left_out"
            },
            data: if fits { data } else { LEFT_OUT.into() },
            _room: room,
        };
        if sender.send(told).is_err() || !fits {
            self.sender = None;
        }
    }
}

const LEFT_OUT: &str = r#"{"event":"events_left_out","detail":"events came faster than they were read; GET /api/executions/{id} has all of them"}"#;

#[cfg(test)]
mod tests {
    use super::*;

    fn event(length: usize) -> Event {
        Event::StepStarted {
            step: "s".repeat(length),
            tool: "python".into(),
        }
    }

    #[tokio::test]
    async fn what_waits_for_a_slow_listener_is_bounded() {
        let (mut listener, mut heard) = Listener::new();
        for _ in 0..100 {
            listener.tell(&event(1 << 20));
        }
        drop(listener);
        let mut names = Vec::new();
        while let Some(told) = heard.recv().await {
            names.push(told.name);
        }
        assert_eq!(names.len(), 8, "{names:?}");
        assert_eq!(names[6..], ["step_started", "events_left_out"]);
    }

    #[tokio::test]
    async fn a_listener_that_keeps_up_hears_everything() {
        let (mut listener, mut heard) = Listener::new();
        for _ in 0..100 {
            listener.tell(&event(1 << 20));
            assert_eq!(heard.recv().await.unwrap().name, "step_started");
        }
    }
}
