//! What a component can and can't do, tried with one that does its worst.

use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use noetl::capabilities::postgres::{self, PoolSettings, Pools};
use noetl::capabilities::{Outside, http};
use noetl::grants::Grant;
use noetl::sandbox::{ErrorCategory, InProcess, Limits, StepOutcome, StepRequest, StepRunner};
use serde_json::{Value, json};

struct NoCredentials;

#[async_trait::async_trait]
impl postgres::CredentialSource for NoCredentials {
    async fn find(&self, _: &str, _: &str) -> anyhow::Result<Option<postgres::Credential>> {
        Ok(None)
    }
}

#[async_trait::async_trait]
impl http::CredentialSource for NoCredentials {
    async fn find(&self, _: &str, _: &str) -> anyhow::Result<Option<http::Credential>> {
        Ok(None)
    }
}

/// What a step with these credentials for PostgreSQL, and none for HTTP, reaches.
pub(crate) fn outside_with(credentials: impl postgres::CredentialSource) -> Outside {
    Outside {
        pools: Pools::new(Arc::new(credentials), PoolSettings::default()),
        http: http::Client::new(Arc::new(NoCredentials)),
    }
}

pub(crate) fn outside() -> Outside {
    outside_with(NoCredentials)
}

pub(crate) fn components() -> PathBuf {
    std::env::var_os("NOETL_COMPONENTS")
        .map(PathBuf::from)
        .expect("NOETL_COMPONENTS names the tools; `make test` sets it")
}

/// A runner with one tool, and a cache of compiled components that lives as
/// long as the test program.
pub(crate) struct Sandbox {
    runner: InProcess,
}

pub(crate) static CACHE: LazyLock<tempfile::TempDir> =
    LazyLock::new(|| tempfile::tempdir().expect("a temporary directory"));

impl Sandbox {
    pub(crate) fn with(tool: &str, component: &str) -> Self {
        let mut runner = InProcess::new(CACHE.path(), outside()).expect("a runner");
        runner
            .add_tool(tool, &components().join(component))
            .expect("the tool loads");
        Self { runner }
    }

    /// A step to fill in.
    pub(crate) fn request() -> StepRequest {
        StepRequest {
            tool: "probe".into(),
            tenant: "default".into(),
            playbook: "tests/sandbox".into(),
            execution_id: uuid::Uuid::nil(),
            step: "probe".into(),
            config: Value::Null,
            args: json!({"a": ["{{ 7*7 }}", 9007199254740993_i64]}),
            grant: Arc::new(Grant::nothing()),
            capabilities: None,
            credentials: None,
            limits: Limits::default(),
        }
    }

    pub(crate) async fn step(&self, request: StepRequest) -> StepOutcome {
        self.runner.run(request).await
    }

    async fn run(&self, config: Value, limits: Limits) -> StepOutcome {
        self.step(StepRequest {
            config,
            limits,
            ..Self::request()
        })
        .await
    }

    /// Runs `config`, which must fail, and checks that the next step is unharmed.
    async fn fails(&self, config: Value, limits: Limits, category: ErrorCategory, part: &str) {
        let outcome = self.run(config.clone(), limits).await;
        let error = outcome.result.expect_err("it is made to fail");
        assert_eq!(error.category, category, "{config}: {error:?}");
        assert!(error.message.contains(part), "{config}: {error:?}");
        let next = self.run(json!({"op": "echo"}), Limits::default()).await;
        assert_eq!(
            next.result.expect("the next step is unharmed")["a"][0],
            "{{ 7*7 }}"
        );
    }

    async fn gives(&self, config: Value) -> Value {
        self.run(config, Limits::default())
            .await
            .result
            .expect("it works")
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_goes_wrong_in_an_instance_ends_with_it() {
    use ErrorCategory::{Limit, Timeout, Trap};
    let sandbox = Sandbox::with("probe", "test/probe.wasm");
    let short = Limits {
        time: Duration::from_millis(100),
        ..Limits::default()
    };
    let small = Limits {
        memory: 32 << 20,
        output: 1000,
        ..Limits::default()
    };
    let all = Limits::default();
    let brief = Limits {
        cpu: Duration::from_millis(50),
        ..Limits::default()
    };
    let quiet = Limits {
        host_calls: 1000,
        host_call_bytes: 1000,
        ..Limits::default()
    };
    let simple = Limits {
        instances: 1,
        ..Limits::default()
    };
    let flat = Limits {
        table_elements: 10,
        ..Limits::default()
    };
    sandbox
        .fails(json!({"op": "loop"}), brief, Limit, "cpu = 50ms")
        .await;
    // A few calls too many are noticed at the end, a flood at the next tick.
    for n in [1001, u32::MAX] {
        let flood = json!({"op": "log", "n": n, "text": ""});
        sandbox
            .fails(flood, quiet, Limit, "host_calls = 1000")
            .await;
    }
    let loud = json!({"op": "log", "n": 1, "text": "x".repeat(2000)});
    sandbox
        .fails(loud, quiet, Limit, "host_call_bytes = 1000B")
        .await;
    sandbox
        .fails(json!({"op": "echo"}), simple, Limit, "instances = 1")
        .await;
    sandbox
        .fails(json!({"op": "echo"}), flat, Limit, "table_elements = 10")
        .await;
    sandbox
        .fails(json!({"op": "loop"}), short, Timeout, "time = 100ms")
        .await;
    sandbox
        .fails(
            json!({"op": "sleep", "n": 60_000}),
            short,
            Timeout,
            "time = 100ms",
        )
        .await;
    sandbox
        .fails(
            json!({"op": "recurse", "n": 100_000_000}),
            all,
            Limit,
            "stack",
        )
        .await;
    sandbox
        .fails(
            json!({"op": "allocate", "n": 64}),
            small,
            Limit,
            "memory = 32MiB",
        )
        .await;
    sandbox
        .fails(
            json!({"op": "output", "n": 2000}),
            small,
            Limit,
            "output = 1000B",
        )
        .await;
    sandbox
        .fails(
            json!({"op": "output", "n": 24 << 20}),
            all,
            Limit,
            "host_call_bytes = 16MiB",
        )
        .await;
    sandbox
        .fails(json!({"op": "trap"}), all, Trap, "broke")
        .await;
    sandbox
        .fails(json!({"op": "panic", "text": "x"}), all, Trap, "broke")
        .await;
    sandbox
        .fails(json!({"op": "exit", "n": 0}), all, Trap, "")
        .await;
    sandbox
        .fails(
            json!({"op": "raw", "text": "{not json"}),
            all,
            Trap,
            "not JSON",
        )
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_step_used_is_told_also_if_it_failed() {
    let sandbox = Sandbox::with("probe", "test/probe.wasm");
    let slept = sandbox
        .run(json!({"op": "sleep", "n": 300}), Limits::default())
        .await;
    assert!(slept.usage.cpu < slept.usage.duration / 2, "{slept:?}");
    let limits = Limits {
        cpu: Duration::from_millis(100),
        ..Limits::default()
    };
    let looped = sandbox.run(json!({"op": "loop"}), limits).await;
    assert!(looped.result.is_err());
    assert!(looped.usage.cpu >= limits.cpu, "{looped:?}");
    assert!(looped.usage.memory_bytes > 0, "{looped:?}");
    let count = async |n: u64| {
        let config = json!({"op": "log", "n": n, "text": "x"});
        sandbox
            .run(config, Limits::default())
            .await
            .usage
            .host_calls
    };
    assert_eq!(count(150).await - count(50).await, 100);
}

#[tokio::test(flavor = "multi_thread")]
async fn there_is_nothing_to_reach() {
    let sandbox = Sandbox::with("probe", "test/probe.wasm");
    assert_eq!(sandbox.gives(json!({"op": "environment"})).await, json!([]));
    assert_eq!(sandbox.gives(json!({"op": "arguments"})).await, json!([]));
    for path in ["/etc/passwd", "/proc/self/environ", "Cargo.toml", "."] {
        let got = sandbox.gives(json!({"op": "read", "text": path})).await;
        assert!(got["Err"].is_string(), "{path}: {got}");
    }
    let got = sandbox
        .gives(json!({"op": "write", "text": "/tmp/noetl-probe"}))
        .await;
    assert!(got["Err"].is_string(), "{got}");
    assert!(!Path::new("/tmp/noetl-probe").exists());
    let got = sandbox
        .gives(json!({"op": "open", "text": "someone_elses"}))
        .await;
    assert!(
        got.as_str().expect("text").contains("AccessDenied"),
        "{got}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_log_entries_is_counted_and_dropped() {
    let sandbox = Sandbox::with("probe", "test/probe.wasm");
    let limits = Limits {
        log: 1000,
        ..Limits::default()
    };
    let outcome = sandbox
        .run(
            json!({"op": "log", "n": 100_000, "text": "01234567"}),
            limits,
        )
        .await;
    assert_eq!(
        outcome.result.expect("a full log stops no one"),
        json!(100_000)
    );
    assert_eq!(outcome.log.len(), 42);
    assert!(
        outcome.log[41].message.contains("99959 more"),
        "{:?}",
        outcome.log[41]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_tool_is_refused() {
    let cache = tempfile::tempdir().expect("a temporary directory");
    let mut runner = InProcess::new(cache.path(), outside()).expect("a runner");
    let file = cache.path().join("bad.wasm");
    let real = std::fs::read(components().join("test/probe.wasm")).expect("the probe is there");
    for (bytes, part) in [
        (b"not wasm".to_vec(), "not a component"),
        (b"\0asm\x01\0\0\0".to_vec(), "not a component"),
        (b"\0asm\x0d\0\x01\0".to_vec(), "not a tool"),
        (real[..real.len() / 2].to_vec(), "not a component"),
        (Vec::new(), "not a component"),
    ] {
        std::fs::write(&file, bytes).expect("a file can be written");
        let error = runner.add_tool("bad", &file).err().expect("it is refused");
        assert!(format!("{error:#}").contains(part), "{error:#}");
    }
    // Machine code is never taken, however it is named.
    runner
        .add_tool("probe", &components().join("test/probe.wasm"))
        .expect("the probe loads");
    let compiled = std::fs::read_dir(cache.path())
        .expect("the cache is there")
        .filter_map(|e| Some(e.ok()?.path()))
        .find(|p| p.extension().is_some_and(|e| e == "cwasm"))
        .expect("the probe was compiled");
    std::fs::copy(compiled, &file).expect("a file can be copied");
    let error = runner.add_tool("bad", &file).err().expect("it is refused");
    assert!(format!("{error:#}").contains("machine code"), "{error:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_component_in_the_cache_is_not_compiled_again() {
    let cache = tempfile::tempdir().expect("a temporary directory");
    let load = || {
        let mut runner = InProcess::new(cache.path(), outside()).expect("a runner");
        runner
            .add_tool("probe", &components().join("test/probe.wasm"))
            .expect("the probe loads")
            .cached
    };
    assert!(!load());
    assert!(load());
    std::fs::set_permissions(
        cache.path(),
        std::os::unix::fs::PermissionsExt::from_mode(0o777),
    )
    .expect("permissions");
    let error = InProcess::new(cache.path(), outside())
        .err()
        .expect("others can write it");
    assert!(
        error.to_string().contains("no one else can write"),
        "{error:#}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tool_imports_only_what_it_needs() {
    let cache = tempfile::tempdir().expect("a temporary directory");
    let mut runner = InProcess::new(cache.path(), outside()).expect("a runner");
    let mut imports = |name: &str| {
        let wasm = components().join(format!("{name}.wasm"));
        runner
            .add_tool(name, &wasm)
            .expect("the tool loads")
            .imports()
    };
    let python = imports("python");
    assert!(
        !python
            .iter()
            .any(|i| i.contains("postgres") || i.contains("sockets") || i.contains("http")),
        "{python:?}"
    );
    assert!(
        python.iter().any(|i| i.starts_with("noetl:tool/log")),
        "{python:?}"
    );
    let postgres = imports("postgres");
    assert!(
        postgres
            .iter()
            .any(|i| i.starts_with("noetl:tool/postgres")),
        "{postgres:?}"
    );
    assert!(
        !postgres
            .iter()
            .any(|i| i.contains("sockets") || i.contains("http")),
        "{postgres:?}"
    );
}
