use minijinja::value::{Value, ValueKind};

use super::super::convert;
use super::super::environment::{Ident, MARKER};
use super::lexer::{self, Kind, Token};
use super::literal::{self, Part};
use super::{Parameter, Statement};

/// Why a text can't be made a statement with parameters.
#[derive(Debug)]
pub(super) struct Failure {
    pub message: String,
    pub hint: String,
    pub place: Place,
}

#[derive(Debug, Clone, Copy)]
pub(super) enum Place {
    /// The n-th marker of the text.
    Marker(usize),
    /// A byte offset in the text.
    Text(usize),
}

/// Splits a rendered script into statements, the values as their parameters.
pub(super) fn statements(text: &str, values: &[Value]) -> Result<Vec<Statement>, Failure> {
    let tokens = lexer::tokens(text);
    let mut binder = Binder {
        text,
        values,
        tokens: &tokens,
        next_marker: 0,
        statements: Vec::new(),
        current: Current::default(),
    };
    for index in 0..tokens.len() {
        binder.token(index)?;
    }
    binder.finish_statement()?;
    Ok(binder.statements)
}

/// The last token that is neither blank nor comment.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
enum Previous {
    #[default]
    Nothing,
    Word,
    QuotedName,
    Dot,
    Literal,
    Parameter,
    Close,
    Other,
}

#[derive(Default)]
struct Current {
    out: String,
    params: Vec<Parameter>,
    /// The first marker of a value (not of an identifier).
    first_value: Option<usize>,
    /// Offset of the first token in the script.
    start: usize,
    previous: Previous,
    /// Keywords and names so far in upper case, for what hangs on them.
    words: Vec<String>,
    /// Where the name chain (`a.b`) before this token begins in `out`.
    name_start: usize,
    depth: usize,
    /// Nesting of `BEGIN ATOMIC … END` and `CASE … END` in it.
    body: usize,
    used: bool,
}

struct Binder<'a> {
    text: &'a str,
    values: &'a [Value],
    tokens: &'a [Token],
    next_marker: usize,
    statements: Vec<Statement>,
    current: Current,
}

impl Binder<'_> {
    fn token(&mut self, index: usize) -> Result<(), Failure> {
        let token = self.tokens[index];
        let raw = &self.text[token.start..token.end];
        let markers = raw.matches(MARKER).count();
        if !self.current.used && !matches!(token.kind, Kind::Space | Kind::Comment) {
            self.current.start = token.start;
        }
        match token.kind {
            Kind::Space => self.current.out.push_str(raw),
            Kind::Comment if markers > 0 => {
                return Err(self.refuse(
                    "an expression can't stand in a comment",
                    "take the braces out of the comment, or write a template comment: `{# … #}`",
                ));
            }
            Kind::Comment => self.current.out.push_str(raw),
            Kind::Semicolon if self.current.depth == 0 && self.current.body == 0 => {
                self.finish_statement()?;
            }
            Kind::Marker => self.open_marker(index)?,
            Kind::Literal | Kind::EscapeLiteral if markers > 0 => {
                self.bound_literal(index)?;
            }
            Kind::Unclosed => {
                return Err(Failure {
                    message: format!("this is never closed: `{}`", shorten(raw)),
                    hint: "close the quote, the dollar quote or the comment".to_owned(),
                    place: Place::Text(token.start),
                });
            }
            Kind::Parameter => {
                return Err(Failure {
                    message: format!("`{raw}` can't be used in a playbook's query"),
                    hint: "write the value itself as `{{ … }}`, it becomes a parameter".to_owned(),
                    place: Place::Text(token.start),
                });
            }
            _ if markers > 0 => return Err(self.refuse_inside(token.kind)),
            _ => self.copy(token, raw)?,
        }
        Ok(())
    }

    /// Any token without expressions.
    fn copy(&mut self, token: Token, raw: &str) -> Result<(), Failure> {
        let current = &mut self.current;
        current.used = true;
        let previous = current.previous;
        let literal = matches!(
            token.kind,
            Kind::Literal | Kind::EscapeLiteral | Kind::PrefixedLiteral
        );
        if previous == Previous::Parameter && literal {
            return Err(Failure {
                message: "a literal can't continue an expression".to_owned(),
                hint: "join them with `||`, or write one literal".to_owned(),
                place: Place::Text(token.start),
            });
        }
        if matches!(token.kind, Kind::Word | Kind::QuotedName) && previous != Previous::Dot {
            current.name_start = current.out.len();
        }
        if token.kind == Kind::Word {
            let word = raw.to_ascii_uppercase();
            current.track_body(&word);
            current.words.push(word);
        }
        current.out.push_str(raw);
        current.previous = match token.kind {
            Kind::Word => Previous::Word,
            Kind::QuotedName => Previous::QuotedName,
            Kind::Close => {
                current.depth = current.depth.saturating_sub(1);
                Previous::Close
            }
            Kind::Open => {
                current.depth += 1;
                Previous::Other
            }
            Kind::Literal | Kind::EscapeLiteral | Kind::PrefixedLiteral => Previous::Literal,
            Kind::Other if raw == "." => Previous::Dot,
            _ => Previous::Other,
        };
        Ok(())
    }

    /// `{{ … }}` in the open.
    fn open_marker(&mut self, index: usize) -> Result<(), Failure> {
        let (marker, value) = self.take_marker();
        let ident = value.downcast_object_ref::<Ident>();
        let before = index.checked_sub(1).map(|before| self.tokens[before].kind);
        let after = self.text[self.tokens[index].end..].chars().next();
        let glued_before = matches!(
            before,
            Some(
                Kind::Word
                    | Kind::Number
                    | Kind::Marker
                    | Kind::QuotedName
                    | Kind::Literal
                    | Kind::EscapeLiteral
                    | Kind::PrefixedLiteral
                    | Kind::DollarQuoted
            )
        );
        let glued_after = after.is_some_and(|c| {
            lexer::continues_word(c)
                || matches!(c, '\'' | '"' | MARKER)
                || c == '.' && ident.is_none()
        });
        if glued_before || glued_after {
            return Err(Failure {
                message: "an expression is glued to the text beside it".to_owned(),
                hint: "for the name of a table or column build the whole name and quote it: \
                       `{{ ('tbl_' ~ name) | ident }}`; for a value put blanks around the braces"
                    .to_owned(),
                place: Place::Marker(marker),
            });
        }
        if let Some(Ident(name)) = ident {
            let current = &mut self.current;
            current.used = true;
            if current.previous != Previous::Dot {
                current.name_start = current.out.len();
            }
            current.out.push('"');
            current.out.push_str(&name.replace('"', "\"\""));
            current.out.push('"');
            current.previous = Previous::QuotedName;
            return Ok(());
        }
        if self.current.names_expected() {
            return Err(Failure {
                message: "a value can't stand for the name of a table or column".to_owned(),
                hint: "write `{{ name | ident }}`".to_owned(),
                place: Place::Marker(marker),
            });
        }
        let typed = ["DATE", "TIME", "TIMESTAMP", "TIMESTAMPTZ", "INTERVAL"];
        if self.current.previous == Previous::Word
            && let Some(word) = self.current.words.last()
            && typed.contains(&word.as_str())
        {
            return Err(Failure {
                message: format!("`{word}` needs a literal after it"),
                hint: format!("write `'{{{{ … }}}}'::{}`", word.to_ascii_lowercase()),
                place: Place::Marker(marker),
            });
        }
        let parameter = open_value(&value).map_err(|message| at(marker, message))?;
        let number = self.add(marker, parameter)?;
        self.current.out.push_str(&format!("${number}"));
        self.current.previous = Previous::Parameter;
        Ok(())
    }

    /// A literal with expressions in it becomes one parameter.
    fn bound_literal(&mut self, index: usize) -> Result<(), Failure> {
        let token = self.tokens[index];
        let raw = &self.text[token.start..token.end];
        let first = self.next_marker;
        let parts = match token.kind {
            Kind::EscapeLiteral => literal::escaped(raw).map_err(|message| at(first, message))?,
            _ => literal::standard(raw),
        };
        let parameter = self.literal_parameter(&parts)?;
        let current = &mut self.current;
        if matches!(current.previous, Previous::Literal | Previous::Parameter) {
            return Err(Failure {
                message: "a literal can't continue what is before it".to_owned(),
                hint: "join them with `||`, or write one literal".to_owned(),
                place: Place::Marker(first),
            });
        }
        let typed = self.type_before(index, first)?;
        let number = self.add(first, parameter)?;
        let current = &mut self.current;
        match typed {
            true => {
                let name = current.out.split_off(current.name_start);
                let name = strip_comments(&name);
                current.out.push_str(&format!("CAST(${number} AS {name})"));
            }
            false => current.out.push_str(&format!("${number}")),
        }
        current.previous = Previous::Parameter;
        Ok(())
    }

    fn literal_parameter(&mut self, parts: &[Part]) -> Result<Parameter, Failure> {
        if let [Part::Marker] = parts {
            let (marker, value) = self.take_marker();
            refuse_ident(marker, &value)?;
            return literal_value(&value).map_err(|message| at(marker, message));
        }
        let mut text = String::new();
        for part in parts {
            match part {
                Part::Text(piece) => text.push_str(piece),
                Part::Marker => {
                    let (marker, value) = self.take_marker();
                    refuse_ident(marker, &value)?;
                    let piece = convert::to_text(&value)
                        .and_then(without_nul)
                        .map_err(|message| at(marker, message))?;
                    text.push_str(&piece);
                }
            }
        }
        Ok(Parameter::Literal(text))
    }

    /// Whether the literal at `index` is of the form `type '…'`.
    fn type_before(&self, index: usize, marker: usize) -> Result<bool, Failure> {
        let current = &self.current;
        let cast = |name: &str| Failure {
            message: format!("`{name} '…'` can't hold an expression"),
            hint: "write the type behind the literal: `'…'::type`".to_owned(),
            place: Place::Marker(marker),
        };
        match current.previous {
            Previous::QuotedName => Ok(true),
            Previous::Close => Err(cast("type(…)")),
            Previous::Word => {
                let mut words = current.words.iter().rev().map(String::as_str);
                let word = words.next().unwrap_or_default();
                let chain = current.out[current.name_start..].contains('.');
                match word {
                    "ZONE" if !chain => match (words.next(), words.next()) {
                        (Some("TIME"), Some("AT")) => Ok(false),
                        _ => Err(cast("timestamp with time zone")),
                    },
                    "PRECISION" | "VARYING" if !chain => Err(cast(word)),
                    "INTERVAL" if !chain => {
                        let next = self.next_word(index);
                        match INTERVAL_FIELDS.contains(&next.as_str()) {
                            true => Err(Failure {
                                message: format!("`INTERVAL '…' {next}` can't hold an expression"),
                                hint: "write the unit into the literal: \
                                       `'{{ n }} days'::interval`"
                                    .to_owned(),
                                place: Place::Marker(marker),
                            }),
                            false => Ok(true),
                        }
                    }
                    word if !chain && BEFORE_A_VALUE.contains(&word) => Ok(false),
                    _ => Ok(true),
                }
            }
            _ => Ok(false),
        }
    }

    fn next_word(&self, index: usize) -> String {
        self.tokens[index + 1..]
            .iter()
            .find(|token| !matches!(token.kind, Kind::Space | Kind::Comment))
            .map(|token| self.text[token.start..token.end].to_ascii_uppercase())
            .unwrap_or_default()
    }

    fn add(&mut self, marker: usize, parameter: Parameter) -> Result<usize, Failure> {
        let current = &mut self.current;
        if current.body > 0 {
            return Err(Failure {
                message: "an expression can't stand in the body of a function".to_owned(),
                hint: "make the value an argument of the function".to_owned(),
                place: Place::Marker(marker),
            });
        }
        current.used = true;
        current.first_value.get_or_insert(marker);
        current.params.push(parameter);
        Ok(current.params.len())
    }

    fn take_marker(&mut self) -> (usize, Value) {
        let marker = self.next_marker;
        self.next_marker += 1;
        (marker, self.values.get(marker).cloned().unwrap_or_default())
    }

    fn refuse(&self, message: &str, hint: &str) -> Failure {
        Failure {
            message: message.to_owned(),
            hint: hint.to_owned(),
            place: Place::Marker(self.next_marker),
        }
    }

    fn refuse_inside(&self, kind: Kind) -> Failure {
        match kind {
            Kind::DollarQuoted => self.refuse(
                "an expression can't stand in a dollar-quoted text",
                "make it an argument of the function, or put the statement outside of the body",
            ),
            Kind::QuotedName => self.refuse(
                "an expression can't stand in a quoted identifier",
                "leave the quotes away and use the filter: `{{ name | ident }}`",
            ),
            _ => self.refuse(
                "an expression can't stand in a literal of this kind (B'…', X'…', N'…', U&'…')",
                "write a plain literal and its type: `'{{ … }}'::bit varying`, \
                 `'\\x{{ … }}'::bytea`",
            ),
        }
    }

    fn finish_statement(&mut self) -> Result<(), Failure> {
        let current = std::mem::take(&mut self.current);
        if !current.used {
            return Ok(());
        }
        let first = current
            .words
            .first()
            .map(String::as_str)
            .unwrap_or_default();
        let second = current.words.get(1).map(String::as_str).unwrap_or_default();
        if ends_transaction(first, second) {
            return Err(Failure {
                message: format!(
                    "all statements of a query run in one transaction, `{first}` can't be used"
                ),
                hint: "leave it away; what must be apart belongs in a step of its own".to_owned(),
                place: Place::Text(current.start),
            });
        }
        if let Some(marker) = current.first_value
            && !takes_parameters(&current.words)
        {
            return Err(Failure {
                message: format!(
                    "PostgreSQL takes no values in `{}`",
                    [first, second].join(" ").trim()
                ),
                hint: match first {
                    "SET" => "write `SELECT set_config('name', '{{ … }}', true)`".to_owned(),
                    "NOTIFY" => "write `SELECT pg_notify('channel', '{{ … }}')`".to_owned(),
                    _ => "use a constant; for names of tables, columns and roles there is \
                          `{{ name | ident }}`"
                        .to_owned(),
                },
                place: Place::Marker(marker),
            });
        }
        self.statements.push(Statement {
            text: current.out.trim_matches(lexer::is_space).to_owned(),
            params: current.params,
        });
        Ok(())
    }
}

impl Current {
    /// Whether only a name can follow.
    fn names_expected(&self) -> bool {
        let mut words = self.words.iter().rev().map(String::as_str);
        match self.previous {
            Previous::Dot => true,
            Previous::Word => match words.next().unwrap_or_default() {
                "JOIN" | "INTO" | "UPDATE" | "TABLE" => true,
                // Not `IS DISTINCT FROM x`, nor `extract(year FROM x)`.
                "FROM" => self.depth == 0 && words.next() != Some("DISTINCT"),
                _ => false,
            },
            _ => false,
        }
    }

    /// Follows `CREATE FUNCTION … BEGIN ATOMIC … END`, in whose body semicolons
    /// end no statement.
    fn track_body(&mut self, word: &str) {
        let routine = self.words.first().is_some_and(|first| first == "CREATE")
            && self
                .words
                .iter()
                .take(4)
                .any(|word| word == "FUNCTION" || word == "PROCEDURE");
        match word {
            "ATOMIC" if routine && self.words.last().is_some_and(|last| last == "BEGIN") => {
                self.body += 1;
            }
            "CASE" if self.body > 0 => self.body += 1,
            "END" if self.body > 0 => self.body -= 1,
            _ => {}
        }
    }
}

/// The parameter for an expression in the open: a number is what the same number
/// would be, written in SQL.
fn open_value(value: &Value) -> Result<Parameter, String> {
    Ok(match value.kind() {
        ValueKind::Bool => Parameter::Boolean(value.is_true()),
        ValueKind::Number if value.is_integer() => match i64::try_from(value.clone()) {
            Ok(number) => Parameter::Int64(number),
            Err(_) => Parameter::Numeric(value.to_string()),
        },
        // As float8, a numeric column would get 15 digits of it.
        ValueKind::Number => Parameter::Numeric(convert::to_text(value)?),
        _ => literal_value(value)?,
    })
}

/// The parameter for an expression that fills a whole literal.
fn literal_value(value: &Value) -> Result<Parameter, String> {
    Ok(match value.kind() {
        ValueKind::Undefined | ValueKind::None => Parameter::Null,
        ValueKind::Seq | ValueKind::Map | ValueKind::Iterable => {
            Parameter::Document(convert::to_text(value)?)
        }
        _ => Parameter::Literal(without_nul(convert::to_text(value)?)?),
    })
}

fn without_nul(text: String) -> Result<String, String> {
    match text.contains('\0') {
        true => Err("the text holds a NUL character, which PostgreSQL can't store".to_owned()),
        false => Ok(text),
    }
}

fn refuse_ident(marker: usize, value: &Value) -> Result<(), Failure> {
    match value.downcast_object_ref::<Ident>() {
        None => Ok(()),
        Some(_) => Err(Failure {
            message: "an identifier can't stand in a literal".to_owned(),
            hint: "take the quotes away, `ident` quotes the name itself".to_owned(),
            place: Place::Marker(marker),
        }),
    }
}

fn at(marker: usize, message: String) -> Failure {
    Failure {
        message,
        hint: String::new(),
        place: Place::Marker(marker),
    }
}

fn strip_comments(name: &str) -> String {
    lexer::tokens(name)
        .iter()
        .filter(|token| !matches!(token.kind, Kind::Space | Kind::Comment))
        .map(|token| &name[token.start..token.end])
        .collect()
}

fn shorten(text: &str) -> String {
    let line = text.lines().next().unwrap_or_default();
    line.replace(MARKER, "{{ … }}").chars().take(40).collect()
}

fn ends_transaction(first: &str, second: &str) -> bool {
    match first {
        "BEGIN" | "START" | "COMMIT" | "END" | "ABORT" => true,
        "ROLLBACK" => second != "TO",
        "PREPARE" => second == "TRANSACTION",
        _ => false,
    }
}

/// PostgreSQL binds parameters only in statements that it plans.
fn takes_parameters(words: &[String]) -> bool {
    let has = |word: &str| words.iter().any(|known| known == word);
    match words.first().map(String::as_str).unwrap_or_default() {
        "SELECT" | "INSERT" | "UPDATE" | "DELETE" | "MERGE" | "VALUES" | "WITH" | "TABLE"
        | "CALL" | "EXPLAIN" | "DECLARE" => true,
        "CREATE" => has("TABLE") && has("AS") && (has("SELECT") || has("VALUES")),
        _ => false,
    }
}

const INTERVAL_FIELDS: [&str; 6] = ["YEAR", "MONTH", "DAY", "HOUR", "MINUTE", "SECOND"];

/// Keywords that a literal may follow without being a `type '…'`.
const BEFORE_A_VALUE: &[&str] = &[
    "ALL",
    "AND",
    "ANY",
    "AS",
    "ASYMMETRIC",
    "BETWEEN",
    "BOTH",
    "BY",
    "CASE",
    "CONTENT",
    "DEFAULT",
    "DISTINCT",
    "DOCUMENT",
    "ELSE",
    "ESCAPE",
    "EXCEPT",
    "FETCH",
    "FIRST",
    "FOR",
    "FROM",
    "HAVING",
    "ILIKE",
    "IN",
    "INTERSECT",
    "IS",
    "KEY",
    "LEADING",
    "LIKE",
    "LIMIT",
    "NEXT",
    "NOT",
    "OFFSET",
    "ON",
    "OR",
    "OVERLAPS",
    "PASSING",
    "PLACING",
    "RETURN",
    "RETURNING",
    "SELECT",
    "SET",
    "SIMILAR",
    "SOME",
    "SYMMETRIC",
    "THEN",
    "TO",
    "TRAILING",
    "UNION",
    "USING",
    "VALUE",
    "VALUES",
    "VARIADIC",
    "WHEN",
    "WHERE",
];
