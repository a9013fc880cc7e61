//! The rows that a step stores, as its arguments have them: `rows` is a list of
//! objects, or one object.
//!
//! Values stay JSON texts until they are sent, so that no number is changed on its
//! way.

use std::collections::HashMap;
use std::fmt;

use noetl_tool::Error;
use noetl_tool::postgres::ParameterValue;
use noetl_tool::serde::de::{
    DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor,
};
use noetl_tool::serde_json::{self, value::RawValue};

/// What the rows' fields are called, in the order in which they first appear.
#[derive(Debug, Default)]
struct Columns {
    names: Vec<String>,
    numbers: HashMap<String, usize>,
}

/// The step's rows.
#[derive(Debug, Default)]
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
        let mut rows = Self::default();
        let mut reader = serde_json::Deserializer::from_str(args.get());
        match reader.deserialize_map(Args(&mut rows)) {
            Ok(()) => Ok(rows),
            Err(error) => {
                let (line, column) = (error.line(), error.column());
                // A place in a text that nobody has written.
                let end = format!(" at line {line} column {column}");
                let message = error.to_string();
                Err(Error::invalid_input(
                    message.strip_suffix(&end).unwrap_or(&message),
                ))
            }
        }
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
            let group = match known.get(&columns) {
                Some(&group) => group,
                None => {
                    let name = |&column: &usize| self.columns.names[column].clone();
                    groups.push(Group {
                        columns: columns.iter().map(name).collect(),
                        rows: Vec::new(),
                    });
                    known.insert(columns, groups.len() - 1);
                    groups.len() - 1
                }
            };
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
    match text.as_bytes()[0] {
        b'n' => ParameterValue::Null,
        b't' | b'f' => ParameterValue::Boolean(text == "true"),
        b'"' => ParameterValue::Literal(
            serde_json::from_str(text).expect("the host sends no half of a surrogate pair"),
        ),
        b'[' | b'{' => ParameterValue::Document(text.to_owned()),
        _ => ParameterValue::Numeric(text.to_owned()),
    }
}

impl Columns {
    fn number(&mut self, name: &str) -> usize {
        if let Some(&number) = self.numbers.get(name) {
            return number;
        }
        let number = self.names.len();
        self.names.push(name.to_owned());
        self.numbers.insert(name.to_owned(), number);
        number
    }
}

/// Reads the arguments.
struct Args<'r, 'a>(&'r mut Rows<'a>);

impl<'a> Visitor<'a> for Args<'_, 'a> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("arguments")
    }

    fn visit_map<A: MapAccess<'a>>(self, mut args: A) -> Result<(), A::Error> {
        let mut found = false;
        while let Some(name) = args.next_key::<String>()? {
            if name == "rows" {
                found = true;
                args.next_value_seed(List(self.0))?;
            } else {
                args.next_value::<IgnoredAny>()?;
            }
        }
        match found {
            true => Ok(()),
            false => Err(A::Error::missing_field("rows")),
        }
    }
}

/// Reads `rows`.
struct List<'r, 'a>(&'r mut Rows<'a>);

impl<'a> DeserializeSeed<'a> for List<'_, 'a> {
    type Value = ();

    fn deserialize<D: Deserializer<'a>>(self, reader: D) -> Result<(), D::Error> {
        reader.deserialize_any(self)
    }
}

impl<'a> Visitor<'a> for List<'_, 'a> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("`rows` to be a list of objects or one object")
    }

    fn visit_seq<A: SeqAccess<'a>>(self, mut list: A) -> Result<(), A::Error> {
        while list.next_element_seed(Row(self.0))?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'a>>(self, row: A) -> Result<(), A::Error> {
        Row(self.0).visit_map(row)
    }
}

/// Reads one row.
struct Row<'r, 'a>(&'r mut Rows<'a>);

impl<'a> DeserializeSeed<'a> for Row<'_, 'a> {
    type Value = ();

    fn deserialize<D: Deserializer<'a>>(self, reader: D) -> Result<(), D::Error> {
        reader.deserialize_any(self)
    }
}

impl<'a> Visitor<'a> for Row<'_, 'a> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let number = self.0.rows.len() + 1;
        write!(f, "row {number} to be an object of columns and values")
    }

    fn visit_map<A: MapAccess<'a>>(self, mut map: A) -> Result<(), A::Error> {
        let Rows { columns, rows } = self.0;
        let mut row = Vec::new();
        while let Some(number) = map.next_key_seed(Name(columns))? {
            row.push((number, map.next_value()?));
        }
        if row.is_empty() {
            let number = rows.len() + 1;
            return Err(A::Error::custom(format!("row {number} has no columns")));
        }
        row.sort_by_key(|(column, _)| *column);
        rows.push(row);
        Ok(())
    }
}

/// Reads a field's name, as the number of a column.
struct Name<'c>(&'c mut Columns);

impl<'a> DeserializeSeed<'a> for Name<'_> {
    type Value = usize;

    fn deserialize<D: Deserializer<'a>>(self, reader: D) -> Result<usize, D::Error> {
        reader.deserialize_str(self)
    }
}

impl Visitor<'_> for Name<'_> {
    type Value = usize;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name of a column")
    }

    fn visit_str<E>(self, name: &str) -> Result<usize, E> {
        Ok(self.0.number(name))
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
            "invalid type: null, expected `rows` to be a list of objects or one object"
        );
        assert_eq!(
            refused(r#"[{"a": 1}, "x"]"#),
            "invalid type: string \"x\", expected row 2 to be an object of columns and values"
        );
        assert_eq!(refused("[{}]"), "row 1 has no columns");
        assert!(Rows::read(&args("[]")).unwrap().is_empty());
    }
}
