//! The rows that a step stores, as its arguments have them: `rows` is a list of
//! objects, or one object.
//!
//! Values stay JSON texts until they are sent, so that no number is changed on its
//! way.

use std::collections::{BTreeMap, HashMap};
use std::fmt;

use noetl_tool::Error;
use noetl_tool::postgres::ParameterValue;
use noetl_tool::serde::de::{Deserializer, MapAccess, Visitor};
use noetl_tool::serde_json::{self, value::RawValue};

/// What the rows' fields are called, in the order in which they first appear.
#[derive(Debug, Default)]
struct Columns {
    names: Vec<String>,
    numbers: HashMap<String, usize>,
}

/// The step's rows.
#[derive(Debug)]
pub struct Rows<'a> {
    columns: Columns,
    /// Each with the numbers of its columns, in their order.
    rows: Vec<Vec<(usize, &'a RawValue)>>,
}

/// Rows that have values for the same columns.
#[derive(Debug, PartialEq)]
pub struct Group {
    pub columns: Vec<String>,
    /// Numbers of the rows, from 0.
    pub rows: Vec<usize>,
}

impl<'a> Rows<'a> {
    /// Reads `{"rows": …}`.
    pub fn read(args: &'a RawValue) -> Result<Self, Error> {
        let args: BTreeMap<String, &'a RawValue> = serde_json::from_str(args.get())?;
        let Some(&given) = args.get("rows") else {
            return Err(Error::invalid_input("args: `rows` is missing"));
        };
        let list: Vec<&'a RawValue> = match kind(given) {
            "list" => serde_json::from_str(given.get())?,
            "object" => vec![given],
            kind => {
                return Err(Error::invalid_input(format!(
                    "rows: expected a list of objects or one object, and it is {}",
                    a(kind)
                )));
            }
        };
        let mut columns = Columns::default();
        let mut rows = Vec::with_capacity(list.len());
        for (index, item) in list.into_iter().enumerate() {
            let bad = |why: String| Error::invalid_input(format!("row {}: {why}", index + 1));
            if kind(item) != "object" {
                let why = format!("expected an object, and it is {}", a(kind(item)));
                return Err(bad(why));
            }
            let mut reader = serde_json::Deserializer::from_str(item.get());
            let mut row = reader.deserialize_map(&mut columns)?;
            if row.is_empty() {
                return Err(bad("it has no columns".into()));
            }
            row.sort_by_key(|(column, _)| *column);
            rows.push(row);
        }
        Ok(Self { columns, rows })
    }

    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The columns that any row has.
    pub fn columns(&self) -> &[String] {
        &self.columns.names
    }

    /// The first row that lacks this column, from 0.
    pub fn lacking(&self, column: &str) -> Option<usize> {
        let number = self.columns.numbers.get(column);
        let has = |row: &[(usize, _)]| row.iter().any(|(column, _)| Some(column) == number);
        self.rows.iter().position(|row| !has(row))
    }

    /// The rows by the columns that they have, in the order of the groups' first rows.
    pub fn groups(&self) -> Vec<Group> {
        let mut known: HashMap<Vec<usize>, usize> = HashMap::new();
        let mut groups: Vec<Group> = Vec::new();
        for (index, row) in self.rows.iter().enumerate() {
            let columns: Vec<usize> = row.iter().map(|(column, _)| *column).collect();
            let name = |&column: &usize| self.columns.names[column].clone();
            let names = columns.iter().map(name).collect();
            let group = *known.entry(columns).or_insert_with(|| {
                groups.push(Group {
                    columns: names,
                    rows: Vec::new(),
                });
                groups.len() - 1
            });
            groups[group].rows.push(index);
        }
        groups
    }

    /// The values that a row has, in the order of its group's columns.
    pub fn values(&self, row: usize) -> impl Iterator<Item = ParameterValue> {
        self.rows[row].iter().map(|(_, value)| parameter(value))
    }

    /// The same for all columns; NULL where it has none.
    pub fn all_values(&self, row: usize) -> impl Iterator<Item = ParameterValue> {
        let mut own = self.rows[row].iter().peekable();
        (0..self.columns.names.len()).map(move |column| {
            let found = own.next_if(|(own, _)| *own == column);
            found.map_or(ParameterValue::Null, |(_, value)| parameter(value))
        })
    }
}

fn parameter(value: &RawValue) -> ParameterValue {
    let text = value.get();
    match kind(value) {
        "null" => ParameterValue::Null,
        "boolean" => ParameterValue::Boolean(text == "true"),
        "number" => ParameterValue::Numeric(text.to_owned()),
        "text" => ParameterValue::Literal(
            serde_json::from_str(text).expect("the host sends no half of a surrogate pair"),
        ),
        _ => ParameterValue::Document(text.to_owned()),
    }
}

fn kind(value: &RawValue) -> &'static str {
    match value.get().as_bytes().first() {
        Some(b'n') => "null",
        Some(b't' | b'f') => "boolean",
        Some(b'"') => "text",
        Some(b'[') => "list",
        Some(b'{') => "object",
        _ => "number",
    }
}

fn a(kind: &str) -> String {
    match kind {
        "null" => kind.into(),
        "object" => "an object".into(),
        kind => format!("a {kind}"),
    }
}

/// Reads one row.
impl<'de> Visitor<'de> for &mut Columns {
    type Value = Vec<(usize, &'de RawValue)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of columns and values")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut row = Vec::new();
        while let Some(name) = map.next_key::<String>()? {
            row.push((self.number(name), map.next_value()?));
        }
        Ok(row)
    }
}

impl Columns {
    fn number(&mut self, name: String) -> usize {
        if let Some(&number) = self.numbers.get(&name) {
            return number;
        }
        let number = self.names.len();
        self.names.push(name.clone());
        self.numbers.insert(name, number);
        number
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ParameterValue as P;

    fn args(rows: &str) -> Box<RawValue> {
        RawValue::from_string(format!("{{\"rows\": {rows}}}")).unwrap()
    }

    #[test]
    fn rows_are_grouped_by_what_they_have() {
        let args =
            args(r#"[{"id": 1, "a": "x"}, {"id": 2}, {"b": null, "id": 3}, {"a": "y", "id": 4}]"#);
        let rows = Rows::read(&args).unwrap();
        assert_eq!(rows.columns(), ["id", "a", "b"]);
        let group = |columns: &[&str], rows: &[usize]| Group {
            columns: columns.iter().map(|&column| column.into()).collect(),
            rows: rows.into(),
        };
        assert_eq!(
            rows.groups(),
            [
                group(&["id", "a"], &[0, 3]),
                group(&["id"], &[1]),
                group(&["id", "b"], &[2]),
            ]
        );
        assert_eq!((rows.lacking("id"), rows.lacking("a")), (None, Some(1)));
        assert_eq!(rows.lacking("c"), Some(0));
        let number = |text: &str| P::Numeric(text.into());
        assert_eq!(
            rows.values(3).collect::<Vec<_>>(),
            [number("4"), P::Literal("y".into())]
        );
        assert_eq!(
            rows.all_values(2).collect::<Vec<_>>(),
            [number("3"), P::Null, P::Null]
        );
    }

    #[test]
    fn values_keep_their_digits_and_their_text() {
        let args = args(r#"{"a": 1.50e400, "b": "\u00e9\n", "c": [1, {"x": 0.10}], "d": true}"#);
        let rows = Rows::read(&args).unwrap();
        assert_eq!(
            rows.values(0).collect::<Vec<_>>(),
            [
                P::Numeric("1.50e400".into()),
                P::Literal("é\n".into()),
                P::Document(r#"[1, {"x": 0.10}]"#.into()),
                P::Boolean(true),
            ]
        );
    }

    #[test]
    fn what_are_no_rows_is_refused() {
        let refused = |rows| Rows::read(&args(rows)).unwrap_err().to_string();
        assert_eq!(
            refused("null"),
            "rows: expected a list of objects or one object, and it is null"
        );
        assert_eq!(
            refused(r#"[{"a": 1}, "x"]"#),
            "row 2: expected an object, and it is a text"
        );
        assert_eq!(refused("[{}]"), "row 1: it has no columns");
        assert!(Rows::read(&args("[]")).unwrap().is_empty());
    }
}
