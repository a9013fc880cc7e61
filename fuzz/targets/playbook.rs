//! A playbook's text gives a playbook that can be walked, or mistakes with places.
#![no_main]

use libfuzzer_sys::fuzz_target;
use noetl_fuzz::playbook::{Next, parse};
use noetl_fuzz::tool::Toolset;
use noetl_fuzz::visible::is_hidden;
use noetl_fuzz::yaml;

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let tools = Toolset::named(["plugin"]);
    // In YAML a carriage return alone ends a line too.
    let lines = text.matches(['\n', '\r']).count() + 2;
    match parse("fuzz.yaml", text, &tools) {
        Ok(playbook) => {
            let steps = playbook.steps.len();
            assert!(playbook.step_index("start").is_some());
            for step in &playbook.steps {
                let next: Vec<usize> = match &step.next {
                    Next::None => Vec::new(),
                    Next::All(steps) => steps.clone(),
                    Next::Branches { branches, default } => {
                        let then = branches.iter().flat_map(|branch| branch.then.iter());
                        then.chain(default).copied().collect()
                    }
                };
                assert!(next.iter().all(|&next| next < steps), "{next:?}");
                assert!(step.line >= 1 && step.line <= lines, "line {}", step.line);
            }
        }
        Err(diagnostics) => {
            assert!(!diagnostics.0.is_empty());
            for found in &diagnostics.0 {
                assert!(found.line >= 1 && found.line <= lines, "{found}");
                assert!(found.column >= 1, "{found}");
                assert!(!found.message.is_empty());
            }
            let drawn = diagnostics.drawn(text, false);
            assert!(drawn.lines().all(|line| !line.chars().any(is_hidden)));
        }
    }
    if let Ok(formatted) = yaml::format("fuzz.yaml", text) {
        let again = yaml::format("fuzz.yaml", &formatted).expect("it was formatted");
        assert_eq!(again, formatted);
    }
});
