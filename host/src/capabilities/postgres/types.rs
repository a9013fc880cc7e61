//! What is known of PostgreSQL's types: the usual ones by heart, the others from
//! the catalog.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, RwLock};

use sqlx::{AssertSqlSafe, PgConnection, Row};

use super::plan::Target;

/// How values of a type are read from their binary form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Class {
    Bool,
    Int2,
    Int4,
    Int8,
    Oid,
    Float4,
    Float8,
    Numeric,
    /// The bytes are the text.
    Text,
    Bytea,
    Date,
    Time,
    TimeTz,
    Timestamp,
    TimestampTz,
    Interval,
    Uuid,
    Json,
    Jsonb,
    Void,
    Array {
        element: u32,
    },
    /// Only the server can write it as text.
    Server(ServerText),
    /// Rows without a declared type, and others that can't be sent back.
    Unreadable,
}

/// Which `db-value` holds a text that the server wrote.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ServerText {
    Numeric,
    Text,
    Other,
}

/// A type of the database.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct TypeInfo {
    pub oid: u32,
    /// As PostgreSQL prints it: `int8`, `text[]`.
    pub display: String,
    /// Schema and name in quotes. A quoted, qualified name takes no implied
    /// length: plain `character` would mean `character(1)`.
    pub qualified: String,
    pub class: Class,
    /// Of a domain: the type below, which may be a domain again.
    pub base: Option<u32>,
    /// Has no values of its own, such as `anyelement` or `unknown`.
    pub pseudo: bool,
    /// The type of arrays of it, if there is one.
    pub array: Option<u32>,
}

const JSON: u32 = 114;
const JSONB: u32 = 3802;
pub(super) const BOOL: u32 = 16;
pub(super) const BYTEA: u32 = 17;
pub(super) const INT8: u32 = 20;
pub(super) const INT4: u32 = 23;
pub(super) const TEXT: u32 = 25;
pub(super) const FLOAT8: u32 = 701;

/// Object identifiers below 10,000 never change from one server to another.
const USUAL: &[(u32, u32, &str, Class)] = &[
    (BOOL, 1000, "bool", Class::Bool),
    (BYTEA, 1001, "bytea", Class::Bytea),
    (18, 1002, "char", Class::Text),
    (19, 1003, "name", Class::Text),
    (INT8, 1016, "int8", Class::Int8),
    (21, 1005, "int2", Class::Int2),
    (INT4, 1007, "int4", Class::Int4),
    (TEXT, 1009, "text", Class::Text),
    (26, 1028, "oid", Class::Oid),
    (JSON, 199, "json", Class::Json),
    (142, 143, "xml", Class::Text),
    (700, 1021, "float4", Class::Float4),
    (FLOAT8, 1022, "float8", Class::Float8),
    (705, 0, "unknown", Class::Text),
    (790, 791, "money", Class::Server(ServerText::Numeric)),
    (1042, 1014, "bpchar", Class::Text),
    (1043, 1015, "varchar", Class::Text),
    (1082, 1182, "date", Class::Date),
    (1083, 1183, "time", Class::Time),
    (1114, 1115, "timestamp", Class::Timestamp),
    (1184, 1185, "timestamptz", Class::TimestampTz),
    (1186, 1187, "interval", Class::Interval),
    (1266, 1270, "timetz", Class::TimeTz),
    (1700, 1231, "numeric", Class::Numeric),
    (2249, 2287, "record", Class::Unreadable),
    (2278, 0, "void", Class::Void),
    (2950, 2951, "uuid", Class::Uuid),
    (JSONB, 3807, "jsonb", Class::Jsonb),
];

/// The types that a pool has met.
#[derive(Debug)]
pub(super) struct Types {
    known: RwLock<HashMap<u32, Arc<TypeInfo>>>,
}

impl Default for Types {
    fn default() -> Self {
        Self {
            known: RwLock::new(usual()),
        }
    }
}

impl Types {
    /// Forgets what the catalog said.
    pub fn clear(&self) {
        *self.known.write().expect("no panic while held") = usual();
    }

    /// The type, if it is known by now.
    pub fn get(&self, oid: u32) -> Option<Arc<TypeInfo>> {
        self.known
            .read()
            .expect("no panic while held")
            .get(&oid)
            .cloned()
    }

    /// Makes these types and those that they are made of known. Asks the server
    /// only about new ones.
    pub async fn load(
        &self,
        connection: &mut PgConnection,
        oids: impl IntoIterator<Item = u32>,
    ) -> sqlx::Result<()> {
        let mut wanted: HashSet<u32> = oids.into_iter().filter(|&oid| oid != 0).collect();
        let mut asked = HashSet::new();
        loop {
            {
                let known = self.known.read().expect("no panic while held");
                wanted.retain(|oid| !known.contains_key(oid) && asked.insert(*oid));
            }
            if wanted.is_empty() {
                return Ok(());
            }
            let types = fetch(connection, &wanted).await?;
            wanted.clear();
            let mut known = self.known.write().expect("no panic while held");
            for found in types {
                wanted.extend(found.base);
                if let Class::Array { element } = found.class {
                    wanted.insert(element);
                }
                known.insert(found.oid, Arc::new(found));
            }
        }
    }

    /// What a document becomes where a value of this type is needed.
    pub fn target(&self, oid: u32) -> Target {
        match self.base(oid).map(|found| found.class) {
            Some(Class::Array { element }) => {
                let element = self.base(element).map_or(element, |found| found.oid);
                Target::Array {
                    of_json: element == JSON || element == JSONB,
                }
            }
            _ => Target::Single,
        }
    }

    /// The type below all domains.
    pub fn base(&self, oid: u32) -> Option<Arc<TypeInfo>> {
        let mut found = self.get(oid)?;
        while let Some(base) = found.base {
            found = self.get(base)?;
        }
        Some(found)
    }
}

fn usual() -> HashMap<u32, Arc<TypeInfo>> {
    let mut types = HashMap::new();
    for &(oid, array, name, class) in USUAL {
        types.insert(
            oid,
            Arc::new(TypeInfo {
                oid,
                display: name.into(),
                qualified: format!("pg_catalog.\"{name}\""),
                class,
                base: None,
                pseudo: matches!(name, "unknown" | "void" | "record"),
                array: (array != 0).then_some(array),
            }),
        );
        if array != 0 {
            types.insert(
                array,
                Arc::new(TypeInfo {
                    oid: array,
                    display: format!("{name}[]"),
                    qualified: format!("pg_catalog.\"_{name}\""),
                    class: Class::Array { element: oid },
                    base: None,
                    pseudo: false,
                    array: None,
                }),
            );
        }
    }
    types
}

async fn fetch(connection: &mut PgConnection, oids: &HashSet<u32>) -> sqlx::Result<Vec<TypeInfo>> {
    // The numbers are our own, so that no parameter's type has to be agreed on.
    let list = oids
        .iter()
        .map(u32::to_string)
        .collect::<Vec<_>>()
        .join(",");
    let sql = format!(
        "SELECT t.oid::int8 AS oid, n.nspname::text AS schema, t.typname::text AS name,
                t.typtype::text AS kind,
                t.typcategory::text AS category, t.typbasetype::int8 AS base,
                t.typarray::int8 AS array, e.typname::text AS element_name,
                CASE WHEN t.typcategory = 'A' AND t.typlen = -1 AND t.oid NOT IN (22, 30)
                     THEN t.typelem::int8 ELSE 0 END AS element
           FROM pg_catalog.pg_type t
           JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace
           LEFT JOIN pg_catalog.pg_type e ON e.oid = t.typelem
          WHERE t.oid IN ({list})"
    );
    let rows = sqlx::query(AssertSqlSafe(sql))
        .persistent(false)
        .fetch_all(connection)
        .await?;
    rows.iter()
        .map(|row| {
            let oid = |column| row.try_get::<i64, _>(column).map(|oid| oid as u32);
            let (schema, name): (String, String) = (row.try_get("schema")?, row.try_get("name")?);
            let (kind, category): (String, String) =
                (row.try_get("kind")?, row.try_get("category")?);
            let element = oid("element")?;
            let display = match row.try_get::<Option<String>, _>("element_name")? {
                Some(element_name) if element != 0 => format!("{element_name}[]"),
                _ => name.clone(),
            };
            let class = match (kind.as_str(), category.as_str()) {
                _ if element != 0 => Class::Array { element },
                ("e", _) => Class::Text,
                ("p", _) => Class::Unreadable,
                (_, "S") => Class::Server(ServerText::Text),
                _ => Class::Server(ServerText::Other),
            };
            Ok(TypeInfo {
                oid: oid("oid")?,
                display,
                qualified: format!("{}.{}", quote(&schema), quote(&name)),
                class,
                base: Some(oid("base")?).filter(|&base| base != 0),
                pseudo: kind == "p",
                array: Some(oid("array")?).filter(|&array| array != 0),
            })
        })
        .collect()
}

/// A name as an SQL identifier.
pub(super) fn quote(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
