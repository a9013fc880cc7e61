//! Whatever a template and its data are, rendering ends, and data stays data.
#![no_main]

use libfuzzer_sys::fuzz_target;
use noetl_fuzz::cut;
use noetl_fuzz::template::{Scope, Template};
use serde_json::{Value, json};

fuzz_target!(|data: &[u8]| {
    let Some((source, values)) = cut(data) else {
        return;
    };
    let Ok(template) = Template::compile(source) else {
        return;
    };
    let value = |n: usize| {
        let text = values.get(n).copied().unwrap_or_default();
        serde_json::from_str(text).unwrap_or_else(|_| Value::from(text))
    };
    let (a, b): (Value, Value) = (value(0), value(1));
    let Value::Object(names) = json!({"workload": {"a": a, "b": b}, "vars": {"v": a}}) else {
        unreachable!("it is an object");
    };
    let scope = Scope::new(names);
    let rendered = template.render(&scope);
    let _ = template.render_var(&scope);
    let _ = template.is_true(&scope);
    if source == "{{ workload.a }}" {
        assert_eq!(rendered.ok().as_ref(), Some(&a));
    }
});
