//! A playbook as a Mermaid flowchart.

use std::fmt::Write;

use serde_json::json;

use crate::playbook::{Action, ActionKind, Condition, Join, Next, Playbook, Step};
use crate::visible::{brief, visible};

/// More of a condition does not fit beside an arrow.
const MAX_LABEL: usize = 80;

/// The flowchart of a playbook. Nothing in the playbook is more than a label in it.
pub fn flowchart(playbook: &Playbook) -> String {
    let mut chart = Chart {
        text: format!("---\ntitle: {}\n---\nflowchart TD", json!(playbook.path)),
        indent: 1,
    };
    let (workflow, finally) = playbook.steps.split_at(playbook.finally_at());
    if finally.is_empty() {
        chart.workflow(workflow);
        return chart.text;
    }
    chart.group("workflow", |chart| chart.workflow(workflow));
    chart.group("finally", |chart| {
        for (index, step) in (workflow.len()..).zip(finally) {
            chart.step(index, step);
        }
        for index in workflow.len() + 1..playbook.steps.len() {
            chart.line(&format!("s{} --> s{index}", index - 1));
        }
    });
    chart.line("workflow --> finally");
    chart.text
}

struct Chart {
    text: String,
    indent: usize,
}

impl Chart {
    fn line(&mut self, line: &str) {
        let indent = 2 * self.indent;
        write!(self.text, "\n{:indent$}{line}", "").expect("a String takes all");
    }

    fn group(&mut self, name: &str, inside: impl FnOnce(&mut Self)) {
        self.line(&format!("subgraph {name}"));
        self.indent += 1;
        inside(self);
        self.indent -= 1;
        self.line("end");
    }

    fn workflow(&mut self, steps: &[Step]) {
        for (index, step) in steps.iter().enumerate() {
            self.step(index, step);
        }
        for (index, step) in steps.iter().enumerate() {
            self.routes(index, &step.next, "-->", None);
            self.routes(index, &step.on_error, "-.->", Some("on error"));
        }
    }

    fn step(&mut self, index: usize, step: &Step) {
        let called = matches!(&step.action, Some(action) if is_call(action));
        let (open, close) = match (&step.action, step.name.as_str()) {
            _ if called => ("[[", "]]"),
            (_, "start" | "end") => ("([", "])"),
            (None, _) => ("(", ")"),
            (Some(_), _) => ("[", "]"),
        };
        let lines: Vec<String> = about(step).iter().map(|line| label(line)).collect();
        self.line(&format!("s{index}{open}\"{}\"{close}", lines.join("<br/>")));
        if let Some(sink) = &step.sink {
            let table = label(&sink.table.join("."));
            let how = match sink.key.is_empty() {
                true => "insert".to_owned(),
                false => format!("upsert by {}", sink.key.join(", ")),
            };
            self.line(&format!("t{index}[(\"{table}\")]"));
            self.line(&format!("s{index} ==>|\"{}\"| t{index}", label(&how)));
        }
    }

    /// The arrows of `next` or `on_error`; `prefix` begins their labels.
    fn routes(&mut self, from: usize, next: &Next, arrow: &str, prefix: Option<&str>) {
        let mut route = |to: &[usize], when: Option<String>| {
            let text: Vec<&str> = prefix.into_iter().chain(when.as_deref()).collect();
            let text = match text.is_empty() {
                true => String::new(),
                false => format!("|\"{}\"|", label(&text.join(": "))),
            };
            for to in to {
                self.line(&format!("s{from} {arrow}{text} s{to}"));
            }
        };
        match next {
            Next::None => {}
            Next::All(steps) => route(steps, None),
            Next::Branches { branches, default } => {
                for branch in branches {
                    route(
                        &branch.then,
                        Some(expression(branch.condition.template.source())),
                    );
                }
                route(default, Some("else".to_owned()));
            }
        }
    }
}

fn is_call(action: &Action) -> bool {
    matches!(action.kind, ActionKind::Playbook { .. })
}

/// What a step is, in lines.
fn about(step: &Step) -> Vec<String> {
    let mut lines = vec![step.name.clone()];
    if let Some(action) = &step.action {
        let detail = match (&action.kind, &action.task) {
            (ActionKind::Playbook { path, .. }, _) => Some(path.source()),
            (_, task) => task.as_deref(),
        };
        lines.push(match detail {
            Some(detail) => format!("{}: {detail}", action.tool),
            None => action.tool.clone(),
        });
    }
    if let Some(each) = &step.each {
        let at_once = match each.concurrency {
            1 => String::new(),
            many => format!(", up to {many} at once"),
        };
        lines.push(format!("for each {}{at_once}", each.element));
    }
    if let Some(retry) = &step.retry {
        let condition = |word: &str, condition: &Option<Condition>| match condition {
            Some(condition) => format!(", {word} {}", expression(condition.template.source())),
            None => String::new(),
        };
        lines.push(format!(
            "up to {} attempts{}{}",
            retry.attempts,
            condition("again when", &retry.retry_when),
            condition("stop when", &retry.stop_when)
        ));
    }
    if let Some(timeout) = step.timeout {
        lines.push(format!("within {}", humantime::format_duration(timeout)));
    }
    match step.join {
        Join::Open => {}
        Join::All => lines.push("waits for all".to_owned()),
        Join::Any => lines.push("waits for the first".to_owned()),
    }
    lines
}

/// A condition without the braces that it is all in.
fn expression(source: &str) -> String {
    let source = source.trim();
    let inner = source.strip_prefix("{{");
    let inner = inner.and_then(|inner| inner.strip_suffix("}}"));
    match inner.filter(|inner| !inner.contains("{{")) {
        Some(inner) => inner.trim_matches('-').trim().to_owned(),
        None => source.to_owned(),
    }
}

/// A text that means nothing to Mermaid: neither its syntax, nor Markdown, nor HTML; and
/// that does not turn the direction of writing.
fn label(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    let text = brief(&visible(&words.join(" ")), MAX_LABEL);
    let mut label = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        // `1. ` would begin a list.
        let ends = chars.peek().is_none_or(|next| *next == ' ');
        match c {
            '.' if !ends => label.push(c),
            ' ' | '_' | '/' | ',' => label.push(c),
            c if c.is_alphanumeric() => label.push(c),
            c => write!(label, "#{};", u32::from(c)).expect("a String takes all"),
        }
    }
    label
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tool::Toolset;

    const PLAYBOOK: &str = r#"
apiVersion: noetl.io/v1
kind: Playbook
metadata: {name: prices, path: shop/prices}
workload: {shops: [north, south]}
workbook:
  - name: work
    tool: python
    code: "def main(): return 1"
workflow:
  - step: start
    next:
      - step: fetch
      - step: other
  - step: fetch
    tool: python
    code: "def main(): return []"
    loop: {collection: "{{ workload.shops }}", element: shop, mode: parallel, concurrency: 4}
    retry: {attempts: 5, retry_when: "{{ attempt < 2 }}"}
    timeout: 2m
    sink: {tool: postgres, auth: pg, table: shop.prices, mode: upsert, key: [id, shop]}
    on_error:
      - when: "{{ error.kind == 'x' }}"
        then:
          - step: tell
      - step: end
    next:
      - when: "{{ result.data[0] > 1 }}"
        then:
          - step: end
      - else:
          - step: tell
          - step: end
  - step: other
    tool: workbook
    name: work
    next:
      - step: end
  - step: tell
    tool: playbook
    path: shop/tell
    next:
      - step: end
  - step: end
    join: any
finally:
  - step: a
    tool: python
    code: "def main(): return 1"
  - step: b
    tool: python
    code: "def main(): return 1"
"#;

    #[test]
    fn everything_that_leads_somewhere_is_drawn() {
        let playbook = crate::playbook::parse("p.yaml", PLAYBOOK, &Toolset::default());
        let playbook = playbook.expect("it is correct");
        let expected = r##"---
title: "shop/prices"
---
flowchart TD
  subgraph workflow
    s0(["start"])
    s1["fetch<br/>python<br/>for each shop, up to 4 at once<br/>up to 5 attempts, again when attempt #60; 2<br/>within 2m"]
    t1[("shop.prices")]
    s1 ==>|"upsert by id, shop"| t1
    s2["other<br/>python#58; work"]
    s3[["tell<br/>playbook#58; shop/tell"]]
    s4(["end<br/>waits for the first"])
    s0 --> s1
    s0 --> s2
    s1 -->|"result.data#91;0#93; #62; 1"| s4
    s1 -->|"else"| s3
    s1 -->|"else"| s4
    s1 -.->|"on error#58; error.kind #61;#61; #39;x#39;"| s3
    s1 -.->|"on error#58; else"| s4
    s2 --> s4
    s3 --> s4
  end
  subgraph finally
    s5["a<br/>python"]
    s6["b<br/>python"]
    s5 --> s6
  end
  workflow --> finally"##;
        assert_eq!(flowchart(&playbook), expected);
    }

    #[test]
    fn a_label_is_nothing_but_text() {
        assert_eq!(
            label("\"]\n%%{init: {}}%% <b>`x`\u{202e}#35;"),
            "#34;#93; #37;#37;#123;init#58; #123;#125;#125;#37;#37; #60;b#62;#96;x#96;#92;u#123;202e#125;#35;35#59;"
        );
        assert_eq!(label("1. - größe.x"), "1#46; #45; größe.x");
        assert!(label(&"x".repeat(500)).len() < 100);
    }

    #[test]
    fn the_braces_around_a_condition_are_left_out() {
        assert_eq!(expression(" {{ a > 1 }} "), "a > 1");
        assert_eq!(expression("{{ a }} {{ b }}"), "{{ a }} {{ b }}");
        assert_eq!(
            expression("{%- if a %}1{% endif %}"),
            "{%- if a %}1{% endif %}"
        );
    }
}
