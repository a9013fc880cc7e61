//! The python tool, with the cases of `tests/python/`.

use noetl::sandbox::StepRequest;
use noetl_tests::root;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::sandbox::Sandbox;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    code: String,
    #[serde(default)]
    args: serde_json::Map<String, Value>,
    expected: Option<Value>,
    error: Option<Failure>,
    #[serde(default)]
    differs: bool,
    log: Option<Vec<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Failure {
    case: String,
    kind: Option<String>,
    #[serde(default)]
    contains: Vec<String>,
}

async fn run(file: &str) {
    let text = std::fs::read_to_string(root().join("tests/python").join(file))
        .expect("the cases are there");
    let cases: Vec<Case> = serde_yaml::from_str(&text).expect("the cases can be read");
    let sandbox = Sandbox::with("python", "python.wasm");
    let mut wrong = Vec::new();
    for case in &cases {
        if let Err(error) = check(&sandbox, case).await {
            wrong.push(format!("{}: {error}", case.name));
        }
    }
    assert!(
        wrong.is_empty(),
        "{} of {} cases:\n{}",
        wrong.len(),
        cases.len(),
        wrong.join("\n")
    );
}

async fn check(sandbox: &Sandbox, case: &Case) -> Result<(), String> {
    let step = || StepRequest {
        tool: "python".into(),
        config: json!({"code": case.code, "file": "step.yaml", "line": 20}),
        args: json!(case.args),
        ..Sandbox::request()
    };
    let outcome = sandbox.step(step()).await;
    if let Some(log) = &case.log {
        let got: Vec<String> = outcome
            .log
            .iter()
            .map(|e| format!("{}: {}", e.level, e.message))
            .collect();
        if got != *log {
            return Err(format!("the log is {got:?}"));
        }
    }
    match (&outcome.result, &case.expected, &case.error) {
        (Ok(result), _, None) if case.differs => {
            let again = sandbox
                .step(step())
                .await
                .result
                .map_err(|e| e.to_string())?;
            (again != *result)
                .then_some(())
                .ok_or(format!("two runs gave {result}"))
        }
        (Ok(result), Some(expected), _) => (result == expected)
            .then_some(())
            .ok_or(format!("gave {result}, not {expected}")),
        (Err(error), _, Some(expected)) => {
            let category = json!(error.category);
            let fits = category == expected.case.replace('-', "_")
                && expected
                    .kind
                    .as_ref()
                    .is_none_or(|kind| *kind == error.kind)
                && expected
                    .contains
                    .iter()
                    .all(|part| error.message.contains(part));
            fits.then_some(()).ok_or(format!("failed with {error:?}"))
        }
        (result, ..) => Err(format!("gave {result:?}")),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn contract() {
    run("contract.yaml").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn standard_library() {
    run("stdlib.yaml").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn entropy_is_fresh_in_every_instance() {
    run("entropy.yaml").await;
}
