use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use noetl_tool::Error;
use noetl_tool::serde_json::{Value, json, to_value};
use noetl_tool::testing::{Answer, Host, describe, run};

use crate::Tool;

const ISSUER: &str = "https://issuer.example/";
const JWKS: &str = "https://issuer.example/keys";

fn rsa() -> EncodingKey {
    EncodingKey::from_rsa_der(include_bytes!("../tests/keys/rsa.der"))
}

fn ec() -> EncodingKey {
    EncodingKey::from_ec_der(include_bytes!("../tests/keys/ec.der"))
}

/// The public half, as an issuer publishes it.
fn public(key: &EncodingKey, algorithm: Algorithm, kid: &str) -> Value {
    let mut jwk = Jwk::from_encoding_key(key, algorithm).unwrap();
    jwk.common.key_id = Some(kid.into());
    to_value(jwk).unwrap()
}

fn token(key: &EncodingKey, algorithm: Algorithm, kid: Option<&str>, claims: &Value) -> String {
    let mut header = Header::new(algorithm);
    header.kid = kid.map(Into::into);
    encode(&header, claims, key).unwrap()
}

/// So many seconds from now.
fn at(seconds: i64) -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    now.as_secs() as i64 + seconds
}

fn claims() -> Value {
    json!({"iss": ISSUER, "aud": ["api", "web"], "sub": "ada", "exp": at(600)})
}

fn with(mut base: Value, changes: Value) -> Value {
    for (name, value) in changes.as_object().unwrap() {
        base[name] = value.clone();
    }
    base
}

/// A step that has the RSA key inline.
fn inline() -> Value {
    json!({"jwks": {"keys": [public(&rsa(), Algorithm::RS256, "r1")]}})
}

fn verify(config: Value, token: &str) -> Result<Value, Error> {
    run(Tool, config, json!({"token": token}))
}

/// The code that a token is refused with.
fn code(config: Value, token: &str) -> String {
    match verify(config, token) {
        Err(Error::Failed(failure)) if failure.kind == "invalid_token" => {
            failure.code.expect("it has a code")
        }
        other => panic!("{other:?} is no invalid token"),
    }
}

/// The same for the claims of a token that is else as it should be.
fn code_of(config: Value, changes: Value) -> String {
    let token = token(
        &rsa(),
        Algorithm::RS256,
        Some("r1"),
        &with(claims(), changes),
    );
    code(with(inline(), config), &token)
}

fn refused(config: Value) -> String {
    match run(Tool, config, json!({})) {
        Err(Error::InvalidInput(message)) => message,
        other => panic!("{other:?} is not refused"),
    }
}

#[test]
fn a_good_token_gives_its_claims() {
    for (key, algorithm) in [(rsa(), Algorithm::RS256), (ec(), Algorithm::ES256)] {
        let claims = claims();
        let token = token(&key, algorithm, Some("k"), &claims);
        let config = json!({
            "jwks": {"keys": [{"kty": "of tomorrow", "kid": "x"}, public(&key, algorithm, "k")]},
            "issuer": ISSUER,
            "audience": ["web", "other"],
        });
        let good = verify(config, &token).unwrap();
        assert_eq!(good["valid"], true);
        assert_eq!(good["claims"], claims);
        assert_eq!(good["header"]["kid"], "k");
    }
}

#[test]
fn the_times_of_a_token_are_kept() {
    assert_eq!(code_of(json!({}), json!({"exp": at(-61)})), "expired");
    assert_eq!(code_of(json!({}), json!({"nbf": at(120)})), "not_yet_valid");
    assert_eq!(code_of(json!({}), json!({"exp": "soon"})), "missing_claim");
    assert_eq!(
        code_of(json!({"required": []}), json!({"exp": "soon"})),
        "malformed"
    );
    let late = token(
        &rsa(),
        Algorithm::RS256,
        Some("r1"),
        &with(claims(), json!({"exp": at(-100), "nbf": at(100)})),
    );
    assert!(verify(with(inline(), json!({"leeway": 300})), &late).is_ok());
}

#[test]
fn a_token_is_for_one_audience_from_one_issuer() {
    let config = json!({"issuer": ISSUER, "audience": "api"});
    let code_of = |changes| code_of(config.clone(), changes);
    assert_eq!(
        code_of(json!({"iss": "https://other.example/"})),
        "wrong_issuer"
    );
    assert_eq!(code_of(json!({"iss": [ISSUER, "x"]})), "wrong_issuer");
    assert_eq!(code_of(json!({"iss": null})), "missing_claim");
    assert_eq!(code_of(json!({"aud": "web"})), "wrong_audience");
    assert_eq!(code_of(json!({"aud": ["web", "other"]})), "wrong_audience");
    assert_eq!(code_of(json!({"aud": 5})), "missing_claim");
    assert_eq!(code_of(json!({"aud": []})), "wrong_audience");
}

#[test]
fn claims_can_be_required() {
    let config = json!({"required": ["exp", "email"]});
    assert_eq!(code_of(config.clone(), json!({})), "missing_claim");
    assert_eq!(code_of(config, json!({"email": null})), "missing_claim");
    assert_eq!(code_of(json!({}), json!({"exp": null})), "missing_claim");
    let endless = token(&rsa(), Algorithm::RS256, Some("r1"), &json!({}));
    assert!(verify(with(inline(), json!({"required": []})), &endless).is_ok());
}

#[test]
fn a_token_that_was_changed_is_refused() {
    let good = token(&rsa(), Algorithm::RS256, Some("r1"), &claims());
    let parts: Vec<&str> = good.split('.').collect();
    let other = URL_SAFE_NO_PAD.encode(with(claims(), json!({"sub": "eve"})).to_string());
    let changed = [parts[0], &other, parts[2]].join(".");
    assert_eq!(code(inline(), &changed), "bad_signature");
    assert_eq!(
        code(inline(), &[parts[0], parts[1], ""].join(".")),
        "bad_signature"
    );
}

#[test]
fn what_is_no_token_is_malformed() {
    for token in ["", "a.b", "a.b.c.d", "e30.e30.", "!.e30.", "W10.e30."] {
        assert_eq!(code(inline(), token), "malformed", "{token}");
    }
    let header = json!({"alg": "RS256", "kid": "r1", "crit": ["b64"], "b64": false});
    let header = URL_SAFE_NO_PAD.encode(header.to_string());
    assert_eq!(code(inline(), &format!("{header}.e30.e30")), "malformed");
}

#[test]
fn a_token_without_a_signature_is_refused() {
    for algorithm in ["none", "None", "NONE", ""] {
        let header = URL_SAFE_NO_PAD.encode(json!({"alg": algorithm, "kid": "r1"}).to_string());
        let claims = URL_SAFE_NO_PAD.encode(claims().to_string());
        let unsigned = format!("{header}.{claims}.");
        assert_eq!(
            code(inline(), &unsigned),
            "algorithm_not_allowed",
            "{algorithm}"
        );
    }
    assert_eq!(
        refused(with(
            inline(),
            json!({"token": "a.b.c", "algorithms": ["none"]})
        )),
        "algorithms[0]: `none` is none that a signature can be checked with"
    );
}

#[test]
fn a_public_key_is_no_shared_one() {
    // The attack: what everybody knows of an RSA key as the secret of an HMAC.
    let jwk = public(&rsa(), Algorithm::RS256, "r1");
    let modulus = URL_SAFE_NO_PAD.decode(jwk["n"].as_str().unwrap()).unwrap();
    let secrets = [modulus, jwk.to_string().into_bytes()];
    for secret in secrets {
        let secret = EncodingKey::from_secret(&secret);
        let forged = token(&secret, Algorithm::HS256, Some("r1"), &claims());
        assert_eq!(code(inline(), &forged), "algorithm_not_allowed");
        let both = with(inline(), json!({"algorithms": ["RS256", "HS256"]}));
        assert_eq!(code(both.clone(), &forged), "algorithm_not_allowed");
        let nameless = token(&secret, Algorithm::HS256, None, &claims());
        assert_eq!(code(both, &nameless), "unknown_key");
        let key = json!({"key": jwk, "algorithms": ["HS256"]});
        assert_eq!(code(key, &nameless), "algorithm_not_allowed");
    }
}

#[test]
fn a_key_of_another_algorithm_is_refused() {
    let mut key = public(&rsa(), Algorithm::RS512, "r1");
    let token = token(&rsa(), Algorithm::RS256, Some("r1"), &claims());
    let config = |key: &Value| json!({"jwks": {"keys": [key]}});
    assert_eq!(code(config(&key), &token), "algorithm_not_allowed");
    key.as_object_mut().unwrap().remove("alg");
    assert!(verify(config(&key), &token).is_ok());
    key["use"] = "enc".into();
    assert_eq!(code(config(&key), &token), "unknown_key");
}

#[test]
fn a_shared_key_signs_and_is_named() {
    let claims = claims();
    let key = json!({"kty": "oct", "kid": "s1", "k": URL_SAFE_NO_PAD.encode([7; 32])});
    let signed = run(
        Tool,
        json!({"action": "sign", "key": key}),
        json!({"claims": claims}),
    )
    .unwrap();
    let signed = signed["token"].as_str().unwrap();

    let config = json!({"key": key, "algorithms": ["HS256"]});
    assert_eq!(verify(config.clone(), signed).unwrap()["claims"], claims);
    assert_eq!(
        code(json!({"key": key}), signed),
        "algorithm_not_allowed",
        "HS256 was not named"
    );
    let other = json!({"kty": "oct", "kid": "s1", "k": URL_SAFE_NO_PAD.encode([8; 32])});
    assert_eq!(
        code(with(config.clone(), json!({"key": other})), signed),
        "bad_signature"
    );
    let another = json!({"kty": "oct", "kid": "s2", "k": URL_SAFE_NO_PAD.encode([7; 32])});
    assert_eq!(
        code(with(config, json!({"key": another})), signed),
        "unknown_key"
    );

    // One from a URL is none: nobody publishes a shared key.
    let host = Host::new();
    let remote = json!({"jwks_url": JWKS, "algorithms": ["HS256"]});
    assert_eq!(code(remote, signed), "algorithm_not_allowed");
    assert!(host.requests().is_empty());
}

#[test]
fn only_a_shared_key_signs() {
    let claims = json!({"sub": "ada"});
    let sign = |key: Value| refused(json!({"action": "sign", "claims": claims, "key": key}));
    assert_eq!(
        sign(public(&rsa(), Algorithm::RS256, "r1")),
        "key: only a shared key can sign here, a JWK with `kty: oct`"
    );
    assert_eq!(
        sign(json!({"kty": "oct", "k": "AAAA", "alg": "RS256"})),
        "key.alg: a shared key signs with HS256, HS384 or HS512"
    );
    assert_eq!(
        refused(json!({"action": "sign", "claims": claims})),
        "the step: missing field `key`, to sign"
    );
}

#[test]
fn keys_are_found_by_discovery_and_kept() {
    let host = Host::new();
    host.http(
        "GET https://issuer.example/.well-known/openid-configuration",
        Answer::json(json!({"issuer": ISSUER, "jwks_uri": JWKS, "scopes_supported": []})),
    );
    let keys = json!({"keys": [public(&rsa(), Algorithm::RS256, "r1")]});
    host.http(format!("GET {JWKS}"), Answer::json(keys));
    let token = token(&rsa(), Algorithm::RS256, Some("r1"), &claims());
    assert!(verify(json!({"issuer": ISSUER}), &token).is_ok());
    let ages: Vec<_> = host.requests().iter().map(|sent| sent.max_age).collect();
    assert_eq!(ages, [Some(300), Some(300)]);
}

#[test]
fn the_configuration_of_another_issuer_is_refused() {
    let host = Host::new();
    host.http(
        "GET https://issuer.example/.well-known/openid-configuration",
        Answer::json(json!({"issuer": "https://other.example", "jwks_uri": JWKS})),
    );
    let token = token(&rsa(), Algorithm::RS256, Some("r1"), &claims());
    let failed = verify(json!({"issuer": ISSUER}), &token).unwrap_err();
    assert_eq!(
        failed.message(),
        "https://issuer.example/.well-known/openid-configuration is the configuration of `https://other.example`, not of `https://issuer.example/`"
    );
}

#[test]
fn a_new_key_is_asked_for_once() {
    let old = json!({"keys": [public(&ec(), Algorithm::ES256, "e1")]});
    let new = json!({"keys": [public(&ec(), Algorithm::ES256, "e1"), public(&rsa(), Algorithm::RS256, "r2")]});
    let signed = token(&rsa(), Algorithm::RS256, Some("r2"), &claims());
    let config = json!({"jwks_url": JWKS});

    let host = Host::new();
    host.http(format!("GET {JWKS}"), Answer::json(&old));
    host.http(format!("GET {JWKS}"), Answer::json(new));
    assert!(verify(config.clone(), &signed).is_ok());
    let ages: Vec<_> = host.requests().iter().map(|sent| sent.max_age).collect();
    assert_eq!(ages, [Some(300), Some(10)]);
    drop(host);

    let host = Host::new();
    host.http(format!("GET {JWKS}"), Answer::json(&old));
    host.http(format!("GET {JWKS}"), Answer::json(&old));
    assert_eq!(code(config, &signed), "unknown_key");
    drop(host);
}

#[test]
fn keys_that_are_not_to_be_had_are_no_fault_of_the_token() {
    let host = Host::new();
    host.http(format!("GET {JWKS}"), Answer::status(500));
    let token = token(&rsa(), Algorithm::RS256, Some("r1"), &claims());
    let failed = verify(json!({"jwks_url": JWKS}), &token);
    assert_eq!(
        failed,
        Err(Error::failed("jwks", format!("{JWKS} answered with status 500")).code("500"))
    );
    drop(host);
}

#[test]
fn what_a_step_does_not_say_is_asked_for() {
    assert_eq!(refused(json!({})), "the step: missing field `token`");
    assert_eq!(
        refused(with(inline(), json!({"token": "a.b.c", "leeway": 301}))),
        "leeway: 301 s is too much, 300 s is the most"
    );
    assert_eq!(
        refused(with(inline(), json!({"token": "a.b.c", "audience": []}))),
        "audience: the list is empty"
    );
    let token = token(&rsa(), Algorithm::RS256, None, &claims());
    assert_eq!(
        refused(json!({"token": token})),
        "there is no key to check with: give `issuer`, `jwks_url`, `jwks` or `key`"
    );
}

#[test]
fn a_token_that_is_not_good_can_be_a_result() {
    let config = with(inline(), json!({"on_invalid": "result"}));
    let signed = |changes| {
        let claims = with(claims(), changes);
        token(&rsa(), Algorithm::RS256, Some("r1"), &claims)
    };
    let late = verify(config.clone(), &signed(json!({"exp": at(-100)})));
    assert_eq!(
        late,
        Ok(json!({"valid": false, "reason": "expired", "message": "the token has expired"}))
    );
    let good = verify(config, &signed(json!({}))).unwrap();
    assert_eq!(good["valid"], true);

    // Only what is wrong with the token is.
    let no_keys = run(
        Tool,
        json!({"on_invalid": "result"}),
        json!({"token": signed(json!({}))}),
    );
    assert!(
        matches!(no_keys, Err(Error::InvalidInput(_))),
        "{no_keys:?}"
    );
    let host = Host::new();
    host.http(format!("GET {JWKS}"), Answer::status(500));
    let config = json!({"jwks_url": JWKS, "on_invalid": "result"});
    let failed = host.run(Tool, config, json!({"token": signed(json!({}))}));
    assert!(matches!(failed, Err(Error::Failed(_))), "{failed:?}");
}

#[test]
fn the_schemas_tell_the_fields() {
    let schemas = describe(Tool);
    assert_eq!(
        schemas["config"]["properties"]["algorithms"]["default"],
        json!(["RS256", "ES256"])
    );
    assert_eq!(schemas["result"]["anyOf"].as_array().map(Vec::len), Some(3));
}
