//! A token of one's own, with a shared key.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::jwk::AlgorithmParameters;
use jsonwebtoken::{Algorithm, AlgorithmFamily, EncodingKey, Header, encode};
use noetl_tool::Error;

use crate::fields::{Fields, jwk};

pub fn sign(fields: &Fields) -> Result<String, Error> {
    let needed = |name| Error::invalid_input(format!("the step: missing field `{name}`, to sign"));
    let claims = fields.claims.as_ref().ok_or_else(|| needed("claims"))?;
    let key = jwk("key", fields.key.as_ref().ok_or_else(|| needed("key"))?)?;
    let AlgorithmParameters::OctetKey(shared) = &key.algorithm else {
        return Err(Error::invalid_input(
            "key: only a shared key can sign here, a JWK with `kty: oct`",
        ));
    };
    let secret = URL_SAFE_NO_PAD
        .decode(&shared.value)
        .map_err(|_| Error::invalid_input("key.k: it is not base64url"))?;
    let algorithm = match key.common.key_algorithm.map(Algorithm::try_from) {
        None => Algorithm::HS256,
        Some(Ok(own)) if own.family() == AlgorithmFamily::Hmac => own,
        Some(_) => {
            return Err(Error::invalid_input(
                "key.alg: a shared key signs with HS256, HS384 or HS512",
            ));
        }
    };
    let mut header = Header::new(algorithm);
    header.kid = key.common.key_id.clone();
    encode(&header, claims, &EncodingKey::from_secret(&secret))
        .map_err(|error| Error::failed("jwt", error))
}
