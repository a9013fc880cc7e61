//! The engine with a sandbox that reaches nothing, for cases of playbooks.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::path::Path;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::cases::{Case, Stub};
use crate::cli::cache::CacheOption;
use crate::cli::sandbox::Sandbox;
use crate::engine::{
    Engine, Execution, ExecutionLimits, Lineage, Outcome, Plan, PlaybookCall, Playbooks, Recorder,
    Tools,
};
use crate::grants::Grants;
use crate::metrics::Metrics;
use crate::playbook::Playbook;
use crate::sandbox::{ErrorCategory, StepError, StepOutcome, StepRequest, StepRunner, Usage};
use crate::store::{DEFAULT_TENANT, Finished, RecordError, StoredEvent};
use crate::tool::Toolset;

/// Tools that need nothing of outside, and so run as they are.
const REAL: [&str; 2] = ["python", "transform"];

/// Where cases are played.
pub struct Stage {
    sandbox: Arc<Sandbox>,
    tools: Arc<Toolset>,
}

impl Stage {
    /// A stage with the tools in this directory.
    ///
    /// # Errors
    /// One of them can't be run.
    pub fn new(components: &Path, cache: &CacheOption, tools: Toolset) -> anyhow::Result<Self> {
        let files = REAL.map(|name| (name, components.join(format!("{name}.wasm"))));
        let files: Vec<_> = files
            .iter()
            .map(|(name, file)| (*name, file.as_path()))
            .collect();
        Ok(Self {
            sandbox: Arc::new(Sandbox::load(cache, &files)?),
            tools: Arc::new(tools),
        })
    }

    /// Plays a case. Returns how the execution ended, and what is wrong with the stubs.
    ///
    /// # Errors
    /// Never, as nothing is kept.
    pub async fn play(
        &self,
        playbook: &Playbook,
        case: &Case,
    ) -> anyhow::Result<(Outcome, Vec<String>)> {
        let stubs = case.stubs.iter();
        let stubs = stubs.map(|(step, stub)| (step.clone(), Stubbed::new(stub.clone())));
        let cast = Arc::new(Cast {
            sandbox: Arc::clone(&self.sandbox),
            stubs: Mutex::new(stubs.collect()),
            missing: Mutex::default(),
        });
        let tools = Arc::new(All(Arc::clone(&self.tools)));
        let engine = Engine::new(
            Arc::clone(&cast) as Arc<dyn StepRunner>,
            tools,
            Arc::new(Nowhere),
            Arc::new(Grants::built_in(DEFAULT_TENANT)),
            ExecutionLimits::default(),
            Metrics::default(),
        );
        let execution = Execution {
            tenant: DEFAULT_TENANT.into(),
            id: Uuid::now_v7(),
            plan: Arc::new(Plan::new(playbook.clone())),
            version: 1,
            payload: case.payload.clone(),
            events: None,
            history: None,
            cancel: CancellationToken::new(),
            calls: Arc::clone(&cast) as Arc<dyn Playbooks>,
            lineage: Lineage::default(),
        };
        let outcome = engine.run(execution).await?;
        Ok((outcome, cast.faults()))
    }
}

/// A stub that is being used.
struct Stubbed {
    stub: Stub,
    left: VecDeque<Result<Value, StepError>>,
    used: bool,
}

impl Stubbed {
    fn new(stub: Stub) -> Self {
        let left = match &stub {
            Stub::Always(_) => VecDeque::new(),
            Stub::InTurn(answers) => answers.clone().into(),
        };
        Self {
            stub,
            left,
            used: false,
        }
    }

    fn answer(&mut self, step: &str) -> Result<Value, StepError> {
        self.used = true;
        match &self.stub {
            Stub::Always(answer) => answer.clone(),
            Stub::InTurn(all) => self.left.pop_front().unwrap_or_else(|| {
                Err(missing(format!(
                    "the step `{step}` ran more often than its {} stubs",
                    all.len()
                )))
            }),
        }
    }
}

/// The kind of error of a step that needs a stub and has none.
const NO_STUB: &str = "no_stub";

fn missing(message: String) -> StepError {
    StepError {
        kind: NO_STUB.into(),
        ..StepError::new(ErrorCategory::Internal, message)
    }
}

/// What steps find in place of the world.
struct Cast {
    sandbox: Arc<Sandbox>,
    stubs: Mutex<HashMap<String, Stubbed>>,
    /// What was said of stubs that are missing. The playbook may have gone on, with
    /// `on_error` for example.
    missing: Mutex<BTreeSet<String>>,
}

impl Cast {
    fn stubbed(&self, step: &str) -> Option<Result<Value, StepError>> {
        let mut stubs = self.stubs.lock().expect("no panic while it is held");
        stubs.get_mut(step).map(|stubbed| stubbed.answer(step))
    }

    /// Keeps in mind whether it is for want of a stub.
    fn noted(&self, result: Result<Value, StepError>) -> Result<Value, StepError> {
        if let Err(error) = &result
            && error.kind == NO_STUB
        {
            let mut missing = self.missing.lock().expect("no panic while it is held");
            missing.insert(error.message.clone());
        }
        result
    }

    fn faults(&self) -> Vec<String> {
        let missing = self.missing.lock().expect("no panic while it is held");
        let mut faults: Vec<String> = missing.iter().cloned().collect();
        let stubs = self.stubs.lock().expect("no panic while it is held");
        for (step, stubbed) in stubs.iter() {
            match (stubbed.used, stubbed.left.len()) {
                (false, _) => faults.push(format!("the stub of `{step}` was not used")),
                (true, 0) => {}
                (true, left) => faults.push(format!("{left} stubs of `{step}` were not used")),
            }
        }
        faults.sort();
        faults
    }
}

#[async_trait]
impl StepRunner for Cast {
    async fn run(&self, request: StepRequest) -> StepOutcome {
        // Rows on their way into a table.
        let copy = &request.config["copy"];
        let result = if copy.is_object() {
            let rows = request.args["rows"].as_array().map_or(0, Vec::len);
            let table = copy["table"].as_array().into_iter().flatten();
            let table: Vec<&str> = table.filter_map(Value::as_str).collect();
            Ok(json!({"table": table.join("."), "rows": rows}))
        } else if let Some(answer) = self.stubbed(&request.step) {
            answer
        } else if REAL.contains(&request.tool.as_str()) {
            return self.sandbox.run_alone(request).await;
        } else {
            Err(missing(format!(
                "the step `{}` uses the tool `{}`, which has no stub in this case",
                request.step, request.tool
            )))
        };
        StepOutcome {
            result: self.noted(result),
            log: Vec::new(),
            usage: Usage::default(),
        }
    }
}

#[async_trait]
impl Playbooks for Cast {
    async fn call(&self, call: PlaybookCall) -> Result<Value, StepError> {
        let result = self.stubbed(&call.step).unwrap_or_else(|| {
            Err(missing(format!(
                "the step `{}` calls the playbook `{}`, which has no stub in this case",
                call.step, call.path
            )))
        });
        self.noted(result)
    }
}

/// Every tenant has all of them.
struct All(Arc<Toolset>);

impl Tools for All {
    fn of(&self, _: &str) -> Arc<Toolset> {
        Arc::clone(&self.0)
    }
}

/// Nothing is kept.
struct Nowhere;

#[async_trait]
impl Recorder for Nowhere {
    async fn record(
        &self,
        _: &str,
        _: Uuid,
        _: &[StoredEvent],
        _: Option<&Finished>,
    ) -> Result<bool, RecordError> {
        Ok(false)
    }
}
