//! A tool's answer is JSON or refused; its log is text that drives no terminal.
#![no_main]

use libfuzzer_sys::fuzz_target;
use noetl_fuzz::template::{Scope, Template};
use noetl_fuzz::visible::{brief, visible, visible_json};
use serde_json::{Map, Value};

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let shown = visible(text);
    assert!(!shown.chars().any(|c| c.is_control() && c != '\n' && c != '\t'));
    assert_eq!(visible(&shown), shown);
    assert!(brief(text, 10).chars().count() <= 12);

    let Ok(answer) = serde_json::from_str::<Value>(text) else {
        return;
    };
    let written = answer.to_string();
    let again: Value = serde_json::from_str(&written).expect("what was written can be read");
    assert_eq!(again.to_string(), written);
    let shown = visible_json(&written);
    let again: Value = serde_json::from_str(&shown).expect("what is shown can be read");
    assert_eq!(again, answer);

    // As `result.data` it comes out of a template as it went in.
    let scope = Scope::new(Map::new()).with_result(&answer);
    let template = Template::compile("{{ result }}").expect("it is right");
    if let Ok(rendered) = template.render(&scope) {
        assert_eq!(rendered, answer);
    }
});
