//! Playbooks as a JSON Schema, for editors.

use serde_json::{Map, Value, json};

use crate::limits::Limit;
use crate::tool::{Tool, Toolset};

/// The JSON Schema (2020-12) of playbooks that can name these tools. It says less than
/// the parser: where steps lead, and what templates may name, only that knows.
#[must_use]
pub fn schema(tools: &Toolset) -> Value {
    let mut names = vec![json!("python"), json!("postgres")];
    let mut rules = vec![
        rule("python", &json!({"required": ["code"]})),
        rule("postgres", &json!({"required": ["auth", "query"]})),
        rule("playbook", &json!({"required": ["path"]})),
    ];
    for tool in tools.tools() {
        if matches!(tool.name.as_str(), "python" | "postgres") {
            continue;
        }
        let pinned = tool
            .version
            .as_ref()
            .map(|version| format!("{}@{version}", tool.name));
        let newest = tools.find(&tool.name.clone().into());
        let is_newest = newest.is_ok_and(|newest| std::ptr::eq(&**newest, &**tool));
        let unpinned = is_newest.then(|| tool.name.to_string());
        for name in unpinned.into_iter().chain(pinned.filter(|_| tool.pushed)) {
            rules.push(rule(&name, &step_of(tool)));
            names.push(json!(name));
        }
    }
    let mut step_tools = names.clone();
    step_tools.extend([json!("playbook"), json!("workbook")]);
    names.push(json!("playbook"));
    let digest = json!({"type": "string", "pattern": "^[a-z][a-z0-9_-]*/[a-z][a-z0-9_-]*@sha256:[0-9a-f]{64}$"});
    let tool =
        |names: &[Value]| json!({"description": "What runs", "anyOf": [{"enum": names}, digest]});
    let text = json!({"type": "string"});
    let condition = json!({"type": "string", "pattern": "\\{[{%]"});
    let time = json!({
        "type": ["string", "number"],
        "description": "A time such as `30s`, or a number of seconds",
    });
    let description = json!({"type": ["string", "null"]});
    let steps = json!({"anyOf": [
        {"type": "string"},
        {"type": "array", "items": {"anyOf": [{"type": "string"}, {"$ref": "#/$defs/next"}]}},
        {"$ref": "#/$defs/next"},
    ]});
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A noetl playbook",
        "type": "object",
        "required": ["apiVersion", "kind", "metadata", "workflow"],
        "additionalProperties": false,
        "properties": {
            "apiVersion": {"const": "noetl.io/v1"},
            "kind": {"const": "Playbook"},
            "metadata": {
                "type": "object",
                "required": ["name", "path"],
                "additionalProperties": false,
                "properties": {"name": text, "path": text, "description": description},
            },
            "on_restart": {"enum": ["resume", "fail"]},
            "workload": {"type": ["object", "null"], "description": "Defaults of the input"},
            "workbook": {"type": "array", "items": {"$ref": "#/$defs/task"}},
            "workflow": {"type": "array", "items": {"$ref": "#/$defs/step"}},
            "timeout": time,
            "output": {"description": "What an execution gives"},
            "finally": {
                "type": ["array", "null"],
                "description": "Steps that run when the workflow has ended, however it did",
                "items": {"$ref": "#/$defs/step"},
            },
        },
        "$defs": {
            "step": {
                "type": "object",
                "required": ["step"],
                "properties": {
                    "step": text, "desc": description, "description": description,
                    "tool": tool(&step_tools),
                    "args": {"type": ["object", "null"]},
                    "limits": {"$ref": "#/$defs/limits"},
                    "vars": {"type": ["object", "null"]},
                    "next": {"anyOf": [{"type": "null"}, steps]},
                    "on_error": {"anyOf": [{"type": "null"}, steps]},
                    "join": {"enum": ["all", "any"]},
                    "loop": {"$ref": "#/$defs/loop"},
                    "retry": {"$ref": "#/$defs/retry"},
                    "timeout": time,
                    "assert": {"anyOf": [
                        condition,
                        {"type": "array", "items": {"anyOf": [condition, {"$ref": "#/$defs/assert"}]}},
                    ]},
                    "sink": {"$ref": "#/$defs/sink"},
                },
                "allOf": rules,
            },
            "loop": {
                "type": "object",
                "required": ["collection", "element"],
                "additionalProperties": false,
                "properties": {
                    "collection": {"type": ["array", "string"], "description": "The list"},
                    "element": {"type": "string", "description": "The item's name in templates"},
                    "mode": {"enum": ["sequential", "parallel"]},
                    "concurrency": {"type": "integer", "minimum": 1, "maximum": 1000},
                    "on_failure": {"enum": ["stop", "continue"]},
                },
            },
            "retry": {"anyOf": [
                {"type": "boolean"},
                {"type": "integer", "minimum": 1, "maximum": 100},
                {
                    "type": "object",
                    "additionalProperties": false,
                    "properties": {
                        "attempts": {"type": "integer", "minimum": 1, "maximum": 100},
                        "delay": time, "max_delay": time,
                        "backoff": {"type": "number", "minimum": 1, "maximum": 100},
                        "jitter": {"type": "boolean"},
                        "retry_when": condition, "stop_when": condition,
                    },
                },
            ]},
            "assert": {
                "type": "object",
                "required": ["that"],
                "additionalProperties": false,
                "properties": {"that": condition, "message": text},
            },
            "sink": {
                "type": "object",
                "required": ["tool", "auth", "table"],
                "additionalProperties": false,
                "properties": {
                    "tool": {"const": "postgres"},
                    "auth": {"type": ["string", "object"]},
                    "table": text,
                    "rows": {"description": "The rows; without it, the result's data"},
                    "mode": {"enum": ["insert", "upsert"]},
                    "key": {"anyOf": [text, {"type": "array", "items": text}]},
                },
            },
            "task": {
                "type": "object",
                "required": ["name", "tool"],
                "properties": {
                    "name": text, "desc": description, "description": description,
                    "tool": tool(&names),
                    "args": {"type": ["object", "null"]},
                    "limits": {"$ref": "#/$defs/limits"},
                },
            },
            "next": {
                "type": "object",
                "properties": {"step": text, "when": text, "then": steps, "else": steps},
            },
            "limits": limits(),
        },
    })
}

fn rule(tool: &str, then: &Value) -> Value {
    json!({"if": {"properties": {"tool": {"const": tool}}, "required": ["tool"]}, "then": then})
}

/// What a step of a tool has to be. A template may stand for any value.
fn step_of(tool: &Tool) -> Value {
    let mut step = Map::new();
    let Some(manifest) = &tool.manifest else {
        return Value::Object(step);
    };
    if !manifest.description.is_empty() {
        step.insert("description".into(), json!(manifest.description));
    }
    let mut properties = Map::new();
    if let Some(config) = &manifest.schema.config {
        for (name, schema) in config["properties"].as_object().into_iter().flatten() {
            properties.insert(name.clone(), or_template(config, schema));
        }
        if let Some(required) = config.get("required") {
            step.insert("required".into(), required.clone());
        }
    }
    if let Some(args) = &manifest.schema.args {
        let mut shown = json!({"type": ["object", "null"]});
        let of = args["properties"].as_object().into_iter().flatten();
        let of: Map<_, _> = of
            .map(|(name, schema)| (name.clone(), or_template(args, schema)))
            .collect();
        shown["properties"] = Value::Object(of);
        if let Some(required) = args.get("required") {
            shown["required"] = required.clone();
        }
        properties.insert("args".into(), shown);
    }
    if !properties.is_empty() {
        step.insert("properties".into(), Value::Object(properties));
    }
    Value::Object(step)
}

/// The schema, or a template. References lead into the tool's own schema, which is not
/// here: what has some is only described.
fn or_template(whole: &Value, schema: &Value) -> Value {
    let has_references = schema.to_string().contains("\"$ref\"") || whole.get("$id").is_some();
    match has_references {
        true => json!({"description": schema["description"]}),
        false => json!({"anyOf": [schema, {"type": "string", "pattern": "\\{[{%]"}]}),
    }
}

fn limits() -> Value {
    let limits = Limit::ALL.iter().map(|limit| {
        let shape = json!({"type": ["string", "integer"]});
        (limit.name().to_owned(), shape)
    });
    json!({
        "type": "object",
        "additionalProperties": false,
        "properties": limits.collect::<Map<_, _>>(),
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::tool::schema::Schema;

    #[test]
    fn what_the_parser_takes_the_schema_takes_and_mistakes_are_seen() {
        let manifest = json!({
            "name": "acme/geo", "version": "1.0.0",
            "schema": {"args": {
                "type": "object",
                "properties": {"city": {"type": "string", "minLength": 2}, "n": {"type": "integer"}},
                "required": ["city"],
            }},
        });
        let manifest = serde_json::from_value(manifest).unwrap();
        let tool = Tool::pushed(manifest, "sha256:00".into(), None, true);
        let tools: Toolset = [Arc::new(tool)].into_iter().collect();
        let schema = Schema::compile(&schema(&tools)).unwrap();
        let playbook = |step: Value| {
            json!({
                "apiVersion": "noetl.io/v1", "kind": "Playbook",
                "metadata": {"name": "a", "path": "a"},
                "workflow": [{"step": "start", "next": [{"step": "one"}]}, step],
            })
        };
        for good in [
            json!({"step": "one", "tool": "python", "code": "def main(): pass"}),
            json!({"step": "one", "tool": "acme/geo", "args": {"city": "Ulm", "n": "{{ workload.n }}"}}),
            json!({"step": "one", "tool": "acme/geo@1.0.0", "args": {"city": "Ulm"}, "limits": {"time": "1s"}}),
            json!({"step": "one", "tool": "workbook", "name": "x"}),
            json!({"step": "one", "tool": "playbook", "path": "a/b", "timeout": 5, "retry": 3,
                "loop": {"collection": [1], "element": "n", "mode": "parallel"},
                "assert": ["{{ result.data }}", {"that": "{{ true }}"}],
                "on_error": [{"step": "start"}], "join": "any"}),
            json!({"step": "one", "tool": "python", "code": "def main(): pass",
                "sink": {"tool": "postgres", "auth": "pg", "table": "t", "mode": "upsert", "key": "id"}}),
        ] {
            let faults = schema.faults(&playbook(good));
            assert!(faults.is_empty(), "{faults:?}");
        }
        for bad in [
            json!({"step": "one", "tool": "python"}),
            json!({"step": "one", "tool": "playbook"}),
            json!({"step": "one", "tool": "python", "code": "x", "loop": {"collection": [1]}}),
            json!({"step": "one", "tool": "python", "code": "x", "retry": {"attempts": 0}}),
            json!({"step": "one", "tool": "acme/other"}),
            json!({"step": "one", "tool": "acme/geo", "args": {"n": 1}}),
            json!({"step": "one", "tool": "acme/geo", "args": {"city": "U"}}),
            json!({"step": "one", "tool": "acme/geo", "args": {"city": "Ulm"}, "limits": {"tim": "1s"}}),
        ] {
            assert!(!schema.faults(&playbook(bad.clone())).is_empty(), "{bad}");
        }
    }
}
