//! Whatever a value is, the statements that PostgreSQL gets are those of a
//! harmless one; and they end where PostgreSQL says that they end.
#![no_main]

use libfuzzer_sys::fuzz_target;
use noetl_fuzz::cut;
use noetl_fuzz::template::{Parameter, Scope, SqlTemplate, Statement};
use serde_json::json;

fuzz_target!(|data: &[u8]| {
    let Some((source, values)) = cut(data) else {
        return;
    };
    let Ok(template) = SqlTemplate::compile(source) else {
        return;
    };
    let text = |n: usize| values.get(n).copied().unwrap_or_default();
    let render = |a: &str, b: &str| {
        let names = json!({"workload": {"a": a, "b": b}});
        let scope = Scope::new(names.as_object().cloned().unwrap_or_default());
        template.render(&scope)
    };
    let hostile = render(text(0), text(1));
    // What depends on a value by its author's will may differ: a branch, a name.
    if source.contains("{%") || source.contains("ident") {
        check(&hostile.unwrap_or_default());
        return;
    }
    let (Ok(harmless), Ok(hostile)) = (render("harmless", "value"), hostile) else {
        return;
    };
    let texts = |statements: &[Statement]| -> Vec<String> {
        statements.iter().map(|s| s.text.clone()).collect()
    };
    assert_eq!(texts(&harmless), texts(&hostile));
    for (a, b) in harmless.iter().zip(&hostile) {
        assert_eq!(a.params.len(), b.params.len());
        let null = |p: &Parameter| matches!(p, Parameter::Literal(text) if text.contains('\0'));
        assert!(!b.params.iter().any(null), "a NUL");
    }
    check(&hostile);
});

#[cfg(not(feature = "postgres-parser"))]
fn check(_: &[Statement]) {}

/// What PostgreSQL can read at all, it reads as one statement with these parameters.
#[cfg(feature = "postgres-parser")]
fn check(statements: &[Statement]) {
    let mut all = String::new();
    let mut readable = 0;
    for statement in statements {
        // It reads neither NUL nor a text of this depth without its own limits.
        if statement.text.contains('\0') || statement.text.len() > 4000 {
            return;
        }
        let Ok(read) = pg_query::parse(&statement.text, 0) else {
            return;
        };
        assert_eq!(read.protobuf.stmts.len(), 1, "{}", statement.text);
        readable += 1;
        all.push_str(&statement.text);
        all.push_str("\n;\n");
    }
    if let Ok(read) = pg_query::parse(&all, 0) {
        assert_eq!(read.protobuf.stmts.len(), readable, "{all}");
    }
}
