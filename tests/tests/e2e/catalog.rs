//! The catalog: versions, histories, differences.

use noetl_tests::server;
use serde_json::{Value, json};

fn playbook(path: &str, value: &str) -> String {
    format!(
        "apiVersion: noetl.io/v1\nkind: Playbook\nmetadata: {{name: p, path: {path}, description: of {value}}}\nworkload: {{who: {value}}}\nworkflow:\n  - step: start\n    next: [{{step: one}}]\n  - step: one\n    tool: python\n    args: {{who: '{{{{ workload.who }}}}'}}\n    code: |\n      def main(who): return {{'value': who}}\n"
    )
}

#[tokio::test]
async fn a_version_stays_what_it_was() {
    let server = server().await;
    for (value, version) in [("one", 1), ("two", 2), ("two", 2), ("three", 3)] {
        let reply = server.register(&playbook("team/p", value)).await;
        assert_eq!(
            (reply.status, &reply.body["version"]),
            (201, &json!(version)),
            "{reply:?}"
        );
    }
    for (path, value) in [
        ("team/p", "three"),
        ("team/p@latest", "three"),
        ("team/p@1", "one"),
        ("team/p@2", "two"),
    ] {
        let reply = server.execute(path, json!({})).await;
        assert_eq!(reply.body["value"], value, "{path}: {reply:?}");
        let stored = server
            .request("GET", &format!("/api/catalog/playbooks/{path}"), None)
            .await
            .body;
        assert_eq!(stored["content"], playbook("team/p", value));
        assert_eq!(stored["latest"], value == "three", "{stored:#}");
        assert_eq!(stored["workload"], json!({"who": value}));
        assert_eq!(stored["description"], format!("of {value}"));
        assert_eq!(stored["steps"][0]["next"][0]["then"], json!(["one"]));
        assert_eq!(stored["steps"][1]["tool"], "python");
    }
    for path in ["team/p@4", "team/q", "team/q@1"] {
        let reply = server.execute(path, json!({})).await;
        assert_eq!(reply.status, 404, "{reply:?}");
        let reply = server
            .request("GET", &format!("/api/catalog/playbooks/{path}"), None)
            .await;
        assert_eq!(reply.status, 404, "{reply:?}");
    }
    for path in ["team/p@x", "team/p@0", "team/p@-1", "team/p@"] {
        let reply = server.execute(path, json!({})).await;
        assert_eq!(reply.status, 400, "{reply:?}");
        assert!(
            reply.body["detail"].to_string().contains("is no version"),
            "{reply:?}"
        );
    }

    let history = server
        .request("GET", "/api/catalog/versions/team/p", None)
        .await
        .body;
    let versions: Vec<_> = history["versions"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|v| v["version"].clone())
        .collect();
    assert_eq!(versions, [3, 2, 1]);
    assert_eq!(history["versions"][0]["registered_by"], "local");

    let diff = server
        .request("GET", "/api/catalog/diff/team/p", None)
        .await
        .body;
    assert_eq!((&diff["from"], &diff["to"]), (&json!(2), &json!(3)));
    let text = diff["diff"].as_str().expect("text");
    assert!(
        text.starts_with("--- team/p@2\n+++ team/p@3\n@@ "),
        "{text}"
    );
    for line in [
        "
-workload: {who: two}
",
        "
+workload: {who: three}
",
    ] {
        assert!(text.contains(line), "{text}");
    }
    let diff = server
        .request("GET", "/api/catalog/diff/team/p?from=1&to=1", None)
        .await
        .body;
    assert_eq!(diff["diff"], "");
    let diff = server
        .request("GET", "/api/catalog/diff/team/p?from=1&to=9", None)
        .await;
    assert_eq!(diff.status, 404, "{diff:?}");
}

#[tokio::test]
async fn what_was_removed_is_gone_and_its_number_too() {
    let server = server().await;
    for value in ["one", "two"] {
        assert_eq!(
            server.register(&playbook("team/p", value)).await.status,
            201
        );
    }
    let done = server.execute("team/p", json!({})).await.body;
    let id = done["execution_id"].as_str().expect("an id").to_owned();
    let delete = async |path: &str| {
        server
            .request("DELETE", &format!("/api/catalog/playbooks/{path}"), None)
            .await
            .status
    };
    assert_eq!(delete("team/p@latest").await, 400);
    assert_eq!(delete("team/p@2").await, 204);
    assert_eq!(delete("team/p@2").await, 404);
    assert_eq!(
        server.execute("team/p", json!({})).await.body["value"],
        "one"
    );
    assert_eq!(server.execute("team/p@2", json!({})).await.status, 404);
    // What ran stays what it was.
    let record = server
        .request("GET", &format!("/api/executions/{id}"), None)
        .await
        .body;
    assert_eq!(
        (&record["version"], &record["status"]),
        (&json!(2), &json!("success"))
    );
    let text = server
        .request("GET", "/api/catalog/playbooks/team/p@2", None)
        .await
        .body;
    assert_eq!(text["content"], playbook("team/p", "two"));
    let again = server
        .request("POST", &format!("/api/executions/{id}/rerun"), None)
        .await;
    assert_eq!(again.status, 404, "{again:?}");

    let reply = server.register(&playbook("team/p", "two")).await;
    assert_eq!(reply.body["version"], 3, "{reply:?}");
    assert_eq!(delete("team/p").await, 204);
    assert_eq!(server.execute("team/p", json!({})).await.status, 404);
    assert_eq!(delete("team/p").await, 404);
}

#[tokio::test]
async fn of_several_all_are_registered_or_none() {
    let server = server().await;
    let several = |values: &[(&str, String)]| {
        let files: Vec<Value> = values
            .iter()
            .map(|(file, content)| json!({"file": file, "content": content}))
            .collect();
        Some(json!({"playbooks": files}))
    };
    let good = several(&[
        ("a.yaml", playbook("team/a", "x")),
        ("b.yaml", playbook("team/b", "x")),
    ]);
    let broken = playbook("team/c", "x").replace("tool: python", "tool: pyhton");
    let bad = several(&[
        ("a.yaml", playbook("team/a", "y")),
        ("c.yaml", broken.clone()),
        ("d.yaml", "x: [".into()),
    ]);
    for path in ["/api/catalog/validate", "/api/catalog/playbooks"] {
        let reply = server.request("POST", path, bad.clone()).await;
        assert_eq!(reply.status, 422, "{reply:?}");
        let errors = reply.body["errors"].as_array().expect("a list");
        let files: Vec<_> = errors.iter().map(|error| &error["file"]).collect();
        assert_eq!(files, ["c.yaml", "d.yaml"], "{errors:#?}");
        assert_eq!(errors[0]["step"], "one");
        assert_eq!(errors[0]["line"], 9);
    }
    assert_eq!(
        server
            .request("POST", "/api/catalog/validate", good.clone())
            .await
            .body,
        json!({"playbooks": [{"path": "team/a", "name": "p"}, {"path": "team/b", "name": "p"}]})
    );
    let list = "/api/catalog/playbooks?prefix=team/";
    assert_eq!(
        server.request("GET", list, None).await.body["playbooks"],
        json!([]),
        "nothing is stored"
    );
    let reply = server.request("POST", "/api/catalog/playbooks", good).await;
    assert_eq!(
        reply.body,
        json!({"playbooks": [{"path": "team/a", "version": 1}, {"path": "team/b", "version": 1}]})
    );
    for body in [
        json!({"playbooks": []}),
        json!({"playbooks": [{"file": "x"}]}),
        json!([1]),
    ] {
        let reply = server
            .request("POST", "/api/catalog/playbooks", Some(body))
            .await;
        assert_eq!(reply.status, 400, "{reply:?}");
    }

    // By pages, with nothing twice and nothing missing.
    let mut paths = Vec::new();
    let mut next = Value::Null;
    loop {
        let cursor = next.as_str().unwrap_or_default();
        let page = server
            .request("GET", &format!("{list}&limit=1&cursor={cursor}"), None)
            .await
            .body;
        let entries = page["playbooks"].as_array().expect("a list").clone();
        paths.extend(entries.iter().map(|entry| entry["path"].clone()));
        next = page["next_cursor"].clone();
        if next.is_null() {
            break;
        }
    }
    assert_eq!(paths, ["team/a", "team/b"]);
}

#[tokio::test]
async fn the_tools_say_what_they_may_do() {
    let server = server().await;
    let body = server.request("GET", "/api/tools", None).await.body;
    let tools = body["tools"].as_array().expect("a list");
    let tool = |name: &str| {
        tools
            .iter()
            .find(|tool| tool["name"] == name)
            .expect("it is there")
    };
    let imports = |name| tool(name)["imports"].to_string();
    assert!(imports("postgres").contains("noetl:tool/postgres@"));
    assert!(!imports("python").contains("noetl:tool/postgres@"));
    assert!(
        tool("python")["digest"]
            .as_str()
            .is_some_and(|d| d.len() == 7 + 64 && d.starts_with("sha256:"))
    );
    assert_eq!(tool("python")["granted"], true);
    assert_eq!(body["grant"]["credentials"], "all");
    assert_eq!(body["grant"]["limits"]["time"], "30s", "{body:#}");
}
