//! Whether a token is good.

use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode};
use noetl_tool::Error;
use noetl_tool::serde_json::{Map, Value, from_slice};

use crate::fields::{Audience, Fields};
use crate::{invalid, keys};

type Object = Map<String, Value>;

/// Claims that the library looks at itself.
const KNOWN: [&str; 5] = ["exp", "nbf", "aud", "iss", "sub"];

/// The header and the claims of the token, if it is good.
pub fn verify(fields: &Fields) -> Result<(Object, Object), Error> {
    let token = fields
        .token
        .as_deref()
        .ok_or_else(|| Error::invalid_input("the step: missing field `token`"))?;
    fields.check()?;
    let allowed = fields.allowed()?;
    let header = header(token)?;
    let algorithm = algorithm(&header, &allowed)?;
    let key = keys::find(fields, algorithm, header.get("kid").and_then(Value::as_str))?;
    let key = DecodingKey::from_jwk(&key)
        .map_err(|error| invalid("unknown_key", format!("the key can't be read: {error}")))?;

    let validation = validation(fields, algorithm);
    let claims: Object = decode(token, &key, &validation)
        .map_err(|error| of(error.kind(), fields))?
        .claims;
    for name in &fields.required {
        if claims.get(name).is_none_or(Value::is_null) {
            return Err(missing(name));
        }
    }
    match &fields.issuer {
        Some(issuer) if claims.get("iss") != Some(&Value::from(issuer.as_str())) => Err(invalid(
            "wrong_issuer",
            format!("the token is not from `{issuer}`"),
        )),
        _ => Ok((header, claims)),
    }
}

/// The token's header, which nobody has checked yet.
fn header(token: &str) -> Result<Object, Error> {
    let malformed = |what: &str| invalid("malformed", what);
    let parts: Vec<&str> = token.split('.').collect();
    let [header, _, _] = parts[..] else {
        return Err(malformed("a token has three parts, separated by `.`"));
    };
    let header = URL_SAFE_NO_PAD.decode(header).ok();
    let header: Option<Object> = header.and_then(|json| from_slice(&json).ok());
    let header =
        header.ok_or_else(|| malformed("the token's header is no JSON object in base64url"))?;
    if header.contains_key("crit") {
        return Err(malformed(
            "the token's header has `crit`: it asks for extensions that are not known here",
        ));
    }
    Ok(header)
}

fn algorithm(header: &Object, allowed: &[Algorithm]) -> Result<Algorithm, Error> {
    let name = header.get("alg").and_then(Value::as_str);
    let name = name.ok_or_else(|| invalid("malformed", "the token's header has no `alg`"))?;
    // `none` is no algorithm.
    Algorithm::from_str(name)
        .ok()
        .filter(|algorithm| allowed.contains(algorithm))
        .ok_or_else(|| {
            invalid(
                "algorithm_not_allowed",
                format!("the token is signed with `{name}`, which is not in `algorithms`"),
            )
        })
}

fn validation(fields: &Fields, algorithm: Algorithm) -> Validation {
    let mut validation = Validation::new(algorithm);
    validation.leeway = fields.leeway;
    validation.validate_nbf = true;
    let mut required: Vec<&str> = fields.required.iter().map(String::as_str).collect();
    required.retain(|name| KNOWN.contains(name));
    match &fields.audience {
        Some(audience) => {
            validation.set_audience(audience.all());
            required.push("aud");
        }
        None => validation.validate_aud = false,
    }
    if fields.issuer.is_some() {
        required.push("iss");
    }
    validation.set_required_spec_claims(&required);
    validation
}

fn missing(name: &str) -> Error {
    invalid(
        "missing_claim",
        format!("the token has no claim `{name}` that can be read"),
    )
}

fn of(kind: &ErrorKind, fields: &Fields) -> Error {
    match kind {
        ErrorKind::ExpiredSignature => invalid("expired", "the token has expired"),
        ErrorKind::ImmatureSignature => {
            invalid("not_yet_valid", "the token is not valid yet (`nbf`)")
        }
        ErrorKind::InvalidAudience => {
            let audience = fields.audience.as_ref().map_or(&[][..], Audience::all);
            invalid(
                "wrong_audience",
                format!("the token is not for `{}`", audience.join("`, `")),
            )
        }
        ErrorKind::MissingRequiredClaim(name) => missing(name),
        ErrorKind::InvalidSignature => invalid(
            "bad_signature",
            "the token's signature is not that of the key",
        ),
        ErrorKind::InvalidClaimFormat(name) => invalid(
            "malformed",
            format!("the token's claim `{name}` has not the form that it should have"),
        ),
        ErrorKind::InvalidEcdsaKey
        | ErrorKind::InvalidEddsaKey
        | ErrorKind::InvalidRsaKey(_)
        | ErrorKind::InvalidKeyFormat => invalid("unknown_key", "the key can't be used"),
        ErrorKind::InvalidAlgorithm => invalid(
            "algorithm_not_allowed",
            "the key is not one for the token's algorithm",
        ),
        _ => invalid("malformed", "the token can't be read"),
    }
}
