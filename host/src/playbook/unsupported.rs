//! What playbooks of NoETL may hold and this server has not, and what to write instead.

/// Where a word stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// A field of the playbook.
    Top,
    /// The tool's name.
    Tool,
    /// A field of a step or task, whatever its tool.
    Step,
    /// A field of a task of the workbook.
    Task,
    /// A field of a python step.
    Python,
    /// A field of a postgres step.
    Postgres,
    /// A field of an http step.
    Http,
    /// A field of a step that runs another playbook.
    Call,
    /// A field of `auth`.
    Auth,
    /// A field of an entry of `next`.
    Next,
    /// A field of `loop`.
    Loop,
    /// A field of `retry`.
    Retry,
    /// A field of `assert`.
    Assert,
    /// A field of `sink`.
    Sink,
    /// A name that a template reads.
    Name,
}

/// A word that is refused.
#[derive(Debug)]
pub(super) struct Unsupported {
    place: Place,
    words: &'static [&'static str],
    /// The fields that are missing because this one stood for them.
    pub stands_for: &'static [&'static str],
    /// Why it isn't there; empty, if that says no more than that it isn't.
    pub why: &'static str,
    /// What to write.
    pub instead: &'static str,
}

/// What is known about a word at this place.
pub(super) fn find(place: Place, word: &str) -> Option<&'static Unsupported> {
    TABLE
        .iter()
        .find(|row| row.place == place && row.words.contains(&word))
}

const fn row(
    place: Place,
    words: &'static [&'static str],
    why: &'static str,
    instead: &'static str,
) -> Unsupported {
    Unsupported {
        place,
        words,
        stands_for: &[],
        why,
        instead,
    }
}

const fn standing_for(fields: &'static [&'static str], row: Unsupported) -> Unsupported {
    Unsupported {
        stands_for: fields,
        ..row
    }
}

const SECRETS: &str = "no playbook and no step sees a secret";
const STORE: &str =
    "store it with `noetl credential add`, and name it in `auth` of the step that needs it";
const OWN_TOOL: &str = "use `tool: postgres`, or push a tool of your own: `noetl tool new`";
const VALUES_IN_QUERY: &str = "write `'{{ … }}'` in the query: each becomes a parameter";
const IN_COLLECTION: &str = "it is a matter of the list";

const TABLE: &[Unsupported] = &[
    row(
        Place::Top,
        &["environment", "context", "variables", "vars", "env", "spec"],
        "the input has one place",
        "put it into `workload`",
    ),
    row(
        Place::Top,
        &["keychain", "credentials", "secrets", "auth"],
        SECRETS,
        STORE,
    ),
    row(
        Place::Top,
        &["executor", "runtime", "pool"],
        "every step runs in a sandbox of this server",
        "take it away; how much a step may use stands in its `limits`",
    ),
    row(
        Place::Tool,
        &["duckdb", "ducklake", "snowflake", "clickhouse"],
        "the server has no such database",
        OWN_TOOL,
    ),
    row(
        Place::Tool,
        &["snowflake_transfer", "transfer"],
        "there is no tool that copies between databases",
        "read with one step, and write with `sink` of the same step",
    ),
    row(
        Place::Tool,
        &["container", "script", "shell"],
        "a step runs in a sandbox, and starts no programs",
        "write it as a python step, or as a tool of your own: `noetl tool new`",
    ),
    row(
        Place::Tool,
        &["gcs", "nats", "mcp", "agent", "artifact"],
        "there is no such tool",
        "call its service with `tool: http`, or push a tool of your own: `noetl tool new`",
    ),
    row(Place::Tool, &["secrets", "secret"], SECRETS, STORE),
    row(
        Place::Tool,
        &["iterator"],
        "a loop is a field of the step that is repeated",
        "write the `tool` of its task here, and `loop: {collection: …, element: …}`",
    ),
    row(
        Place::Tool,
        &["playbooks"],
        "a step runs one playbook",
        "write `tool: playbook`, with a `loop` for several",
    ),
    row(
        Place::Tool,
        &["sink", "save"],
        "writing rows is a field of the step that has them",
        "write `sink: {tool: postgres, auth: …, table: …}` in that step",
    ),
    row(
        Place::Step,
        &["case"],
        "where a step leads does not depend on events",
        "write `next` with `when` and `then`, and `on_error` for failures",
    ),
    row(
        Place::Step,
        &["when"],
        "a step has no condition of its own",
        "write it in `next` of the step that leads here; `join: all` waits for several",
    ),
    row(
        Place::Step,
        &["bind", "set", "as", "register"],
        "a step keeps values in one way",
        "write `vars: {name: \"{{ result.data }}\"}`",
    ),
    row(
        Place::Step,
        &["call"],
        "the tool and its fields stand in the step itself",
        "write `tool: …` and its fields here, or `tool: workbook` with `name`",
    ),
    row(
        Place::Step,
        &["env", "credentials"],
        "a step has no environment variables",
        "hand values over in `args`; a secret is stored and named in `auth`",
    ),
    row(
        Place::Task,
        &[
            "assert", "loop", "next", "on_error", "retry", "save", "sink", "timeout", "vars",
        ],
        "a task is a tool with its arguments",
        "write it in the step that uses the task",
    ),
    standing_for(
        &["code"],
        row(
            Place::Python,
            &["code_b64", "code_base64"],
            "code is read by people",
            "write `code: |` and the code below it, indented",
        ),
    ),
    row(
        Place::Python,
        &["auth"],
        "python code sees no secret",
        "use the credential in a step of the tool `http` or `postgres`",
    ),
    row(
        Place::Python,
        &["libs", "packages", "requirements"],
        "python has its standard library here",
        "put what else is needed into a tool of your own: `noetl tool new`",
    ),
    standing_for(
        &["query"],
        row(
            Place::Postgres,
            &[
                "command_b64",
                "commands_b64",
                "query_b64",
                "queries_b64",
                "script_b64",
            ],
            "SQL is read by people",
            "write `query: |` and the SQL below it, indented",
        ),
    ),
    row(
        Place::Postgres,
        &["args", "with", "data", "params", "parameters"],
        "a query takes its values where they stand",
        VALUES_IN_QUERY,
    ),
    row(
        Place::Postgres,
        &["pool"],
        "connections are kept by the server",
        "take it away; their number is a setting of the server",
    ),
    standing_for(
        &["auth"],
        row(
            Place::Postgres,
            &[
                "connection",
                "connection_string",
                "database",
                "db_conn_string",
                "db_host",
                "db_name",
                "db_password",
                "db_port",
                "db_user",
                "dsn",
                "host",
                "password",
                "port",
                "sslmode",
                "user",
            ],
            SECRETS,
            "store the connection with `noetl credential add`, and write `auth: its_name`",
        ),
    ),
    row(
        Place::Http,
        &["data", "with"],
        "a request's values have a field for each place",
        "write `params` for the URL, `json` or `form` for the body",
    ),
    row(
        Place::Http,
        &["pagination"],
        "an http step sends one request",
        "go from page to page with `next`, and keep the cursor in `vars`",
    ),
    row(
        Place::Http,
        &["verify_ssl", "verify"],
        "certificates are always checked",
        "take it away",
    ),
    row(
        Place::Call,
        &["return_step", "return"],
        "what a playbook gives it says itself",
        "write `output: \"{{ that_step.data }}\"` in the playbook that is called",
    ),
    row(
        Place::Call,
        &["task"],
        "a call has the name of its step",
        "take it away",
    ),
    standing_for(
        &["credential"],
        row(
            Place::Auth,
            &[
                "api_key", "dsn", "env", "headers", "host", "inline", "password", "provider",
                "scope", "secret", "token", "user", "username", "value",
            ],
            SECRETS,
            "store it with `noetl credential add`, and write `auth: its_name`",
        ),
    ),
    row(
        Place::Next,
        &["args", "data", "with", "input"],
        "`next` hands nothing over",
        "write `args` in the step itself; it sees `vars` and the results of earlier steps",
    ),
    row(
        Place::Loop,
        &["where", "filter", "condition"],
        IN_COLLECTION,
        "filter it in `collection`: `{{ workload.items | selectattr('active') }}`",
    ),
    row(
        Place::Loop,
        &["order_by", "sort"],
        IN_COLLECTION,
        "sort it in `collection`: `{{ workload.items | sort(attribute='id') }}`",
    ),
    row(
        Place::Loop,
        &["limit"],
        IN_COLLECTION,
        "cut it in `collection`: `{{ workload.items[:10] }}`",
    ),
    row(
        Place::Loop,
        &["chunk", "batch", "enumerate"],
        IN_COLLECTION,
        "make the list in `collection`: `{{ workload.items | batch(10) }}`; `loop.index` counts",
    ),
    standing_for(
        &["collection", "element"],
        row(
            Place::Loop,
            &["pagination"],
            "a loop goes over a list that is there",
            "go from page to page with `next`, and keep the cursor in `vars`",
        ),
    ),
    row(
        Place::Loop,
        &["until", "while"],
        "a loop goes over a list that is there",
        "lead back with `next` and `when` as long as a condition holds",
    ),
    row(
        Place::Retry,
        &[
            "on_success",
            "next_call",
            "collect",
            "while",
            "per_iteration",
        ],
        "a step is repeated because it failed, not to read on",
        "go from page to page with `next`, and keep the cursor in `vars`",
    ),
    row(
        Place::Retry,
        &["retry_on", "retryable_status_codes", "retry_on_status"],
        "a condition says which failures are meant",
        "write `retry_when: \"{{ error.kind == '…' }}\"`",
    ),
    row(
        Place::Assert,
        &["expects", "returns"],
        "a condition says what must be there",
        "write `assert: \"{{ result.data.name is defined }}\"`; python's `main` names its arguments",
    ),
    standing_for(
        &["tool", "auth", "table"],
        row(
            Place::Sink,
            &["name"],
            "a sink writes into a table",
            "write `vars: {name: \"{{ result.data }}\"}` to keep a value",
        ),
    ),
    row(
        Place::Sink,
        &[
            "statement",
            "query",
            "command",
            "commands",
            "code",
            "params",
        ],
        "a sink writes rows as they are",
        "add a step with `tool: postgres` for SQL of your own",
    ),
    row(
        Place::Sink,
        &["storage", "method", "url", "endpoint", "headers"],
        "a sink writes into a table",
        "add a step with the tool that is meant",
    ),
    row(
        Place::Name,
        &["env"],
        "templates see no environment variables",
        "hand the value over in the payload: `{{ workload.… }}`",
    ),
    row(
        Place::Name,
        &["secret", "secrets", "keychain", "token"],
        SECRETS,
        STORE,
    ),
    row(
        Place::Name,
        &["job"],
        "",
        "the execution's id is `{{ execution_id }}`",
    ),
    row(
        Place::Name,
        &["context", "ctx", "work", "input", "payload"],
        "",
        "the input is `{{ workload.… }}`, what steps keep is `{{ vars.… }}`",
    ),
    row(
        Place::Name,
        &["this", "response", "data"],
        "",
        "what the tool gave is `{{ result.data }}`",
    ),
    row(
        Place::Name,
        &["status_code"],
        "",
        "the status of an answer is `{{ result.data.status }}`, of a failed request `{{ error.code }}`",
    ),
    row(
        Place::Name,
        &["success"],
        "",
        "write `error is not defined` in `retry`, and `on_error` for what follows a failure",
    ),
    row(
        Place::Name,
        &["event"],
        "where a step leads does not depend on events",
        "`next` is taken after a success, `on_error` after a failure",
    ),
    row(
        Place::Name,
        &["_loop", "iter"],
        "",
        "write `loop.index0`, `loop.index` and `loop.length`",
    ),
    row(
        Place::Name,
        &["results"],
        "",
        "a step's result has the step's name: `{{ that_step.data }}`",
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_word_is_told_of_once_and_helps() {
        let mut seen = Vec::new();
        for row in TABLE {
            let is_told = !row.why.is_empty() || row.place == Place::Name;
            assert!(is_told && !row.instead.is_empty(), "{row:?}");
            for word in row.words {
                assert!(!seen.contains(&(row.place, *word)), "{word} is there twice");
                seen.push((row.place, *word));
            }
        }
        assert!(find(Place::Tool, "duckdb").is_some());
        assert!(find(Place::Top, "duckdb").is_none());
    }
}
