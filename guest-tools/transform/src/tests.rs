use noetl_tool::serde_json::{Value, json};
use noetl_tool::testing::{Host, describe, run, run_text};
use noetl_tool::{Error, Failure};

use crate::Tool;

fn jq(program: &str, args: Value) -> Result<Value, Error> {
    run(Tool, json!({"jq": program}), args)
}

fn refused(program: &str) -> String {
    match jq(program, json!({})) {
        Err(Error::InvalidInput(message)) => message,
        other => panic!("{other:?} is not refused"),
    }
}

fn failed(program: &str) -> String {
    match jq(program, json!({})) {
        Err(Error::Failed(Failure { kind, message, .. })) if kind == "jq" => message,
        other => panic!("{other:?} is no failure"),
    }
}

#[test]
fn args_are_reshaped() {
    let args = json!({"users": [{"name": "Ada", "age": 36}, {"name": "Bob", "age": 7}]});
    assert_eq!(
        jq("[.users[] | select(.age > 18) | .name]", args.clone()),
        Ok(json!(["Ada"]))
    );
    assert_eq!(
        jq(".users | map({(.name): .age}) | add", args.clone()),
        Ok(json!({"Ada": 36, "Bob": 7}))
    );
    assert_eq!(
        jq(
            r#".users[0].name | test("^A") and (ascii_downcase | length == 3)"#,
            args
        ),
        Ok(json!(true))
    );
}

#[test]
fn the_first_output_counts_or_all_do() {
    assert_eq!(jq(".[]", json!({"a": 1, "b": 2})), Ok(json!(1)));
    assert_eq!(jq("empty", json!({})), Ok(Value::Null));
    let all = |program: &str| {
        run(
            Tool,
            json!({"jq": program, "all": true}),
            json!({"a": 1, "b": 2}),
        )
    };
    assert_eq!(all(".[]"), Ok(json!([1, 2])));
    assert_eq!(all("empty"), Ok(json!([])));
    assert_eq!(all(".a, halt, .b"), Ok(json!([1])));
    // The second is not asked for.
    assert_eq!(jq("1, error(\"second\")", json!({})), Ok(json!(1)));
}

#[test]
fn a_step_may_say_what_is_read() {
    let config =
        json!({"jq": "[., $n, $list[1]]", "input": null, "variables": {"n": 5, "list": [1, 2]}});
    assert_eq!(run(Tool, config, json!({"x": 1})), Ok(json!([null, 5, 2])));
}

#[test]
fn a_step_may_say_it_in_its_args() {
    let args = json!({"jq": ".", "all": true, "a": 1});
    assert_eq!(run(Tool, json!({}), args), Ok(json!([{"a": 1}])));
    let args = json!({"jq": ".[0]", "input": [7], "a": 1});
    assert_eq!(run(Tool, json!({}), args), Ok(json!(7)));
    // With a program of its own, a step's args are data.
    assert_eq!(
        jq("[.jq, .all]", json!({"jq": 1, "all": 2})),
        Ok(json!([1, 2]))
    );
    assert_eq!(
        run(Tool, json!({}), json!({"all": "x"}))
            .unwrap_err()
            .category(),
        "invalid_input"
    );
    assert_eq!(
        run(Tool, json!({}), json!({"a": 1})).unwrap_err().message(),
        "the step: missing field `jq`, the program to run"
    );
}

#[test]
fn no_digit_is_lost() {
    let digits = "123456789012345678901234567890";
    let same = |program: &str, number: &str| {
        let config = format!(r#"{{"jq": "{program}"}}"#);
        run_text(Tool, &config, &format!(r#"{{"n": {number}}}"#)).unwrap()
    };
    assert_eq!(same(".n", digits), digits);
    assert_eq!(same(".n + 1", digits), "123456789012345678901234567891");
    assert_eq!(
        same(".n", "0.10000000000000000000001"),
        "0.10000000000000000000001"
    );
    assert_eq!(same(".n * 1000", "9007199254740993"), "9007199254740993000");
}

#[test]
fn a_mistake_is_shown_where_it_is() {
    assert_eq!(
        refused(".a |\n  map(.b"),
        "jq, line 2, column 6: this `(` has no closing parenthesis"
    );
    assert_eq!(
        refused(".a |\n\n  if . then 1 fi"),
        "jq, line 3, column 15: expected else or end, found `fi`"
    );
    assert_eq!(
        refused(". | nowhere(1; 2)"),
        "jq, line 1, column 5: there is no filter `nowhere/2`"
    );
    assert_eq!(
        refused("\"ä\" | $n"),
        "jq, line 1, column 7: there is no variable `$n`"
    );
    assert_eq!(
        refused(". |"),
        "jq, line 1, column 4: expected term, found the end"
    );
    assert_eq!(
        refused(""),
        "jq, line 1, column 1: expected term, found the end"
    );
    assert_eq!(
        refused("import \"a\" as a; ."),
        "jq, line 1, column 9: a program has no modules here"
    );
}

#[test]
fn a_program_may_fail() {
    assert_eq!(failed("error(\"no\")"), "no");
    assert_eq!(failed("1 + {}"), "cannot calculate 1 + {}");
    assert_eq!(failed("halt_error"), "the program halted with code 5");
    assert!(failed("nan").starts_with("the result has something that JSON has not"));
    assert!(failed("{(1): 2}").starts_with("the result has something that JSON has not"));
}

#[test]
fn debug_is_in_the_log() {
    let host = Host::new();
    assert_eq!(jq(".a | debug | . + 1", json!({"a": 1})), Ok(json!(2)));
    assert_eq!(host.logged(), ["debug: 1"]);
}

#[test]
fn there_is_no_environment() {
    assert_eq!(
        refused("$ENV"),
        "jq, line 1, column 1: there is no variable `$ENV`"
    );
    assert_eq!(
        refused("input"),
        "jq, line 1, column 1: there is no filter `input/0`"
    );
}

#[test]
fn the_schemas_tell_the_fields() {
    let schemas = describe(Tool);
    assert!(schemas["config"]["properties"]["variables"].is_object());
    assert_eq!(schemas["config"].get("required"), None);
}
