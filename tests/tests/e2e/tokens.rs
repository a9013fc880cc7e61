//! Tokens of an identity provider, which is a small one of the test's own.

use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::routing::get;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use noetl_tests::{Reply, Server, serve};
use rsa::Generate;
use rsa::pkcs1::EncodeRsaPrivateKey;
use serde_json::{Value, json};

/// A key of a provider.
pub(crate) struct Key {
    id: &'static str,
    key: EncodingKey,
}

impl Key {
    pub(crate) fn new(id: &'static str) -> Self {
        let key = rsa::PrivateKey::try_generate().expect("a key");
        let der = key.to_pkcs1_der().expect("it can be written");
        Self {
            id,
            key: EncodingKey::from_rsa_der(der.as_bytes()),
        }
    }

    pub(crate) fn jwk(&self) -> Value {
        let mut jwk = Jwk::from_encoding_key(&self.key, Algorithm::RS256).expect("a public key");
        jwk.common.key_id = Some(self.id.into());
        json!(jwk)
    }

    pub(crate) fn sign(&self, claims: &Value) -> String {
        let mut header = Header::new(Algorithm::RS256);
        header.kid = Some(self.id.into());
        encode(&header, claims, &self.key).expect("it is signed")
    }
}

/// What is published of the keys can be changed.
pub(crate) struct Provider {
    pub(crate) issuer: String,
    keys: Arc<Mutex<Value>>,
}

impl Provider {
    pub(crate) async fn start(keys: Value) -> Self {
        let keys = Arc::new(Mutex::new(keys));
        let served = Arc::clone(&keys);
        let address = serve(|address| {
            let issuer = format!("http://{address}");
            let document = json!({"issuer": issuer, "jwks_uri": format!("{issuer}/keys")});
            axum::Router::new()
                .route(
                    "/.well-known/openid-configuration",
                    get(async move || axum::Json(document)),
                )
                .route(
                    "/keys",
                    get(async move || {
                        axum::Json(json!({"keys": *served.lock().expect("no panic")}))
                    }),
                )
        });
        let issuer = format!("http://{}", address.await);
        Self { issuer, keys }
    }

    pub(crate) fn claims(&self, more: Value) -> Value {
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .expect("after 1970")
            .as_secs();
        let mut claims = json!({
            "iss": self.issuer, "aud": "noetl", "sub": "auth0|ada",
            "iat": now, "exp": now + 600, "tenant": "default", "role": "author",
        });
        for (name, value) in more.as_object().expect("an object") {
            match value {
                Value::Null => claims.as_object_mut().expect("an object").remove(name),
                value => claims
                    .as_object_mut()
                    .expect("an object")
                    .insert(name.clone(), value.clone()),
            };
        }
        claims
    }
}

async fn me(server: &Server, token: &str) -> Reply {
    server.of(token).request("GET", "/api/me", None).await
}

async fn server(provider: &Provider) -> Server {
    let flags = [
        "--require-auth",
        "--oidc-issuer",
        &provider.issuer,
        "--oidc-audience",
        "noetl",
    ];
    Server::start_limited(&flags).await
}

#[tokio::test]
async fn a_token_of_the_provider_says_who_calls() {
    let key = Key::new("one");
    let provider = Provider::start(json!([key.jwk()])).await;
    let server = server(&provider).await;
    let reply = me(&server, &key.sign(&provider.claims(json!({})))).await;
    assert_eq!(reply.status, 200, "{reply:?}");
    assert_eq!(reply.body["tenant"], "default");
    assert_eq!(reply.body["role"], "author");
    assert_eq!(reply.body["subject"], "auth0|ada");
    assert_eq!(reply.body["auth"], "oidc");
    let roles = json!({"role": ["somebody", "viewer", "runner"], "aud": ["x", "noetl"]});
    let reply = me(&server, &key.sign(&provider.claims(roles))).await;
    assert_eq!(
        reply.body["role"], "runner",
        "the most of a list: {reply:?}"
    );
    // An API key still is one.
    assert_eq!(
        server.request("GET", "/api/me", None).await.body["auth"],
        "api-key"
    );
}

#[tokio::test]
async fn a_token_that_is_wrong_in_any_way_is_not_taken() {
    let (key, other) = (Key::new("one"), Key::new("one"));
    let provider = Provider::start(json!([key.jwk()])).await;
    let server = server(&provider).await;
    let sign = |more: Value| key.sign(&provider.claims(more));
    let good = sign(json!({}));
    assert_eq!(me(&server, &good).await.status, 200);

    let part = |value: Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let claims = part(provider.claims(json!({"role": "admin"})));
    let signature = good.rsplit('.').next().expect("three parts");
    // The provider's public key, taken for a shared secret.
    let n = key.jwk()["n"].as_str().expect("a modulus").to_owned();
    let mut header = Header::new(Algorithm::HS256);
    header.kid = Some("one".into());
    let secrets = [n.as_bytes().to_vec(), key.jwk().to_string().into_bytes()];
    let confused = secrets.map(|secret| {
        let secret = EncodingKey::from_secret(&secret);
        encode(&header, &provider.claims(json!({})), &secret).expect("it is signed")
    });
    for (what, token, says) in [
        (
            "another audience",
            sign(json!({"aud": "other"})),
            "InvalidAudience",
        ),
        (
            "another issuer",
            sign(json!({"iss": "https://evil.example"})),
            "InvalidIssuer",
        ),
        (
            "too old",
            sign(json!({"exp": 1_700_000_000})),
            "ExpiredSignature",
        ),
        (
            "too early",
            sign(json!({"nbf": 4_000_000_000_u64})),
            "ImmatureSignature",
        ),
        ("no end", sign(json!({"exp": null})), "exp"),
        ("nobody", sign(json!({"sub": null})), "sub"),
        (
            "no tenant",
            sign(json!({"tenant": null})),
            "no claim `tenant`",
        ),
        (
            "all tenants",
            sign(json!({"tenant": "*"})),
            "no tenant's name",
        ),
        (
            "a list of tenants",
            sign(json!({"tenant": ["a"]})),
            "no tenant's name",
        ),
        ("no role", sign(json!({"role": null})), "claim `role`"),
        (
            "an unknown role",
            sign(json!({"role": "root"})),
            "claim `role`",
        ),
        (
            "another's key",
            other.sign(&provider.claims(json!({}))),
            "InvalidSignature",
        ),
        (
            "an unknown key",
            Key {
                id: "two",
                ..Key::new("two")
            }
            .sign(&provider.claims(json!({}))),
            "does not publish",
        ),
        (
            "changed claims",
            format!(
                "{}.{claims}.{signature}",
                good.split('.').next().expect("a header")
            ),
            "InvalidSignature",
        ),
        (
            "no signature",
            format!("{}.{claims}.", part(json!({"alg": "none"}))),
            "nor a signed JWT",
        ),
        ("a secret", confused[0].clone(), "not allowed"),
        ("another secret", confused[1].clone(), "not allowed"),
        ("no token", "a.b.c".into(), "nor a signed JWT"),
    ] {
        let reply = me(&server, &token).await;
        assert_eq!(reply.status, 401, "{what}: {reply:?}");
        let detail = reply.body["detail"].as_str().expect("text");
        assert!(detail.contains(says), "{what}: {detail}");
    }
}

#[tokio::test]
async fn a_new_key_of_the_provider_is_found() {
    let (old, new) = (Key::new("old"), Key::new("new"));
    let provider = Provider::start(json!([old.jwk()])).await;
    let server = server(&provider).await;
    assert_eq!(
        me(&server, &old.sign(&provider.claims(json!({}))))
            .await
            .status,
        200
    );
    *provider.keys.lock().expect("no panic") = json!([new.jwk()]);
    let token = new.sign(&provider.claims(json!({})));
    // The provider is not asked for each token with an unknown key.
    while me(&server, &token).await.status != 200 {
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    assert_eq!(
        me(&server, &old.sign(&provider.claims(json!({}))))
            .await
            .status,
        401
    );
}

#[tokio::test]
async fn a_provider_that_is_away_is_no_reason_to_refuse_for_good() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let issuer = format!("http://{}", free.local_addr().expect("an address"));
    drop(free);
    let provider = Provider {
        issuer,
        keys: Arc::default(),
    };
    let server = server(&provider).await;
    let reply = me(&server, &Key::new("one").sign(&provider.claims(json!({})))).await;
    assert_eq!(reply.status, 503, "{reply:?}");
    assert!(reply.headers.contains_key("retry-after"));
    assert_eq!(
        server.request("GET", "/api/me", None).await.status,
        200,
        "keys still work"
    );
}
