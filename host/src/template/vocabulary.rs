//! What a template may name: filters, tests, functions and methods, each with
//! its parameters in Python's notation. docs/templates.md lists the same.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use minijinja::machinery::ast::{CallArg, Expr};

use super::nearest;

/// What a name stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Filter,
    Test,
    Function,
    /// Of a text, a list or an object.
    Method,
    /// Of `loop`, in `{% for %}`.
    LoopMethod,
}

const FILTERS: &[&str] = &[
    "abs()",
    "attr(name, /)",
    "b64decode()",
    "b64encode()",
    "batch(count, fill=none, /)",
    "bool()",
    "capitalize()",
    "chain(*others)",
    "count()",
    "d(value=\"\", or_false=false, /)",
    "default(value=\"\", or_false=false, /)",
    "dictsort(*, by=\"key\", case_sensitive=false, reverse=false)",
    "filesizeformat(binary=false, /)",
    "first()",
    "float(default=0.0)",
    "format(*values, **named)",
    "groupby(attribute, *, default=none, case_sensitive=false)",
    "ident()",
    "indent(width=4, first=false, blank=false)",
    "int(default=0, base=10)",
    "items()",
    "join(d=\"\", attribute=none)",
    "last()",
    "length()",
    "lines()",
    "list()",
    "lower()",
    "map(filter=none, /, *args, attribute=none, default=none, **named)",
    "max(*, attribute=none, case_sensitive=false)",
    "min(*, attribute=none, case_sensitive=false)",
    "reject(test=none, /, *args)",
    "rejectattr(attribute, test=none, /, *args)",
    "replace(old, new, /, count=none)",
    "reverse()",
    "round(precision=0, method=\"common\")",
    "select(test=none, /, *args)",
    "selectattr(attribute, test=none, /, *args)",
    "slice(count, fill=none, /)",
    "sort(*, attribute=none, case_sensitive=false, reverse=false)",
    "split(separator=none, maximum=none, /)",
    "string()",
    "sum(attribute=none, start=0)",
    "title()",
    "tojson(indent=none)",
    "trim(chars=none, /)",
    "truncate(length=255, killwords=false, *, end=\"...\", leeway=5)",
    "unique(*, attribute=none, case_sensitive=false)",
    "upper()",
    "urlencode()",
    "zip(*others)",
];

const TESTS: &[&str] = &[
    "!=(other, /)",
    "<(other, /)",
    "<=(other, /)",
    "==(other, /)",
    ">(other, /)",
    ">=(other, /)",
    "boolean()",
    "defined()",
    "divisibleby(number, /)",
    "endingwith(text, /)",
    "eq(other, /)",
    "equalto(other, /)",
    "even()",
    "false()",
    "float()",
    "ge(other, /)",
    "greaterthan(other, /)",
    "gt(other, /)",
    "in(others, /)",
    "int()",
    "integer()",
    "iterable()",
    "le(other, /)",
    "lessthan(other, /)",
    "lower()",
    "lt(other, /)",
    "mapping()",
    "ne(other, /)",
    "none()",
    "number()",
    "odd()",
    "sameas(other, /)",
    "sequence()",
    "startingwith(text, /)",
    "string()",
    "true()",
    "undefined()",
    "upper()",
];

const FUNCTIONS: &[&str] = &[
    "dict(object=none, /, **entries)",
    "range(start, stop=none, step=none, /)",
];

const METHODS: &[&str] = &[
    "capitalize()",
    "count(part, /)",
    "endswith(suffix, /)",
    "find(part, /)",
    "format(*values, **named)",
    "get(key, default=none, /)",
    "isalnum()",
    "isalpha()",
    "isascii()",
    "isdigit()",
    "islower()",
    "isnumeric()",
    "isspace()",
    "isupper()",
    "items()",
    "join(items, /)",
    "keys()",
    "lower()",
    "lstrip(chars=none, /)",
    "replace(old, new, /, count=none)",
    "rfind(part, /)",
    "rstrip(chars=none, /)",
    "split(separator=none, maximum=none, /)",
    "splitlines(keepends=false, /)",
    "startswith(prefix, /)",
    "strip(chars=none, /)",
    "title()",
    "upper()",
    "values()",
];

const LOOP_METHODS: &[&str] = &["changed(*values)", "cycle(*values)"];

/// What can be read from `loop` in `{% for %}`.
pub(crate) const LOOP_ATTRIBUTES: [&str; 11] = [
    "depth",
    "depth0",
    "first",
    "index",
    "index0",
    "last",
    "length",
    "nextitem",
    "previtem",
    "revindex",
    "revindex0",
];

const CLOCK: &str = "a template reads no clock, because an execution is gone through again from its \
     record; take the time in a python step: `datetime.datetime.now()`";
const CHANCE: &str = "a template draws nothing at random, because an execution is gone through again \
     from its record; do it in a python step: `uuid.uuid4()`, `random.choice(…)`";
const SECRET: &str = "a template reads no secret; name the credential in the step's `auth`";
const MARKUP: &str = "a template makes no HTML and escapes nothing, so that there is nothing to mark; \
     what makes a page calls `html.escape` in a python step";
const LOOSE: &str =
    "use `sum`, `select`, `length` or a python step: a loop changes nothing outside of it";
const LOOK: &str = "write `value | tojson(indent=2)`";
const PARSE: &str = "parse it in a python step: `json.loads(…)`";

/// Names that people know from elsewhere, and what to do instead.
pub(crate) const REFUSED: &[(&str, &str)] = &[
    ("choice", CHANCE),
    ("debug", LOOK),
    ("e", MARKUP),
    ("encrypt_secret", SECRET),
    ("env", SECRET),
    ("escape", MARKUP),
    ("forceescape", MARKUP),
    ("from_json", PARSE),
    ("fromjson", PARSE),
    ("gen_uuid", CHANCE),
    ("get_snowflake_id", CHANCE),
    ("lipsum", CHANCE),
    ("lookup", SECRET),
    ("namespace", LOOSE),
    ("now", CLOCK),
    ("pprint", LOOK),
    ("randint", CHANCE),
    ("random", CHANCE),
    ("randrange", CHANCE),
    ("safe", MARKUP),
    ("secret", SECRET),
    ("shuffle", CHANCE),
    ("strftime", CLOCK),
    ("striptags", MARKUP),
    ("strptime", CLOCK),
    ("time", CLOCK),
    ("timestamp", CLOCK),
    ("today", CLOCK),
    ("token", SECRET),
    ("urlize", MARKUP),
    ("utcnow", CLOCK),
    ("uuid", CHANCE),
    ("uuid4", CHANCE),
    ("xmlattr", MARKUP),
];

type Names = BTreeMap<&'static str, Signature>;

impl Kind {
    /// What exists of this kind.
    pub(crate) fn names(self) -> &'static Names {
        static NAMES: LazyLock<[Names; 5]> = LazyLock::new(|| {
            [FILTERS, TESTS, FUNCTIONS, METHODS, LOOP_METHODS].map(|texts| {
                let signatures = texts.iter().map(|text| Signature::parse(text));
                signatures.map(|known| (known.name, known)).collect()
            })
        });
        &NAMES[self as usize]
    }

    fn noun(self) -> &'static str {
        match self {
            Kind::Filter => "filter",
            Kind::Test => "test",
            Kind::Function => "function",
            Kind::Method => "method",
            Kind::LoopMethod => "method of `loop`",
        }
    }

    /// The name as it is written.
    fn written(self, name: &str) -> String {
        match self {
            Kind::Test => format!("is {name}"),
            Kind::LoopMethod => format!("loop.{name}"),
            _ => name.to_owned(),
        }
    }

    /// How to use what is of this kind.
    fn usage(self, name: &str) -> String {
        match self {
            Kind::Filter => format!("value | {name}"),
            Kind::Test => format!("value is {name}"),
            Kind::Function => format!("{name}(…)"),
            Kind::Method => format!("value.{name}(…)"),
            Kind::LoopMethod => format!("loop.{name}(…)"),
        }
    }
}

/// Why a name can't stand where it does: what is wrong, and what to do.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    pub message: String,
    pub hint: String,
}

/// The signature of a name that exists.
pub(crate) fn find(kind: Kind, name: &str) -> Result<&'static Signature, Fault> {
    let names = kind.names();
    if let Some(signature) = names.get(name) {
        return Ok(signature);
    }
    let refused = REFUSED.iter().find(|(refused, _)| *refused == name);
    let elsewhere = [Kind::Filter, Kind::Test, Kind::Function, Kind::Method]
        .into_iter()
        .find(|other| other.names().contains_key(name));
    let hint = if let Some((_, instead)) = refused {
        (*instead).to_owned()
    } else if let Some(other) = elsewhere {
        format!(
            "`{name}` is a {}: write `{}`",
            other.noun(),
            other.usage(name)
        )
    } else if let Some(near) = nearest(name, names.keys().copied()) {
        format!("did you mean `{}`?", kind.written(near))
    } else {
        let all: Vec<&str> = names.keys().copied().collect();
        format!("{}s are: {}", kind.noun(), all.join(", "))
    };
    Err(Fault {
        message: format!("there is no {} `{}`", kind.noun(), kind.written(name)),
        hint,
    })
}

/// A name with its parameters.
#[derive(Debug)]
pub(crate) struct Signature {
    /// As it is documented.
    pub text: &'static str,
    pub name: &'static str,
    /// In order; those that are given by name alone come last.
    parameters: Vec<Parameter>,
    /// There may be more arguments, without and with a name.
    more: bool,
    more_named: bool,
}

#[derive(Debug)]
struct Parameter {
    name: &'static str,
    required: bool,
    by_position: bool,
    by_name: bool,
}

impl Signature {
    /// Reads `name(a, b=1, /, c=2, *args, d=3, **named)`: up to `/` parameters
    /// have no name, from `*` on they have nothing else.
    fn parse(text: &'static str) -> Self {
        let (name, rest) = text.split_once('(').unwrap_or((text, ""));
        let mut signature = Signature {
            text,
            name,
            parameters: Vec::new(),
            more: false,
            more_named: false,
        };
        let mut by_position = true;
        for part in rest.trim_end_matches(')').split(", ") {
            match part {
                "" => {}
                "/" => {
                    for parameter in &mut signature.parameters {
                        parameter.by_name = false;
                    }
                }
                part if part.starts_with("**") => signature.more_named = true,
                part if part.starts_with('*') => {
                    signature.more |= part != "*";
                    by_position = false;
                }
                part => signature.parameters.push(Parameter {
                    name: part.split('=').next().unwrap_or(part),
                    required: !part.contains('='),
                    by_position,
                    by_name: true,
                }),
            }
        }
        signature
    }

    /// Whether these arguments can be given. What is spread (`*list`) is only
    /// known when the template runs.
    pub(crate) fn check(&self, kind: Kind, args: &[CallArg<'_>]) -> Result<(), Fault> {
        let written = kind.written(self.name);
        let fault = |message: String| {
            Err(Fault {
                message: format!("`{written}` {message}"),
                hint: match self.text.strip_suffix("()") {
                    Some(_) => format!("write `{}`", kind.usage(self.name).replace('…', "")),
                    None => format!("its arguments are `{}`", self.text),
                },
            })
        };
        let mut positional = 0;
        let mut named = Vec::new();
        for arg in args {
            match arg {
                CallArg::Pos(_) => positional += 1,
                CallArg::Kwarg(name, _) => named.push(*name),
                CallArg::PosSplat(_) | CallArg::KwargSplat(_) => return Ok(()),
            }
        }
        let by_position = self.parameters.iter().filter(|p| p.by_position).count();
        if positional > by_position && !self.more {
            return fault(match by_position {
                0 if positional == 1 => "takes no argument without a name".to_owned(),
                1 => format!("takes one argument, not {positional}"),
                _ => format!("takes {by_position} arguments, not {positional}"),
            });
        }
        for (index, parameter) in self.parameters.iter().enumerate() {
            let given = parameter.by_position && index < positional;
            let by_name = parameter.by_name && named.contains(&parameter.name);
            if given && by_name {
                return fault(format!("gets `{}` twice", parameter.name));
            }
            if parameter.required && !given && !by_name {
                return fault(format!("needs the argument `{}`", parameter.name));
            }
        }
        let known = |name: &str| {
            let mut parameters = self.parameters.iter();
            self.more_named || parameters.any(|p| p.by_name && p.name == name)
        };
        match named.into_iter().find(|name| !known(name)) {
            Some(name) => fault(format!("has no argument with the name `{name}`")),
            None => Ok(()),
        }
    }

    /// The test or filter that this filter applies to each item, if the text
    /// names one, and the arguments that are for it.
    pub(crate) fn applied<'a, 'b>(
        &self,
        args: &'a [CallArg<'b>],
    ) -> Option<(Kind, &'a str, &'a [CallArg<'b>])> {
        let (kind, place) = match self.name {
            "map" => (Kind::Filter, 0),
            "select" | "reject" => (Kind::Test, 0),
            "selectattr" | "rejectattr" => (Kind::Test, 1),
            _ => return None,
        };
        match args.get(place)? {
            CallArg::Pos(Expr::Const(constant)) => {
                Some((kind, constant.value.as_str()?, &args[place + 1..]))
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use minijinja::value::{Kwargs, Value};
    use minijinja::{Error, ErrorKind};

    use super::super::environment::STRICT;
    use super::*;

    const KINDS: [Kind; 4] = [Kind::Filter, Kind::Test, Kind::Function, Kind::Method];

    /// The names that the template engine has. It tells them in its debug
    /// output alone.
    #[test]
    fn the_engine_has_these_names_and_no_others() {
        let debug = format!("{:?}", *STRICT);
        let of = |start: &str, end: &str| -> Vec<String> {
            let (_, rest) = debug.split_once(start).expect("the start");
            let (list, _) = rest.split_once(end).expect("the end");
            let names = list.split(", ").map(|name| name.trim_matches('"'));
            names.map(str::to_owned).collect()
        };
        let known = |kind: Kind| -> Vec<String> {
            kind.names().keys().map(|name| (*name).to_owned()).collect()
        };
        assert_eq!(of("filters: [", "]"), known(Kind::Filter));
        assert_eq!(of("tests: [", "]"), known(Kind::Test));
        let functions: Vec<&str> = STRICT.globals().map(|(name, _)| name).collect();
        assert_eq!(functions, known(Kind::Function));
    }

    #[test]
    fn what_is_refused_does_not_exist() {
        for (name, _) in REFUSED {
            for kind in KINDS {
                assert!(find(kind, name).is_err(), "{name}");
            }
        }
        assert!(REFUSED.is_sorted_by(|(a, _), (b, _)| a < b));
    }

    fn call(kind: Kind, name: &str, value: &Value, args: &[Value]) -> Result<Value, Error> {
        let mut state = STRICT.empty_state();
        let all: Vec<Value> = [value].into_iter().chain(args).cloned().collect();
        match kind {
            Kind::Filter => state.apply_filter(name, &all),
            Kind::Test => state.perform_test(name, &all).map(Value::from),
            Kind::Function => {
                let (_, function) = STRICT.globals().find(|(known, _)| *known == name).unwrap();
                function.call(&mut state, args)
            }
            Kind::Method => value.call_method(&mut state, name, args),
            Kind::LoopMethod => Err(ErrorKind::UnknownMethod.into()),
        }
    }

    fn values() -> Vec<Value> {
        let objects = vec![Value::from_pairs([("upper", 2)])];
        vec![
            Value::from(3),
            Value::from("upper"),
            Value::from("floor"),
            Value::from("round"),
            Value::from("eq"),
            Value::from("dXBwZXI="),
            Value::from(true),
            Value::from(vec![1, 2]),
            Value::from(vec!["upper", "floor"]),
            Value::from(objects.clone()),
            objects[0].clone(),
        ]
    }

    /// Whether there are any values with which the engine takes so many
    /// arguments, and one with this name.
    fn takes(kind: Kind, name: &str, count: usize, named: Option<&str>) -> bool {
        let values = values();
        let needed = count + 1 + usize::from(named.is_some());
        let choices = values.len().pow(u32::try_from(needed).unwrap());
        (0..choices).any(|mut choice| {
            let mut next = || {
                let value = values[choice % values.len()].clone();
                choice /= values.len();
                value
            };
            let value = next();
            let mut args: Vec<Value> = (0..count).map(|_| next()).collect();
            args.extend(named.map(|named| Value::from(Kwargs::from_iter([(named, next())]))));
            call(kind, name, &value, &args).is_ok_and(|value| !value.is_undefined())
        })
    }

    #[test]
    fn the_engine_takes_the_arguments_that_are_written_here() {
        for kind in KINDS {
            for (name, signature) in kind.names() {
                let of_position = signature.parameters.iter().filter(|p| p.by_position);
                let most = of_position.clone().count();
                let least = of_position.filter(|p| p.required).count();
                for count in 0..=most + 1 {
                    let expected = count >= least && (count <= most || signature.more);
                    // It wants the name of a filter or `attribute`.
                    let expected = expected && (*name, count) != ("map", 0);
                    assert_eq!(
                        takes(kind, name, count, None),
                        expected,
                        "{kind:?} {name} with {count} arguments"
                    );
                }
                let mut names: Vec<(&str, bool)> = signature
                    .parameters
                    .iter()
                    .map(|p| (p.name, p.by_name || signature.more_named))
                    .collect();
                names.push(("nothing", signature.more_named));
                for (parameter, expected) in names {
                    let before = signature.parameters.iter();
                    let before = before.take_while(|p| p.by_position && p.name != parameter);
                    let count = before.filter(|p| p.required).count();
                    // It goes on to a filter, and its `default` to an attribute.
                    let alone = *name != "map" || parameter == "attribute";
                    let expected = expected && alone;
                    assert_eq!(
                        takes(kind, name, count, Some(parameter)),
                        expected,
                        "{kind:?} {name} with `{parameter}`"
                    );
                }
            }
        }
    }
}
