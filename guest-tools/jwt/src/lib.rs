//! The jwt tool: checks a JSON Web Token (RFC 7519) against an issuer's keys, or signs
//! one with a shared key.

mod fields;
mod keys;
mod sign;
mod verify;

use noetl_tool::Error;
use noetl_tool::serde_json::{Map, Value};

use crate::fields::{Action, Fields};

/// What the step gives back.
#[noetl_tool::shape]
#[serde(untagged)]
enum Output {
    /// Of a token that is good.
    Verified {
        header: Map<String, Value>,
        claims: Map<String, Value>,
    },
    /// A token that was made.
    Signed { token: String },
}

#[noetl_tool::tool]
fn jwt(fields: Fields) -> Result<Output, Error> {
    match fields.action {
        Action::Verify => {
            let (header, claims) = verify::verify(&fields)?;
            Ok(Output::Verified { header, claims })
        }
        Action::Sign => Ok(Output::Signed {
            token: sign::sign(&fields)?,
        }),
    }
}

/// A token that is not good, and why: a code for programs, and a message.
fn invalid(code: &str, message: impl Into<String>) -> Error {
    Error::failed("invalid_token", message.into()).code(code)
}

#[cfg(test)]
mod tests;
