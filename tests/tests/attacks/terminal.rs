//! What the command line shows of an attack.

use std::process::Stdio;

use noetl_tests::{Server, noetl};
use serde_json::json;

use crate::case::Case;
use crate::expand;
use crate::expect::Outcome;
use crate::http::playbook_text;

/// Runs the playbook with the command; what is on the screen. Nothing on it may
/// drive the terminal or turn the direction of writing.
pub async fn attack(server: &Server, case: &Case) -> Outcome {
    let place = tempfile::tempdir().expect("a temporary directory");
    let file = place.path().join("attack.yaml");
    std::fs::write(&file, playbook_text(case)).expect("a file can be written");
    let mut command = noetl();
    command
        .args(["run", "playbook", "--server", &server.url, "--payload"])
        .arg(expand::value(&json!(case.payload)).to_string())
        .arg(&file)
        .stdin(Stdio::null());
    let output = command.output().await.expect("it runs");
    let mut seen = String::from_utf8_lossy(&output.stdout).into_owned();
    seen.push_str(&String::from_utf8_lossy(&output.stderr));
    if let Some(c) = seen.chars().find(|&c| drives(c)) {
        seen = format!("{c:?} reached the terminal: {seen:?}");
    }
    for part in &case.expect.shows {
        assert!(seen.contains(part), "{part:?} is not shown: {seen}");
    }
    assert!(!seen.contains("reached the terminal"), "{seen}");
    Outcome {
        seen,
        ..Outcome::default()
    }
}

/// Control characters, and those that turn the direction of writing.
pub fn drives(c: char) -> bool {
    c.is_control() && c != '\n'
        || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{61c}' | '\u{2028}' | '\u{2029}')
}
