//! The cases as they are written.

use std::collections::{BTreeMap, BTreeSet};

use noetl::sandbox::{Limit, Limits};
use noetl_tests::root;
use serde::Deserialize;
use serde_json::{Map, Value};

/// One attack.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    /// Its name: small letters, digits and hyphens.
    pub name: String,
    /// What the attacker is after.
    #[allow(dead_code, reason = "for those who read the case")]
    pub wants: String,
    /// The way in.
    pub kind: Kind,
    /// Why it still succeeds. Such a case is not run unless it is asked for.
    pub open: Option<String>,

    /// A whole playbook.
    pub text: Option<String>,
    /// Python with a `main`: of a playbook's one step, or of a step alone.
    pub code: Option<String>,
    /// SQL of a playbook's one step.
    pub query: Option<String>,
    /// The credential of `query`, if it is not the tenant's own.
    pub credential: Option<String>,
    /// The playbook's workload.
    #[serde(default)]
    pub workload: Map<String, Value>,
    /// What the caller sends.
    #[serde(default)]
    pub payload: Map<String, Value>,
    /// A step's arguments: templates in a playbook, values for a step alone.
    #[serde(default)]
    pub args: Map<String, Value>,

    /// A login's token as it stands.
    pub token: Option<String>,
    /// The claims of a login's token: JSON, or what claims to be.
    pub claims: Option<String>,

    /// A request's head: its first line and its headers.
    pub head: Option<String>,
    /// A request's body.
    pub body: Option<String>,
    /// All that is sent, to the byte.
    pub bytes: Option<String>,

    /// A component: its whole text, or
    pub wat: Option<String>,
    /// parts that replace those of `tool.wat`, or
    pub parts: Option<BTreeMap<String, String>>,
    /// the file itself, or
    pub file: Option<String>,
    /// the probe's first so many bytes, or
    pub probe_cut_at: Option<usize>,
    /// the probe as it is with this configuration.
    pub probe: Option<Value>,

    /// What is done to a compiled component on disk.
    pub poison: Option<crate::cache::Poison>,

    /// Limits of a step alone, in milliseconds or bytes; the others are the defaults.
    #[serde(default)]
    limits: BTreeMap<String, u64>,
    /// SQL that is run in the tenant's database before.
    #[serde(default)]
    pub before: Vec<String>,
    /// What must happen.
    pub expect: Expect,
}

/// The way in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A playbook, registered and executed over HTTP.
    Playbook,
    /// A token, given to the shipped login.
    Token,
    /// Bytes, sent to the server's port.
    Request,
    /// A component, loaded and run in the sandbox.
    Component,
    /// A step of the python tool alone, with limits of its own.
    Step,
    /// A compiled component that someone has tampered with.
    Cache,
    /// A playbook whose execution is shown by the command line.
    Terminal,
}

/// What must happen.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expect {
    /// The HTTP status; for `request` of the last answer, 0 is none.
    pub status: Option<u16>,
    /// How many answers a request gets.
    pub answers: Option<usize>,
    /// The problem's type, after `urn:noetl:problem:`.
    pub problem: Option<String>,
    /// The category of the step's error.
    pub error: Option<String>,
    /// The kind of the step's error.
    pub kind: Option<String>,
    /// The component is not even loaded.
    #[serde(default)]
    pub refused: bool,
    /// Parts of the answer's message.
    #[serde(default)]
    pub says: Vec<String>,
    /// What must not be anywhere in answer, record and log.
    #[serde(default)]
    pub never: Vec<String>,
    /// The step's result.
    pub result: Option<Value>,
    /// Queries in the tenant's database that must give true.
    #[serde(default)]
    pub then: Vec<String>,
    /// Parts of what the command line shows.
    #[serde(default)]
    pub shows: Vec<String>,
}

impl Case {
    /// The limits of a step alone.
    pub fn limits(&self) -> Limits {
        let mut limits = Limits::default();
        for (name, value) in &self.limits {
            let limit = Limit::named(name);
            limits.set(limit.unwrap_or_else(|| panic!("no limit {name}")), *value);
        }
        limits
    }
}

/// Every case with its class, the name of its file.
pub fn all() -> Vec<(String, Case)> {
    let dir = root().join("tests/attacks");
    let mut files: Vec<_> = std::fs::read_dir(&dir)
        .expect("tests/attacks is there")
        .map(|entry| entry.expect("it can be read").path())
        .filter(|path| path.extension().is_some_and(|e| e == "yaml"))
        .collect();
    files.sort();
    let mut cases = Vec::new();
    for file in files {
        let class = file.file_stem().expect("it has a name").to_string_lossy();
        let text = std::fs::read_to_string(&file).expect("it can be read");
        let read: Vec<Case> = serde_yaml::from_str(&text)
            .unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        cases.extend(read.into_iter().map(|case| (class.to_string(), case)));
    }
    let names: BTreeSet<_> = cases.iter().map(|(_, case)| &case.name).collect();
    assert_eq!(names.len(), cases.len(), "two cases have the same name");
    cases
}
