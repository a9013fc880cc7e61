//! Whether an action is run once more, and when.

use std::time::Duration;

use serde_json::{Value, json};
use uuid::Uuid;

use super::given::{error_value, is_final};
use super::step::{located, template_error};
use crate::playbook::{Condition, Playbook, Retry, Step};
use crate::sandbox::{ErrorCategory, StepError};
use crate::template::Scope;

/// What comes after an attempt.
pub(super) enum Decision {
    /// What it gave is what the step gives.
    Take,
    /// Another one, after so long.
    Again(Duration),
}

/// Decides what comes after an attempt (numbered from 1) that ended in `result`.
///
/// # Errors
/// A condition can't be evaluated, or the attempts are used up and `retry_when` still
/// holds.
pub(super) fn decide(
    playbook: &Playbook,
    step: &Step,
    retry: &Retry,
    attempt: u32,
    result: &Result<Value, StepError>,
    scope: &Scope,
) -> Result<Decision, StepError> {
    if let Err(error) = result
        && is_final(error.category)
    {
        return Ok(Decision::Take);
    }
    let mut scope = scope.for_step();
    scope.set("attempt", &json!(attempt));
    match result {
        Ok(data) => scope.set("result", &json!({"status": "success", "data": data})),
        Err(error) => {
            let tool = step.action.as_ref().map(|action| action.tool.as_str());
            scope.set("error", &error_value(&step.name, tool, error));
        }
    }
    let holds = |condition: &Condition, field: &str| {
        let holds = condition.template.is_true(&scope);
        holds.map_err(|e| template_error(playbook, step, condition.line, field, e))
    };
    if let Some(stop) = &retry.stop_when
        && holds(stop, "retry.stop_when")?
    {
        return Ok(Decision::Take);
    }
    let again = match &retry.retry_when {
        Some(condition) => holds(condition, "retry.retry_when")?,
        None => result.is_err(),
    };
    if !again {
        return Ok(Decision::Take);
    }
    if attempt < retry.attempts {
        return Ok(Decision::Again(wait(retry, attempt)));
    }
    match result {
        Err(_) => Ok(Decision::Take),
        Ok(_) => Err(StepError {
            kind: "retries_exhausted".into(),
            ..StepError::new(
                ErrorCategory::Failed,
                located(
                    playbook,
                    step,
                    step.line,
                    None,
                    format_args!("`retry_when` still holds after {attempt} attempts"),
                ),
            )
        }),
    }
}

/// How long to wait after an attempt.
fn wait(retry: &Retry, attempt: u32) -> Duration {
    let factor = retry.backoff.powf(f64::from(attempt.saturating_sub(1)));
    let longest = retry.max_delay.as_secs_f64();
    let seconds = (retry.delay.as_secs_f64() * factor).min(longest);
    let part = match retry.jitter {
        // The low bits of a random UUID are random.
        true => 0.5 + (Uuid::new_v4().as_u128() as u16 as f64) / f64::from(u16::MAX) / 2.0,
        false => 1.0,
    };
    Duration::from_secs_f64(seconds * part)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn retry(jitter: bool) -> Retry {
        Retry {
            attempts: 9,
            delay: Duration::from_secs(1),
            backoff: 2.0,
            max_delay: Duration::from_secs(5),
            jitter,
            retry_when: None,
            stop_when: None,
        }
    }

    #[test]
    fn waits_grow_up_to_the_longest() {
        let waits = (1..6).map(|attempt| wait(&retry(false), attempt).as_secs());
        assert_eq!(waits.collect::<Vec<_>>(), [1, 2, 4, 5, 5]);
    }

    #[test]
    fn jitter_makes_them_differ_and_leaves_half() {
        let waits: Vec<_> = (0..20).map(|_| wait(&retry(true), 2)).collect();
        assert!(waits.iter().any(|wait| *wait != waits[0]));
        let range = Duration::from_secs(1)..=Duration::from_secs(2);
        assert!(waits.iter().all(|wait| range.contains(wait)));
    }
}
