use std::sync::{Arc, LazyLock};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use minijinja::syntax::SyntaxConfig;
use minijinja::value::{Object, ObjectRepr, Value};
use minijinja::{Environment, Error, ErrorKind, State, UndefinedBehavior};

use super::{convert, methods};

/// One unit pays for an instruction or 64 bytes; this much is some tenths of a
/// second and some tens of MiB at the very most.
pub(crate) const FUEL: u64 = 250_000;
const RECURSION_LIMIT: usize = 100;

/// Functions that an expression may call.
pub(crate) const FUNCTIONS: [&str; 2] = ["range", "dict"];

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
    env.add_filter("trim", trim);
    env.add_filter("tojson", tojson);
    env.add_filter("b64encode", b64encode);
    env.add_filter("b64decode", b64decode);
    env.add_filter("ident", |value: &Value| ident(value));
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

fn tojson(value: &Value) -> Result<String, Error> {
    convert::to_json(value)
        .map(|json| json.to_string())
        .map_err(|message| Error::new(ErrorKind::BadSerialization, message))
}

fn b64encode(text: &str) -> String {
    STANDARD.encode(text)
}

fn b64decode(text: &str) -> Result<String, Error> {
    let invalid = || Error::new(ErrorKind::InvalidOperation, "not base64 of UTF-8 text");
    let bytes = STANDARD.decode(text).map_err(|_| invalid())?;
    String::from_utf8(bytes).map_err(|_| invalid())
}
