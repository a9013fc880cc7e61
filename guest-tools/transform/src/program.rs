//! A jq program, read and run.

use std::collections::BTreeMap;
use std::fmt::Display;

use jaq_core::compile::Undefined;
use jaq_core::data::JustLut;
use jaq_core::load::lex::Expect;
use jaq_core::load::{Arena, Error as LoadError, File, Loader, span};
use jaq_core::{Compiler, Ctx, Filter, Vars};
use jaq_json::{Val, read};
use noetl_tool::Error;
use noetl_tool::serde_json::value::RawValue;

type Data = JustLut<Val>;

pub struct Program {
    filter: Filter<Data>,
    variables: Vec<Val>,
}

impl Program {
    /// Reads a program that has these variables.
    pub fn new(source: &str, variables: &BTreeMap<String, Box<RawValue>>) -> Result<Self, Error> {
        let defs = jaq_core::defs()
            .chain(jaq_std::defs())
            .chain(jaq_json::defs());
        let funs = jaq_core::funs()
            .chain(jaq_std::funs())
            .chain(jaq_json::funs());
        let arena = Arena::default();
        let file = File {
            code: source,
            path: (),
        };
        let modules = Loader::new(defs)
            .load(&arena, file)
            .map_err(|errors| first(errors.iter().map(|(_, error)| unread(source, error))))?;
        let names: Vec<String> = variables.keys().map(|name| format!("${name}")).collect();
        let filter = Compiler::default()
            .with_funs(funs)
            .with_global_vars(names.iter().map(String::as_str))
            .compile(modules)
            .map_err(|errors| {
                let errors = errors.iter().flat_map(|(_, errors)| errors);
                first(errors.map(|(name, kind)| undefined(source, name, kind)))
            })?;
        let variables = variables.values().map(|value| parse(value)).collect();
        Ok(Self { filter, variables })
    }

    /// The outputs for this input, as JSON texts.
    pub fn run(&self, input: &RawValue) -> impl Iterator<Item = Result<String, Error>> {
        let context = Ctx::<Data>::new(&self.filter.lut, Vars::new(self.variables.clone()));
        let outputs = self.filter.id.run((context, parse(input)));
        // A program that halts has no more outputs.
        outputs.map_while(|output| match output {
            Ok(value) => Some(Ok(value.to_string())),
            Err(stop) => match stop.get_err() {
                Ok(error) => Some(Err(failed(error))),
                Err(stop) => match stop.get_halt() {
                    Ok(0) => None,
                    Ok(code) => Some(Err(Error::failed(
                        "jq",
                        format!("the program halted with code {code}"),
                    ))),
                    Err(_) => Some(Err(Error::failed("jq", "the program broke off"))),
                },
            },
        })
    }
}

/// `error("no")` fails with `no`, without quotes.
fn failed(error: jaq_json::Error) -> Error {
    match error.into_val() {
        Val::TStr(message) => Error::failed("jq", String::from_utf8_lossy(&message)),
        value => Error::failed("jq", value),
    }
}

fn parse(json: &RawValue) -> Val {
    read::parse_single(json.get().as_bytes()).expect("it is JSON")
}

fn first(mut errors: impl Iterator<Item = Error>) -> Error {
    errors
        .next()
        .unwrap_or_else(|| Error::invalid_input("jq: the program can't be read"))
}

/// An error at a part of the program.
fn at(source: &str, part: &str, message: impl Display) -> Error {
    let before = &source[..span(source, part).start.min(source.len())];
    let line = before.matches('\n').count() + 1;
    let column = before.chars().rev().take_while(|c| *c != '\n').count() + 1;
    Error::invalid_input(format!("jq, line {line}, column {column}: {message}"))
}

fn unread(source: &str, error: &LoadError<&str>) -> Error {
    match error {
        LoadError::Io(errors) => first(
            errors
                .iter()
                .map(|(path, _)| at(source, path, "a program has no modules here")),
        ),
        LoadError::Lex(errors) => first(errors.iter().map(|(expected, found)| match expected {
            Expect::Delim(opening) => at(
                source,
                opening,
                format!("this `{opening}` has no {}", expected.as_str()),
            ),
            _ => at(
                source,
                found,
                format!("expected {}, found {}", expected.as_str(), word(found)),
            ),
        })),
        LoadError::Parse(errors) => first(errors.iter().map(|(expected, found)| {
            at(
                source,
                found,
                format!("expected {}, found {}", expected.as_str(), word(found)),
            )
        })),
    }
}

fn undefined(source: &str, name: &str, kind: &Undefined) -> Error {
    let full = match kind {
        Undefined::Filter(arity) => format!("{name}/{arity}"),
        _ => name.to_owned(),
    };
    let message = format!("there is no {} `{full}`", kind.as_str());
    at(source, name, message)
}

/// What was found, as far as it matters.
fn word(found: &str) -> String {
    match found.split_whitespace().next() {
        Some(word) => format!("`{}`", word.chars().take(20).collect::<String>()),
        None => "the end".into(),
    }
}
