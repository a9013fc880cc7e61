//! Reads server-sent events (the part of WHATWG's format that a server of ours
//! sends: `event` and `data`).

/// One event.
#[derive(Debug, PartialEq, Eq)]
pub struct Event {
    pub name: String,
    pub data: String,
}

/// Makes events of bytes, however these are cut into chunks.
#[derive(Debug, Default)]
pub struct Reader {
    buffer: Vec<u8>,
    name: String,
    data: Vec<String>,
}

impl Reader {
    /// The events that end in this chunk.
    pub fn feed(&mut self, chunk: &[u8]) -> Vec<Event> {
        self.buffer.extend_from_slice(chunk);
        let mut events = Vec::new();
        let mut start = 0;
        while let Some(length) = self.buffer[start..].iter().position(|byte| *byte == b'\n') {
            let line = String::from_utf8_lossy(&self.buffer[start..start + length]).into_owned();
            start += length + 1;
            events.extend(self.line(line.strip_suffix('\r').unwrap_or(&line)));
        }
        self.buffer.drain(..start);
        events
    }

    fn line(&mut self, line: &str) -> Option<Event> {
        if line.is_empty() {
            let name = std::mem::take(&mut self.name);
            let data = std::mem::take(&mut self.data);
            return (!data.is_empty()).then(|| Event {
                name,
                data: data.join("\n"),
            });
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => self.name = value.to_string(),
            "data" => self.data.push(value.to_string()),
            // A comment keeps the connection alive.
            _ => {}
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str =
        ": hello\n\nevent: a\ndata: {\"x\":\ndata: \"é\"}\n\nevent:b\r\ndata:1\r\n\r\n";

    fn expected() -> Vec<Event> {
        vec![
            Event {
                name: "a".into(),
                data: "{\"x\":\n\"é\"}".into(),
            },
            Event {
                name: "b".into(),
                data: "1".into(),
            },
        ]
    }

    #[test]
    fn reads_events_in_one_piece() {
        assert_eq!(Reader::default().feed(TEXT.as_bytes()), expected());
    }

    #[test]
    fn reads_events_byte_by_byte() {
        let mut reader = Reader::default();
        let events: Vec<Event> = TEXT
            .as_bytes()
            .iter()
            .flat_map(|byte| reader.feed(&[*byte]))
            .collect();
        assert_eq!(events, expected());
    }

    #[test]
    fn an_event_that_is_cut_off_is_none() {
        assert_eq!(Reader::default().feed(b"event: a\ndata: 1\n"), vec![]);
    }
}
