//! The stand-in as a client sees it.

use axum::body::{Body, to_bytes};
use axum::http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE, HOST, LOCATION};
use axum::http::{HeaderMap, Request, StatusCode};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rsa::pkcs1v15::{Signature, VerifyingKey};
use rsa::signature::Verifier;
use rsa::{BoxedUint, PublicKey};
use serde_json::Value;
use sha2::Sha256;
use std::collections::HashMap;
use tower::ServiceExt;
use url::Url;
use url::form_urlencoded::{Serializer, parse};

const CALLBACK: &str = "http://localhost:8082/examples/auth0-login/";

struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: String,
}

impl Answer {
    fn header(&self, name: axum::http::HeaderName) -> &str {
        self.headers[name].to_str().unwrap()
    }

    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }

    /// The fragment of the URL that the answer redirects to.
    fn fragment(&self) -> HashMap<String, String> {
        assert_eq!(self.status, StatusCode::SEE_OTHER, "{}", self.body);
        let url = Url::parse(self.header(LOCATION)).unwrap();
        parse(url.fragment().unwrap().as_bytes())
            .into_owned()
            .collect()
    }
}

async fn send(router: &axum::Router, request: Request<Body>) -> Answer {
    let response = router.clone().oneshot(request).await.unwrap();
    let (parts, body) = response.into_parts();
    let body = to_bytes(body, usize::MAX).await.unwrap();
    Answer {
        status: parts.status,
        headers: parts.headers,
        body: String::from_utf8(body.to_vec()).unwrap(),
    }
}

async fn get(router: &axum::Router, path: &str) -> Answer {
    let request = Request::get(path).header(HOST, "localhost:8082");
    send(router, request.body(Body::empty()).unwrap()).await
}

async fn post(router: &axum::Router, pairs: &[(&str, &str)]) -> Answer {
    let request = Request::post("/dev/idp/authorize")
        .header(HOST, "localhost:8082")
        .header(CONTENT_TYPE, "application/x-www-form-urlencoded");
    send(router, request.body(Body::from(encode(pairs))).unwrap()).await
}

fn encode(pairs: &[(&str, &str)]) -> String {
    Serializer::new(String::new()).extend_pairs(pairs).finish()
}

/// A good request with `changes` made to it; an empty value takes a parameter out.
fn request<'a>(changes: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    let mut pairs = vec![
        ("response_type", "id_token"),
        ("client_id", "the-client"),
        ("redirect_uri", CALLBACK),
        ("scope", "openid profile email"),
        ("state", "st&te=1 +"),
        ("nonce", "n0nce"),
    ];
    for (name, value) in changes {
        pairs.retain(|(other, _)| other != name);
        pairs.push((name, value));
    }
    pairs.retain(|(_, value)| !value.is_empty());
    pairs
}

async fn authorize(changes: &[(&str, &str)]) -> Answer {
    let query = encode(&request(changes));
    get(&super::router(), &format!("/dev/idp/authorize?{query}")).await
}

async fn sign_in(router: &axum::Router, email: &str, name: &str) -> Answer {
    let form = [("email", email), ("name", name), ("decision", "allow")];
    post(router, &request(&form)).await
}

fn claims(token: &str) -> Value {
    let payload = URL_SAFE_NO_PAD.decode(token.split('.').nth(1).unwrap());
    serde_json::from_slice(&payload.unwrap()).unwrap()
}

/// Checks the signature with the key that the provider publishes for its `kid`.
async fn verify(router: &axum::Router, token: &str) -> Result<(), rsa::signature::Error> {
    let (signed, signature) = token.rsplit_once('.').unwrap();
    let header = URL_SAFE_NO_PAD.decode(signed.split('.').next().unwrap());
    let header: Value = serde_json::from_slice(&header.unwrap()).unwrap();
    assert_eq!(
        (&header["alg"], &header["typ"]),
        (&"RS256".into(), &"JWT".into())
    );

    let keys = get(router, "/dev/idp/.well-known/jwks.json").await.json();
    let keys = keys["keys"].as_array().unwrap();
    let key = keys.iter().find(|key| key["kid"] == header["kid"]).unwrap();
    let number = |name: &str| {
        let bytes = URL_SAFE_NO_PAD.decode(key[name].as_str().unwrap()).unwrap();
        BoxedUint::from_be_slice_vartime(&bytes)
    };
    let key = PublicKey::new(number("n"), number("e")).unwrap();
    let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
    VerifyingKey::<Sha256>::new(key).verify(
        signed.as_bytes(),
        &Signature::try_from(signature.as_slice())?,
    )
}

#[tokio::test]
async fn a_sign_in_redirects_back_with_a_signed_token_and_the_state() {
    let router = super::router();
    let answer = sign_in(&router, " ada@example.com ", "Ada O'Lovelace 🦀").await;
    assert!(answer.header(LOCATION).starts_with(&format!("{CALLBACK}#")));
    let fragment = answer.fragment();
    assert_eq!(fragment["state"], "st&te=1 +");

    let claims = claims(&fragment["id_token"]);
    assert_eq!(claims["iss"], "http://localhost:8082/dev/idp/");
    assert_eq!(claims["aud"], "the-client");
    assert_eq!(claims["nonce"], "n0nce");
    assert_eq!(claims["email"], "ada@example.com");
    assert_eq!(claims["email_verified"], true);
    assert_eq!(claims["name"], "Ada O'Lovelace 🦀");
    assert!(claims["exp"].as_u64() > claims["iat"].as_u64());

    verify(&router, &fragment["id_token"]).await.unwrap();
}

#[tokio::test]
async fn a_changed_token_and_another_providers_token_fail_verification() {
    let router = super::router();
    let fragment = sign_in(&router, "ada@example.com", "Ada").await.fragment();
    let parts: Vec<_> = fragment["id_token"].split('.').collect();
    let mut forged = claims(&fragment["id_token"]);
    forged["email"] = "eve@example.com".into();
    let forged = URL_SAFE_NO_PAD.encode(forged.to_string());
    let forged = format!("{}.{forged}.{}", parts[0], parts[2]);
    assert!(verify(&router, &forged).await.is_err());

    let other = get(&super::router(), "/dev/idp/.well-known/jwks.json").await;
    let own = get(&router, "/dev/idp/.well-known/jwks.json").await;
    assert_ne!(other.json()["keys"][0]["kid"], own.json()["keys"][0]["kid"]);
}

#[tokio::test]
async fn the_same_email_is_the_same_subject_for_every_key() {
    let subject = async |email: &str| {
        let answer = sign_in(&super::router(), email, "").await;
        claims(&answer.fragment()["id_token"])["sub"].clone()
    };
    let ada = subject("ada@example.com").await;
    assert!(ada.as_str().unwrap().starts_with("dev|"));
    assert_eq!(ada, subject("Ada@Example.com").await);
    assert_ne!(ada, subject("eve@example.com").await);
}

#[tokio::test]
async fn without_a_name_the_token_has_no_such_claim() {
    let answer = sign_in(&super::router(), "ada@example.com", "  ").await;
    let claims = claims(&answer.fragment()["id_token"]);
    assert!(claims.get("name").is_none(), "{claims}");
}

#[tokio::test]
async fn a_denied_sign_in_redirects_back_with_an_error() {
    let answer = post(&super::router(), &request(&[("decision", "deny")])).await;
    let fragment = answer.fragment();
    assert_eq!(fragment["error"], "access_denied");
    assert_eq!(fragment["state"], "st&te=1 +");
    assert!(!fragment.contains_key("id_token"));
}

#[tokio::test]
async fn what_is_no_email_is_asked_for_again() {
    for email in ["", "ada", "@", "ada@"] {
        let answer = sign_in(&super::router(), email, "Ada").await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{email}");
        assert!(answer.body.contains(r#"value="Ada""#));
        assert!(answer.body.contains("role=\"alert\""));
    }
}

#[tokio::test]
async fn the_form_says_what_it_is_and_escapes_everything() {
    let nasty = r#""><script>alert(1)</script>'&"#;
    let answer = authorize(&[("client_id", nasty), ("state", nasty), ("nonce", nasty)]).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert!(answer.body.contains("Development only."));
    assert!(!answer.body.contains("<script"), "{}", answer.body);

    let form = [
        ("email", "no-email\"><script>"),
        ("name", nasty),
        ("decision", "allow"),
    ];
    let again = post(&super::router(), &request(&form)).await;
    assert_eq!(again.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(!again.body.contains("<script"), "{}", again.body);

    let refusal = authorize(&[("redirect_uri", "javascript:<script>alert(1)</script>")]).await;
    assert_eq!(refusal.status, StatusCode::BAD_REQUEST);
    assert!(!refusal.body.contains("<script"), "{}", refusal.body);
}

#[tokio::test]
async fn tokens_go_to_this_server_or_this_machine_only() {
    for good in [
        "http://127.0.0.1:3000/callback?a=b",
        "http://127.8.8.8/",
        "http://[::1]:3000/",
        "https://localhost/",
        "http://app.localhost:5173/",
    ] {
        let answer = authorize(&[("redirect_uri", good)]).await;
        assert_eq!(answer.status, StatusCode::OK, "{good}: {}", answer.body);
        let origin = Url::parse(good).unwrap().origin().ascii_serialization();
        let policy = answer.header(CONTENT_SECURITY_POLICY);
        assert!(
            policy.contains(&format!("form-action 'self' {origin};")),
            "{policy}"
        );
    }
    for bad in [
        "",
        "/relative",
        "https://example.com/",
        "http://localhost.example.com/",
        "http://localhost@example.com/",
        "http://10.0.0.1/",
        "javascript:alert(1)//localhost",
        "file://localhost/etc/passwd",
        "http://localhost/#fragment",
    ] {
        for answer in [
            authorize(&[("redirect_uri", bad)]).await,
            post(
                &super::router(),
                &request(&[
                    ("redirect_uri", bad),
                    ("email", "a@b"),
                    ("decision", "allow"),
                ]),
            )
            .await,
        ] {
            assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{bad}");
            assert!(!answer.headers.contains_key(LOCATION));
        }
    }
}

#[tokio::test]
async fn the_server_may_have_another_name_than_localhost() {
    let query = encode(&request(&[(
        "redirect_uri",
        "http://dev.example:8082/app/",
    )]));
    let path = format!("/dev/idp/authorize?{query}");
    for (host, status) in [
        ("dev.example:8082", StatusCode::OK),
        ("dev.example", StatusCode::BAD_REQUEST),
        ("dev.example:8082/app", StatusCode::BAD_REQUEST),
        ("user@dev.example:8082", StatusCode::BAD_REQUEST),
    ] {
        let request = Request::get(&path).header(HOST, host).body(Body::empty());
        let answer = send(&super::router(), request.unwrap()).await;
        assert_eq!(answer.status, status, "{host}: {}", answer.body);
    }
}

#[tokio::test]
async fn a_request_that_is_not_understood_is_told_to_the_application() {
    for (change, error) in [
        (("response_type", "code"), "unsupported_response_type"),
        (("response_type", ""), "unsupported_response_type"),
        (("scope", "profile"), "invalid_scope"),
        (("nonce", ""), "invalid_request"),
    ] {
        let fragment = authorize(&[change]).await.fragment();
        assert_eq!(fragment["error"], error);
        assert!(!fragment["error_description"].is_empty());
        assert_eq!(fragment["state"], "st&te=1 +");
    }
    let no_client = authorize(&[("client_id", "")]).await;
    assert_eq!(no_client.status, StatusCode::BAD_REQUEST);
    assert!(no_client.body.contains("client_id is missing"));
}

#[tokio::test]
async fn malformed_requests_get_a_page_that_says_so() {
    let router = super::router();
    let query = encode(&request(&[]));
    let twice = get(&router, &format!("/dev/idp/authorize?{query}&state=again")).await;
    assert_eq!(twice.status, StatusCode::BAD_REQUEST);
    assert!(twice.body.contains("duplicate field"), "{}", twice.body);

    let undecided = post(&router, &request(&[("decision", "maybe")])).await;
    assert_eq!(undecided.status, StatusCode::BAD_REQUEST);
    assert!(undecided.body.contains("maybe"), "{}", undecided.body);
}

#[tokio::test]
async fn discovery_leads_to_the_other_documents() {
    let router = super::router();
    let answer = get(&router, "/dev/idp/.well-known/openid-configuration").await;
    let document = answer.json();
    assert_eq!(document["issuer"], "http://localhost:8082/dev/idp/");
    for (name, path) in [
        ("jwks_uri", "/dev/idp/.well-known/jwks.json"),
        ("authorization_endpoint", "/dev/idp/authorize"),
    ] {
        assert_eq!(document[name], format!("http://localhost:8082{path}"));
        let there = get(&router, path).await;
        assert_ne!(there.status, StatusCode::NOT_FOUND);
    }
    let keys = get(&router, "/dev/idp/.well-known/jwks.json").await;
    let key = &keys.json()["keys"][0];
    assert!(key.get("d").is_none(), "the private half must stay here");
}

#[tokio::test]
async fn the_page_and_all_it_loads_are_served() {
    let router = super::router();
    let page = get(&router, "/examples/auth0-login/").await;
    assert_eq!(page.header(CONTENT_TYPE), "text/html; charset=utf-8");
    for (file, content_type) in [
        ("style.css", "text/css; charset=utf-8"),
        ("app.js", "text/javascript; charset=utf-8"),
    ] {
        assert!(page.body.contains(&format!("\"{file}\"")));
        let answer = get(&router, &format!("/examples/auth0-login/{file}")).await;
        assert_eq!(answer.header(CONTENT_TYPE), content_type);
    }
    for script in ["app.js", "noetl.js", "oidc.js", "config.js", "problem.js"] {
        let answer = get(&router, &format!("/examples/auth0-login/{script}")).await;
        assert_eq!(answer.status, StatusCode::OK, "{script}");
        for line in answer
            .body
            .lines()
            .filter(|line| line.starts_with("import"))
        {
            let import = line.split('"').nth(1).unwrap().trim_start_matches("./");
            let import = get(&router, &format!("/examples/auth0-login/{import}")).await;
            assert_eq!(import.status, StatusCode::OK, "{script}: {line}");
        }
    }
    let bare = get(&router, "/examples/auth0-login").await;
    assert_eq!(bare.header(LOCATION), "/examples/auth0-login/");
}
