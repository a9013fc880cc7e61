use serde_json::{Value as Json, json};

use super::*;

fn scope(names: Json) -> Scope {
    match names {
        Json::Object(map) => Scope::new(map),
        other => panic!("{other} is no object"),
    }
}

fn render(source: &str, names: Json) -> Vec<Statement> {
    SqlTemplate::compile(source)
        .and_then(|template| template.render(&scope(names)))
        .unwrap_or_else(|error| panic!("{source}: {error}"))
}

fn one(source: &str, names: Json) -> (String, Vec<Parameter>) {
    let mut statements = render(source, names);
    assert_eq!(statements.len(), 1, "{statements:?}");
    let statement = statements.remove(0);
    (statement.text, statement.params)
}

fn refused(source: &str) -> TemplateError {
    match SqlTemplate::compile(source) {
        Err(error) => error,
        Ok(_) => panic!("{source} is accepted"),
    }
}

fn literal(text: &str) -> Parameter {
    Parameter::Literal(text.to_owned())
}

const NASTY: [&str; 14] = [
    "O'Brien",
    "'); DROP TABLE auth.users; --",
    "$1",
    "$$",
    "$tag$ x $tag$",
    "{{ 1 }}",
    "{% raw %}",
    "\\",
    "\\'; --",
    "\"",
    "/* x",
    "😀 ü ",
    "",
    "a''b",
];

#[test]
fn quoted_expressions_are_absorbed() {
    let source = "INSERT INTO auth.users (user_id, name)\nVALUES (\n  '{{ vars.id }}',\n  '{{ vars.name }}'\n) RETURNING user_id;\n";
    for value in NASTY {
        let (text, params) = one(source, json!({"vars": {"id": value}}));
        assert_eq!(
            text,
            "INSERT INTO auth.users (user_id, name)\nVALUES (\n  $1,\n  $2\n) RETURNING user_id"
        );
        assert_eq!(params, [literal(value), Parameter::Null]);
    }
}

#[test]
fn no_value_changes_the_text() {
    let sources = [
        "SELECT {{ workload.x }}, '{{ workload.x }}', 'a{{ workload.x }}b', E'\\n{{ workload.x }}'",
        "SELECT 1 WHERE '{{ workload.x }}%' LIKE {{ workload.x }} -- it's\n AND $$it's$$ = \"a'b\".c /* ' */",
    ];
    for source in sources {
        let mut texts = NASTY.map(|value| one(source, json!({"workload": {"x": value}})).0);
        texts.sort();
        assert_eq!(texts.first(), texts.last());
        for value in NASTY {
            let (_, params) = one(source, json!({"workload": {"x": value}}));
            assert!(params.contains(&literal(value)));
        }
    }
}

#[test]
fn random_values_come_back_exactly() {
    // A small generator, so that a failure can be repeated.
    let mut state = 42u64;
    let mut next = |limit: u64| {
        state = state
            .wrapping_mul(6364136223846793005)
            .wrapping_add(1442695040888963407);
        (state >> 33) % limit
    };
    let alphabet: Vec<char> = "'\"\\$;-/*{}%# \n\tEUBx&1a_😀é\u{1}".chars().collect();
    let template = SqlTemplate::compile("SELECT '{{ workload.x }}', '<{{ workload.x }}>'").unwrap();
    for _ in 0..2000 {
        let length = next(12);
        let value: String = (0..length)
            .map(|_| alphabet[next(alphabet.len() as u64) as usize])
            .collect();
        let statements = template
            .render(&scope(json!({"workload": {"x": value}})))
            .unwrap();
        assert_eq!(statements.len(), 1);
        assert_eq!(statements[0].text, "SELECT $1, $2");
        assert_eq!(
            statements[0].params,
            [literal(&value), literal(&format!("<{value}>"))]
        );
    }
}

#[test]
fn values_in_the_open_have_the_type_of_the_same_literal() {
    let data = json!({"workload": {
        "i": 5, "neg": -5, "big": 3_000_000_000_i64, "huge": u64::MAX, "f": 1.5, "t": "x",
        "yes": true, "none": null, "list": [1, null], "map": {"a": 1},
    }});
    for (name, text, parameter) in [
        ("i", "$1", Parameter::Int64(5)),
        ("neg", "$1", Parameter::Int64(-5)),
        ("big", "$1", Parameter::Int64(3_000_000_000)),
        ("huge", "$1", Parameter::Numeric(u64::MAX.to_string())),
        ("f", "$1", Parameter::Numeric("1.5".into())),
        ("t", "$1", literal("x")),
        ("yes", "$1", Parameter::Boolean(true)),
        ("none", "$1", Parameter::Null),
        ("list", "$1", Parameter::Document("[1,null]".into())),
        ("map", "$1", Parameter::Document("{\"a\":1}".into())),
    ] {
        let source = format!("SELECT {{{{ workload.{name} }}}}");
        let expected = (format!("SELECT {text}"), vec![parameter]);
        assert_eq!(one(&source, data.clone()), expected);
    }
    for (name, parameter) in [
        ("i", literal("5")),
        ("f", literal("1.5")),
        ("yes", literal("true")),
        ("none", Parameter::Null),
        ("list", Parameter::Document("[1,null]".into())),
    ] {
        let source = format!("SELECT '{{{{ workload.{name} }}}}'");
        assert_eq!(
            one(&source, data.clone()),
            ("SELECT $1".into(), vec![parameter])
        );
    }
}

#[test]
fn a_longer_literal_is_one_parameter() {
    let data = json!({"workload": {"a": "x'y", "n": 3, "none": null}});
    for (source, text, value) in [
        (
            "SELECT 'it''s {{ workload.a }} {{ workload.n }}'",
            "SELECT $1",
            "it's x'y 3",
        ),
        (
            "SELECT '{{ workload.n }} days'::interval",
            "SELECT $1::interval",
            "3 days",
        ),
        (
            "SELECT INTERVAL '{{ workload.n }} days'",
            "SELECT CAST($1 AS INTERVAL)",
            "3 days",
        ),
        (
            "SELECT now() - INTERVAL '{{ workload.n }} days' + x",
            "SELECT now() - CAST($1 AS INTERVAL) + x",
            "3 days",
        ),
        (
            "SELECT pg_catalog . date /* c */ '2020-01-0{{ workload.n }}'",
            "SELECT CAST($1 AS pg_catalog.date)",
            "2020-01-03",
        ),
        ("SELECT '<{{ workload.none }}>'", "SELECT $1", "<>"),
        (
            "SELECT E'a\\n\\'{{ workload.a }}\\x41\\u00e9\\\\'",
            "SELECT $1",
            "a\n'x'yA\u{e9}\\",
        ),
        ("SELECT 'a\\{{ workload.n }}'", "SELECT $1", "a\\3"),
    ] {
        assert_eq!(
            one(source, data.clone()),
            (text.to_owned(), vec![literal(value)]),
            "{source}"
        );
    }
}

#[test]
fn keywords_before_a_literal_are_no_types() {
    for source in [
        "SELECT 'V'",
        "SELECT a AND 'V'",
        "SELECT a LIKE 'V' ESCAPE '!'",
        "SELECT x AT TIME ZONE 'V'",
        "SELECT substring(a from 'V' for '#')",
        "SELECT CASE 'V' WHEN 'a' THEN 'b' END",
        "SELECT trim(both 'V' from x)",
        "SELECT a FROM t WHERE a IN ('V')",
        "SELECT a = 'V'",
        "SELECT a FROM t ORDER BY 'V'",
        "SELECT a IS DISTINCT FROM 'V'",
        "SELECT a BETWEEN 'V' AND 'b'",
        "SELECT ARRAY['V']",
        "UPDATE t SET a = 'V' WHERE b",
        "SELECT a ->> 'V', b ? 'k'",
    ] {
        let (text, params) = one(
            &source.replace('V', "{{ workload.x }}"),
            json!({"workload": {"x": "v"}}),
        );
        assert_eq!(text, source.replace("'V'", "$1"));
        assert_eq!(params, [literal("v")]);
    }
}

#[test]
fn scripts_are_split_at_top_level() {
    let statements = render(
        "-- first; comment\nCREATE TABLE a (b text DEFAULT ';');\n;;\n/* x; /* y; */ */\n\
         CREATE FUNCTION f() RETURNS int LANGUAGE sql AS $f$ SELECT 1; SELECT 2; $f$;\n\
         CREATE FUNCTION g() RETURNS int BEGIN ATOMIC SELECT CASE WHEN true THEN 1 END; SELECT 2; END;\n\
         CREATE RULE r AS ON INSERT TO a DO ALSO (SELECT 1; SELECT 2);\n\
         SELECT E'\\';', U&'\\0041;', \"a;b\", B'1', a::text, b[1:2], c := 1, 1.5e-3, '{{ workload.a }}';\n\
         SELECT '{{ workload.b }}', {{ workload.a }} -- end;",
        json!({"workload": {"a": "1", "b": "2"}}),
    );
    let starts: Vec<&str> = statements
        .iter()
        .map(|s| s.text.split(' ').next().unwrap())
        .collect();
    assert_eq!(statements.len(), 6, "{statements:#?}");
    assert!(
        starts[0].starts_with("--") && starts[1].starts_with("/*"),
        "{starts:?}"
    );
    assert!(statements[2].text.ends_with("SELECT 2; END"));
    assert!(statements[3].text.ends_with("SELECT 2)"));
    assert_eq!(
        statements[4].text,
        "SELECT E'\\';', U&'\\0041;', \"a;b\", B'1', a::text, b[1:2], c := 1, 1.5e-3, $1"
    );
    assert_eq!(statements[4].params, [literal("1")]);
    assert_eq!(statements[5].text, "SELECT $1, $2 -- end;");
    assert_eq!(statements[5].params, [literal("2"), literal("1")]);
}

#[test]
fn identifiers_are_quoted() {
    let data = json!({"workload": {"s": "auth", "t": "us\"ers; --", "v": 1}});
    assert_eq!(
        one(
            "SELECT * FROM {{ workload.s | ident }}.{{ workload.t | ident }} WHERE x = {{ workload.v }}",
            data.clone()
        ),
        (
            "SELECT * FROM \"auth\".\"us\"\"ers; --\" WHERE x = $1".into(),
            vec![Parameter::Int64(1)]
        )
    );
    assert_eq!(
        one(
            "CREATE SCHEMA {{ ('t_' ~ workload.s) | ident }}",
            data.clone()
        ),
        ("CREATE SCHEMA \"t_auth\"".into(), vec![])
    );
    for value in [json!(""), json!("a\0b"), json!(5), json!(null)] {
        let template = SqlTemplate::compile("SELECT {{ workload.x | ident }}").unwrap();
        let error = template.render(&scope(json!({"workload": {"x": value}})));
        assert!(error.is_err(), "{value}");
    }
    assert!(
        refused("SELECT '{{ x | ident }}'")
            .hint
            .unwrap()
            .contains("quotes")
    );
    assert!(
        refused("SELECT {{ x | ident | upper }}")
            .message
            .contains("identifier")
    );
}

#[test]
fn places_without_parameters_are_refused_with_their_line() {
    for (source, line, message) in [
        ("SELECT 1\n-- {{ x }}\n", 1, "comment"),
        ("SELECT 1 /* \n\n {{ x }} */", 2, "comment"),
        ("DO $$\nBEGIN PERFORM {{ x }}; END $$", 1, "dollar-quoted"),
        ("SELECT \"a{{ x }}\"", 0, "quoted identifier"),
        ("SELECT U&'{{ x }}'", 0, "this kind"),
        ("SELECT B'{{ x }}'", 0, "this kind"),
        ("SELECT\n * FROM tbl_{{ x }}", 1, "glued"),
        ("SELECT {{ x }}_y", 0, "glued"),
        ("SELECT 1{{ x }}", 0, "glued"),
        ("SELECT {{ x }}{{ y }}", 0, "glued"),
        ("SELECT {{ x }}'a'", 0, "glued"),
        ("SELECT {{ x }}.y", 0, "glued"),
        ("SELECT a FROM {{ x }}", 0, "name of a table"),
        (
            "SELECT (SELECT 1 FROM t JOIN {{ x }})",
            0,
            "name of a table",
        ),
        ("DELETE\nFROM auth.{{ x }}", 1, "name of a table"),
        ("NOTIFY a, '{{ x }}'", 0, "takes no values"),
        ("SELECT E'a'\n'\\'{{ x }}'", 1, "this kind"),
        ("SELECT\n$1, {{ x }}", 1, "`$1`"),
        ("SELECT 'a\n b", 0, "never closed"),
        ("SELECT $a$ x", 0, "never closed"),
        ("SELECT 'a' -- c\n '{{ x }}'", 1, "continue"),
        ("SELECT '{{ x }}' -- c\n 'a'", 1, "continue"),
        ("SELECT timestamp(3) '{{ x }}'", 0, "can't hold"),
        ("SELECT timestamp with time zone '{{ x }}'", 0, "can't hold"),
        ("SELECT interval '{{ x }}' day", 0, "can't hold"),
        ("SELECT date {{ x }}", 0, "needs a literal"),
        ("SET x = '{{ x }}'", 0, "takes no values"),
        (
            "SELECT 1;\nCREATE ROLE a PASSWORD '{{ x }}'",
            1,
            "takes no values",
        ),
        ("SELECT 1;\nCOMMIT;", 1, "one transaction"),
        ("BEGIN; SELECT 1", 0, "one transaction"),
        ("  -- nothing\n ; ", 0, "no statement"),
        (
            "CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT {{ x }}; END",
            0,
            "body",
        ),
        ("SELECT 1 {% if x %}\n, a{{ x }}{% endif %}", 1, "glued"),
        (
            "SELECT 1 {% if x %}{% else %}\n, a{{ x }}{% endif %}",
            1,
            "glued",
        ),
        ("SELECT E'\\{{ x }}'", 0, "backslash"),
        ("{% set a %}{{ x }}{% endset %}SELECT {{ a }}", 0, "set"),
    ] {
        let error = refused(source);
        assert!(error.message.contains(message), "{source}: {error:?}");
        assert_eq!(error.line_offset, line, "{source}: {error:?}");
    }
}

#[test]
fn branches_and_loops_make_text() {
    let source = "SELECT * FROM t WHERE true\
        {% if workload.name %} AND name = '{{ workload.name }}'{% else %} AND name IS NULL{% endif %}\
        {% if workload.ids %} AND id IN ({% for id in workload.ids %}{{ id }}{% if not loop.last %}, {% endif %}{% endfor %}){% endif %}";
    assert_eq!(
        one(source, json!({"workload": {"name": "a", "ids": [1, "b"]}})),
        (
            "SELECT * FROM t WHERE true AND name = $1 AND id IN ($2, $3)".into(),
            vec![literal("a"), Parameter::Int64(1), literal("b")]
        )
    );
    assert_eq!(
        one(source, json!({"workload": {"name": null, "ids": []}})),
        ("SELECT * FROM t WHERE true AND name IS NULL".into(), vec![])
    );
    let glued =
        SqlTemplate::compile("SELECT {% for x in workload.l %}{{ x }}{% endfor %}").unwrap();
    assert!(
        glued
            .render(&scope(json!({"workload": {"l": [1, 2]}})))
            .is_err()
    );
}

#[test]
fn a_nul_is_refused_with_the_expression() {
    for source in [
        "SELECT '{{ workload.x }}'",
        "SELECT {{ workload.x }}",
        "SELECT 'a{{ workload.x }}'",
    ] {
        let template = SqlTemplate::compile(source).unwrap();
        let error = template
            .render(&scope(json!({"workload": {"x": "a\0b"}})))
            .unwrap_err();
        assert!(error.message.contains("NUL"), "{error:?}");
        assert_eq!(error.expression.as_deref(), Some("workload.x"));
    }
}

#[test]
fn what_is_undefined_is_an_error_and_what_is_unset_is_null() {
    let template = SqlTemplate::compile("SELECT '{{ step.data.x }}'").unwrap();
    assert!(template.render(&Scope::default()).is_err());
    let (_, params) = one("SELECT {{ vars.a }}, '{{ vars.b }}'", json!({}));
    assert_eq!(params, [Parameter::Null, Parameter::Null]);
}

#[test]
fn parameters_have_their_json_forms() {
    let params = [
        (Parameter::Null, json!({"null": null})),
        (Parameter::Boolean(true), json!({"boolean": true})),
        (Parameter::Int64(5), json!({"int64": 5})),
        (Parameter::Float64(1.5), json!({"float64": 1.5})),
        (
            Parameter::Numeric("1.23".into()),
            json!({"numeric": "1.23"}),
        ),
        (literal("O'Brien"), json!({"literal": "O'Brien"})),
        (
            Parameter::Document("[1,2]".into()),
            json!({"document": "[1,2]"}),
        ),
    ];
    for (parameter, form) in params {
        assert_eq!(serde_json::to_value(&parameter).unwrap(), form);
        assert_eq!(
            serde_json::from_value::<Parameter>(form).unwrap(),
            parameter
        );
    }
}
