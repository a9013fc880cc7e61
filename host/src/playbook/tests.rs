use serde_json::json;

use super::*;
use crate::template::Scope;

const LOGIN: &str = r#"apiVersion: noetl.io/v1
kind: Playbook
metadata:
  name: login
  path: examples/login

workload:
  token: ""
  ip: "127.0.0.1"

workbook:
  - name: decode
    tool: python
    code: |

      def main(token):
          return {"sub": f"{{{token}}}"}
    args:
      token: "none"
      extra: 1
  - name: upsert
    tool: postgres
    auth:
      type: postgres
      credential: pg_demo
    query: |
      INSERT INTO users (id) VALUES ('{{ vars.sub }}');
      SELECT '{{ workload.ip }}';

workflow:
  - step: start
    next:
      - step: decode

  - step: decode
    tool: workbook
    name: decode
    args:
      token: "{{ workload.token }}"
    vars:
      sub: "{{ result.data.sub }}"
    next:
      - when: "{{ vars.sub is defined }}"
        then:
          - step: upsert
      - step: failed

  - step: upsert
    tool: workbook
    name: upsert
    next:
      - step: end

  - step: failed
    tool: python
    code: |
      def main():
          return {"status": "error"}
    next:
      - step: end

  - step: end
"#;

fn tools() -> Toolset {
    Toolset::named(["python", "postgres", "http"])
}

fn line_of(text: &str, needle: &str) -> usize {
    let at = text
        .find(needle)
        .unwrap_or_else(|| panic!("{needle} is not there"));
    text[..at].matches('\n').count() + 1
}

fn good(text: &str) -> Playbook {
    parse("test.yaml", text, &tools()).unwrap_or_else(|errors| panic!("{errors}\n{text}"))
}

fn bad(text: &str) -> Vec<Diagnostic> {
    match parse("test.yaml", text, &tools()) {
        Err(errors) => errors.0,
        Ok(_) => panic!("accepted:\n{text}"),
    }
}

/// `LOGIN` with `from` replaced by `to`: one diagnostic with these parts, on
/// the line of `at`.
fn wrong(from: &str, to: &str, at: &str, message: &str, hint: &str) {
    assert!(LOGIN.contains(from), "{from}");
    let text = LOGIN.replacen(from, to, 1);
    let errors = bad(&text);
    let shown = Diagnostics(errors.clone()).to_string();
    assert_eq!(errors.len(), 1, "{shown}");
    assert!(errors[0].message.contains(message), "{shown}");
    assert!(
        errors[0].hint.clone().unwrap_or_default().contains(hint),
        "{shown}"
    );
    assert_eq!(errors[0].line, line_of(&text, at), "{shown}");
}

#[test]
fn a_playbook_becomes_a_model() {
    let playbook = good(LOGIN);
    assert_eq!(
        (playbook.name.as_str(), playbook.path.as_str()),
        ("login", "examples/login")
    );
    assert_eq!(
        json!(playbook.workload),
        json!({"token": "", "ip": "127.0.0.1"})
    );
    let names: Vec<&str> = playbook
        .steps
        .iter()
        .map(|step| step.name.as_str())
        .collect();
    assert_eq!(names, ["start", "decode", "upsert", "failed", "end"]);
    assert!(playbook.steps[0].action.is_none());
    assert!(matches!(&playbook.steps[0].next, Next::All(steps) if *steps == [1]));
    assert!(matches!(playbook.steps[4].next, Next::None));

    let decode = &playbook.steps[1];
    let action = decode.action.as_ref().unwrap();
    assert_eq!(
        (action.tool.as_str(), action.task.as_deref()),
        ("python", Some("decode"))
    );
    let ActionKind::Python { code, line } = &action.kind else {
        panic!("{action:?}")
    };
    assert!(code.starts_with("\ndef main"), "{code}");
    assert_eq!(*line, line_of(LOGIN, "def main(token)") - 1);
    let mut scope = Scope::default();
    scope.set("workload", &json!({"token": "abc", "ip": "::1"}));
    let args: Vec<_> = action
        .args
        .iter()
        .map(|(k, v)| (k.as_str(), v.render(&scope).unwrap()))
        .collect();
    assert_eq!(args, [("token", json!("abc")), ("extra", json!(1))]);
    assert_eq!(
        (decode.vars[0].name.as_str(), decode.vars[0].line),
        ("sub", line_of(LOGIN, "sub: \"{{"))
    );
    let Next::Branches { branches, default } = &decode.next else {
        panic!("{decode:?}")
    };
    assert_eq!(
        (branches[0].then.as_slice(), default.as_slice()),
        ([2].as_slice(), [3].as_slice())
    );
    assert_eq!(branches[0].condition.line, line_of(LOGIN, "when:"));

    let upsert = playbook.steps[2].action.as_ref().unwrap();
    let ActionKind::Postgres {
        credential,
        line,
        sql,
        ..
    } = &upsert.kind
    else {
        panic!("{upsert:?}")
    };
    assert_eq!(
        (credential.as_str(), *line),
        ("pg_demo", line_of(LOGIN, "INSERT INTO"))
    );
    assert_eq!(sql.render(&scope).unwrap().len(), 2);
}

#[test]
fn a_plugin_has_its_own_fields() {
    let text = LOGIN.replacen(
        "tool: python\n    code: |\n      def main():\n          return {\"status\": \"error\"}",
        "tool: http\n    url: \"https://x/{{ vars.sub }}\"\n    headers: {a: [1, \"{{ workload.ip }}\"]}\n    args: {x: 1}\n    auth: pg",
        1,
    );
    let playbook = good(&text);
    let action = playbook.steps[3].action.as_ref().unwrap();
    let ActionKind::Plugin { config, credential } = &action.kind else {
        panic!("{action:?}")
    };
    let mut scope = Scope::default();
    scope.set("workload", &json!({"ip": "::1"}));
    assert_eq!(
        config.render(&scope).unwrap().to_string(),
        r#"{"url":"https://x/","headers":{"a":[1,"::1"]}}"#
    );
    assert_eq!(credential.as_ref().map(|(alias, _)| &**alias), Some("pg"));
    let text = text.replacen(
        "    next:\n      - step: end\n\n  - step: end",
        "    nxt:\n      - step: end\n\n  - step: end",
        1,
    );
    let errors = bad(&text);
    assert!(
        errors[0].hint.as_deref().unwrap().contains("`next`"),
        "{errors:?}"
    );
}

#[test]
fn the_workload_is_data() {
    let text = LOGIN.replacen("token: \"\"", "token: \"{{ 7*7 }}\"\n  big: 18446744073709551615\n  f: 1.5\n  yes: yes\n  on: true\n  n: ~\n  l: [1, {a: b}]\n  d: 2024-01-01", 1);
    let playbook = good(&text);
    assert_eq!(
        json!(playbook.workload).to_string(),
        r#"{"token":"{{ 7*7 }}","big":18446744073709551615,"f":1.5,"yes":"yes","on":true,"n":null,"l":[1,{"a":"b"}],"d":"2024-01-01","ip":"127.0.0.1"}"#
    );
    assert!(good(&LOGIN.replacen("ip: \"127.0.0.1\"", "ip: null", 1)).workload["ip"].is_null());
}

#[test]
fn all_next_forms() {
    let with = |next: &str| {
        let text = LOGIN.replacen(
            "      - when: \"{{ vars.sub is defined }}\"\n        then:\n          - step: upsert\n      - step: failed\n",
            next,
            1,
        );
        good(&text).steps[1].next.clone()
    };
    let Next::All(steps) = with("      - step: upsert\n      - step: failed\n") else {
        panic!()
    };
    assert_eq!(steps, [2, 3]);
    let next = with(
        "      - when: \"{{ result.data.a }}\"\n        then: [{step: upsert}]\n      - when: \"{{ vars.sub }}\"\n        then:\n          - step: failed\n          - step: end\n",
    );
    let Next::Branches { branches, default } = next else {
        panic!()
    };
    assert_eq!(
        branches.iter().map(|b| b.then.clone()).collect::<Vec<_>>(),
        [vec![2], vec![3, 4]]
    );
    assert!(default.is_empty());
    let next = with(
        "      - when: \"{{ vars.sub }}\"\n        then:\n          - step: upsert\n      - else:\n          - step: failed\n          - step: end\n",
    );
    let Next::Branches { default, .. } = next else {
        panic!()
    };
    assert_eq!(default, [3, 4]);
}

#[test]
fn mistakes_of_the_whole() {
    wrong(
        "noetl.io/v1",
        "noetl.io/v2",
        "apiVersion",
        "not supported",
        "noetl.io/v1",
    );
    wrong(
        "apiVersion: noetl.io/v1\n",
        "",
        "kind",
        "`apiVersion` is missing",
        "noetl.io/v1",
    );
    wrong(
        "kind: Playbook",
        "kind: Book",
        "kind",
        "not supported",
        "Playbook",
    );
    wrong(
        "workload:",
        "wrkload:\n  a: 1\nworkload:",
        "wrkload",
        "unknown field",
        "`workload`",
    );
    wrong("  name: login\n", "", "metadata", "`name` is missing", "");
    wrong("name: login", "name: 5", "name: 5", "a text", "quotes");
    for path in ["/a", "a/../b", "a//b", "a b", "a/", "ä"] {
        wrong(
            "path: examples/login",
            &format!("path: \"{path}\""),
            "path:",
            "the path",
            "auth0_login",
        );
    }
    wrong(
        "workload:\n  token: \"\"\n  ip: \"127.0.0.1\"",
        "workload: [token, ip]",
        "workload:",
        "a mapping",
        "",
    );
}

#[test]
fn mistakes_of_steps_and_tasks() {
    wrong(
        "    name: upsert\n    next",
        "    name: upsret\n    next",
        "name: upsret",
        "no task `upsret`",
        "`upsert`",
    );
    wrong(
        "tool: workbook\n    name: upsert",
        "tool: workbok\n    name: upsert",
        "tool: workbok",
        "no tool `workbok`",
        "`workbook`",
    );
    wrong(
        "    tool: python\n    code: |\n      def main():",
        "    code: |\n      def main():",
        "- step: failed\n    code",
        "`tool` is missing",
        "tool: python",
    );
    wrong(
        "vars:\n      sub",
        "vers:\n      x: 1\n    vars:\n      sub",
        "vers:",
        "unknown field `vers`",
        "`vars`",
    );
    wrong(
        "    query: |",
        "    quarry: 1\n    query: |",
        "quarry",
        "unknown field",
        "`query`",
    );
    wrong(
        "      credential: pg_demo\n",
        "",
        "auth:",
        "`credential` is missing",
        "",
    );
    wrong(
        "    auth:\n      type: postgres\n      credential: pg_demo\n",
        "",
        "tool: postgres",
        "`auth` is missing",
        "auth: my_alias",
    );
    wrong(
        "type: postgres",
        "type: mysql",
        "type: mysql",
        "credential of type `postgres`",
        "",
    );
    wrong(
        "credential: pg_demo",
        "credential: \"{{ workload.ip }}\"",
        "credential:",
        "can't be a template",
        "",
    );
    wrong(
        "return {\"status\": \"error\"}\n",
        "return {\"status\": \"error\"}\n    query: SELECT 1\n",
        "query: SELECT 1",
        "unknown field `query`",
        "",
    );
    wrong(
        "      def main():\n",
        "      def run():\n",
        "def run",
        "no function `main`",
        "def main",
    );
    wrong(
        "code: |\n      def main():",
        "code: >\n      def main():",
        "code: >",
        "joins lines",
        "code: |",
    );
    wrong(
        "\n  - step: end\n",
        "\n  - step: end\n    next:\n      - step: failed\n",
        "    next:\n      - step: failed",
        "leads nowhere",
        "",
    );
    wrong(
        "\n  - step: end\n",
        "\n  - step: end\n  - step: lost\n    next:\n      - step: end\n",
        "- step: lost",
        "no step leads here",
        "- step: lost",
    );
    wrong(
        "    name: upsert\n    next",
        "    name: upsert\n    args: {a: 1}\n    next",
        "args: {a",
        "takes no `args`",
        "query",
    );
    wrong(
        "sub: \"{{ result.data.sub }}\"",
        "sub: \"{{ result.data.sub }}\"\n      1a: x",
        "1a",
        "name of a variable",
        "",
    );
    wrong(
        "      token: \"none\"\n      extra: 1",
        "      - token",
        "- token",
        "a mapping",
        "",
    );
    wrong(
        "workbook:\n",
        "workbook:\n  - name: decode\n    tool: python\n    code: main = print\n",
        "- name: decode\n    tool: python\n    code: |",
        "two tasks",
        "",
    );
    wrong(
        "    tool: python\n    code: |\n\n",
        "    tool: workbook\n    code: |\n\n",
        "tool: workbook",
        "another task",
        "",
    );
}

#[test]
fn mistakes_of_next() {
    let when = "      - when: \"{{ vars.sub is defined }}\"\n        then:\n          - step: upsert\n      - step: failed\n";
    let next = |to: &str, at: &str, message: &str, hint: &str| wrong(when, to, at, message, hint);
    let branch = "      - when: \"{{ vars.sub }}\"\n        then:\n          - step: upsert\n";
    next(
        &format!("      - step: failed\n{branch}"),
        "- when",
        "after the default",
        "last",
    );
    next(
        &format!("{branch}      - step: failed\n      - step: end\n"),
        "      - step: end\n\n  - step: upsert",
        "two defaults",
        "else",
    );
    next(
        "      - then:\n          - step: upsert\n      - step: failed\n",
        "then:",
        "`then` without a `when`",
        "when",
    );
    next(
        &format!("{branch}      - then:\n          - step: failed\n"),
        "      - then",
        "`then` without a `when`",
        "when",
    );
    next(
        "      - else:\n          - step: upsert\n      - step: failed\n",
        "else:",
        "`else` without a `when`",
        "when",
    );
    next(
        &format!("{branch}        else:\n          - step: failed\n"),
        "else:",
        "entry of its own",
        "- else:",
    );
    next(
        &format!("{branch}      - stp: failed\n"),
        "stp",
        "unknown field `stp`",
        "`step`",
    );
    next(
        &format!("{branch}      - step: faild\n"),
        "- step: faild",
        "no step `faild`",
        "`failed`",
    );
    next(
        "      - when: vars.sub\n        then:\n          - step: upsert\n      - step: failed\n",
        "when:",
        "without braces",
        "{{ vars.sub }}",
    );
    next(
        "      - when: \"{{ vars.sub }}\"\n      - step: failed\n",
        "- when",
        "`then` is missing",
        "",
    );
    next(
        "      - step: upsert\n      - step: upsert\n      - step: failed\n",
        "      - step: upsert\n      - step: failed",
        "there twice",
        "",
    );
}

#[test]
fn mistakes_in_templates() {
    let arg = |to: &str, message: &str, hint: &str| {
        wrong("{{ workload.token }}", to, "token: \"{{", message, hint);
    };
    arg(
        "{{ workload.tokn }}",
        "workload has no `tokn`",
        "`workload.token`",
    );
    arg(
        "{{ workload.password }}",
        "workload has no `password`",
        "add `password:`",
    );
    arg(
        "{{ vars.sbu }}",
        "no step declares the variable `sbu`",
        "`vars.sub`",
    );
    arg(
        "{{ wrkload.token }}",
        "`wrkload` is not known",
        "`workload`",
    );
    arg("{{ token }}", "`token` is not known", "`workload.token`");
    arg("{{ sub }}", "`sub` is not known", "`vars.sub`");
    arg(
        "{{ result.data }}",
        "`result` is only there",
        "that_step.data",
    );
    arg("{{ workload.token | uper }}", "no filter `uper`", "`upper`");
    arg("{{ workload.token ", "syntax error", "");
    wrong(
        "'{{ vars.sub }}'",
        "'{{ vars.sbu }}'",
        "INSERT INTO",
        "variable `sbu`",
        "`vars.sub`",
    );
    wrong(
        "'{{ workload.ip }}'",
        "$$ {{ workload.ip }} $$",
        "SELECT $$",
        "dollar-quoted",
        "argument",
    );
    wrong(
        "'{{ workload.ip }}'",
        "'{{ workload.pi }}'",
        "SELECT '",
        "`pi`",
        "`workload.ip`",
    );
    good(&LOGIN.replacen(
        "{{ workload.token }}",
        "{{ decode.data.x }}{{ execution_id }}",
        1,
    ));
    good(&LOGIN.replacen(
        "{{ workload.token }}",
        "{% for a in workload %}{{ a }}{% endfor %}",
        1,
    ));
}

#[test]
fn columns_are_those_of_the_file() {
    let text = LOGIN.replacen("'{{ workload.ip }}'", "'{{ workload.pi }}'", 1);
    let errors = bad(&text);
    let line = text.lines().nth(errors[0].line - 1).unwrap();
    assert_eq!(&line[errors[0].column - 1..][..11], "workload.pi");
    let text = LOGIN.replacen("{{ workload.token }}", "ü {{ workload.tokn }}", 1);
    let errors = bad(&text);
    let line: String = text
        .lines()
        .nth(errors[0].line - 1)
        .unwrap()
        .chars()
        .skip(errors[0].column - 1)
        .collect();
    assert!(line.starts_with("workload.tokn"), "{line}");
    assert_eq!(errors[0].step.as_deref(), Some("decode"));
    assert_eq!(errors[0].field.as_deref(), Some("args.token"));
}

#[test]
fn everything_wrong_is_told_at_once() {
    let text = LOGIN
        .replacen("kind: Playbook", "kind: Book", 1)
        .replacen("{{ workload.token }}", "{{ workload.tokn }}", 1)
        .replacen("- step: failed", "- step: faild", 1)
        .replacen("credential: pg_demo", "credntial: pg_demo", 1);
    let errors = bad(&text);
    let lines: Vec<usize> = errors.iter().map(|error| error.line).collect();
    let mut sorted = lines.clone();
    sorted.sort_unstable();
    assert_eq!(lines, sorted);
    assert_eq!(errors.len(), 5, "{}", Diagnostics(errors));
}

#[test]
fn steps_that_are_missing_or_double() {
    let text = LOGIN.replacen("- step: start", "- step: strat", 1);
    let errors = bad(&text);
    assert!(errors[0].message.contains("no step `start`"), "{errors:?}");
    assert!(
        errors[0].hint.as_deref().unwrap().contains("`strat`"),
        "{errors:?}"
    );
    let text = LOGIN.replacen(
        "\n  - step: end\n",
        "\n  - step: end\n  - step: failed\n",
        1,
    );
    let errors = bad(&text);
    assert!(errors[0].message.contains("twice"), "{errors:?}");
    let text = LOGIN.replacen("- step: failed\n    tool", "- step: result\n    tool", 1);
    assert!(
        bad(&text)
            .iter()
            .any(|error| error.message.contains("templates use"))
    );
    let text = LOGIN.replacen("- step: failed\n    tool", "- step: fai led\n    tool", 1);
    assert!(
        bad(&text)
            .iter()
            .any(|error| error.message.contains("letters, digits"))
    );
}

#[test]
fn a_step_that_does_nothing_is_a_mistake() {
    let text = LOGIN.replacen(
        "\n  - step: failed\n",
        "\n  - step: idle\n\n  - step: failed\n",
        1,
    );
    let text = text.replacen("- step: end\n\n", "- step: idle\n\n", 1);
    let errors = bad(&text);
    assert_eq!(errors.len(), 1, "{}", Diagnostics(errors));
    assert!(errors[0].message.contains("neither"), "{errors:?}");
}

#[test]
fn malformed_texts_are_one_clear_error() {
    let aliases: String = (0..120).map(|_| "  - *a\n").collect();
    let bomb = format!(
        "a: &a [x,x,x,x,x,x,x,x,x]\n{}",
        (b'b'..=b'j')
            .map(|c| format!(
                "{}: &{} [{}]\n",
                c as char,
                c as char,
                vec![format!("*{}", (c - 1) as char); 9].join(",")
            ))
            .collect::<String>()
    );
    for (text, message) in [
        (String::new(), "mapping"),
        ("just text".to_owned(), "mapping"),
        ("a: [1, 2".to_owned(), "not valid YAML"),
        ("a: 1\na: 2\n".to_owned(), "not valid YAML"),
        ("a: 1\n---\nb: 2\n".to_owned(), "not valid YAML"),
        ("a: {{ x }}".to_owned(), "not valid YAML"),
        ("a: \"x\0\"".to_owned(), "NUL"),
        ("[".repeat(100), "not valid YAML"),
        (format!("x: &a 1\ny:\n{aliases}"), "not valid YAML"),
        (bomb, "not valid YAML"),
        (format!("a: {}", "x".repeat(1024 * 1024)), "allowed"),
        (format!("a: [{}]", "1,".repeat(60_000)), "not valid YAML"),
        ("a: 99999999999999999999999".to_owned(), "not valid YAML"),
        ("a: .nan".to_owned(), "not valid YAML"),
        ("\u{feff}a: \t- b".to_owned(), ""),
    ] {
        let start: String = text.chars().take(60).collect();
        let errors = bad(&text);
        println!("{}", errors[0]);
        assert!(errors[0].message.contains(message), "{start}: {errors:?}");
        assert!(errors[0].line >= 1 && errors[0].column >= 1);
    }
    assert!(
        bad("a:\n  b: {{ x }}\n")[0]
            .hint
            .as_deref()
            .unwrap()
            .contains("quotes")
    );
    assert_eq!(bad("a: 1\nb: 2\na: 3\n")[0].line, 3);
}

#[test]
fn aliases_and_merges_work() {
    let text = LOGIN
        .replacen(
            "    auth:\n      type: postgres\n      credential: pg_demo\n",
            "    auth: &pg\n      type: postgres\n      credential: pg_demo\n",
            1,
        )
        .replacen(
            "workflow:",
            "  - name: other\n    tool: postgres\n    auth: *pg\n    query: SELECT 1\n\nworkflow:",
            1,
        );
    good(&text);
}

#[test]
fn diagnostics_read_well() {
    let text = LOGIN.replacen("{{ workload.token }}", "{{ workload.tokn }}", 1);
    let Err(errors) = parse("login.yaml", &text, &tools()) else {
        panic!()
    };
    assert_eq!(
        errors.to_string(),
        format!(
            "login.yaml:{}:18: step `decode`: args.token: the workload has no `tokn`; did you mean `workload.token`?",
            line_of(&text, "workload.tokn")
        )
    );
    assert_eq!(
        serde_json::to_value(&errors).unwrap()[0]["column"],
        json!(18)
    );
}

#[test]
fn a_flood_of_mistakes_is_cut_and_stays_cheap() {
    let keys: String = (0..4000).map(|n| format!("  key_{n}: 1\n")).collect();
    let text = LOGIN.replacen("workload:\n", &format!("workload:\n{keys}"), 1);
    let vars: String = (0..4000)
        .map(|n| format!("      v{n}: \"{{{{ workload.kye_{n} }}}}\"\n"))
        .collect();
    let text = text.replacen("    vars:\n", &format!("    vars:\n{vars}"), 1);
    assert_eq!(bad(&text).len(), 100);
    let line = format!("x: [{}]", "\"{{ y }}\",".repeat(15_000));
    assert!(!bad(&line).is_empty());
    let steps: String = (0..900)
        .map(|n| format!("  - step: s{n}\n    next: [{{step: q{n}}}, {{step: r{n}}}]\n"))
        .collect();
    assert_eq!(bad(&format!("{LOGIN}{steps}")).len(), 100);
}

#[test]
fn garbage_never_panics() {
    let mut state = 7u64;
    let mut next = |limit: usize| {
        state = state
            .wrapping_mul(6364136223846793005)
            .wrapping_add(1442695040888963407);
        (state >> 33) as usize % limit
    };
    let pieces = [
        "{{", "}}", "{%", "%}", "'", "\"", "|", ">", ":", "-", "\n", "  ", "[", "]", "{", "}",
        "&a", "*a", "<<", "#", "é", "😀", "null", "1e400", "step", "next", "when", "$$", ";", "\\",
        "\t", "?", "!t",
    ];
    let base: Vec<char> = LOGIN.chars().collect();
    for _ in 0..1500 {
        let mut chars = base.clone();
        for _ in 0..=next(3) {
            let at = next(chars.len());
            let end = (at + next(12)).min(chars.len());
            let piece = pieces[next(pieces.len())];
            chars.splice(at..end, piece.chars());
        }
        let text: String = chars.into_iter().collect();
        if let Err(errors) = parse("garbage.yaml", &text, &tools()) {
            assert!(!errors.0.is_empty(), "{text}");
            for error in errors.0 {
                assert!(error.line >= 1 && error.column >= 1 && !error.message.is_empty());
            }
        }
    }
}

#[test]
fn a_hostile_file_gets_a_short_answer() {
    let head = "apiVersion: noetl.io/v1\nkind: Playbook\nmetadata: {name: a, path: a}\n";
    let lost = |i: usize| {
        let name = format!("{}{i}", "a".repeat(90));
        format!("  - step: {name}\n    next: [{{step: {name}x}}]\n")
    };
    let steps: String = (0..900).map(lost).collect();
    let laughs: String = ('a'..'i')
        .zip('b'..'j')
        .map(|(below, name)| {
            let nine = format!("*{below},").repeat(9);
            format!("{name}: &{name} [{nine}]\n")
        })
        .collect();
    for text in [
        format!("{head}workflow:\n{steps}"),
        format!("{head}a: &a [x,x,x,x,x,x,x,x,x]\n{laughs}"),
        format!(
            "{head}workload:\n  a: &a \"{}\"\n  b: [{}]\n",
            "x".repeat(900_000),
            "*a,".repeat(99)
        ),
        "[".repeat(1_000_000),
        "{a: ".repeat(250_000),
        "- ".repeat(500_000),
        "? ".repeat(500_000),
        "---\n".repeat(250_000),
        "*a ".repeat(300_000),
        format!("a: {}", "9".repeat(1_000_000)),
        format!("a: {}.0", "9".repeat(1_000_000)),
        format!("{}: 1", "k".repeat(900)),
        format!("\"{}\": 1", "k".repeat(900_000)),
        format!("? \"{}\"\n: 1", "k".repeat(900_000)),
        format!("{head}workflow: [{}]", "x,".repeat(19_000)),
        format!("{head}{}", "\0"),
    ] {
        let told = parse("f.yaml", &text, &tools())
            .expect_err("it is no playbook")
            .to_string();
        let shown = &text[..text.len().min(100)];
        assert!(told.starts_with("f.yaml:"), "{shown}: {told}");
        assert!(told.len() < 50_000, "{shown}: {} bytes", told.len());
    }
}

#[test]
fn each_tool_that_there_is_is_named_once() {
    let text = "apiVersion: noetl.io/v1\nkind: Playbook\nmetadata: {name: f, path: f}\n\
                workflow:\n  - step: start\n    tool: something\n  - step: end\n";
    let tools = Toolset::named(["postgres", "python", "acme/zoom"]);
    let errors = parse("f.yaml", text, &tools).expect_err("there is no such tool");
    assert!(
        errors
            .to_string()
            .contains("there are: python, postgres, playbook, workbook, acme/zoom"),
        "{errors}"
    );
}
