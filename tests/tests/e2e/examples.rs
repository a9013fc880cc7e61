//! The example tools and playbooks, as somebody tries them: the tool is pushed, its
//! playbook registered and executed.

use std::path::{Path, PathBuf};

use noetl::tool::{Capabilities, Interfaces, Manifest};
use noetl_tests::{Reply, Server, noetl, root};
use serde_json::{Value, json};

use crate::sandbox::CACHE;
use crate::tokens::{Key, Provider};
use crate::tools;

/// The tools, by their directories.
const TOOLS: [&str; 4] = ["checksum", "csv-report", "iban", "markdown"];

/// Where `make examples` puts the component of an example.
fn built(name: &str) -> PathBuf {
    let built = std::env::var_os("NOETL_EXAMPLES").map_or("build/examples".into(), PathBuf::from);
    root().join(built).join(format!("{name}.wasm"))
}

fn component(name: &str) -> Vec<u8> {
    let file = built(name);
    std::fs::read(&file)
        .unwrap_or_else(|error| panic!("{}: {error}; `make examples` makes it", file.display()))
}

fn text(file: &str) -> String {
    std::fs::read_to_string(root().join(file)).expect("it is in the repository")
}

/// A server whose tenant may use every tool and talk to these hosts.
pub(crate) async fn server(hosts: &[&str]) -> Server {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let file = directory.path().join("grants.yaml");
    let grants =
        json!({"tenants": {"default": {"tools": "all", "credentials": "all", "hosts": hosts}}});
    std::fs::write(&file, grants.to_string()).expect("it can be written");
    Server::start_limited(&["--grants", file.to_str().expect("a text")]).await
}

/// Pushes a tool and waits until it can be used.
async fn push(server: &Server, name: &str) {
    let wasm = component(name);
    let manifest = Manifest::of(&wasm)
        .expect("a component")
        .expect("a manifest");
    let reply = tools::push(server, &wasm).await;
    assert!(reply.status < 300, "{name}: {reply:#?}");
    let reference = format!("{}@{}", manifest.name, manifest.version);
    let tool = tools::settled(server, &reference).await;
    assert_eq!(tool["status"], "ready", "{name}: {tool:#}");
}

/// Pushes an example's tool to a server of its own, and registers its playbook.
async fn started(name: &str) -> Server {
    let server = server(&[]).await;
    push(&server, name).await;
    let playbook = text(&format!("guest-tools/examples/{name}/playbook.yaml"));
    let reply = server.register(&playbook).await;
    assert_eq!(reply.status, 201, "{reply:#?}");
    server
}

/// What an execution answers, without what every answer has.
fn answer(reply: Reply) -> Value {
    assert_eq!(reply.status, 200, "{reply:#?}");
    let Value::Object(mut fields) = reply.body else {
        panic!("no object");
    };
    for common in ["execution_id", "result", "steps"] {
        fields.remove(common);
    }
    Value::Object(fields)
}

/// Runs the cases of the project in a directory, with the component that was built.
async fn cases_pass(directory: &Path, name: &str) {
    let built = built(name);
    let output = noetl()
        .args(["tool", "test"])
        .arg(directory)
        .arg("--component")
        .arg(&built)
        .env("NOETL_CACHE_DIR", CACHE.path())
        .output()
        .await
        .expect("it runs");
    assert!(output.status.success(), "{name}: {output:#?}");
}

#[tokio::test]
async fn the_cases_of_every_example_pass() {
    for name in TOOLS {
        cases_pass(&root().join("guest-tools/examples").join(name), name).await;
    }
}

#[tokio::test]
async fn a_new_project_works_in_every_language() {
    for language in ["rust", "python", "js"] {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let new = ["tool", "new", "acme/hello", "--lang", language, "--dir"];
        let mut command = noetl();
        let output = command.args(new).arg(directory.path()).output().await;
        let output = output.expect("it runs");
        assert!(output.status.success(), "{output:?}");
        cases_pass(directory.path(), &format!("new-{language}")).await;
    }
}

#[test]
fn no_example_asks_for_anything() {
    for name in TOOLS {
        let wasm = component(name);
        let manifest = Manifest::of(&wasm)
            .expect("a component")
            .expect("a manifest");
        assert_eq!(manifest.capabilities, Capabilities::default(), "{name}");
        let imports = Interfaces::of(&wasm).expect("a component").imports;
        for import in imports {
            let own = import.strip_prefix("noetl:tool/");
            let may = own.is_none_or(|own| own.starts_with("log@") || own.starts_with("types@"));
            // Calling a socket's function ends the step, and WASI's HTTP is nowhere.
            let may = may && !import.starts_with("wasi:http/");
            assert!(may, "{name} imports {import}");
        }
    }
    let c = Interfaces::of(&component("checksum")).expect("a component");
    assert!(
        c.imports
            .iter()
            .all(|import| import.starts_with("noetl:tool/types@"))
    );
}

#[tokio::test]
async fn rust_checks_an_iban() {
    let server = started("iban").await;
    let check = async |iban: &str| {
        let reply = server.execute("examples/iban", json!({"iban": iban})).await;
        answer(reply)
    };
    assert_eq!(
        check("de89 3704 0044 0532 0130 00").await,
        json!({"status": "success", "iban": "DE89 3704 0044 0532 0130 00", "country": "DE"})
    );
    for (iban, told) in [
        ("DE89 3704 0044 0532 0130 01", "check digits"),
        ("NO93 8601 1117 947", "accounts in NO are not taken"),
        ("DE89", "22 characters"),
    ] {
        let refused = check(iban).await;
        assert_eq!(refused["status"], "error", "{refused}");
        assert!(refused["message"].to_string().contains(told), "{refused}");
    }
}

#[tokio::test]
async fn python_adds_up_a_csv_text() {
    let server = started("csv-report").await;
    let reply = server.execute("examples/csv_report", json!({})).await;
    assert_eq!(
        answer(reply),
        json!({
            "status": "success",
            "rows": [
                {"city": "Berlin", "count": 2, "sum": "30.30", "mean": "15.15", "median": "15.15"},
                {"city": "Rome", "count": 1, "sum": "7", "mean": "7.00", "median": "7.00"},
            ],
            "total": "37.30",
        })
    );
    // The tool's own words for what is wrong with its input.
    let wrong = json!({"csv": "city;amount\nBerlin;much\n"});
    let reply = server.execute("examples/csv_report", wrong).await;
    assert!(reply.status >= 400, "{reply:#?}");
    let detail = reply.body["detail"].to_string();
    assert!(detail.contains("line 2: `amount` is no number"), "{detail}");
}

#[tokio::test]
async fn javascript_renders_markdown_without_its_scripts() {
    let server = started("markdown").await;
    let text = "# *Hi*\n\n<script>alert(1)</script>";
    let reply = server
        .execute("examples/markdown", json!({"text": text}))
        .await;
    assert_eq!(
        answer(reply),
        json!({
            "status": "success",
            "page": "<!doctype html><title>Hi</title><h1><em>Hi</em></h1>\n\
                     <p>&lt;script&gt;alert(1)&lt;/script&gt;</p>\n",
        })
    );
}

#[tokio::test]
async fn c_computes_a_checksum() {
    let server = started("checksum").await;
    let compare = async |text: &str, crc32: &str| {
        let payload = json!({"text": text, "crc32": crc32});
        answer(server.execute("examples/checksum", payload).await)
    };
    assert_eq!(
        compare("123456789", "cbf43926").await,
        json!({"status": "success", "bytes": 9})
    );
    assert_eq!(
        compare("Zoë 😀\n\"quoted\"", "").await,
        json!({"status": "error", "message": "The text's checksum is 011539f3."})
    );
}

#[tokio::test]
async fn only_a_token_of_the_provider_becomes_a_session() {
    let (key, other) = (Key::new("one"), Key::new("one"));
    let provider = Provider::start(json!([key.jwk()])).await;
    let host = provider.issuer.trim_start_matches("http://");
    let server = server(&[host]).await;
    let provision = "api_integration/auth0/provision_auth_schema";
    let reply = server.execute(provision, json!({})).await;
    assert_eq!(reply.status, 200, "{reply:#?}");

    let shipped = text("playbooks/examples/auth0_login_verified.yaml");
    let idp = "http://localhost:8082/dev/idp/";
    let keys = format!("{idp}.well-known/jwks.json");
    let playbook = shipped
        .replace(
            &format!("jwks_url: {keys}"),
            &format!("jwks_url: {}/keys", provider.issuer),
        )
        .replace(
            &format!("issuer: {idp}\n"),
            &format!("issuer: {}\n", provider.issuer),
        )
        .replace("audience: auth0-login-example", "audience: noetl");
    assert!(!playbook.contains(idp), "{playbook}");
    let reply = server.register(&playbook).await;
    assert_eq!(reply.status, 201, "{reply:#?}");

    let login = async |token: String| {
        let payload = json!({"auth0_token": token});
        let reply = server
            .execute("examples/auth0_login_verified", payload)
            .await;
        answer(reply)
    };
    let sign = |more: Value| key.sign(&provider.claims(more));
    let user = json!({"email": "ada@example.com", "name": "Ada O'Brien"});

    let welcome = login(sign(user.clone())).await;
    assert_eq!(welcome["status"], "success", "{welcome}");
    assert_eq!(welcome["user_id"], "auth0|ada");
    let session = json!({"session_token": welcome["session_token"]});
    let validate = "api_integration/auth0/auth0_validate_session";
    let valid = answer(server.execute(validate, session).await);
    assert_eq!(valid["status"], "valid", "{valid}");

    let good = sign(user.clone());
    let (signed, _) = good.rsplit_once('.').expect("three parts");
    for (what, token) in [
        ("nothing", String::new()),
        ("no signature", format!("{signed}.")),
        (
            "a signature made up",
            noetl_tests::token(&provider.claims(user.clone())),
        ),
        ("another key", other.sign(&provider.claims(user))),
        ("another application", sign(json!({"aud": "another"}))),
        (
            "another provider",
            sign(json!({"iss": "https://example.com/"})),
        ),
        ("the past", sign(json!({"exp": 1_000_000_000}))),
        ("nobody", sign(json!({"sub": null}))),
    ] {
        assert_eq!(
            login(token).await,
            json!({"status": "error", "message": "Authentication failed"}),
            "{what}"
        );
    }
}
