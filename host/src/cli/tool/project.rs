//! A tool's project: a directory with a `tool.toml`.

use std::path::{Path, PathBuf};

use semver::Version;
use serde::Deserialize;
use serde_json::Value;

use super::language::Language;
use crate::cli::failure::Failure;
use crate::tool::{Capabilities, Manifest, Name, Schemas};

/// The file that makes a directory a tool's project.
const FILE: &str = "tool.toml";

/// A tool's project.
#[derive(Debug)]
pub struct Project {
    /// Its directory.
    pub directory: PathBuf,
    /// Its `tool.toml`, for messages.
    pub file: PathBuf,
    /// What that says.
    pub settings: Settings,
}

/// What a `tool.toml` says.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The tool's name.
    pub name: Name,
    /// The tool's version.
    pub version: Version,
    /// What it is for.
    #[serde(default)]
    pub description: String,
    /// Decides how it is built.
    pub language: Option<Language>,
    /// Where the built component lies, if it is not where the language puts it.
    pub component: Option<PathBuf>,
    /// What builds it instead, for a shell.
    pub command: Option<String>,
    /// What it wants to reach.
    #[serde(default)]
    pub capabilities: Capabilities,
    /// Files with JSON Schemas.
    #[serde(default)]
    pub schema: SchemaFiles,
}

/// Paths of JSON Schemas, from the project's directory.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SchemaFiles {
    config: Option<PathBuf>,
    args: Option<PathBuf>,
    result: Option<PathBuf>,
}

impl Project {
    /// Reads the project in a directory.
    ///
    /// # Errors
    /// It is none, or what is wrong with its `tool.toml`.
    pub fn read(directory: &Path) -> anyhow::Result<Self> {
        let file = directory.join(FILE);
        let text = std::fs::read_to_string(&file).map_err(|error| {
            Failure::new(format!("cannot read {}: {error}", file.display()))
                .hint("name the directory of a tool; 'noetl tool new' writes one")
        })?;
        let settings =
            toml::from_str(&text).map_err(|error| mistake(&file.display(), &text, &error))?;
        Ok(Self {
            directory: directory.into(),
            file,
            settings,
        })
    }

    /// Where the build puts the component, without a manifest.
    pub fn component(&self) -> PathBuf {
        match &self.settings.component {
            Some(component) => self.directory.join(component),
            None => self.directory.join("build/component.wasm"),
        }
    }

    /// Where the component with its manifest goes.
    pub fn output(&self) -> PathBuf {
        let name = self.settings.name.as_str();
        let name = name.rsplit('/').next().unwrap_or(name);
        self.directory.join("build").join(format!("{name}.wasm"))
    }

    /// The manifest, with the schemas that there are files of.
    ///
    /// # Errors
    /// A schema's file can't be read, or is none.
    pub fn manifest(&self) -> anyhow::Result<Manifest> {
        let Settings {
            name,
            version,
            description,
            capabilities,
            schema,
            ..
        } = &self.settings;
        Ok(Manifest {
            name: name.clone(),
            version: version.clone(),
            description: description.clone(),
            capabilities: capabilities.clone(),
            schema: Schemas {
                config: self.schema("config", schema.config.as_deref())?,
                args: self.schema("args", schema.args.as_deref())?,
                result: self.schema("result", schema.result.as_deref())?,
            },
        })
    }

    fn schema(&self, field: &str, path: Option<&Path>) -> anyhow::Result<Option<Value>> {
        let Some(path) = path else {
            return Ok(None);
        };
        let path = self.directory.join(path);
        let text = std::fs::read_to_string(&path).map_err(|error| {
            Failure::new(format!(
                "{}: schema.{field}: cannot read {}: {error}",
                self.file.display(),
                path.display()
            ))
            .hint("write the file, or leave the line out if nothing shall be checked")
        })?;
        let wrong = |at: String, error: &dyn std::fmt::Display| {
            Failure::new(format!(
                "{}{at}: schema.{field}: it is no JSON Schema: {error}",
                path.display()
            ))
        };
        let schema: Value = serde_json::from_str(&text)
            .map_err(|error| wrong(format!(":{}:{}", error.line(), error.column()), &error))?;
        crate::tool::schema::compile(&schema).map_err(|error| wrong(String::new(), &error))?;
        Ok(Some(schema))
    }
}

/// `file:line:column: field: what is wrong` and what to write instead.
fn mistake(file: &dyn std::fmt::Display, text: &str, error: &toml::de::Error) -> Failure {
    let message = error.message().trim_end();
    let missing = message.starts_with("missing field");
    let place = match error.span().filter(|_| !missing) {
        None => format!("{file}"),
        Some(span) => {
            let before = &text[..span.start.min(text.len())];
            let begin = before.rfind('\n').map_or(0, |at| at + 1);
            let line = before.matches('\n').count() + 1;
            let column = before[begin..].chars().count() + 1;
            let field = field(before, text[begin..].lines().next().unwrap_or_default());
            format!("{file}:{line}:{column}{field}")
        }
    };
    let failure = Failure::new(format!("{place}: {message}"));
    match example(message) {
        Some(example) => failure.hint(format!("write it as `{example}`")),
        None => failure,
    }
}

/// The field that a line sets, below the last header before it.
fn field(before: &str, line: &str) -> String {
    let Some((key, _)) = line.split_once('=') else {
        return String::new();
    };
    let header = before.lines().rev().find_map(|line| {
        let line = line.trim().strip_prefix('[')?;
        line.split_once(']').map(|(header, _)| header.trim())
    });
    match header {
        Some(header) => format!(": {header}.{}", key.trim()),
        None => format!(": {}", key.trim()),
    }
}

fn example(message: &str) -> Option<&'static str> {
    let examples = [
        ("missing field `name`", "name = \"acme/geocode\""),
        ("missing field `version`", "version = \"1.0.0\""),
        ("no tool's name", "name = \"acme/geocode\""),
        ("version number", "version = \"1.0.0\""),
        ("`any` or a list", "http = [\"api.example.com\"]"),
        ("neither `any` nor", "http = [\"api.example.com\"]"),
        ("a boolean", "postgres = true"),
    ];
    let found = examples.iter().find(|(sign, _)| message.contains(sign));
    found.map(|(_, example)| *example)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tool::Hosts;

    fn read(text: &str) -> anyhow::Result<Project> {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join(FILE), text).unwrap();
        Project::read(directory.path())
    }

    const GOOD: &str = "name = \"acme/geocode\"\nversion = \"1.2.0\"\nlanguage = \"rust\"\n";

    #[test]
    fn a_project_is_read() {
        let project = read(&format!("{GOOD}[capabilities]\nhttp = \"any\"\n")).unwrap();
        assert!(project.output().ends_with("build/geocode.wasm"));
        assert_eq!(project.settings.language, Some(Language::Rust));
        let manifest = project.manifest().unwrap();
        assert_eq!(manifest.capabilities.http, Hosts::Any);
        assert_eq!(manifest.schema, Schemas::default());
    }

    #[test]
    fn mistakes_name_line_and_field() {
        let with = |line: &str| format!("{GOOD}{line}\n");
        for (text, place, told) in [
            (
                GOOD.replace("acme/", "Acme/"),
                "tool.toml:1:8: name: ",
                "no tool's name",
            ),
            (
                GOOD.replace("1.2.0", "1.2"),
                "tool.toml:2:11: version: ",
                "version",
            ),
            (
                GOOD.replace("rust", "basic"),
                "tool.toml:3:12: language: ",
                "basic",
            ),
            (
                GOOD.replace("version = \"1.2.0\"\n", ""),
                "tool.toml: ",
                "missing field `version`",
            ),
            (
                with("comand = \"make\""),
                "tool.toml:4:1: comand: ",
                "`command`",
            ),
            (with("x"), "tool.toml:4:2", ""),
            (
                with("[capabilities]\npostgres = \"yes\""),
                "tool.toml:5:12: capabilities.postgres: ",
                "boolean",
            ),
            (
                with("[capabilities]\nhttp = [\"http://a\"]"),
                "tool.toml:5:8: capabilities.http: ",
                "http://a",
            ),
            (
                with("[schema]\nconfig = 1"),
                "tool.toml:5:10: schema.config: ",
                "string",
            ),
        ] {
            let error = read(&text).unwrap_err().to_string();
            assert!(error.contains(place), "{error}\n{place}");
            assert!(error.contains(told), "{error}\n{told}");
        }
    }

    #[test]
    fn a_schema_s_mistakes_are_its_file_s() {
        let directory = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            std::fs::write(directory.path().join(name), text).unwrap();
        };
        write(FILE, &format!("{GOOD}[schema]\nargs = \"args.json\"\n"));
        let manifest = || Project::read(directory.path()).unwrap().manifest();
        let told = || manifest().unwrap_err().to_string();
        assert!(told().contains("schema.args: cannot read"), "{}", told());
        write("args.json", "{\n  \"type\": }");
        assert!(told().contains("args.json:2:11: schema.args"), "{}", told());
        write("args.json", "{\"type\": \"text\"}");
        assert!(told().contains("it is no JSON Schema"), "{}", told());
        write("args.json", "{\"type\": \"object\"}");
        assert!(manifest().unwrap().schema.args.is_some());
    }
}
