use std::borrow::Cow;

use serde::Serialize;
use serde_json::Value;

use super::ParameterValue;

/// What can be a parameter of a statement.
///
/// | Rust | PostgreSQL |
/// |---|---|
/// | `None`, JSON's null | NULL |
/// | `bool` | boolean |
/// | integers | int4 or int8, numeric beyond |
/// | `f32`, `f64` | float8 |
/// | texts | what the statement needs, as with a literal in quotes: `"2026-01-01"` is a date where a date is needed |
/// | `Vec<u8>`, `[u8]` | bytea |
/// | JSON's arrays and objects | json, jsonb or an array, as the statement needs |
/// | [`Jsonb`] | jsonb |
///
/// Where that is not enough, write a [`ParameterValue`].
pub trait ToSql {
    /// The parameter.
    fn to_sql(&self) -> ParameterValue;
}

/// Any value as jsonb: `params![Jsonb(&user)]`. What can't be written as JSON is
/// null.
#[derive(Debug, Clone, Copy)]
pub struct Jsonb<T>(pub T);

impl<T: Serialize> ToSql for Jsonb<T> {
    fn to_sql(&self) -> ParameterValue {
        ParameterValue::Jsonb(serde_json::to_string(&self.0).unwrap_or_else(|_| "null".into()))
    }
}

impl ToSql for ParameterValue {
    fn to_sql(&self) -> ParameterValue {
        self.clone()
    }
}

impl<T: ToSql + ?Sized> ToSql for &T {
    fn to_sql(&self) -> ParameterValue {
        (**self).to_sql()
    }
}

impl<T: ToSql> ToSql for Option<T> {
    fn to_sql(&self) -> ParameterValue {
        self.as_ref().map_or(ParameterValue::Null, ToSql::to_sql)
    }
}

impl ToSql for bool {
    fn to_sql(&self) -> ParameterValue {
        ParameterValue::Boolean(*self)
    }
}

macro_rules! integers {
    ($($integer:ty)*) => {$(
        impl ToSql for $integer {
            fn to_sql(&self) -> ParameterValue {
                match i64::try_from(*self) {
                    Ok(value) => ParameterValue::Int64(value),
                    Err(_) => ParameterValue::Numeric(self.to_string()),
                }
            }
        }
    )*};
}

integers!(i8 i16 i32 i64 i128 isize u8 u16 u32 u64 u128 usize);

impl ToSql for f32 {
    fn to_sql(&self) -> ParameterValue {
        ParameterValue::Float64((*self).into())
    }
}

impl ToSql for f64 {
    fn to_sql(&self) -> ParameterValue {
        ParameterValue::Float64(*self)
    }
}

impl ToSql for str {
    fn to_sql(&self) -> ParameterValue {
        ParameterValue::Literal(self.to_owned())
    }
}

impl ToSql for String {
    fn to_sql(&self) -> ParameterValue {
        self.as_str().to_sql()
    }
}

impl ToSql for Cow<'_, str> {
    fn to_sql(&self) -> ParameterValue {
        self.as_ref().to_sql()
    }
}

impl ToSql for [u8] {
    fn to_sql(&self) -> ParameterValue {
        ParameterValue::Binary(self.to_vec())
    }
}

impl ToSql for Vec<u8> {
    fn to_sql(&self) -> ParameterValue {
        self.as_slice().to_sql()
    }
}

impl ToSql for Value {
    fn to_sql(&self) -> ParameterValue {
        match self {
            Self::Null => ParameterValue::Null,
            Self::Bool(value) => value.to_sql(),
            Self::Number(number) => match (number.as_i64(), number.as_u64()) {
                (Some(value), _) => value.to_sql(),
                (None, Some(value)) => value.to_sql(),
                (None, None) => number.as_f64().to_sql(),
            },
            Self::String(text) => text.to_sql(),
            Self::Array(_) | Self::Object(_) => ParameterValue::Document(self.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::postgres::params;
    use serde_json::json;

    #[test]
    fn values_become_parameters() {
        assert_eq!(
            params![
                None::<i64>,
                Some("a"),
                7_u8,
                u64::MAX,
                1.5,
                true,
                vec![1_u8],
                json!(18446744073709551615_u64),
                json!(-3),
                json!([1]),
                Jsonb("x"),
            ],
            [
                ParameterValue::Null,
                ParameterValue::Literal("a".into()),
                ParameterValue::Int64(7),
                ParameterValue::Numeric("18446744073709551615".into()),
                ParameterValue::Float64(1.5),
                ParameterValue::Boolean(true),
                ParameterValue::Binary(vec![1]),
                ParameterValue::Numeric("18446744073709551615".into()),
                ParameterValue::Int64(-3),
                ParameterValue::Document("[1]".into()),
                ParameterValue::Jsonb("\"x\"".into()),
            ]
        );
        assert!(params![].is_empty());
    }
}
