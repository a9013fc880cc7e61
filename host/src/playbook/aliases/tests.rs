use super::super::{Playbook, parse};
use super::*;

/// A playbook with these steps after `start`, the first of which is `one`. Its lines begin
/// on line 8.
fn with(steps: &str) -> String {
    format!(
        "apiVersion: noetl.io/v1\nkind: Playbook\nmetadata: {{name: a, path: a}}\n\
         workload: {{n: 1, list: [1, 2]}}\nworkflow:\n  - step: start\n    next: [{{step: one}}]\n{steps}"
    )
}

fn tools() -> Toolset {
    Toolset::named(["python", "postgres", "http"])
}

fn good(text: &str) -> Playbook {
    parse("a.yaml", text, &tools()).unwrap_or_else(|faults| panic!("{faults}\n{text}"))
}

/// The step `one` means the same in both ways of writing, and what is noted of the first.
fn same(alias: &str, canonical: &str) -> Vec<String> {
    let (alias, canonical) = (good(&with(alias)), good(&with(canonical)));
    assert!(canonical.notes.is_empty(), "{:?}", canonical.notes);
    // All but the notes and the lines, which are those of each text.
    let words = |playbook: &Playbook| {
        let text = playbook.explain();
        let lines = text.lines().filter(|line| !line.starts_with("  line "));
        let lines = lines.map(|line| {
            let words = line.split_whitespace();
            let words = words.filter(|word| {
                word.trim_matches(|c| "(),".contains(c))
                    .parse::<usize>()
                    .is_err()
            });
            words.collect::<Vec<_>>().join(" ")
        });
        lines.collect::<Vec<_>>()
    };
    assert_eq!(words(&alias), words(&canonical));
    alias.notes.iter().map(ToString::to_string).collect()
}

/// The faults of a text with these steps, one in each line.
fn faults(steps: &str) -> Vec<String> {
    let faults = parse("a.yaml", &with(steps), &tools()).expect_err("it is refused");
    faults.0.iter().map(ToString::to_string).collect()
}

fn refused(steps: &str, says: &[&str]) {
    let faults = faults(steps);
    assert_eq!(faults.len(), 1, "{faults:#?}");
    for part in says {
        assert!(faults[0].contains(part), "{part}: {}", faults[0]);
    }
}

const MAIN: &str = "def main(a): return a";

#[test]
fn a_steps_arguments_and_code_have_other_names() {
    let canonical =
        format!("  - step: one\n    tool: python\n    code: '{MAIN}'\n    args: {{a: 1}}\n");
    for (alias, canonical_name) in [
        ("with", "args"),
        ("data", "args"),
        ("script", "code"),
        ("type", "tool"),
    ] {
        let text = canonical.replacen(&format!("{canonical_name}:"), &format!("{alias}:"), 1);
        let line = match canonical_name {
            "tool" => 9,
            "code" => 10,
            _ => 11,
        };
        assert_eq!(
            same(&text, &canonical),
            [format!(
                "line {line}: step `one`: `{alias}` is read as `{canonical_name}`"
            )]
        );
    }
}

#[test]
fn a_tool_can_be_an_object() {
    let notes = same(
        "  - step: one\n    tool:\n      kind: python\n      code: 'def main(a): return a'\n    args: {a: 1}\n",
        "  - step: one\n    tool: python\n    code: 'def main(a): return a'\n    args: {a: 1}\n",
    );
    assert_eq!(notes.len(), 2, "{notes:?}");
}

#[test]
fn a_query_has_other_names_and_may_be_a_list_of_one() {
    let canonical = "  - step: one\n    tool: postgres\n    auth: pg\n    query: SELECT 1\n";
    for alias in ["script", "command", "commands", "queries", "sql"] {
        same(
            &canonical.replacen("query:", &format!("{alias}:"), 1),
            canonical,
        );
    }
    same(
        &canonical.replacen("query: SELECT 1", "commands: [SELECT 1]", 1),
        canonical,
    );
    refused(
        &canonical.replacen("query: SELECT 1", "queries: [SELECT 1, SELECT 2]", 1),
        &["a.yaml:11:", "one text", "query: |"],
    );
    refused(
        &canonical.replacen("query: SELECT 1", "query: [SELECT 1, SELECT 2]", 1),
        &["a.yaml:11:", "one text", "query: |"],
    );
}

#[test]
fn a_credential_is_named_in_other_ways() {
    let canonical = "  - step: one\n    tool: postgres\n    auth: pg\n    query: SELECT 1\n";
    for auth in [
        "{type: postgres, credential: pg}",
        "{type: postgres, key: pg}",
        "{source: credential, key: pg}",
        "{credential: pg}",
    ] {
        same(
            &canonical.replacen("auth: pg", &format!("auth: {auth}"), 1),
            canonical,
        );
    }
    for (auth, says) in [
        ("'{{ workload.n }}'", "can't be a template"),
        (
            "{type: postgres, key: '{{ workload.n }}'}",
            "can't be a template",
        ),
        ("{source: env, key: PG}", "store alone"),
        ("{pg: {type: postgres, key: pg}}", "one credential"),
        ("{type: postgres, password: x}", "sees a secret"),
    ] {
        refused(
            &canonical.replacen("auth: pg", &format!("auth: {auth}"), 1),
            &[says],
        );
    }
}

#[test]
fn a_way_can_be_written_short() {
    let step = |next: &str| {
        format!(
            "  - step: one\n    next: {next}\n  - step: two\n    tool: python\n    code: '{MAIN}'\n    args: {{a: 1}}\n"
        )
    };
    let canonical = step("[{step: two}]");
    for next in ["two", "[two]", "{step: two}"] {
        same(&step(next), &canonical);
    }
    let canonical = step("[{when: '{{ workload.n }}', then: [{step: two}]}]");
    for next in [
        "[{when: '{{ workload.n }}', then: two}]",
        "[{when: '{{ workload.n }}', then: [two]}]",
        "[{when: '{{ workload.n }}', then: {step: two}}]",
        "[{when: '{{ workload.n }}', step: two}]",
        "{when: '{{ workload.n }}', then: two}",
    ] {
        same(&step(next), &canonical);
    }
    refused(
        &step("[{step: two, args: {a: 1}}]"),
        &[
            "a.yaml:9:",
            "`args`",
            "hands nothing over",
            "in the step itself",
        ],
    );
}

#[test]
fn loops_retries_and_sinks_have_other_words() {
    let canonical = "  - step: one\n    tool: python\n    code: 'def main(a): return a'\n    args: {a: '{{ x }}'}\n    \
        loop: {collection: '{{ workload.list }}', element: x, mode: parallel}\n    \
        retry: {attempts: 2, delay: 0.5, backoff: 3, retry_when: '{{ attempt < 2 }}'}\n    \
        sink: {tool: postgres, auth: pg, table: t, rows: '{{ result.data }}'}\n";
    let alias = "  - step: one\n    tool: python\n    code: 'def main(a): return a'\n    args: {a: '{{ x }}'}\n    \
        loop: {in: '{{ workload.list }}', iterator: x, mode: async}\n    \
        retry: {on_error: {max_attempts: 2, initial_delay: 0.5, backoff_multiplier: 3, when: '{{ attempt < 2 }}'}}\n    \
        save: {tool: {kind: postgres}, auth: {type: postgres, key: pg}, table: t, data: '{{ result.data }}'}\n";
    let notes = same(alias, canonical);
    assert_eq!(notes.len(), 13, "{notes:#?}");
}

#[test]
fn a_router_runs_nothing() {
    let end = "  - step: end\n";
    let canonical = format!("  - step: one\n    next: [{{step: end}}]\n{end}");
    same(
        &format!(
            "  - step: one\n    tool: router\n    next: [{{step: end}}]\n{end}    type: end\n"
        ),
        &canonical,
    );
}

#[test]
fn the_playbooks_own_fields_may_stand_outside_of_its_metadata() {
    let text = with("  - step: one\n    next: [{step: end}]\n  - step: end\n");
    let text = text.replacen(
        "metadata: {name: a, path: a}",
        "name: a\npath: b\nmetadata: {version: 1.0.0, labels: {x: y}}",
        1,
    );
    let playbook = good(&text);
    assert_eq!((playbook.name.as_str(), playbook.path.as_str()), ("a", "b"));
    let notes: Vec<_> = playbook.notes.iter().map(ToString::to_string).collect();
    assert_eq!(notes.len(), 4, "{notes:#?}");
    assert_eq!(notes[0], "line 3: `name` is read as `metadata.name`");
}

#[test]
fn a_word_and_its_alias_together_are_refused_with_both_lines() {
    refused(
        "  - step: one\n    tool: python\n    args: {a: 1}\n    code: 'def main(a): return a'\n    with: {a: 2}\n",
        &[
            "a.yaml:12:",
            "`with` means `args`",
            "line 10",
            "take `with` away",
        ],
    );
}

#[test]
fn what_is_not_there_is_refused_once_with_what_to_write() {
    let python = |more: &str| {
        format!("  - step: one\n    tool: python\n    code: 'def main(): return 1'\n{more}")
    };
    for (steps, says) in [
        (
            "  - step: one\n    tool: duckdb\n    query: SELECT 1\n".to_owned(),
            "tool: postgres",
        ),
        (
            "  - step: one\n    tool: container\n    image: x\n".to_owned(),
            "starts no programs",
        ),
        (
            "  - step: one\n    tool: python\n    code_b64: eA==\n".to_owned(),
            "code: |",
        ),
        (
            "  - step: one\n    tool: python\n    script: {uri: x}\n".to_owned(),
            "code: |",
        ),
        (
            "  - step: one\n    tool: postgres\n    auth: pg\n    command_b64: eA==\n".to_owned(),
            "query: |",
        ),
        (
            "  - step: one\n    tool: postgres\n    db_host: x\n    query: SELECT 1\n".to_owned(),
            "auth: its_name",
        ),
        (
            "  - step: one\n    tool: http\n    endpoint: http://a\n    data: {a: 1}\n".to_owned(),
            "`params`",
        ),
        (python("    case: [{when: x}]\n"), "on_error"),
        (
            python("    loop: {collection: [1], element: x, where: x}\n"),
            "selectattr",
        ),
        (python("    retry: {on_success: {while: x}}\n"), "vars"),
        (
            python("    retry: {when: '{{ error != None }}'}\n"),
            "write `error is defined`",
        ),
        (python("    assert: {expects: [a]}\n"), "is defined"),
        (
            python("    sink: {name: x, data: 1, tool: postgres, auth: pg, table: t}\n"),
            "vars",
        ),
        (python("    vars: {a: '{{ env.HOME }}'}\n"), "environment"),
        (python("    vars: {a: '{{ this.data }}'}\n"), "result.data"),
        (
            python("    vars: {a: '{{ result.total }}'}\n"),
            "result.data.total",
        ),
        (
            python("    next: [{when: \"{{ one.status == 'error' }}\", then: [{step: one}]}]\n"),
            "on_error",
        ),
    ] {
        refused(&steps, &[says]);
    }
    refused(
        "  - step: one\n    tool: postgres\n    auth: pg\n    query: SELECT 1\n    vars: {a: '{{ result.data.command_0.rows[0].x }}'}\n",
        &["a.yaml:12:31:", "counted from 1", "command_1[0]"],
    );
}

#[test]
fn a_tools_own_fields_stay_its_own() {
    let tools = Toolset::named(["acme/mail"]);
    let text =
        with("  - step: one\n    tool: acme/mail\n    with: {a: 1}\n    data: x\n    type: y\n");
    let playbook = parse("a.yaml", &text, &tools).unwrap();
    assert!(playbook.notes.is_empty(), "{:?}", playbook.notes);
    assert!(
        playbook.explain().contains("with = {a: 1}"),
        "{}",
        playbook.explain()
    );
}

#[test]
fn code_with_templates_is_noted() {
    let playbook = good(&with(
        "  - step: one\n    tool: python\n    code: |\n      def main():\n        return '{{ workload.n }}'\n",
    ));
    assert!(
        playbook.notes[0].to_string().contains("through `args`"),
        "{:?}",
        playbook.notes
    );
}

#[test]
fn an_explanation_tells_every_part_of_a_step() {
    let text = good(&with(
        "  - step: one\n    tool: python\n    code: 'def main(a): return a'\n    args: {a: '{{ x }}'}\n    \
         loop: {collection: '{{ workload.list }}', element: x, on_failure: continue}\n    \
         retry: {attempts: 4, delay: 2s, jitter: false}\n    timeout: 1m\n    assert: '{{ result.data }}'\n    \
         sink: {tool: postgres, auth: pg, table: s.t, mode: upsert, key: id}\n    \
         vars: {kept: '{{ result.data }}'}\n    \
         next: [{when: '{{ vars.kept }}', then: [{step: two}]}, {step: end}]\n    on_error: [{step: two}]\n  \
         - step: two\n    next: [{step: end}]\n  - step: end\n",
    ))
    .explain();
    for part in [
        "one (line 8)",
        "runs python: the code from line 10 on",
        "args.a = {{ x }}",
        "for each `x` of {{ workload.list }}, one after the other; goes on",
        "is tried 4 times at most, waits 2s and then 2 times as long, 30s at most\n",
        "may take 1m",
        "fails unless {{ result.data }}",
        "writes {{ result.data }} into the table s.t, over rows of the same id, with the credential `pg`",
        "sets vars.kept = {{ result.data }}",
        "leads to two when {{ vars.kept }}",
        "else leads to end",
        "if it failed, leads to two",
        "gives the result of the last step with a tool",
    ] {
        assert!(text.contains(part), "{part}:\n{text}");
    }
}

#[test]
fn an_explanation_tells_of_joins_and_of_the_end() {
    let text = with(
        "  - step: one\n    next: [{step: a}, {step: b}]\n  - step: a\n    next: [{step: c}]\n  \
         - step: b\n    next: [{step: c}]\n  - step: c\n    join: all\n    next: [{step: end}]\n  \
         - step: end\n\
         finally:\n  - step: last\n    tool: python\n    code: 'def main(): return 1'\n\
         output: '{{ workload.n }}'\n",
    );
    let text = good(&text).explain();
    for part in [
        "leads to a and b",
        "waits for all steps that lead here",
        "at the end, however it came:\nlast (line",
        "gives {{ workload.n }}",
    ] {
        assert!(text.contains(part), "{part}:\n{text}");
    }
}
