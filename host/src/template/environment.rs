use std::sync::{Arc, LazyLock};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use minijinja::syntax::SyntaxConfig;
use minijinja::value::{Kwargs, Object, ObjectRepr, StringInput, Value};
use minijinja::{Environment, Error, ErrorKind, State, UndefinedBehavior};

use super::measure::{self, Unmeasured};
use super::{convert, methods};

/// One unit pays for an instruction or 64 bytes; this much is some tenths of a
/// second and some tens of MiB at the very most.
pub(crate) const FUEL: u64 = 250_000;
const RECURSION_LIMIT: usize = 100;

/// In memory; all that the fuel pays for is less.
const MAX_JOINED: usize = 64 << 20;
/// Indented JSON is read by people.
const MAX_INDENT: usize = 16;

/// What the expressions of one rendering gave, in order of output.
#[derive(Default)]
pub(crate) struct Captured(pub Vec<Value>);

/// Stands in the output for each captured value. Template sources hold none,
/// and data is never written to the output, so nothing can imitate it.
pub(crate) const MARKER: char = '\0';

/// The environment in which what is undefined is an error, unless it is only
/// asked for truth or `is defined`.
pub(crate) static STRICT: LazyLock<Environment<'static>> =
    LazyLock::new(|| environment(UndefinedBehavior::SemiStrict));
/// The one in which it stays undefined, however deep the access goes.
pub(crate) static LENIENT: LazyLock<Environment<'static>> =
    LazyLock::new(|| environment(UndefinedBehavior::Chainable));

/// No loader, no includes, bounded.
fn environment(undefined: UndefinedBehavior) -> Environment<'static> {
    let mut env = Environment::new();
    env.set_fuel(Some(FUEL));
    env.set_recursion_limit(RECURSION_LIMIT);
    if let Ok(syntax) = SyntaxConfig::builder().keep_trailing_newline(true).build() {
        env.set_syntax(syntax);
    }
    env.set_undefined_behavior(undefined);
    // Debug mode is what makes an error know the place in the source.
    env.set_debug(true);
    // `namespace` would let a loop build nesting without end.
    env.remove_global("namespace");
    env.remove_global("debug");
    for name in ["safe", "escape", "e", "pprint"] {
        env.remove_filter(name);
    }
    // What exists is known before a template runs.
    for name in ["safe", "escaped", "filter", "test"] {
        env.remove_test(name);
    }
    env.add_filter("trim", trim);
    env.add_filter("join", join);
    env.add_filter("tojson", tojson);
    env.add_filter("b64encode", b64encode);
    env.add_filter("b64decode", b64decode);
    env.add_filter("ident", |value: &Value| ident(value));
    env.add_filter("filesizeformat", minijinja_contrib::filters::filesizeformat);
    env.add_filter("truncate", truncate);
    env.add_test("none", |value: &Value| {
        value.is_none() || value.is_undefined()
    });
    env.set_unknown_method_callback(methods::call);
    env.set_formatter(|out, state: &mut State, value| {
        state
            .get_or_insert_extension(Captured::default())
            .0
            .push(value.clone());
        out.write_str("\0").map_err(Error::from)
    });
    env
}

/// A value that is to stand in SQL as a quoted identifier.
#[derive(Debug)]
pub(crate) struct Ident(pub String);

impl Object for Ident {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }
}

fn ident(value: &Value) -> Result<Value, Error> {
    let invalid = |what: &str| Err(Error::new(ErrorKind::InvalidOperation, what.to_owned()));
    match value.as_str() {
        None => invalid("`ident` needs a text, the name of a table, column or schema"),
        Some("") => invalid("an identifier can't be empty"),
        Some(name) if name.contains('\0') => invalid("an identifier can't hold a NUL character"),
        Some(name) => Ok(Value::from_object(Ident(name.to_owned()))),
    }
}

fn trim(text: &str, chars: Option<&str>) -> String {
    let chars = methods::Chars::new(chars);
    text.trim_matches(|c| chars.has(c)).to_owned()
}

/// As the engine's own filters have it: what is undefined is an error where it
/// is one in a value, an unset variable never is.
pub(super) fn refuse_undefined(state: &State, value: &Value) -> Result<(), Error> {
    match value.is_undefined() {
        true => minijinja::filters::string(state, value).map(drop),
        false => Ok(()),
    }
}

/// The engine pays for what it has joined, which can be a long text many times.
fn join(
    state: &mut State,
    value: &Value,
    joiner: Option<StringInput<'_>>,
    attribute: Option<&str>,
    named: Kwargs,
) -> Result<Value, Error> {
    let mut left = MAX_JOINED;
    match measure::take(value, &mut left) {
        Err(Unmeasured::TooLarge) => Err(Error::from(ErrorKind::OutOfFuel)),
        _ => minijinja::filters::join(state, value, joiner, attribute, named),
    }
}

fn tojson(
    state: &State,
    value: &Value,
    indent: Option<usize>,
    named: Kwargs,
) -> Result<String, Error> {
    refuse_undefined(state, value)?;
    let indent = match indent {
        Some(indent) => Some(indent),
        None => named.get("indent")?,
    };
    named.assert_all_used()?;
    let failed = |message| Error::new(ErrorKind::BadSerialization, message);
    let json = convert::to_json(value).map_err(failed)?;
    match indent {
        None => Ok(json.to_string()),
        Some(indent) if indent > MAX_INDENT => {
            Err(failed(format!("`indent` is at most {MAX_INDENT}")))
        }
        Some(indent) => {
            let fuel = state.fuel_levels().map_or(FUEL, |(_, left)| left);
            convert::indented(&json, indent, usize::try_from(fuel).unwrap_or(0) * 64)
                .ok_or_else(|| Error::from(ErrorKind::OutOfFuel))
        }
    }
}

/// Takes its first two arguments by position, as Jinja's does.
fn truncate(
    state: &mut State,
    value: &Value,
    length: Option<u32>,
    killwords: Option<bool>,
    named: Kwargs,
) -> Result<Value, Error> {
    refuse_undefined(state, value)?;
    let length = match length {
        Some(length) => Some(length),
        None => named.get("length")?,
    };
    let killwords = match killwords {
        Some(killwords) => Some(killwords),
        None => named.get("killwords")?,
    };
    let (end, leeway): (Option<Value>, Option<u32>) = (named.get("end")?, named.get("leeway")?);
    named.assert_all_used()?;
    let all = Kwargs::from_iter([
        ("length", Value::from(length)),
        ("killwords", Value::from(killwords)),
        ("end", Value::from(end)),
        ("leeway", Value::from(leeway.unwrap_or(5))),
    ]);
    minijinja_contrib::filters::truncate(state, value, all)
}

fn b64encode(state: &State, value: &Value) -> Result<String, Error> {
    refuse_undefined(state, value)?;
    convert::to_text(value)
        .map(|text| STANDARD.encode(text))
        .map_err(|message| Error::new(ErrorKind::BadSerialization, message))
}

fn b64decode(text: &str) -> Result<String, Error> {
    let invalid = || Error::new(ErrorKind::InvalidOperation, "not base64 of UTF-8 text");
    let bytes = STANDARD.decode(text).map_err(|_| invalid())?;
    String::from_utf8(bytes).map_err(|_| invalid())
}
