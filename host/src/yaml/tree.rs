//! YAML as a tree that knows where everything stands.

use std::collections::HashSet;
use std::fmt;

use super::text::Source;
use serde::Deserialize;
use serde::de::{Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value as Json};
use serde_yaml::options::MergeKeyPolicy;
use serde_yaml::{DuplicateKeyPolicy, Location, Spanned};

/// The files are written by people.
const MAX_BYTES: usize = 1024 * 1024;
const MAX_DEPTH: usize = 64;
const MAX_NODES: usize = 50_000;
const MAX_ALIASES: usize = 100;

const START: Position = Position { line: 1, column: 1 };

/// Where something stands in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Position {
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
}

impl Position {
    fn of(location: Location) -> Self {
        Position {
            line: usize::try_from(location.line()).unwrap_or(1).max(1),
            column: usize::try_from(location.column()).unwrap_or(1).max(1),
        }
    }
}

#[derive(Debug)]
pub(crate) struct Node {
    pub position: Position,
    pub kind: Kind,
}

#[derive(Debug)]
pub(crate) enum Kind {
    Null,
    Bool(bool),
    Number(Number),
    Text(String),
    List(Vec<Node>),
    Map(Vec<Entry>),
}

#[derive(Debug)]
pub(crate) struct Entry {
    pub key: String,
    pub position: Position,
    pub value: Node,
}

impl Node {
    /// What it is, for messages.
    pub(crate) fn what(&self) -> &'static str {
        match self.kind {
            Kind::Null => "nothing",
            Kind::Bool(_) => "a boolean",
            Kind::Number(_) => "a number",
            Kind::Text(_) => "a text",
            Kind::List(_) => "a list",
            Kind::Map(_) => "a mapping",
        }
    }

    /// The entries of a mapping; none of anything else.
    pub(crate) fn entries(&self) -> &[Entry] {
        match &self.kind {
            Kind::Map(entries) => entries,
            _ => &[],
        }
    }

    pub(crate) fn to_json(&self) -> Json {
        match &self.kind {
            Kind::Null => Json::Null,
            Kind::Bool(value) => Json::Bool(*value),
            Kind::Number(number) => Json::Number(number.clone()),
            Kind::Text(text) => Json::String(text.clone()),
            Kind::List(items) => Json::Array(items.iter().map(Node::to_json).collect()),
            Kind::Map(entries) => Json::Object(entries_to_json(entries)),
        }
    }
}

pub(crate) fn entries_to_json(entries: &[Entry]) -> Map<String, Json> {
    entries
        .iter()
        .map(|entry| (entry.key.clone(), entry.value.to_json()))
        .collect()
}

/// The entry of this key.
pub(crate) fn find<'n>(entries: &'n [Entry], key: &str) -> Option<&'n Entry> {
    entries.iter().find(|entry| entry.key == key)
}

/// The text under this key.
pub(crate) fn find_text<'n>(entries: &'n [Entry], key: &str) -> Option<&'n str> {
    match &find(entries, key)?.value.kind {
        Kind::Text(text) => Some(text),
        _ => None,
    }
}

/// Why a text is no YAML that is accepted.
#[derive(Debug)]
pub(super) struct Failure {
    pub position: Position,
    pub message: String,
    pub hint: String,
}

pub(super) fn parse(text: &str, source: &Source<'_>) -> Result<Node, Failure> {
    if text.len() > MAX_BYTES {
        return Err(Failure {
            position: START,
            message: format!(
                "the file has {} bytes, more than the {MAX_BYTES} allowed",
                text.len()
            ),
            hint: "it is too large to be written by people".to_owned(),
        });
    }
    if let Some(at) = text.find('\0') {
        return Err(Failure {
            position: Position {
                line: text[..at].matches('\n').count() + 1,
                column: 1,
            },
            message: "the file holds a NUL character".to_owned(),
            hint: String::new(),
        });
    }
    deep(|| read(text, source)).and_then(|tree| exact(&tree, source).map(|()| tree))
}

fn read(text: &str, source: &Source<'_>) -> Result<Node, Failure> {
    let options = serde_yaml::options! {
        budget: serde_yaml::budget! {
            max_depth: MAX_DEPTH,
            flow_nesting_limit: MAX_DEPTH,
            max_nodes: MAX_NODES,
            max_events: 3 * MAX_NODES,
            max_aliases: MAX_ALIASES,
            max_anchors: MAX_ALIASES,
            max_merge_keys: MAX_ALIASES,
            max_documents: 1,
            max_recorded_anchor_events: 3 * MAX_NODES,
        },
        alias_limits: serde_yaml::alias_limits! {
            max_total_replayed_events: 3 * MAX_NODES,
        },
        duplicate_keys: DuplicateKeyPolicy::Error,
        merge_keys: MergeKeyPolicy::Merge,
        strict_booleans: true,
        with_snippet: false,
    };
    serde_yaml::from_str_with_options::<Spanned<Raw>>(text, options)
        .map_err(|error| {
            let error = error.without_snippet();
            let position = error.location().map_or(START, Position::of);
            failure(source, position, &error.to_string())
        })
        .map(node)
}

/// Reading a level of nesting takes several tens of KiB of stack, so that the
/// deepest file would be too much for the thread of a caller.
const STACK: usize = 16 << 20;

fn deep<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().stack_size(STACK);
        match thread.spawn_scoped(scope, work).map(|t| t.join()) {
            Ok(Ok(done)) => done,
            Ok(Err(panic)) => std::panic::resume_unwind(panic),
            Err(error) => panic!("a thread can't be started: {error}"),
        }
    })
}

/// Refuses integers that could only be kept rounded.
fn exact(node: &Node, source: &Source<'_>) -> Result<(), Failure> {
    match &node.kind {
        Kind::Number(number) if number.is_f64() => {
            let rest = source.rest(node.position);
            let written = rest
                .split(|c: char| !c.is_ascii_alphanumeric() && !"+-._".contains(c))
                .next();
            let written = written.unwrap_or_default();
            match written.is_empty() || written.contains(['.', 'e', 'E']) {
                true => Ok(()),
                false => Err(Failure {
                    position: node.position,
                    message: format!("not valid YAML here: {written} is outside of -2^63 … 2^64-1"),
                    hint: "put it in quotes".to_owned(),
                }),
            }
        }
        Kind::List(items) => items.iter().try_for_each(|item| exact(item, source)),
        Kind::Map(entries) => entries
            .iter()
            .try_for_each(|entry| exact(&entry.value, source)),
        _ => Ok(()),
    }
}

fn failure(source: &Source<'_>, position: Position, message: &str) -> Failure {
    let line = source.line(position.line);
    let braces = line.contains(": {{") || line.contains("- {{");
    Failure {
        position,
        message: readable(message),
        hint: match braces {
            true => "put the expression in quotes: `\"{{ … }}\"`".to_owned(),
            false if line.contains('\t') || message.contains("found a tab") => {
                "indent with blanks, not with tabs".to_owned()
            }
            false => String::new(),
        },
    }
}

/// The position is told apart from the message, and what is meant for users of
/// the YAML library is left out.
fn readable(message: &str) -> String {
    let first = message.lines().next().unwrap_or_default();
    let known = [
        (
            "Documents",
            "a second document begins here, a file holds one document",
        ),
        ("Nodes", "there are more than 50,000 values"),
        ("Aliases", "there are more than 100 aliases"),
        ("lias", "aliases make it too large"),
        ("ecursion", "it nests deeper than 64 levels"),
        ("Depth", "it nests deeper than 64 levels"),
        ("expected string scalar", "a key must be a text"),
    ];
    if let Some((_, text)) = known.iter().find(|(sign, _)| first.contains(sign)) {
        return format!("not valid YAML here: {text}");
    }
    let cut = [" at line ", " (line ", ", set DuplicateKeyPolicy"]
        .iter()
        .filter_map(|sign| first.find(sign))
        .min();
    format!("not valid YAML: {}", cut.map_or(first, |at| &first[..at]))
}

/// What serde hands over; positions come from the `Spanned` around it.
enum Raw {
    Null,
    Bool(bool),
    Number(Number),
    Text(String),
    List(Vec<Spanned<Raw>>),
    Map(Vec<(Spanned<String>, Spanned<Raw>)>),
}

// Where it is defined, not where an alias refers to it: lines of code and of
// templates are those of the text.
fn node(raw: Spanned<Raw>) -> Node {
    Node {
        position: Position::of(raw.defined),
        kind: match raw.value {
            Raw::Null => Kind::Null,
            Raw::Bool(value) => Kind::Bool(value),
            Raw::Number(number) => Kind::Number(number),
            Raw::Text(text) => Kind::Text(text),
            Raw::List(items) => Kind::List(items.into_iter().map(node).collect()),
            Raw::Map(entries) => Kind::Map(
                entries
                    .into_iter()
                    .map(|(key, value)| Entry {
                        key: key.value,
                        position: Position::of(key.defined),
                        value: node(value),
                    })
                    .collect(),
            ),
        },
    }
}

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(RawVisitor)
    }
}

struct RawVisitor;

impl<'de> Visitor<'de> for RawVisitor {
    type Value = Raw;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("a YAML value")
    }

    fn visit_unit<E>(self) -> Result<Raw, E> {
        Ok(Raw::Null)
    }

    fn visit_none<E>(self) -> Result<Raw, E> {
        Ok(Raw::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Raw, D::Error> {
        Raw::deserialize(deserializer)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Raw, E> {
        Ok(Raw::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Raw, E> {
        Ok(Raw::Number(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Raw, E> {
        Ok(Raw::Number(value.into()))
    }

    fn visit_i128<E: serde::de::Error>(self, value: i128) -> Result<Raw, E> {
        Err(too_large(&value))
    }

    fn visit_u128<E: serde::de::Error>(self, value: u128) -> Result<Raw, E> {
        Err(too_large(&value))
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Raw, E> {
        Number::from_f64(value)
            .map(Raw::Number)
            .ok_or_else(|| E::custom(format!("{value} is no number that JSON has")))
    }

    fn visit_str<E>(self, value: &str) -> Result<Raw, E> {
        Ok(Raw::Text(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Raw, E> {
        Ok(Raw::Text(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Raw, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = access.next_element()? {
            items.push(item);
        }
        Ok(Raw::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Raw, A::Error> {
        let mut entries: Vec<(Spanned<String>, Spanned<Raw>)> = Vec::new();
        let mut keys = HashSet::new();
        while let Some((key, value)) = access.next_entry::<Spanned<String>, Spanned<Raw>>()? {
            // For YAML `1` and "1" are two keys.
            if !keys.insert(key.value.clone()) {
                return Err(A::Error::custom(format!(
                    "duplicate mapping key: {}",
                    key.value
                )));
            }
            entries.push((key, value));
        }
        Ok(Raw::Map(entries))
    }
}

fn too_large<E: serde::de::Error>(value: &dyn fmt::Display) -> E {
    E::custom(format!(
        "{value} is outside of -2^63 … 2^64-1; put it in quotes"
    ))
}
