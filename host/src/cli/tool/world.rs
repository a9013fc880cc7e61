//! The world that a project's component is made for.

use std::path::Path;

use super::build::write;
use super::project::Project;
use crate::tool::Capabilities;

/// What a tool is.
const WIT: &str = include_str!("../../../../wit/0.2/tool.wit");

/// Where builds find the world, from the project's directory.
pub const PLACE: &str = "build/wit";

/// Writes the world `tool` for a project, with no other imports than it asks for:
/// builders such as componentize-py import all that there are.
///
/// # Errors
/// If it can't be written.
pub fn prepare(project: &Project) -> anyhow::Result<()> {
    let file = project.directory.join(Path::new(PLACE).join("tool.wit"));
    write(&file, narrowed(&project.settings.capabilities).as_bytes())
}

/// The package without what follows the world `tool`.
fn narrowed(capabilities: &Capabilities) -> String {
    let (before, world) = WIT
        .split_once("\nworld tool {\n")
        .expect("it has the world");
    let (world, _) = world.split_once("\n}").expect("the world ends");
    let unwanted = |line: &&str| match line.trim() {
        "import postgres;" => !capabilities.postgres,
        "import http;" => capabilities.http.is_none(),
        _ => false,
    };
    let world: Vec<&str> = world.lines().filter(|line| !unwanted(line)).collect();
    format!("{before}\nworld tool {{\n{}\n}}\n", world.join("\n"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_world_has_the_imports_that_are_asked_for() {
        for (capabilities, imports) in [
            (json!({}), &["log"][..]),
            (json!({"http": ["a.example"]}), &["log", "http"]),
            (
                json!({"postgres": true, "http": "any"}),
                &["log", "postgres", "http"],
            ),
        ] {
            let text = narrowed(&serde_json::from_value(capabilities).unwrap());
            let found: Vec<&str> = text
                .lines()
                .filter_map(|line| line.strip_prefix("    import ")?.strip_suffix(';'))
                .collect();
            assert_eq!(found, imports);
            assert_eq!(text.matches("\nworld ").count(), 1, "{text}");
            assert!(text.contains("    export run: "), "{text}");
        }
    }
}
