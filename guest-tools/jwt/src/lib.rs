//! The jwt tool: checks a JSON Web Token (RFC 7519) against an issuer's keys, or signs
//! one with a shared key.

mod fields;
mod keys;
mod sign;
mod verify;

use noetl_tool::serde_json::{Map, Value};
use noetl_tool::{Error, Failure};

use crate::fields::{Action, Fields, OnInvalid};

/// What the step gives back.
#[noetl_tool::shape]
#[serde(untagged)]
enum Output {
    /// Of a token that is good.
    Verified {
        /// True.
        valid: bool,
        header: Map<String, Value>,
        claims: Map<String, Value>,
    },
    /// Of one that is not, with `on_invalid: result`.
    Refused {
        /// False.
        valid: bool,
        /// What is wrong with it, for programs.
        reason: String,
        /// What is wrong with it, for people.
        message: String,
    },
    /// A token that was made.
    Signed { token: String },
}

#[noetl_tool::tool]
fn jwt(fields: Fields) -> Result<Output, Error> {
    match fields.action {
        Action::Verify => match verify::verify(&fields) {
            Ok((header, claims)) => Ok(Output::Verified {
                valid: true,
                header,
                claims,
            }),
            Err(Error::Failed(Failure {
                kind,
                message,
                code: Some(reason),
                ..
            })) if kind == INVALID && fields.on_invalid == OnInvalid::Result => {
                Ok(Output::Refused {
                    valid: false,
                    reason,
                    message,
                })
            }
            Err(error) => Err(error),
        },
        Action::Sign => Ok(Output::Signed {
            token: sign::sign(&fields)?,
        }),
    }
}

/// The kind of a failure that is the token's.
const INVALID: &str = "invalid_token";

/// A token that is not good, and why: a code for programs, and a message.
fn invalid(code: &str, message: impl Into<String>) -> Error {
    Error::failed(INVALID, message.into()).code(code)
}

#[cfg(test)]
mod tests;
