use serde_json::{Value as Json, json};

use super::*;

fn scope(names: Json) -> Scope {
    match names {
        Json::Object(map) => Scope::new(map),
        other => panic!("{other} is no object"),
    }
}

fn render(source: &str, names: Json) -> Json {
    Template::compile(source)
        .and_then(|template| template.render(&scope(names)))
        .unwrap_or_else(|error| panic!("{source}: {error}"))
}

fn failure(source: &str, names: Json) -> TemplateError {
    match Template::compile(source).and_then(|template| template.render(&scope(names))) {
        Err(error) => error,
        Ok(value) => panic!("{source} gave {value}"),
    }
}

#[test]
fn one_whole_expression_keeps_its_type() {
    let data = json!({"workload": {
        "int": 5, "min": i64::MIN, "max": u64::MAX, "float": 1.5, "one": 1.0, "yes": true,
        "none": null, "list": [1, "a", null], "map": {"z": 1, "a": {"b": []}}, "text": "ü😀",
    }});
    for name in [
        "int", "min", "max", "float", "one", "yes", "none", "list", "map", "text",
    ] {
        for source in [
            format!("{{{{ workload.{name} }}}}"),
            format!("  {{{{- workload['{name}'] -}}}}\n"),
        ] {
            let value = render(&source, data.clone());
            assert_eq!(value, data["workload"][name], "{source}");
            assert_eq!(value.to_string(), data["workload"][name].to_string());
        }
    }
    assert_eq!(render("{{ workload }}", data.clone()), data["workload"]);
}

#[test]
fn text_around_an_expression_makes_text() {
    let data = json!({"workload": {"n": 5, "f": 1.0, "yes": true, "none": null, "l": [1, "a"]}});
    for (source, expected) in [
        ("plain", "plain"),
        ("", ""),
        ("a\n", "a\n"),
        ("n={{ workload.n }}!\n", "n=5!\n"),
        ("{{ workload.n }}{{ workload.f }}", "51.0"),
        ("<{{ workload.none }}>", "<>"),
        ("{{ workload.yes }}/{{ workload.l }}", "true/[1,\"a\"]"),
        ("{% if workload.yes %}a{% else %}b{% endif %}", "a"),
        ("{% for x in workload.l %}{{ x }};{% endfor %}", "1;a;"),
        ("a{# no #}b", "ab"),
        ("{% raw %}{{ a }}{% endraw %}", "{{ a }}"),
    ] {
        assert_eq!(render(source, data.clone()), json!(expected), "{source}");
    }
}

#[test]
fn data_is_never_a_template() {
    let nasty = "{{ 7*7 }}{% for %}\0{# x #}";
    let data = json!({"workload": {"x": nasty, "l": [nasty]}});
    assert_eq!(render("{{ workload.x }}", data.clone()), json!(nasty));
    assert_eq!(
        render("<{{ workload.x }}>", data.clone()),
        json!(format!("<{nasty}>"))
    );
    assert_eq!(render("{{ workload.l }}", data.clone()), json!([nasty]));
    assert_eq!(
        render("{{ workload.x | upper }}", data),
        json!(nasty.to_uppercase())
    );
}

#[test]
fn expressions_of_the_shipped_playbooks() {
    let rows = json!({"result": {"data": {"command_1": [{"user_id": "u"}]}}});
    let none = json!({"result": {"data": {"command_1": []}}});
    let first = "{{ result.data.command_1[0] if result.data.command_1 else {} }}";
    let some = "{{ result.data.command_1 | length > 0 }}";
    assert_eq!(render(first, rows.clone()), json!({"user_id": "u"}));
    assert_eq!(render(first, none.clone()), json!({}));
    assert_eq!(render(some, rows), json!(true));
    assert_eq!(render(some, none), json!(false));
}

#[test]
fn python_spellings_work() {
    let data = json!({"workload": {"m": {"k": 1}, "t": " Ab "}});
    for (source, expected) in [
        ("{{ None }}", json!(null)),
        ("{{ True and not False }}", json!(true)),
        ("{{ workload.m.get('k') }}", json!(1)),
        ("{{ workload.m.get('x') }}", json!(null)),
        ("{{ workload.m.get('x', 5) }}", json!(5)),
        ("{{ workload.m.items() }}", json!([["k", 1]])),
        ("{{ workload.m.keys() }}", json!(["k"])),
        ("{{ workload.m.values() }}", json!([1])),
        ("{{ workload.t.strip().upper() }}", json!("AB")),
        ("{{ workload.t.startswith(' A') }}", json!(true)),
        ("{{ 'a,b'.split(',') }}", json!(["a", "b"])),
        ("{{ workload.m | tojson }}", json!("{\"k\":1}")),
        ("{{ 'a:b' | b64encode }}", json!("YTpi")),
        ("{{ 'YTpi' | b64decode }}", json!("a:b")),
        ("{{ workload.m | tojson(2) }}", json!("{\n  \"k\": 1\n}")),
        ("{{ 5 | b64encode }}", json!("NQ==")),
        (
            "{{ 'one two' | truncate(6, true, leeway=0) }}",
            json!("one..."),
        ),
        ("{{ range(3) | list }}", json!([0, 1, 2])),
    ] {
        assert_eq!(render(source, data.clone()), expected, "{source}");
    }
}

#[test]
fn an_unset_variable_reads_as_null_and_is_not_defined() {
    let data = json!({"vars": {"set": 1, "null": null}});
    for (source, expected) in [
        ("{{ vars.set }}", json!(1)),
        ("{{ vars.unset }}", json!(null)),
        ("{{ vars['unset'] }}", json!(null)),
        ("{{ vars.null }}", json!(null)),
        ("<{{ vars.unset }}>", json!("<>")),
        ("{{ [vars.unset, vars.set] }}", json!([null, 1])),
        ("{{ vars.unset is defined }}", json!(false)),
        ("{{ vars.null is defined }}", json!(false)),
        ("{{ vars.set is defined }}", json!(true)),
        ("{{ vars.unset is none }}", json!(true)),
        ("{{ vars.unset or 'else' }}", json!("else")),
        ("{{ vars.unset | default('else') }}", json!("else")),
        ("{{ vars.unset | tojson }}", json!("null")),
        ("{{ vars.get('unset', 'else') }}", json!("else")),
        ("{{ vars }}", json!({"set": 1})),
    ] {
        assert_eq!(render(source, data.clone()), expected, "{source}");
    }
}

#[test]
fn what_is_undefined_is_an_error_in_a_value() {
    let data = json!({"result": {"status": "error"}, "workload": {}});
    for source in [
        "{{ result.data }}",
        "{{ result.data | tojson }}",
        "{{ result.data | b64encode }}",
        "{{ result.data | truncate }}",
        "{{ \"-\".format(result.data) }}",
        "{{ \"\".join(result.data) }}",
        "a\n {{ result.data.sub }}",
        "x {{ later.data }}",
    ] {
        let error = failure(source, data.clone());
        let expression = source.split(['{', '}']).nth(2).unwrap().trim();
        assert_eq!(error.expression.as_deref(), Some(expression), "{error:?}");
        assert_eq!(error.line_offset, source.matches('\n').count());
        assert!(error.to_string().contains("not defined"), "{error}");
    }
}

#[test]
fn a_variable_stays_unset_for_undefined_and_null() {
    let check = |source: &str, data: Json| {
        Template::compile(source)
            .unwrap()
            .render_var(&scope(data))
            .unwrap()
    };
    let sub = "{{ result.data.sub }}";
    assert_eq!(
        check(sub, json!({"result": {"data": {"sub": "x"}}})),
        Some(json!("x"))
    );
    assert_eq!(check(sub, json!({"result": {"data": {"sub": null}}})), None);
    assert_eq!(
        check(sub, json!({"result": {"data": {"error": "x"}}})),
        None
    );
    assert_eq!(check(sub, json!({"result": {"error": "x"}})), None);
    assert_eq!(check(sub, json!({"result": null})), None);
    assert_eq!(check(sub, json!({})), None);
    assert_eq!(
        check("{{ result.rows[0].id }}", json!({"result": {"rows": []}})),
        None
    );
    assert_eq!(
        check("{{ result.n > 0 }}", json!({"result": {"n": 0}})),
        Some(json!(false))
    );
}

#[test]
fn truth_is_pythons_and_that_of_rendered_texts() {
    let check = |value: Json| {
        let template = Template::compile("{{ workload.x }}").unwrap();
        template
            .is_true(&scope(json!({"workload": {"x": value}})))
            .unwrap()
    };
    for value in [
        json!(null),
        json!(false),
        json!(0),
        json!(0.0),
        json!(""),
        json!([]),
        json!({}),
        json!("False"),
        json!("false"),
        json!("0"),
        json!("none"),
        json!("None"),
        json!(" \n"),
    ] {
        assert!(!check(value.clone()), "{value}");
    }
    for value in [
        json!(true),
        json!(1),
        json!(-0.5),
        json!("a"),
        json!("true"),
        json!([0]),
        json!({"a": 0}),
        json!("0.0"),
        json!("no"),
    ] {
        assert!(check(value.clone()), "{value}");
    }
    let lenient = Template::compile("{{ nowhere.at.all == 5 }}").unwrap();
    assert!(!lenient.is_true(&Scope::default()).unwrap());
    let text = Template::compile("{% if true %}False{% endif %}").unwrap();
    assert!(!text.is_true(&Scope::default()).unwrap());
}

#[test]
fn mistakes_are_found_when_compiling() {
    for (source, message, hint, line) in [
        ("a\n{{ x | uper }}", "no filter `uper`", "`upper`", 1),
        (
            "{{ x is definde }}",
            "no test `is definde`",
            "`is defined`",
            0,
        ),
        ("{{ rnage(3) }}", "no function `rnage`", "`range`", 0),
        ("{{ upper(x) }}", "no function `upper`", "value | upper", 0),
        ("{{ x.item() }}", "no method `item`", "`items`", 0),
        ("\n\n{{ x | }}", "syntax error", "", 2),
        ("{% include 'a' %}", "include", "", 0),
        ("{% macro a() %}{% endmacro %}", "macro", "", 0),
        ("{% set x %}a{% endset %}", "set", "", 0),
        ("{% set vars = 1 %}", "`vars` is a name of noetl", "", 0),
        ("{{ x | ident }}", "`ident`", "query", 0),
        (
            "{% if a %}{{ b | nope123 }}{% endif %}",
            "no filter `nope123`",
            "filters are",
            0,
        ),
        ("a\0b", "NUL", "", 0),
        (
            "{{ x | startswith('a') }}",
            "no filter",
            "value.startswith(…)",
            0,
        ),
        ("{{ x | defined }}", "no filter", "value is defined", 0),
        ("{{ x.trim() }}", "no method `trim`", "value | trim", 0),
        ("{{ x.append(1) }}", "no method `append`", "methods are", 0),
        ("{{ [x] | map('uper') }}", "no filter `uper`", "`upper`", 0),
        ("{{ [x] | select('od') }}", "no test `is od`", "`is odd`", 0),
        (
            "{{ x | rejectattr('a', 'definde') }}",
            "no test",
            "`is defined`",
            0,
        ),
        ("SELECT\n{{ [x] | map('ident') }}", "`ident`", "query", 1),
        ("{{ x | upper(1) }}", "`upper` takes no", "value | upper", 0),
        (
            "\n{{ x | replace('a') }}",
            "`replace` needs the argument `new`",
            "replace(old, new,",
            1,
        ),
        (
            "{{ x | join(1, 2, 3) }}",
            "takes 2 arguments, not 3",
            "d=\"\"",
            0,
        ),
        ("{{ x | attr(1, 2) }}", "takes one argument, not 2", "", 0),
        (
            "{{ x | sort(atribute='a') }}",
            "no argument with the name `atribute`",
            "attribute=none",
            0,
        ),
        (
            "{{ x | round(1, precision=2) }}",
            "`precision` twice",
            "",
            0,
        ),
        ("{{ x is defined(1) }}", "`is defined` takes no", "", 0),
        (
            "{{ x is divisibleby }}",
            "needs the argument `number`",
            "",
            0,
        ),
        (
            "{{ x | selectattr }}",
            "needs the argument `attribute`",
            "",
            0,
        ),
        ("{{ x | map('join', ',', '', 1) }}", "`join` takes 2", "", 0),
        ("{{ x | select('eq') }}", "`is eq` needs", "", 0),
        ("{{ range() }}", "needs the argument `start`", "stop", 0),
        ("{{ x.get() }}", "`get` needs", "default", 0),
        (
            "{{ now() }}",
            "no function `now`",
            "datetime.datetime.now()",
            0,
        ),
        ("{{ datetime.now() }}", "no method `now`", "python step", 0),
        (
            "{% for a in x %}\n{{ loop.indx }}{% endfor %}",
            "no `loop.indx`",
            "`loop.index`",
            1,
        ),
        (
            "{% for a in x %}{{ loop.cycl(1) }}{% endfor %}",
            "no method of `loop`",
            "`loop.cycle`",
            0,
        ),
    ] {
        let error = match Template::compile(source) {
            Err(error) => error,
            Ok(_) => panic!("{source}"),
        };
        assert!(error.message.contains(message), "{source}: {error:?}");
        assert!(
            error.hint.clone().unwrap_or_default().contains(hint),
            "{source}: {error:?}"
        );
        assert_eq!(error.line_offset, line, "{source}: {error:?}");
    }
}

#[test]
fn names_that_are_read_are_told() {
    let template = Template::compile(
        "{% for row in step_a.rows %}{{ row.id ~ loop.index ~ vars['x'] }}{% endfor %}{{ workload }}",
    )
    .unwrap();
    let names: Vec<(&str, Option<&str>)> = template
        .references()
        .iter()
        .map(|reference| (reference.root.as_str(), reference.attribute.as_deref()))
        .collect();
    assert_eq!(
        names,
        [
            ("step_a", Some("rows")),
            ("vars", Some("x")),
            ("workload", None)
        ]
    );
}

#[test]
fn work_is_bounded() {
    for source in [
        "{% for a in range(100000) %}{% for b in range(100000) %}x{% endfor %}{% endfor %}",
        "{{ 'a' * 1000000000 }}",
        "{{ [1] * 1000000000 }}",
        "{{ range(1000000000) | list }}",
        "{{ '%1000000000d' | format(1) }}",
        "{{ '{:1000000000d}'.format(1) }}",
        "{{ '{:.1000000000f}'.format(1.5) }}",
        "{{ ('{0}' * 100000).format('x' * 1000000) }}",
        "{{ ('{:300}' * 100000).format(*range(99999)) }}",
        "{{ ''.join(['x' * 1000000] * 400) }}",
        "{{ (['x' * 1000000] * 400) | join }}",
        "{{ ([{'a': 'x' * 1000000}] * 400) | join('', 'a') }}",
        "{{ ('x' * 100000).join(range(99999)) }}",
        "{{ ('a' * 100000).replace('', 'b' * 100000) }}",
        "{% set a = 'x' * 4000000 %}{% for i in range(30000) %}{% if a.find('y') %}{% endif %}{% endfor %}",
        "{% set a = ([range(1000) | list] * 1000) | list %}{% for i in range(30000) %}{% if a.count(a) %}{% endif %}{% endfor %}",
        "{{ ([[[[[[[[range(9) | list] * 9] * 9] * 9] * 9] * 9] * 9] * 9] * 9) | tojson(indent=16) }}",
        "{{ [range(99999) | list] | tojson(indent=16) ~ ([range(99999) | list] * 99 | tojson(indent=16)) }}",
        "{{ 'a' | truncate(1000000000, end='x' * 900000000) }}",
        "{{ 'a\nb' | indent(1000000000) }}",
        "{{ range(99999) | join('x' * 100000) }}",
        "{{ ('a' * 100000) | replace('', 'b' * 100000) }}",
        "{{ [1] | batch(1000000000, 'x') | list }}",
        "{{ [1] | slice(1000000000) | list }}",
        "{{ 9**9**9 }}",
        "{{ ('9' * 1000000) | int }}",
        "{% for a in 'x' * 10000000 %}{% endfor %}",
        "{% set a = 'x' * 4000000 %}{% set b = 'x' * 4000000 %}{% for i in range(30000) %}{% if a == b %}{% endif %}{% endfor %}",
        "{% set a = 'x' * 4000000 %}{% for i in range(30000) %}{% if a[3999999] %}{% endif %}{% endfor %}",
        "{% set a = 'x' * 4000000 %}{% for i in range(30000) %}{% for c in a %}{% break %}{% endfor %}{% endfor %}",
        "{% set a = 'x' * 4000000 %}{% for i in range(30000) %}{% set b = {a: 1} %}{% endfor %}",
    ] {
        let error = failure(source, json!({}));
        assert!(!error.message.is_empty());
    }
    // With many characters to strip, each is not looked for among all of them.
    for source in [
        "{{ ('a' * 3000000) | trim('b' * 1000000 ~ 'a') }}",
        "{{ ('a' * 3000000).strip('b' * 1000000 ~ 'a') }}",
    ] {
        assert_eq!(render(source, json!({})), json!(""), "{source}");
    }
}

#[test]
fn usual_work_on_much_data_is_not_refused() {
    let rows: Vec<Json> = (0..5000)
        .map(|i| json!({"id": i, "name": "somebody", "ok": i % 2 == 0}))
        .collect();
    let data = json!({"workload": {"rows": rows, "file": "x".repeat(4_000_000), "s": 1}});
    for source in [
        "{{ workload.rows | length }}",
        "{{ workload.rows }}",
        "{{ workload.rows | tojson }}",
        "{{ workload.file }}",
        "{{ workload.file | b64encode }}",
        "{{ workload.rows | selectattr('ok') | map(attribute='id') | list }}",
        "{% for row in workload.rows %}{{ row.id }} of {{ workload.rows | length }}: {{ workload.rows[loop.index0].name }};{% endfor %}",
        "{% for row in workload.rows %}{% if row.name == 'somebody' and row.id in [1, 2, 3] %}{{ row.name ~ row.id }}{% endif %}{% endfor %}",
        "{{ workload.file == 'x' or workload.file is startingwith 'y' }}",
    ] {
        render(source, data.clone());
    }
}

#[test]
fn what_a_template_sees_is_its_own_data() {
    let data = json!({"workload": {"a": 1}});
    for source in [
        "{{ self }}",
        "{{ __class__ }}",
        "{{ workload.__class__ }}",
        "{{ workload['__class__'] }}",
        "{{ ''.__class__ }}",
        "{{ workload | attr('__class__') }}",
        "{{ caller }}",
        "{{ env }}",
        "{{ config }}",
        "{{ loop }}",
        "{{ super }}",
        "{{ namespace }}",
    ] {
        let error = failure(source, data.clone());
        assert!(error.message.contains("not defined"), "{source}: {error}");
    }
    for source in [
        "{{ workload['@whole'] }}",
        "{{ self.x() }}",
        "{{ super() }}",
        "{{ debug() }}",
        "{{ namespace() }}",
        "{{ lipsum() }}",
        "{{ open('/etc/passwd') }}",
        "{{ range.__globals__ }}",
        "{{ @whole }}",
        "{% import 'x' as y %}",
        "{% from 'x' import y %}",
        "{% include '/etc/passwd' %}",
        "{% extends 'x' %}",
        "{% for x in [1] recursive %}{% endfor %}",
        "{% do x() %}",
        "{% filter upper %}x{% endfilter %}",
        "{% autoescape true %}x{% endautoescape %}",
        "{% call x() %}{% endcall %}",
        "{% macro x() %}{{ x() }}{% endmacro %}",
        "{% block x %}{% endblock %}",
    ] {
        let failed = Template::compile(source)
            .and_then(|template| template.render(&scope(data.clone())))
            .is_err();
        assert!(failed, "{source}");
    }
}

#[test]
fn numbers_that_json_cannot_carry_are_refused() {
    assert!(
        failure("{{ 18446744073709551615 + 1 }}", json!({}))
            .message
            .contains("outside")
    );
    assert_eq!(
        render("{{ (18446744073709551615 + 1) | string }}", json!({})),
        json!("18446744073709551616")
    );
    assert!(
        failure("{{ 1e308 * 10 }}", json!({}))
            .message
            .contains("no JSON number")
    );
}

#[test]
fn value_trees_keep_order_and_types() {
    let text = |source: &str| ValueTemplate::Text(Template::compile(source).unwrap());
    let tree = ValueTemplate::Map(vec![
        ("z".into(), text("{{ workload.n }}")),
        (
            "a".into(),
            ValueTemplate::List(vec![
                ValueTemplate::Literal(json!(1)),
                text("<{{ workload.n }}>"),
            ]),
        ),
    ]);
    let scope = scope(json!({"workload": {"n": 2}}));
    assert_eq!(
        tree.render(&scope).unwrap().to_string(),
        r#"{"z":2,"a":[1,"<2>"]}"#
    );
    assert_eq!(
        ValueTemplate::Literal(json!(null))
            .render_var(&scope)
            .unwrap(),
        None
    );
}

#[test]
fn suggestions_are_near() {
    assert_eq!(nearest("strat", ["start", "end"]), Some("start"));
    assert_eq!(nearest("Upsert_User", ["upsert_user"]), Some("upsert_user"));
    assert_eq!(nearest("xyz", ["start", "end"]), None);
}

#[test]
fn long_chains_do_not_exhaust_the_stack() {
    let expression = |link: &str, last: &str| format!("{{{{ {}{last} }}}}", link.repeat(50_000));
    for source in [
        expression("vars.a~", "1"),
        expression("1+", "1"),
        expression("- ", "1"),
        expression("not ", "1"),
        expression("(", "1"),
        expression("1 if 0 else ", "1"),
        format!("{{{{ vars{} }}}}", ".a".repeat(50_000)),
        format!("{{{{ vars{} }}}}", "|int".repeat(50_000)),
        format!("{{% if 1 %}}{}{{% endif %}}", "{% elif 1 %}".repeat(10_000)),
        "{% if 1 %}".repeat(10_000),
    ] {
        assert!(Template::compile(&source).is_err());
        assert!(SqlTemplate::compile(&source).is_err());
    }
    let chain = format!("{{{{ 0{} }}}}", "+1".repeat(240));
    assert_eq!(render(&chain, json!({})), json!(240));
    let branches = format!("{{% if 0 %}}{}y{{% endif %}}", "{% elif 0 %}x".repeat(240));
    assert_eq!(render(&branches, json!({})), json!(""));
}
