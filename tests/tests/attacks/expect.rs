//! Compares what happened with what must.

use noetl::sandbox::StepError;
use serde_json::Value;

use crate::case::Expect;

/// What came of an attack, as far as a case may ask.
#[derive(Debug, Default)]
pub struct Outcome {
    /// The HTTP status.
    pub status: Option<u16>,
    /// How many answers there were.
    pub answers: Option<usize>,
    /// The answer's body, the error, the screen: all that the attacker sees.
    pub seen: String,
    /// The problem's `type`.
    pub problem: Option<String>,
    /// The step's error.
    pub error: Option<StepError>,
    /// The component was not loaded.
    pub refused: bool,
    /// The step's result.
    pub result: Option<Value>,
}

/// What of an outcome is not as a case expects.
pub fn compare(expect: &Expect, outcome: &Outcome, secrets: &[String]) -> Result<(), String> {
    let brief = || brief(&outcome.seen);
    let is = |what: &str, wanted: Option<&str>, got: Option<&str>| match wanted {
        Some(wanted) if Some(wanted) != got => Err(format!(
            "{what} is {}, not {wanted}: {}",
            got.unwrap_or("absent"),
            brief()
        )),
        _ => Ok(()),
    };
    let text = |n: Option<u16>| n.map(|n| n.to_string());
    is(
        "status",
        text(expect.status).as_deref(),
        text(outcome.status).as_deref(),
    )?;
    let text = |n: Option<usize>| n.map(|n| n.to_string());
    is(
        "answers",
        text(expect.answers).as_deref(),
        text(outcome.answers).as_deref(),
    )?;
    is(
        "problem",
        expect.problem.as_deref(),
        outcome.problem.as_deref(),
    )?;
    let error = outcome.error.as_ref();
    is(
        "error",
        expect.error.as_deref(),
        error.map(|e| e.category.as_str()),
    )?;
    is(
        "kind",
        expect.kind.as_deref(),
        error.map(|e| e.kind.as_str()),
    )?;
    if expect.refused != outcome.refused {
        let how = if outcome.refused { "refused" } else { "loaded" };
        return Err(format!("it was {how}: {}", brief()));
    }
    if let Some(wanted) = &expect.result
        && outcome.result.as_ref() != Some(wanted)
    {
        return Err(format!(
            "the result is {:?}, not {wanted}: {}",
            outcome.result,
            brief()
        ));
    }
    for part in &expect.says {
        if !outcome.seen.contains(part) {
            return Err(format!("it does not say {part:?}: {}", brief()));
        }
    }
    for secret in expect.never.iter().chain(secrets) {
        if outcome.seen.contains(secret) {
            return Err(format!("it tells {secret:?}: {}", brief()));
        }
    }
    Ok(())
}

fn brief(text: &str) -> String {
    let mut brief: String = text.chars().take(1500).collect();
    if brief.len() < text.len() {
        brief.push('…');
    }
    brief
}
