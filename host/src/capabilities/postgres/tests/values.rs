//! Every type, from the server to the interface.

use super::*;

#[tokio::test]
async fn every_type_keeps_its_value() {
    use DbValue as V;
    let bench = Bench::new();
    schema(&bench, "t_values").await;
    for ddl in [
        "CREATE TYPE t_values.mood AS ENUM ('sad', 'happy ☺')",
        "CREATE TYPE t_values.pair AS (a int, b text)",
        "CREATE DOMAIN t_values.small AS int CHECK (VALUE < 10)",
        "CREATE EXTENSION IF NOT EXISTS citext",
    ] {
        run(&bench, ddl, &[]).await.unwrap();
    }
    let t = |s: &str| V::Text(s.into());
    let n = |s: &str| V::Numeric(s.into());
    let d = |s: &str| V::Temporal(s.into());
    let o = |s: &str| V::Other(s.into());
    let a = |s: &str| V::Array(s.into());
    let j = |s: &str| V::Json(s.into());
    let table: Vec<(&str, &str, V)> = vec![
        ("NULL::int4", "int4", V::Null),
        ("true", "bool", V::Boolean(true)),
        ("(-32768)::int2", "int2", V::Int16(-32768)),
        ("2147483647", "int4", V::Int32(2147483647)),
        ("9223372036854775807", "int8", V::Int64(i64::MAX)),
        ("4294967295::oid", "oid", V::Int64(4294967295)),
        ("0.1::float4", "float4", V::Float32(0.1)),
        ("1e300::float8", "float8", V::Float64(1e300)),
        (
            "'-Infinity'::float8",
            "float8",
            V::Float64(f64::NEG_INFINITY),
        ),
        ("1.50::numeric", "numeric", n("1.50")),
        ("'$1,234.50'::money", "money", n("$1,234.50")),
        ("'a☺𝄞'::text", "text", t("a☺𝄞")),
        ("'ab'::char(4)", "bpchar", t("ab  ")),
        ("'ab'::varchar(4)", "varchar", t("ab")),
        ("'x'::\"char\"", "char", t("x")),
        ("'n'::name", "name", t("n")),
        ("'MiXed'::citext", "citext", t("MiXed")),
        ("'happy ☺'::t_values.mood", "mood", t("happy ☺")),
        ("7::t_values.small", "int4", V::Int32(7)),
        ("'<a>1</a>'::xml", "xml", t("<a>1</a>")),
        (r"'\x00ff'::bytea", "bytea", V::Binary(vec![0, 255])),
        ("'2026-02-03'::date", "date", d("2026-02-03")),
        ("'infinity'::date", "date", d("infinity")),
        ("'0044-03-15 BC'::date", "date", d("0044-03-15 BC")),
        ("'03:04:05.06'::time", "time", d("03:04:05.06")),
        ("'24:00'::time", "time", d("24:00:00")),
        ("'03:04:05-07:30'::timetz", "timetz", d("03:04:05-07:30")),
        (
            "'2026-02-03 04:05:06.7'::timestamp",
            "timestamp",
            d("2026-02-03T04:05:06.7"),
        ),
        (
            "'2026-02-03 04:05:06+02'::timestamptz",
            "timestamptz",
            d("2026-02-03T02:05:06+00:00"),
        ),
        ("'-infinity'::timestamptz", "timestamptz", d("-infinity")),
        (
            "'1 year 2 mons -3 days 04:05:06.7'::interval",
            "interval",
            d("P1Y2M-3DT4H5M6.7S"),
        ),
        (
            "'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'::uuid",
            "uuid",
            V::Uuid("a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11".into()),
        ),
        (
            r#"'{"b":1,  "a":12345678901234567890}'::json"#,
            "json",
            j(r#"{"b":1,  "a":12345678901234567890}"#),
        ),
        (
            r#"'{"b":1.50,  "a":[]}'::jsonb"#,
            "jsonb",
            j(r#"{"a": [], "b": 1.50}"#),
        ),
        ("'192.168.0.1/24'::inet", "inet", o("192.168.0.1/24")),
        ("'10.0.0.0/8'::cidr", "cidr", o("10.0.0.0/8")),
        (
            "'08:00:2b:01:02:03'::macaddr",
            "macaddr",
            o("08:00:2b:01:02:03"),
        ),
        ("B'101'", "bit", o("101")),
        ("B'1011'::varbit", "varbit", o("1011")),
        ("'[1,5)'::int4range", "int4range", o("[1,5)")),
        ("'(1,2)'::point", "point", o("(1,2)")),
        ("'a:1 b'::tsvector", "tsvector", o("'a':1 'b'")),
        (
            "ROW(1, 'x, \"y\"')::t_values.pair",
            "pair",
            o(r#"(1,"x, ""y""")"#),
        ),
        (
            "ARRAY[ROW(1, 'a'), ROW(NULL, NULL)]::t_values.pair[]",
            "pair[]",
            a(r#"["(1,a)","(,)"]"#),
        ),
        ("'{}'::int4[]", "int4[]", a("[]")),
        ("'{1,NULL,3}'::int8[]", "int8[]", a("[1,null,3]")),
        (
            "'{{a,\"b\\\"c\"},{\"NULL\",NULL}}'::text[]",
            "text[]",
            a(r#"[["a","b\"c"],["NULL",null]]"#),
        ),
        (
            "'{1.50,NaN}'::numeric[]",
            "numeric[]",
            a(r#"["1.50","NaN"]"#),
        ),
        (
            "'{0.1,NaN,1e20}'::float4[]",
            "float4[]",
            a(r#"[0.1,"NaN",1e20]"#),
        ),
        (
            "ARRAY['2026-01-01'::date]",
            "date[]",
            a(r#"["2026-01-01"]"#),
        ),
        (r"ARRAY['\x01'::bytea]", "bytea[]", a(r#"["\\x01"]"#)),
        ("ARRAY['{\"a\": 1}'::jsonb]", "jsonb[]", a(r#"[{"a": 1}]"#)),
        ("ARRAY['sad'::t_values.mood]", "mood[]", a(r#"["sad"]"#)),
        (
            "ARRAY['[1,2)'::int4range, '[3,4)']",
            "int4range[]",
            a(r#"["[1,2)","[3,4)"]"#),
        ),
        ("ARRAY[7::t_values.small]", "small[]", a("[7]")),
        ("pg_sleep(0)", "void", V::Null),
    ];
    let mut wrong = Vec::new();
    for (sql, data_type, expected) in table {
        match run(&bench, &format!("SELECT {sql} AS v"), &[]).await {
            Ok(answer) => {
                let found = (&answer.columns[0].data_type[..], &answer.rows[0][0]);
                if format!("{found:?}") != format!("{:?}", (data_type, &expected)) {
                    wrong.push(format!("{sql}: {found:?}, not {:?}", (data_type, expected)));
                }
            }
            Err(error) => wrong.push(format!("{sql}: {error:?}")),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test]
async fn numerics_are_what_the_server_prints() {
    let bench = Bench::new();
    let all = [
        "0",
        "-0.00",
        "0.000012345",
        "1.50",
        "-1.50",
        "10000",
        "100000000",
        "0.0001",
        "0.00010000",
        "123456789012345678901234567890.1234567890",
        "1e130",
        "-1e-30",
        "9999.9999",
        "NaN",
        "Infinity",
        "-Infinity",
    ];
    for text in all {
        let sql = format!("SELECT '{text}'::numeric AS a, '{text}'::numeric::text AS b");
        let row = run(&bench, &sql, &[]).await.unwrap().rows.remove(0);
        let [DbValue::Numeric(read), DbValue::Text(printed)] = &row[..] else {
            panic!("{row:?}")
        };
        assert_eq!(read, printed);
    }
}

#[tokio::test]
async fn what_is_read_can_be_written_back() {
    let bench = Bench::new();
    let all = [
        ("date", "5874897-12-31"),
        ("date", "4713-01-01 BC"),
        ("date", "1900-02-28"),
        ("date", "2000-02-29"),
        ("timestamp", "294276-12-31 23:59:59.999999"),
        ("timestamp", "0001-12-31 23:59:59 BC"),
        ("timestamptz", "0044-03-15 12:00:00+00 BC"),
        ("timestamptz", "10000-01-01 00:00:00+00"),
        ("timetz", "12:00:00+05:45:10"),
        ("interval", "-1 years +2 mons -3 days +04:05:06.000007"),
        ("interval", "-00:00:00.5"),
        ("interval", "178000000 years"),
        ("interval", "0"),
    ];
    for (kind, written) in all {
        let read = value(&bench, &format!("SELECT '{written}'::{kind}"), &[]).await;
        let DbValue::Temporal(read) = read else {
            panic!("{read:?}")
        };
        let sql = format!("SELECT $1::{kind} = '{written}'::{kind}");
        let same = value(&bench, &sql, &[literal(&read)]).await;
        assert!(
            matches!(same, DbValue::Boolean(true)),
            "{kind} {written}: {read}"
        );
    }
}

#[tokio::test]
async fn intervals_are_what_the_server_prints() {
    let bench = Bench::new();
    let mut step = bench.step();
    let connection = open(&mut step).await;
    query(
        &mut step,
        &connection,
        "SET intervalstyle = 'iso_8601'",
        &[],
    )
    .await
    .unwrap();
    for text in [
        "0",
        "1 year",
        "-1 mon",
        "14 mons -1 day",
        "25:00:00.1",
        "-00:00:00.000001",
        "1 day -00:01:00",
    ] {
        let sql = format!("SELECT '{text}'::interval AS a, '{text}'::interval::text AS b");
        let row = query(&mut step, &connection, &sql, &[])
            .await
            .unwrap()
            .rows
            .remove(0);
        let [DbValue::Temporal(read), DbValue::Text(printed)] = &row[..] else {
            panic!("{row:?}")
        };
        assert_eq!(read, printed, "{text}");
    }
}

#[tokio::test]
async fn unreadable_types_say_what_to_do() {
    let bench = Bench::new();
    for sql in ["SELECT ROW(1, 'a') AS r", "SELECT ARRAY[ROW(1)] AS r"] {
        let Err(Error::ValueConversionFailed(message)) = run(&bench, sql, &[]).await else {
            panic!("{sql} was read")
        };
        assert!(
            message.contains("`r`") && message.contains("cast it"),
            "{message}"
        );
    }
}

#[tokio::test]
async fn empty_results_have_columns() {
    let bench = Bench::new();
    let mut step = bench.step();
    let connection = open(&mut step).await;
    let sql = "SELECT 1 AS a, 'x'::text AS b WHERE false";
    let alone = query(&mut step, &connection, sql, &[]).await.unwrap();
    let transaction = begin(&mut step, &connection).await.unwrap();
    let inside = within(&mut step, &transaction, sql, &[]).await.unwrap();
    for answer in [alone, inside] {
        let columns: Vec<_> = answer
            .columns
            .iter()
            .map(|c| (&c.name[..], &c.data_type[..]))
            .collect();
        assert_eq!(columns, [("a", "int4"), ("b", "text")]);
    }
    let none = within(&mut step, &transaction, "CREATE TEMP TABLE x (a int)", &[])
        .await
        .unwrap();
    assert!(none.columns.is_empty() && none.rows.is_empty());
}
