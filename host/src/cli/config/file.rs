//! The configuration file.

use std::any::TypeId;
use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use clap::error::{ContextKind, ContextValue};
use clap::{Arg, ArgAction, Command};

use super::{key, options, section};
use crate::yaml::{self, Diagnostics, Entry, Kind, Node, Report};

/// A file's text, and who may see it.
pub(super) struct Source {
    file: PathBuf,
    text: String,
    mode: u32,
}

impl Source {
    pub fn read(file: &Path) -> std::io::Result<Self> {
        Ok(Self {
            file: file.to_owned(),
            mode: file.metadata()?.mode() & 0o777,
            text: std::fs::read_to_string(file)?,
        })
    }

    #[cfg(test)]
    pub fn of(text: &str, mode: u32) -> Self {
        Self {
            file: "noetl.yaml".into(),
            text: text.into(),
            mode,
        }
    }

    /// Whether accounts beside the file's owner and its group can read it, or some
    /// beside its owner can write it.
    fn is_open_to_others(&self) -> bool {
        self.mode & 0o027 != 0
    }
}

/// The values in a file, by the id of their argument.
#[derive(Debug, Default)]
pub(super) struct Settings(BTreeMap<String, Vec<String>>);

impl Settings {
    /// Whether the file has a value for an argument.
    pub fn has(&self, id: &str) -> bool {
        self.0.contains_key(id)
    }

    /// A file's values as defaults of a command, which is named from the outermost.
    pub fn put_into(&self, mut command: Command, path: &[String]) -> Command {
        if let [name, below @ ..] = path {
            return command.mut_subcommand(name, |command| self.put_into(command, below));
        }
        let known: Vec<String> = options(&command)
            .map(|arg| arg.get_id().to_string())
            .filter(|id| self.has(id))
            .collect();
        for id in known {
            let values = &self.0[&id];
            // The help does not tell them: one may be a secret.
            command = command.mut_arg(id, |arg| {
                arg.default_values(values).hide_default_value(true)
            });
        }
        command
    }
}

/// The values of a file's text, for the options of `serve`.
///
/// # Errors
/// All that is wrong with it.
pub(super) fn parse(source: &Source, serve: &Command) -> Result<Settings, Diagnostics> {
    let text = yaml::Source::new(&source.text);
    let mut reader = Reader {
        source,
        serve,
        report: Report::new(&source.file.display().to_string()),
        settings: Settings::default(),
    };
    if let Some(tree) = yaml::read(&source.text, &text, &mut reader.report) {
        reader.file(&tree);
    }
    reader.report.finish(Some(reader.settings))
}

struct Reader<'a> {
    source: &'a Source,
    serve: &'a Command,
    report: Report,
    settings: Settings,
}

impl Reader<'_> {
    fn file(&mut self, tree: &Node) {
        if matches!(tree.kind, Kind::Null) {
            return;
        }
        let Some(entries) = self.report.mapping(tree, "") else {
            return;
        };
        let sections: Vec<String> = options(self.serve).filter_map(section).collect();
        for entry in entries {
            let name = entry.key.replace('-', "_");
            match sections.contains(&name) {
                true => self.section(&name, entry),
                false => self.option(None, entry),
            }
        }
    }

    fn section(&mut self, name: &str, entry: &Entry) {
        if matches!(entry.value.kind, Kind::Null) {
            return;
        }
        let Some(entries) = self.report.mapping(&entry.value, name) else {
            return;
        };
        for entry in entries {
            self.option(Some(name), entry);
        }
    }

    fn option(&mut self, within: Option<&str>, entry: &Entry) {
        let name = entry.key.replace('-', "_");
        let field = match within {
            Some(section) => format!("{section}.{}", entry.key),
            None => entry.key.clone(),
        };
        let Some(arg) = options(self.serve).find(|arg| key(arg) == name) else {
            return self.unknown(within, entry, field);
        };
        let belongs = section(arg);
        if belongs.as_deref() != within {
            let place = match &belongs {
                Some(section) => format!("put it below `{section}:`, indented"),
                None => "put it at the left margin, in no section".into(),
            };
            self.report
                .add(entry.position, format!("`{name}` does not stand here"))
                .field(field)
                .hint(place);
            return;
        }
        let Some(values) = self.values(arg, &entry.value, &field) else {
            return;
        };
        if arg.is_hide_env_values_set() && !self.may_hold(&values) {
            let file = self.source.file.display();
            self.report
                .add(
                    entry.position,
                    format!(
                        "it has a password, and the file can be read by others (mode {:04o})",
                        self.source.mode
                    ),
                )
                .field(field)
                .hint(format!(
                    "chmod 640 {file}, or give it with {}; change the password if somebody may have read it",
                    arg.get_env().unwrap_or_default().display()
                ));
            return;
        }
        if self
            .settings
            .0
            .insert(arg.get_id().to_string(), values)
            .is_some()
        {
            self.report
                .add(entry.position, format!("`{name}` is there twice"))
                .field(field);
        }
    }

    fn unknown(&mut self, within: Option<&str>, entry: &Entry, field: String) {
        let name = entry.key.replace('-', "_");
        let known: Vec<String> = options(self.serve)
            .filter(|arg| section(arg).as_deref() == within)
            .map(key)
            .chain(
                options(self.serve)
                    .filter_map(section)
                    .filter(|_| within.is_none()),
            )
            .collect();
        let added = self
            .report
            .add(
                entry.position,
                format!("there is no option `{}`", entry.key),
            )
            .field(field);
        match name.as_str() {
            "master_key" => added.hint(
                "a master key does not belong in this file: name the file that holds it with \
                 `master_key_file`, or give it with NOETL_MASTER_KEY",
            ),
            _ => added.suggest(&name, known.iter().map(String::as_str)),
        };
    }

    /// A secret may stand in a file that nobody else can read. A URL without a
    /// password is none.
    fn may_hold(&self, values: &[String]) -> bool {
        let is_open = |value: &String| {
            url::Url::parse(value).is_ok_and(|url| {
                url.password().is_none() && url.query_pairs().all(|(name, _)| name != "password")
            })
        };
        !self.source.is_open_to_others() || values.iter().all(is_open)
    }

    /// What the option's flag would be given.
    fn values(&mut self, arg: &Arg, node: &Node, field: &str) -> Option<Vec<String>> {
        let nodes = match arg.get_action() {
            ArgAction::Append => self.report.list(node, field)?,
            _ => std::slice::from_ref(node),
        };
        let mut values = Vec::new();
        for (index, node) in nodes.iter().enumerate() {
            let field = match arg.get_action() {
                ArgAction::Append => format!("{field}[{index}]"),
                _ => field.to_owned(),
            };
            values.push(self.value(arg, node, &field)?);
        }
        Some(values)
    }

    fn value(&mut self, arg: &Arg, node: &Node, field: &str) -> Option<String> {
        let value = match (expected(arg), &node.kind) {
            (Expected::Flag, Kind::Bool(yes)) => return Some(yes.to_string()),
            (Expected::Number, Kind::Number(number)) => number.to_string(),
            (Expected::Text, Kind::Text(text)) => text.clone(),
            (expected, _) => {
                self.report.wrong_kind(node, field, expected.what());
                return None;
            }
        };
        match refused(arg, &value) {
            None => Some(value),
            Some(why) => {
                let secret = arg.is_hide_env_values_set();
                let message = match secret {
                    true => "this can't be used".to_owned(),
                    false => format!("`{value}` can't be used: {why}"),
                };
                self.report.add(node.position, message).field(field);
                None
            }
        }
    }
}

#[derive(Clone, Copy)]
enum Expected {
    Flag,
    Number,
    Text,
}

impl Expected {
    fn what(self) -> &'static str {
        match self {
            Self::Flag => "`true` or `false`",
            Self::Number => "a number",
            Self::Text => "a text",
        }
    }
}

fn expected(arg: &Arg) -> Expected {
    let kind = arg.get_value_parser().type_id();
    let numbers = [
        TypeId::of::<u16>(),
        TypeId::of::<u32>(),
        TypeId::of::<u64>(),
        TypeId::of::<usize>(),
    ];
    if matches!(arg.get_action(), ArgAction::SetTrue | ArgAction::SetFalse)
        || kind == TypeId::of::<bool>()
    {
        Expected::Flag
    } else if numbers.iter().any(|number| kind == *number) {
        Expected::Number
    } else {
        Expected::Text
    }
}

/// Whether the option's values are numbers.
pub(super) fn is_number(arg: &Arg) -> bool {
    matches!(expected(arg), Expected::Number)
}

/// Why the option's flag would not take a value.
fn refused(arg: &Arg, value: &str) -> Option<String> {
    if let Some(delimiter) = arg.get_value_delimiter().filter(|d| value.contains(*d)) {
        return Some(format!(
            "`{delimiter}` stands between two values of the flag"
        ));
    }
    let alone = arg.clone().env(None::<&str>);
    let flag = format!("--{}={value}", arg.get_long().expect("an option has one"));
    let parsed = Command::new("alone")
        .arg(alone)
        .try_get_matches_from(["alone", &flag]);
    let error = parsed.err()?;
    let choices = match error.get(ContextKind::ValidValue) {
        Some(ContextValue::Strings(choices)) if !choices.is_empty() => choices.join(" or "),
        _ => return Some(std::error::Error::source(&error)?.to_string()),
    };
    Some(format!("it must be {choices}"))
}
