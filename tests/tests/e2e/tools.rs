//! Tools that tenants push while the server runs.

use std::path::Path;
use std::time::Duration;

use noetl::tool::Manifest;
use noetl::tool::signature::{SigningKey, sign};
use noetl_tests::{Caller, Reply, Server, make_key};
use serde_json::{Value, json};

/// The tool that does what its config says, with a manifest of this version.
pub(crate) fn component(version: &str, over: Value) -> Vec<u8> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("components/tool-0.1.0.wasm");
    let mut manifest = json!({
        "name": "acme/probe",
        "version": version,
        "description": "Does what it is told",
        "capabilities": {"postgres": true},
        "schema": {
            "config": {
                "type": "object",
                "properties": {"op": {"type": "string"}, "n": {"type": "integer", "maximum": 100_000}},
                "required": ["op"],
            },
        },
    });
    let members = over.as_object().expect("an object").clone();
    manifest.as_object_mut().expect("one too").extend(members);
    let manifest: Manifest = serde_json::from_value(manifest).expect("a manifest");
    let wasm = std::fs::read(file).expect("the component");
    manifest.write_into(&wasm).expect("a component")
}

pub(crate) async fn push(server: &Server, component: &[u8]) -> Reply {
    let request = server
        .builder("POST", "/api/tools")
        .header("content-type", "application/wasm")
        .body(component.to_vec());
    Server::reply(request).await
}

/// The tool, once nothing is done with it any more.
pub(crate) async fn settled(server: &Server, reference: &str) -> Value {
    loop {
        let path = format!("/api/tools/{reference}");
        let reply = server.request("GET", &path, None).await;
        assert_eq!(reply.status, 200, "{:#}", reply.body);
        if reply.body["status"] != "compiling" {
            return reply.body;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn pushed(server: &Server, version: &str) -> Value {
    let reply = push(server, &component(version, json!({}))).await;
    assert_eq!(reply.status, 202, "{:#}", reply.body);
    settled(server, &format!("acme/probe@{version}")).await
}

pub(crate) fn playbook(steps: &str) -> String {
    format!(
        "apiVersion: noetl.io/v1\nkind: Playbook\nmetadata: {{name: tools, path: test/tools}}\n\
         workload: {{n: 1}}\nworkflow:\n  - step: start\n    next: [{{step: one}}]\n{steps}"
    )
}

const ONE: &str = "  - step: one\n    tool: acme/probe\n    op: echo\n    args: {a: [1]}\n";

/// The versions that the steps of the last execution ran.
async fn versions(server: &Server, reply: &Reply) -> Vec<Value> {
    let id = reply.body["execution_id"].as_str().expect("an id");
    let path = format!("/api/executions/{id}");
    let record = server.request("GET", &path, None).await.body;
    let events = record["events"].as_array().expect("events").clone();
    let started = events
        .iter()
        .filter(|event| event["event"] == "step_started");
    started
        .map(|event| event["data"]["component"]["version"].clone())
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tool_is_pushed_and_served_by_the_next_step_without_a_restart() {
    let server = Server::start().await;
    let refused = server.register(&playbook(ONE)).await;
    assert_eq!(refused.status, 422);
    let text = refused.body.to_string();
    assert!(text.contains("there is no tool `acme/probe`"), "{text}");

    let tool = pushed(&server, "1.0.0").await;
    assert_eq!(tool["status"], "ready", "{tool:#}");
    assert_eq!(tool["built_in"], false);
    assert_eq!(tool["granted"], true);
    assert!(
        tool["digest"]
            .as_str()
            .is_some_and(|d| d.starts_with("sha256:"))
    );
    let reply = server.run("test/tools", &playbook(ONE), json!({})).await;
    assert_eq!(reply.body["result"], json!({"a": [1]}), "{:#}", reply.body);
    assert_eq!(versions(&server, &reply).await, ["1.0.0"]);

    // A step that runs while the next version comes ends where it is; the step after
    // it is of the next version.
    let two = playbook(
        "  - step: one\n    tool: acme/probe\n    op: sleep\n    n: 4000\n    next: [{step: two}, {step: three}]\n\
         \x20 - step: two\n    tool: acme/probe\n    op: echo\n\
         \x20 - step: three\n    tool: acme/probe@1.0.0\n    op: echo\n",
    );
    let registered = server.register(&two).await;
    assert_eq!(registered.status, 201, "{:#}", registered.body);
    let (reply, tool) = tokio::join!(server.execute("test/tools", json!({})), async {
        tokio::time::sleep(Duration::from_millis(500)).await;
        pushed(&server, "1.1.0").await
    });
    assert_eq!(tool["status"], "ready", "{tool:#}");
    assert_eq!(reply.body["status"], "success", "{:#}", reply.body);
    assert_eq!(versions(&server, &reply).await, ["1.0.0", "1.1.0", "1.0.0"]);

    let versions: Vec<_> = tool["versions"]
        .as_array()
        .expect("a list")
        .iter()
        .collect();
    assert_eq!(versions.len(), 2);
    assert_eq!(versions[0]["version"], "1.1.0");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_can_not_run_never_replaces_what_does() {
    let server = Server::start().await;
    pushed(&server, "1.0.0").await;
    let manifest = |wasm: &[u8], version: &str| {
        let manifest = json!({"name": "acme/probe", "version": version});
        let manifest: Manifest = serde_json::from_value(manifest).expect("a manifest");
        manifest.write_into(wasm).expect("a component")
    };
    for (version, text, told) in [
        (
            "2.0.0",
            r#"(component (import "wasi:sockets/nothing@9.9.9" (func)))"#,
            "noetl:tool",
        ),
        ("2.1.0", "(component)", "noetl:tool"),
        (
            "2.2.0",
            r#"(component (core module $m (memory 100) (data (i32.const -1) "x")) (core instance (instantiate $m)))"#,
            "",
        ),
    ] {
        let wasm = wat::parse_str(text).expect("a component");
        let reply = push(&server, &manifest(&wasm, version)).await;
        assert_eq!(reply.status, 202, "{:#}", reply.body);
        let tool = settled(&server, &format!("acme/probe@{version}")).await;
        assert_eq!(tool["status"], "failed", "{tool:#}");
        let error = tool["error"].as_str().expect("a reason");
        assert!(error.contains(told), "{error}");
    }
    // Broken bytes behind a good header and manifest.
    let mut broken = b"\0asm\x0d\0\x01\0".to_vec();
    broken.extend([1, 3, 9, 9, 9]);
    let reply = push(&server, &manifest(&broken, "2.3.0")).await;
    let refused = match reply.status {
        202 => settled(&server, "acme/probe@2.3.0").await["status"] == "failed",
        status => status == 422,
    };
    assert!(refused, "{:#}", reply.body);

    let reply = server.run("test/tools", &playbook(ONE), json!({})).await;
    assert_eq!(reply.body["status"], "success", "{:#}", reply.body);
    assert_eq!(versions(&server, &reply).await, ["1.0.0"]);
    // A version that failed gives way to one that runs.
    let tool = pushed(&server, "2.0.0").await;
    assert_eq!(tool["status"], "ready", "{tool:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_never_changes_and_what_is_no_tool_is_refused() {
    let server = Server::start().await;
    pushed(&server, "1.0.0").await;
    let same = push(&server, &component("1.0.0", json!({}))).await;
    assert_eq!(same.status, 200, "{:#}", same.body);
    let other = push(
        &server,
        &component("1.0.0", json!({"description": "Another"})),
    )
    .await;
    assert_eq!(other.status, 409);
    let detail = other.body["detail"].as_str().expect("a text");
    assert!(
        detail.contains("acme/probe@1.0.0") && detail.contains("raise `version`"),
        "{detail}"
    );

    let removed = server
        .request("DELETE", "/api/tools/acme/probe@1.0.0", None)
        .await;
    assert_eq!(removed.status, 204);
    let gone = server
        .request("GET", "/api/tools/acme/probe@1.0.0", None)
        .await;
    assert_eq!(gone.status, 404);
    let taken = push(
        &server,
        &component("1.0.0", json!({"description": "Another"})),
    )
    .await;
    assert_eq!(taken.status, 409, "the number is not given again");
    assert_eq!(
        pushed(&server, "1.0.0").await["status"],
        "ready",
        "the same comes back"
    );

    let bare =
        std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("components/tool-0.1.0.wasm"));
    for (wasm, told) in [
        (bare.expect("the component"), "no manifest"),
        (b"nothing".to_vec(), "not a WebAssembly component"),
        (component("1.0.0", json!({"name": "probe"})), "no namespace"),
    ] {
        let reply = push(&server, &wasm).await;
        assert_eq!(reply.status, 422, "{told}");
        let detail = reply.body["detail"].as_str().expect("a text");
        assert!(detail.contains(told), "{detail}");
    }
    for (method, path) in [("GET", "acme/none"), ("DELETE", "acme/none@1.0.0")] {
        let reply = server
            .request(method, &format!("/api/tools/{path}"), None)
            .await;
        assert_eq!(reply.status, 404, "{method} {path}");
    }
    let reply = server
        .request("DELETE", "/api/tools/acme/probe", None)
        .await;
    assert_eq!(reply.status, 400, "which version?");
}

#[tokio::test(flavor = "multi_thread")]
async fn steps_are_held_against_the_schemas_of_their_tool() {
    let server = Server::start().await;
    let schema = json!({
        "config": {"type": "object", "properties": {"op": {"enum": ["echo", "log"]}}, "required": ["op"]},
        "args": {"type": "object", "properties": {"n": {"type": "integer"}, "x": {}}, "required": ["n"], "additionalProperties": false},
    });
    let wasm = component("1.0.0", json!({"schema": schema}));
    push(&server, &wasm).await;
    settled(&server, "acme/probe@1.0.0").await;
    for (step, told) in [
        (
            "op: other\n    args: {n: 1}\n",
            "tools.yaml:10:9: step `one`: op: \"other\" is not one of",
        ),
        (
            "args: {n: 1}\n",
            "step `one`: \"op\" is a required property",
        ),
        (
            "op: echo\n    args: {n: x}\n",
            "tools.yaml:11:15: step `one`: args.n: \"x\" is not of type \"integer\"",
        ),
        ("op: echo\n    args: {m: 1, n: 1}\n", "step `one`: args"),
        (
            "op: echo\n",
            "step `one`: args: \"n\" is a required property",
        ),
    ] {
        let text = playbook(&format!("  - step: one\n    tool: acme/probe\n    {step}"));
        let body = json!({"playbooks": [{"file": "tools.yaml", "content": text}]});
        let reply = server
            .request("POST", "/api/catalog/playbooks", Some(body))
            .await;
        assert_eq!(reply.status, 422, "{step}");
        let shown = reply.body.to_string().replace("\\\"", "\"");
        assert!(shown.contains(told), "{shown}\n{told}");
    }
    // What templates give is held against them when it is known.
    let text = playbook(
        "  - step: one\n    tool: acme/probe\n    op: echo\n    args: {n: '{{ workload.n }}'}\n",
    );
    let good = server.run("test/tools", &text, json!({"n": 7})).await;
    assert_eq!(good.body["result"], json!({"n": 7}), "{:#}", good.body);
    let bad = server.execute("test/tools", json!({"n": "seven"})).await;
    let error = &bad.body["error"];
    assert_eq!(error["category"], "invalid_input", "{:#}", bad.body);
    let message = error["message"].as_str().expect("a text");
    assert!(
        message.contains("step `one`: field `args.n`: \"seven\" is not of type"),
        "{message}"
    );

    let schema = server.request("GET", "/api/schema", None).await.body;
    let text = schema.to_string();
    assert!(
        text.contains("acme/probe@1.0.0") && text.contains("\"python\""),
        "{text}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn tools_belong_to_their_tenant_and_outlive_the_server() {
    let server = Server::start_limited(&["--require-auth"]).await;
    let (ours, theirs) = (
        make_key(&server.store, "ours", "author", &[]).await,
        make_key(&server.store, "theirs", "author", &[]).await,
    );
    let viewer = make_key(&server.store, "ours", "viewer", &[]).await;
    let upload = |key: &str| {
        let caller = server.of(key);
        let request = caller.builder("POST", "/api/tools");
        Server::reply(request.body(component("1.0.0", json!({}))))
    };
    assert_eq!(upload(&viewer).await.status, 403);
    assert_eq!(upload(&ours).await.status, 202);
    ready(&server.of(&ours)).await;
    let theirs = server.of(&theirs);
    let list = theirs
        .request("GET", "/api/tools", None)
        .await
        .body
        .to_string();
    assert!(!list.contains("acme/probe"), "{list}");
    let shown = theirs.request("GET", "/api/tools/acme/probe", None).await;
    assert_eq!(shown.status, 404);

    let (store, demo) = server.stop().await;
    let server = Server::start_as(store, demo, &["--require-auth"], None).await;
    // It runs at once: the server did not begin to listen before.
    let shown = server
        .of(&ours)
        .request("GET", "/api/tools/acme/probe", None)
        .await;
    assert_eq!(shown.body["status"], "ready", "{:#}", shown.body);
}

async fn ready(caller: &Caller<'_>) {
    loop {
        let shown = caller
            .request("GET", "/api/tools/acme/probe@1.0.0", None)
            .await;
        if shown.body["status"] == "ready" {
            return;
        }
        assert_eq!(shown.body["status"], "compiling", "{:#}", shown.body);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_can_have_its_tools_signed() {
    let (pem, public) = SigningKey::generate().expect("a key");
    let key = SigningKey::from_pem(&pem).expect("a key");
    let (other, _) = SigningKey::generate().expect("a key");
    let other = SigningKey::from_pem(&other).expect("a key");
    let dir = tempfile::tempdir().expect("a directory");
    let grants = dir.path().join("grants.yaml");
    let text = format!(
        "tenants:\n  default:\n    tools: [python, acme/*]\n    tool_keys: [\"{public}\"]\n"
    );
    std::fs::write(&grants, text).expect("written");
    let server = Server::start_limited(&["--grants", grants.to_str().expect("a text")]).await;
    let wasm = component("1.0.0", json!({}));
    let digest = noetl::tool::digest(&wasm);
    let upload = |signature: Option<String>| {
        let mut request = server.builder("POST", "/api/tools").body(wasm.clone());
        if let Some(signature) = signature {
            request = request.header("x-noetl-signature", signature);
        }
        Server::reply(request)
    };
    for bad in [
        None,
        Some(sign(&other, &digest)),
        Some(sign(&key, "sha256:00")),
    ] {
        let reply = upload(bad).await;
        assert_eq!(reply.status, 422, "{:#}", reply.body);
        let detail = reply.body["detail"].as_str().expect("a text");
        assert!(detail.contains("--sign"), "{detail}");
    }
    assert_eq!(upload(Some(sign(&key, &digest))).await.status, 202);
    settled(&server, "acme/probe@1.0.0").await;
    let reply = server.run("test/tools", &playbook(ONE), json!({})).await;
    assert_eq!(reply.body["status"], "success", "{:#}", reply.body);
}
