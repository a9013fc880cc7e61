//! Sending, and sending again.

use std::time::Duration;

use noetl_tool::http::{self, Request, Response};
use noetl_tool::{Error, log, time};

use crate::fields::Fields;

/// The first wait. Each further one is twice as long.
const WAIT: Duration = Duration::from_millis(100);
/// Statuses of a server that may answer better a little later.
const PASSING: [u16; 4] = [429, 502, 503, 504];

/// The answer, or the failure that the last try ended with.
pub fn until_it_is_answered(request: &Request, fields: &Fields) -> Result<Response, Error> {
    let retries = if fields.is_repeatable() {
        fields.retries
    } else {
        0
    };
    let mut wait = WAIT;
    for retry in 1..=retries {
        let answer = request.send();
        let Some((reason, asked)) = passing(&answer, fields) else {
            return Ok(answer?);
        };
        // A server that asks for more than a try may take does not get another one.
        if asked.is_some_and(|asked| asked > fields.timeout.0) {
            return Ok(answer?);
        }
        let pause = asked.unwrap_or(wait);
        log::warn!(
            "{reason}; sent again in {} ms ({retry} of {retries})",
            pause.as_millis()
        );
        drop(answer);
        time::sleep(pause);
        wait *= 2;
    }
    Ok(request.send()?)
}

/// Why another try may go better, and when the server wants it.
fn passing(
    answer: &Result<Response, http::Error>,
    fields: &Fields,
) -> Option<(String, Option<Duration>)> {
    match answer {
        Err(http::Error::ConnectionFailed(message) | http::Error::Timeout(message)) => {
            Some((message.clone(), None))
        }
        Ok(answer) if PASSING.contains(&answer.status) && !fields.expects(answer.status) => {
            let seconds = answer.header("retry-after").and_then(|at| at.parse().ok());
            Some((
                format!("status {}", answer.status),
                seconds.map(Duration::from_secs),
            ))
        }
        _ => None,
    }
}
