//! Stores rows by way of a temporary table: COPY fills that, and one INSERT for each
//! group of rows with the same columns takes them from there.
//!
//! Among rows with the same key the last one counts.

use noetl_tool::postgres::{DbValue, ParameterValue, Transaction};

use crate::config::Target;
use crate::copy::{Failed, send};
use crate::rows::{Group, Rows};

/// The columns of a table and their types, without domains: a column that a row does
/// not have is NULL in the temporary table, whatever its domain says of that.
const TYPES: &str = "\
    WITH RECURSIVE found(name, type, modifier) AS ( \
        SELECT attname, atttypid, atttypmod FROM pg_catalog.pg_attribute \
        WHERE attrelid = $1::regclass AND attnum > 0 AND NOT attisdropped \
        UNION ALL \
        SELECT name, typbasetype, typtypmod FROM found \
        JOIN pg_catalog.pg_type ON pg_type.oid = type AND typtype = 'd') \
    SELECT name::text, pg_catalog.format_type(type, modifier) FROM found \
    JOIN pg_catalog.pg_type ON pg_type.oid = type AND typtype <> 'd'";

/// The temporary table.
const STAGE: [&str; 2] = ["pg_temp", "noetl_rows"];

pub fn store(transaction: &Transaction, target: &Target, rows: &Rows<'_>) -> Result<u64, Failed> {
    let groups = rows.groups();
    let stage = Stage::create(transaction, target, rows)?;
    for (number, group) in groups.iter().enumerate() {
        stage.fill(transaction, number, group, rows)?;
    }
    if !target.key.is_empty() {
        transaction.query(&stage.keep_last(&target.key), &[])?;
    }
    let mut stored = 0;
    for (number, group) in groups.iter().enumerate() {
        let insert = stage.insert(target, number, &group.columns);
        stored += transaction.query(&insert, &[])?.affected;
    }
    Ok(stored)
}

/// The temporary table's columns: those of all rows, and two more.
struct Stage {
    /// The row's number.
    row: String,
    /// That of the row's group.
    group: String,
    columns: Vec<String>,
}

impl Stage {
    fn create(transaction: &Transaction, target: &Target, rows: &Rows<'_>) -> Result<Self, Failed> {
        let own = |name: &str| {
            let mut name = name.to_owned();
            while rows.columns().contains(&name) {
                name.push('_');
            }
            name
        };
        let stage = Self {
            row: own("noetl_row"),
            group: own("noetl_group"),
            columns: rows.columns().to_vec(),
        };
        let name = ParameterValue::Literal(qualified(&target.table));
        let types: Vec<[String; 2]> = transaction
            .query(TYPES, &[name])?
            .rows
            .into_iter()
            .filter_map(|row| match <[DbValue; 2]>::try_from(row) {
                Ok([DbValue::Text(name), DbValue::Text(kind)]) => Some([name, kind]),
                _ => None,
            })
            .collect();
        transaction.query(&stage.definition(&types), &[])?;
        Ok(stage)
    }

    fn definition(&self, types: &[[String; 2]]) -> String {
        let mut columns = vec![
            format!("{} int8", quoted(&self.row)),
            format!("{} int8", quoted(&self.group)),
        ];
        for column in &self.columns {
            let kind = types.iter().find(|[name, _]| name == column);
            // That the table has no such column is what the INSERT says.
            let kind = kind.map_or("text", |[_, kind]| kind);
            columns.push(format!("{} {kind}", quoted(column)));
        }
        format!(
            "CREATE TEMPORARY TABLE {} ({}) ON COMMIT DROP",
            STAGE.join("."),
            columns.join(", ")
        )
    }

    fn fill(
        &self,
        transaction: &Transaction,
        number: usize,
        group: &Group,
        rows: &Rows<'_>,
    ) -> Result<(), Failed> {
        let own = [&self.row, &self.group].into_iter();
        let columns: Vec<String> = own.chain(&self.columns).cloned().collect();
        let values = group.rows.iter().map(|&row| {
            let own = [row, number].map(|number| ParameterValue::Int64(number as i64));
            (row, own.into_iter().chain(rows.all_values(row)).collect())
        });
        send(transaction, &STAGE.map(str::to_owned), &columns, values).map(drop)
    }

    fn insert(&self, target: &Target, number: usize, columns: &[String]) -> String {
        let stage = STAGE.join(".");
        let (row, group) = (quoted(&self.row), quoted(&self.group));
        let list = |names: &[String], prefix: &str| -> String {
            let names = names.iter().map(|name| format!("{prefix}{}", quoted(name)));
            names.collect::<Vec<_>>().join(", ")
        };
        // COPY stores what it is given in a column that is always an identity, too.
        let mut sql = format!(
            "INSERT INTO {} ({}) OVERRIDING SYSTEM VALUE SELECT {} FROM {stage} AS this \
             WHERE this.{group} = {number}",
            qualified(&target.table),
            list(columns, ""),
            list(columns, "this."),
        );
        let key = &target.key;
        if key.is_empty() {
            return format!("{sql} ORDER BY this.{row}");
        }
        let set: Vec<String> = columns
            .iter()
            .filter(|column| !key.contains(column))
            .map(|column| format!("{0} = EXCLUDED.{0}", quoted(column)))
            .collect();
        let act = match set.is_empty() {
            true => "NOTHING".to_owned(),
            false => format!("UPDATE SET {}", set.join(", ")),
        };
        // In the order of the keys, so that steps which store the same rows at once
        // wait for each other and do not block each other.
        sql.push_str(&format!(
            " ORDER BY {} ON CONFLICT ({}) DO {act}",
            list(key, "this."),
            list(key, ""),
        ));
        sql
    }

    /// Leaves of the rows with the same key only the last one. NULL is like nothing
    /// else, as it is for the table's constraint.
    fn keep_last(&self, key: &[String]) -> String {
        let stage = STAGE.join(".");
        let row = quoted(&self.row);
        let key: Vec<String> = key.iter().map(|key| quoted(key)).collect();
        let same: Vec<String> = key
            .iter()
            .map(|key| format!("this.{key} = kept.{key}"))
            .collect();
        let (key, same) = (key.join(", "), same.join(" AND "));
        format!(
            "DELETE FROM {stage} AS this \
             USING (SELECT {key}, max({row}) AS {row} FROM {stage} GROUP BY {key}) AS kept \
             WHERE {same} AND this.{row} < kept.{row}"
        )
    }
}

fn qualified(name: &[String]) -> String {
    name.iter()
        .map(|part| quoted(part))
        .collect::<Vec<_>>()
        .join(".")
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stage() -> (Stage, Target) {
        let names = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
        let stage = Stage {
            row: "noetl_row".into(),
            group: "noetl_group".into(),
            columns: names(&["id", "A\"b"]),
        };
        let target = Target {
            table: names(&["s", "t"]),
            key: names(&["id"]),
        };
        (stage, target)
    }

    #[test]
    fn the_temporary_table_has_the_types_of_the_target() {
        let types = [["id", "integer"], ["other", "date"]];
        let types = types.map(|pair| pair.map(str::to_owned));
        assert_eq!(
            stage().0.definition(&types),
            "CREATE TEMPORARY TABLE pg_temp.noetl_rows (\"noetl_row\" int8, \"noetl_group\" int8, \
             \"id\" integer, \"A\"\"b\" text) ON COMMIT DROP"
        );
    }

    #[test]
    fn a_row_whose_key_is_there_changes_its_other_columns() {
        let (stage, mut target) = stage();
        assert_eq!(
            stage.insert(&target, 1, &stage.columns),
            "INSERT INTO \"s\".\"t\" (\"id\", \"A\"\"b\") OVERRIDING SYSTEM VALUE \
             SELECT this.\"id\", this.\"A\"\"b\" FROM pg_temp.noetl_rows AS this \
             WHERE this.\"noetl_group\" = 1 ORDER BY this.\"id\" \
             ON CONFLICT (\"id\") DO UPDATE SET \"A\"\"b\" = EXCLUDED.\"A\"\"b\""
        );
        let of_keys = stage.insert(&target, 0, &target.key);
        assert!(
            of_keys.ends_with("ON CONFLICT (\"id\") DO NOTHING"),
            "{of_keys}"
        );
        target.key.clear();
        let plain = stage.insert(&target, 0, &stage.columns);
        assert!(plain.ends_with("ORDER BY this.\"noetl_row\""), "{plain}");
    }
}
