//! The cases as they are written.

use std::path::PathBuf;

use noetl_tests::root;
use serde::Deserialize;
use serde_json::Value;

/// A construct of NoETL's playbooks, its HTTP API or its command, and what becomes of it here.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    /// The construct, in Markdown.
    pub construct: String,
    /// The part of the document that it belongs to.
    pub group: Group,
    /// Where NoETL has it: a file of its repository, and that file's date.
    pub source: String,
    /// What is expected here.
    pub expect: Expect,
    /// Why it differs, in Markdown.
    pub why: Option<String>,
    /// What to use instead of what is refused, in Markdown, where the refusal can't say it.
    pub instead: Option<String>,

    /// Playbooks that are registered before.
    #[serde(default)]
    pub also: Vec<String>,
    /// The playbook.
    pub playbook: Option<String>,
    /// What the playbook is executed with; the text `API` becomes the address of a server.
    pub payload: Option<Value>,
    /// Sent instead of the playbook's execution; `{id}` is that of one.
    pub request: Option<Request>,
    /// Arguments of `noetl`; `{file}` is the playbook's file.
    pub command: Option<Vec<String>>,

    /// The answer's HTTP status.
    pub status: Option<u16>,
    /// Members of the answer.
    pub result: Option<Value>,
    /// How many steps with a tool have run.
    pub steps: Option<usize>,
    /// Parts of what is told: of the answer, of the faults, of the command's output.
    #[serde(default)]
    pub says: Vec<String>,
}

/// Parts of the document, in its order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Group {
    Flow,
    Tools,
    Templates,
    Results,
    Http,
    Cli,
}

/// What becomes of a construct.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Expect {
    /// It means here what NoETL says.
    Works,
    /// It is taken, and means something else.
    Differs,
    /// It is refused, with what to do.
    Refused,
}

/// An HTTP request.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Request {
    pub method: String,
    pub path: String,
    pub body: Option<Value>,
}

/// All cases by their names, in the order of these.
pub fn all() -> Vec<(String, Case)> {
    let directory = root().join("tests/compatibility");
    let entries = std::fs::read_dir(&directory).expect("they are in the repository");
    let mut files: Vec<PathBuf> = entries
        .map(|entry| entry.expect("it can be read").path())
        .collect();
    files.sort();
    let read = |file: PathBuf| {
        let name = file.file_stem().expect("it has a name").to_string_lossy();
        let text = std::fs::read_to_string(&file).expect("it can be read");
        let case: Case =
            serde_yaml::from_str(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
        let explained = case.why.is_some() == (case.expect == Expect::Differs);
        assert!(explained, "{name}: `why` is for what differs");
        let refused = case.expect == Expect::Refused;
        assert!(
            refused || case.instead.is_none(),
            "{name}: `instead` is for what is refused"
        );
        let checked = case.status.is_some()
            || case.result.is_some()
            || case.steps.is_some()
            || !case.says.is_empty();
        assert!(
            checked && (!refused || case.status.is_some() || !case.says.is_empty()),
            "{name} checks nothing"
        );
        (name.into_owned(), case)
    };
    files.into_iter().map(read).collect()
}
