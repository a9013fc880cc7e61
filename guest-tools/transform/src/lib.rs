//! The transform tool: reshapes JSON with a jq program, which [jaq] runs.
//!
//! Values go in and come out as text, so that no digit of a number is lost.
//!
//! [jaq]: https://github.com/01mf02/jaq

mod debug;
mod program;

use std::collections::BTreeMap;

use noetl_tool::Error;
use noetl_tool::serde::{Deserialize, Deserializer};
use noetl_tool::serde_json::value::RawValue;
use noetl_tool::serde_json::{self, from_str};

use crate::program::Program;

/// What a step says. A step without `jq` has all of it in its `args`.
#[noetl_tool::shape]
#[derive(Default)]
struct Config {
    /// The program.
    jq: Option<String>,
    /// What it reads. Without it, the step's `args`.
    #[serde(default, deserialize_with = "given")]
    input: Option<Box<RawValue>>,
    /// What it finds in `$name`, by name.
    #[serde(default)]
    variables: BTreeMap<String, Box<RawValue>>,
    /// Whether the result is a list of all outputs, and not the first.
    #[serde(default)]
    all: bool,
}

/// Null is an input as any other.
fn given<'de, D: Deserializer<'de>>(value: D) -> Result<Option<Box<RawValue>>, D::Error> {
    Box::deserialize(value).map(Some)
}

/// The step's arguments, as they are written.
type Args = BTreeMap<String, Box<RawValue>>;

#[noetl_tool::tool]
fn transform(config: Config, args: Args) -> Result<Box<RawValue>, Error> {
    debug::to_the_log();
    let (config, args) = match config.jq {
        Some(_) => (config, args),
        None => from_args(args)?,
    };
    let source = config
        .jq
        .ok_or_else(|| Error::invalid_input("the step: missing field `jq`, the program to run"))?;
    let input = match config.input {
        Some(input) => input,
        None => serde_json::value::to_raw_value(&args)?,
    };
    let program = Program::new(&source, &config.variables)?;
    let mut outputs = program.run(&input);
    let data = if config.all {
        let outputs: Vec<String> = outputs.collect::<Result<_, _>>()?;
        format!("[{}]", outputs.join(","))
    } else {
        match outputs.next() {
            Some(output) => output?,
            None => "null".into(),
        }
    };
    RawValue::from_string(data).map_err(|_| {
        Error::failed(
            "jq",
            "the result has something that JSON has not: NaN, an infinity, bytes, or a key that is no text",
        )
    })
}

/// The fields of a step that are among its arguments, and the other arguments.
fn from_args(mut args: Args) -> Result<(Config, Args), Error> {
    let mut fields = Args::new();
    for name in ["jq", "input", "variables", "all"] {
        fields.extend(args.remove_entry(name));
    }
    let config = from_str(&serde_json::to_string(&fields)?)
        .map_err(|error| Error::invalid_input(format!("args: {error}")))?;
    Ok((config, args))
}

#[cfg(test)]
mod tests;
