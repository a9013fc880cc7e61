//! Components in a registry: a real one, on this machine.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use noetl::tool::signature::{PublicKey, verify};
use serde_json::{Value, json};
use tokio::process::{Child, Command};

use crate::tool_cli::{POSTGRES, Project, as_text, probe, stderr};

/// `htpasswd` with bcrypt; the password is `U*U`.
const USERS: &str = "ada:$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW\n";
const PASSWORD: &str = "U*U";

/// A registry with nothing in it. It ends when it is dropped.
struct Registry {
    host: String,
    data: tempfile::TempDir,
    _process: Child,
}

impl Registry {
    /// One that asks who comes, if `login`.
    async fn start(login: bool) -> Self {
        let data = tempfile::tempdir().expect("a temporary directory");
        let place = data.path().display();
        let users = data.path().join("users");
        std::fs::write(&users, USERS).expect("a file of ours");
        let auth = match login {
            true => format!(
                "auth: {{htpasswd: {{realm: test, path: {}}}}}",
                users.display()
            ),
            false => String::new(),
        };
        let free = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        let host = free.local_addr().expect("it listens").to_string();
        drop(free);
        let config = format!(
            "version: 0.1\nlog: {{level: error}}\nstorage: {{filesystem: {{rootdirectory: {place}/blobs}}}}\nhttp: {{addr: '{host}', secret: test}}\n{auth}\n"
        );
        let file = data.path().join("config.yml");
        std::fs::write(&file, config).expect("a file of ours");
        let mut process = Command::new("docker-registry")
            .arg("serve")
            .arg(file)
            .stdout(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .expect("docker-registry is installed; `make deps` does that");
        noetl::tls::choose_provider();
        while reqwest::get(format!("http://{host}/v2/")).await.is_err() {
            assert!(
                process.try_wait().expect("it is ours").is_none(),
                "it ended"
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Self {
            host,
            data,
            _process: process,
        }
    }

    fn place(&self, rest: &str) -> String {
        format!("oci://{}/{rest}", self.host)
    }

    async fn get(&self, path: &str) -> reqwest::Response {
        let accept = "application/vnd.oci.image.manifest.v1+json";
        let request = reqwest::Client::new().get(format!("http://{}/v2/{path}", self.host));
        let answer = request.header("accept", accept).send().await;
        answer.expect("it answers")
    }

    async fn json(&self, path: &str) -> Value {
        self.get(path).await.json().await.expect("JSON")
    }

    /// Where the bytes with this digest are kept.
    fn blob(&self, digest: &str) -> std::path::PathBuf {
        let hex = digest.strip_prefix("sha256:").expect("a digest");
        let blobs = "blobs/docker/registry/v2/blobs/sha256";
        let path = format!("{blobs}/{}/{hex}/data", &hex[..2]);
        self.data.path().join(path)
    }
}

fn read(file: &Path) -> Vec<u8> {
    std::fs::read(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

#[tokio::test]
async fn a_component_comes_back_as_it_went() {
    let registry = Registry::start(false).await;
    let project = Project::new(POSTGRES);
    let file = project.pack(&probe()).await;
    let key = project.tool(&["keygen", "key.pem"]).await;
    let key = String::from_utf8(key.stdout).expect("UTF-8");
    let key = key.trim();

    // The tag is the version.
    let to = registry.place("acme/probe");
    let pushed = project.tool(&["push", ".", &to, "--sign", "key.pem"]).await;
    assert!(pushed.status.success(), "{pushed:?}");

    let manifest = registry.json("acme/probe/manifests/1.2.0").await;
    let digest = noetl::tool::digest(&read(&file));
    assert_eq!(manifest["schemaVersion"], 2);
    assert_eq!(
        manifest["mediaType"],
        "application/vnd.oci.image.manifest.v1+json"
    );
    assert_eq!(
        manifest["layers"],
        json!([{
            "mediaType": "application/wasm",
            "digest": digest,
            "size": read(&file).len(),
        }])
    );
    let annotations = &manifest["annotations"];
    let image = "org.opencontainers.image";
    assert_eq!(annotations[format!("{image}.title")], "acme/probe");
    assert_eq!(annotations[format!("{image}.version")], "1.2.0");
    assert_eq!(annotations[format!("{image}.description")], "Tries things");
    let signature = annotations["com.noetl.signature"].as_str().expect("a text");
    let public: PublicKey = key.parse().expect("a key");
    assert_eq!(verify(&[public], &digest, signature), Ok(()));

    assert_eq!(
        manifest["config"]["mediaType"],
        "application/vnd.wasm.config.v0+json"
    );
    let config = manifest["config"]["digest"].as_str().expect("a digest");
    let config = registry.json(&format!("acme/probe/blobs/{config}")).await;
    assert_eq!(config["architecture"], "wasm");
    assert_eq!(config["os"], "wasip2");
    assert_eq!(config["layerDigests"], json!([digest]));
    assert_eq!(config["component"]["exports"], json!(["run"]));
    assert_eq!(config["component"]["target"], Value::Null);
    let imports = config["component"]["imports"].as_array().expect("a list");
    assert!(
        imports.contains(&json!("noetl:tool/log@0.1.0")),
        "{imports:?}"
    );

    let from = registry.place("acme/probe:1.2.0");
    let pulled = project.tool(&["pull", &from, "--key", key]).await;
    assert!(pulled.status.success(), "{pulled:?}");
    assert_eq!(read(&project.path().join("probe.wasm")), read(&file));

    let by_digest = registry.get("acme/probe/manifests/1.2.0").await;
    let by_digest = by_digest.headers()["docker-content-digest"].to_str();
    let from = registry.place(&format!("acme/probe@{}", by_digest.expect("ASCII")));
    let pulled = project.tool(&["pull", &from, "-o", "again/it.wasm"]).await;
    assert!(pulled.status.success(), "{pulled:?}");
    assert_eq!(read(&project.path().join("again/it.wasm")), read(&file));
}

#[tokio::test]
async fn what_was_changed_or_is_not_signed_is_not_taken() {
    let registry = Registry::start(false).await;
    let project = Project::new(POSTGRES);
    let file = project.pack(&probe()).await;
    let place = registry.place("acme/probe:1.2.0");
    let pushed = project.tool(&["push", ".", &place]).await;
    assert!(pushed.status.success(), "{pushed:?}");

    let refused = async |arguments: &[&str], told: &str| {
        let output = project.tool(arguments).await;
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        assert!(
            stderr(&output).contains(told),
            "{told}: {}",
            stderr(&output)
        );
        assert!(!project.path().join("out.wasm").exists());
    };
    let key = project.tool(&["keygen", "key.pem"]).await;
    let key = String::from_utf8(key.stdout).expect("UTF-8");
    let key = key.trim();
    let pull = ["pull", &place, "-o", "out.wasm"];
    refused(&[&pull[..], &["--key", key]].concat(), "is not signed").await;

    let other = project.tool(&["keygen", "other.pem"]).await;
    assert!(other.status.success(), "{other:?}");
    let signed = project
        .tool(&["push", ".", &place, "--sign", "other.pem"])
        .await;
    assert!(signed.status.success(), "{signed:?}");
    let told = "by none of the known keys";
    refused(&[&pull[..], &["--key", key]].concat(), told).await;

    let place = registry.place("acme/probe:9.9.9");
    refused(&["pull", &place, "-o", "out.wasm"], "is not there").await;
    let place = registry.place("acme/nothing:1.0.0");
    refused(&["pull", &place, "-o", "out.wasm"], "is not there").await;

    let blob = registry.blob(&noetl::tool::digest(&read(&file)));
    let mut bytes = read(&blob);
    let last = bytes.last_mut().expect("it is not empty");
    *last ^= 1;
    std::fs::write(&blob, bytes).expect("it can be written");
    refused(&pull, "sent something else than its manifest says").await;
}

#[tokio::test]
async fn a_registry_is_told_who_comes() {
    let registry = Registry::start(true).await;
    let project = Project::new(POSTGRES);
    project.pack(&probe()).await;
    let place = registry.place("acme/probe:1");
    let push = async |arguments: &[&str], variables: &[(&str, &str)]| {
        noetl_tests::noetl()
            .args(["tool", "push", "."])
            .arg(&place)
            .args(arguments)
            .envs(variables.iter().copied())
            .env("HOME", project.path())
            .current_dir(project.path())
            .output()
            .await
            .expect("it runs")
    };
    let nobody = push(&[], &[]).await;
    assert_eq!(nobody.status.code(), Some(1), "{nobody:?}");
    assert!(
        stderr(&nobody).contains("wants another login"),
        "{nobody:?}"
    );
    let variable = "NOETL_REGISTRY_PASSWORD";
    let wrong = push(&["--user", "ada"], &[(variable, "wrong")]).await;
    assert_eq!(wrong.status.code(), Some(1), "{wrong:?}");
    assert!(stderr(&wrong).contains("wants another login"), "{wrong:?}");
    let known = push(&["--user", "ada"], &[(variable, PASSWORD)]).await;
    assert!(known.status.success(), "{known:?}");

    let auth = BASE64_STANDARD.encode(format!("ada:{PASSWORD}"));
    let logins = json!({"auths": {&registry.host: {"auth": auth}}});
    project.write("config.json", &logins.to_string());
    let directory = as_text(project.path());
    let known = push(&[], &[("DOCKER_CONFIG", directory)]).await;
    assert!(known.status.success(), "{known:?}");
}
