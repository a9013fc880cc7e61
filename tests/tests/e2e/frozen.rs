//! Components that were built against an earlier `noetl:tool`, and not since.

use std::path::{Path, PathBuf};

use noetl::capabilities::log::Level;
use noetl::sandbox::{InProcess, StepOutcome, StepRequest, StepRunner};
use serde_json::{Value, json};

use crate::sandbox::{CACHE, Sandbox, outside};

fn component(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("components")
        .join(file)
}

async fn step(runner: &InProcess, config: Value) -> StepOutcome {
    let request = StepRequest {
        config,
        ..Sandbox::request()
    };
    runner.run(request).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tool_of_version_0_1_0_keeps_running() {
    let mut runner = InProcess::new(CACHE.path(), outside()).expect("a runner");
    let loaded = runner
        .add_tool("probe", &component("tool-0.1.0.wasm"))
        .expect("it is a tool still");
    let imports = loaded.imports();
    for interface in ["types", "log", "postgres"] {
        let name = format!("noetl:tool/{interface}@0.1.0");
        assert!(imports.contains(&name), "{name} is not in {imports:?}");
    }

    let echoed = step(&runner, json!({"op": "echo"})).await;
    assert_eq!(echoed.result, Ok(Sandbox::request().args));

    let logged = step(&runner, json!({"op": "log", "n": 2, "text": "hello"})).await;
    let log: Vec<_> = logged.log.iter().map(|e| (e.level, &*e.message)).collect();
    assert_eq!(log, [(Level::Info, "hello"); 2]);

    let opened = step(&runner, json!({"op": "open", "text": "pg"})).await;
    let answer = opened.result.expect("a refusal is an answer").to_string();
    assert!(answer.contains("there is no credential `pg`"), "{answer}");

    let failed = step(&runner, json!({"op": "unheard of"})).await;
    let error = failed.result.expect_err("there is no such op");
    assert_eq!(error.message, "no op `unheard of`");
}
