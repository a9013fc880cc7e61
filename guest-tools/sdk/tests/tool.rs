//! A tool that uses everything that the attribute knows.

use noetl_tool::testing::{self, Host};
use noetl_tool::{Error, Invocation, log};
use serde_json::json;

#[noetl_tool::shape]
struct Config {
    /// What stands before the words.
    prefix: String,
    #[serde(default)]
    fails: bool,
}

#[noetl_tool::shape(open)]
struct Args {
    words: Vec<String>,
}

#[noetl_tool::shape]
struct Joined {
    text: String,
    prepared: bool,
    tenant: String,
}

fn upper(config: &str) -> Result<Vec<u8>, Error> {
    let config: Config = noetl_tool::serde_json::from_str(config)?;
    Ok(config.prefix.to_uppercase().into_bytes())
}

#[noetl_tool::tool(prepare = upper)]
async fn join(
    invocation: &Invocation,
    prepared: Option<Vec<u8>>,
    args: Args,
    mut config: Config,
) -> Result<Joined, Error> {
    if config.fails {
        return Err(Error::failed("test", "it failed").details(json!({"why": "told to"})));
    }
    log::debug!("{} words", args.words.len());
    let was_prepared = prepared.is_some();
    if let Some(prefix) = prepared {
        config.prefix = String::from_utf8_lossy(&prefix).into_owned();
    }
    Ok(Joined {
        text: format!("{}{}", config.prefix, args.words.join(" ")),
        prepared: was_prepared,
        tenant: invocation.tenant.clone(),
    })
}

#[test]
fn a_tool_gets_what_its_parameters_name() {
    let host = Host::new();
    let args = json!({"words": ["a", "b"], "more": 1});
    let joined = host.run(Tool, json!({"prefix": "x: "}), args.clone());
    assert_eq!(
        joined,
        Ok(json!({"text": "x: a b", "prepared": false, "tenant": "test"}))
    );
    assert_eq!(host.logged(), ["debug: 2 words"]);
    let prepared = testing::run_prepared(Tool, json!({"prefix": "x: "}), args);
    assert_eq!(
        prepared,
        Ok(json!({"text": "X: a b", "prepared": true, "tenant": "test"}))
    );
}

#[test]
fn a_failure_keeps_its_details() {
    let failed = testing::run(
        Tool,
        json!({"prefix": "", "fails": true}),
        json!({"words": []}),
    );
    let Err(Error::Failed(failure)) = failed else {
        panic!("it failed")
    };
    assert_eq!(failure.kind, "test");
    assert_eq!(failure.details, Some(json!({"why": "told to"})));
}

#[test]
fn a_tool_describes_its_types() {
    let schemas = testing::describe(Tool);
    assert_eq!(schemas["config"]["required"], json!(["prefix"]));
    assert_eq!(schemas["config"]["additionalProperties"], json!(false));
    assert_eq!(
        schemas["config"]["properties"]["prefix"]["description"],
        "What stands before the words."
    );
    assert_eq!(schemas["args"].get("additionalProperties"), None);
    assert_eq!(
        schemas["result"]["required"],
        json!(["text", "prepared", "tenant"])
    );
}

mod both {
    use noetl_tool::serde_json::value::RawValue;

    #[noetl_tool::shape]
    pub struct Fields {
        pub number: Box<RawValue>,
        pub name: Option<String>,
    }

    #[noetl_tool::tool]
    fn tool(fields: Fields) -> (Box<RawValue>, Option<String>) {
        (fields.number, fields.name)
    }
}

#[test]
fn fields_are_config_and_args_in_one() {
    let digits = "123456789012345678901234567890";
    let merged = testing::run_text(
        both::Tool,
        &format!(r#"{{"number": {digits}, "name": "config"}}"#),
        r#"{"name": "args"}"#,
    );
    assert_eq!(merged, Ok(format!(r#"[{digits},"args"]"#)));
    let schemas = testing::describe(both::Tool);
    assert_eq!(schemas["config"], schemas["args"]);
    assert_eq!(schemas["args"].get("required"), None);
    let missing = testing::run(both::Tool, json!({}), json!({}));
    assert_eq!(
        missing.unwrap_err().message(),
        "the step: missing field `number`"
    );
}

mod sender {
    use noetl_tool::{Error, http, postgres::Connection};

    #[noetl_tool::tool]
    fn send() -> Result<u16, Error> {
        let answer = http::get("https://a.example/?x").query("q", "1 2").send()?;
        let connection = Connection::open("pg")?;
        let transaction = connection.begin()?;
        transaction.query("SELECT 1", &[])?;
        Ok(answer.status)
    }
}

#[test]
#[should_panic(expected = "the test has no answer to `GET https://a.example/?x&q=1+2`")]
fn a_request_without_an_answer_panics() {
    let host = Host::new();
    let _ = host.run(sender::Tool, json!({}), json!({}));
}

#[test]
#[should_panic(expected = "the answer that is due is that to `GET https://b.example/`")]
fn a_request_that_is_not_due_panics() {
    let host = Host::new();
    host.http("GET https://b.example/", testing::Answer::status(200));
    let _ = host.run(sender::Tool, json!({}), json!({}));
}

#[test]
#[should_panic(expected = "the tool never asked for the answer to `SELECT 2`")]
fn an_answer_that_is_left_panics() {
    let host = Host::new();
    host.postgres("SELECT 2", Ok(testing::rows(json!([]))));
}

#[test]
fn a_transaction_that_is_dropped_is_rolled_back() {
    let host = Host::new();
    host.http(
        "GET https://a.example/?x&q=1+2",
        testing::Answer::status(204),
    );
    host.postgres("SELECT 1", Ok(testing::rows(json!([{"a": 1}]))));
    assert_eq!(host.run(sender::Tool, json!({}), json!({})), Ok(json!(204)));
    let statements: Vec<String> = host
        .statements()
        .into_iter()
        .map(|(text, _)| text)
        .collect();
    assert_eq!(statements, ["BEGIN", "SELECT 1", "ROLLBACK"]);
}
