//! Against a real PostgreSQL: what is stored of a credential, and with which key.

use sqlx::{AssertSqlSafe, Connection, PgConnection, Row as _};

use super::connections::{ALL, set_tenant};
use super::{Credential, DEFAULT_TENANT, Rotation, Store};
use crate::secrets::{KeyRing, MasterKey, Secret};
use crate::testing;

const CANARY: &str = "postgres://ada:hunter2@localhost/app";

fn ring(keys: &[&MasterKey]) -> KeyRing {
    KeyRing::new(keys.iter().copied().cloned().collect()).unwrap()
}

fn credential(url: &str) -> Credential {
    Credential {
        kind: "postgres".into(),
        secret: Secret::new(url),
        allow_privileged: false,
    }
}

/// A connection that sees the rows of all tenants.
async fn connect(database: &Secret) -> PgConnection {
    let mut connection = PgConnection::connect(database.expose()).await.unwrap();
    set_tenant(&mut connection, ALL).await.unwrap();
    connection
}

async fn run(database: &Secret, sql: &str) {
    let mut connection = connect(database).await;
    sqlx::raw_sql(AssertSqlSafe(sql))
        .execute(&mut connection)
        .await
        .unwrap();
}

/// Everything in the store's tables, as text.
async fn dump(database: &Secret) -> String {
    let mut connection = connect(database).await;
    let tables = "SELECT relname::text FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'";
    let mut text = String::new();
    for table in sqlx::query(tables)
        .fetch_all(&mut connection)
        .await
        .unwrap()
    {
        let table: String = table.get(0);
        let rows = format!("SELECT '{table} ' || t::text FROM public.{table} t");
        let rows = sqlx::query(AssertSqlSafe(rows));
        for row in rows.fetch_all(&mut connection).await.unwrap() {
            text += &row.get::<String, _>(0);
            text += "\n";
        }
    }
    text
}

async fn url_of(store: &Store, alias: &str) -> Result<String, String> {
    match store.credential(DEFAULT_TENANT, alias).await {
        Ok(found) => Ok(found.expect("it is there").secret.expose().to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

/// Why the store can't be used with these keys.
async fn refusal(database: &Secret, keys: KeyRing) -> String {
    match Store::connect(database, keys).await {
        Ok(_) => panic!("the store takes the keys"),
        Err(error) => format!("{error:#}"),
    }
}

#[tokio::test]
async fn credentials_of_an_older_version_are_encrypted_and_their_text_is_gone() {
    let database = testing::database().await;
    let mut connection = PgConnection::connect(database.expose()).await.unwrap();
    let mut old = sqlx::migrate!();
    old.migrations.to_mut().truncate(1);
    old.run(&mut connection).await.unwrap();
    run(
        &database,
        &format!("INSERT INTO credentials VALUES ('default', 'a', 'postgres', '{CANARY}'), ('other', 'a', 'postgres', 'x')"),
    )
    .await;
    assert!(dump(&database).await.contains("hunter2"));

    let key = MasterKey::random();
    for _ in 0..2 {
        let store = Store::connect(&database, ring(&[&key])).await.unwrap();
        assert_eq!(url_of(&store, "a").await.unwrap(), CANARY);
        assert!(
            !store
                .credential("default", "a")
                .await
                .unwrap()
                .unwrap()
                .allow_privileged
        );
        store.close().await;
    }
    let text = dump(&database).await;
    assert!(text.contains("credentials (default,a,") && text.contains("credentials (other,a,"));
    assert!(
        !text.contains("hunter2") && !text.contains("credentials_plain"),
        "{text}"
    );
}

#[tokio::test]
async fn two_servers_that_start_at_once_encrypt_it_once() {
    let database = testing::database().await;
    let mut connection = PgConnection::connect(database.expose()).await.unwrap();
    let mut old = sqlx::migrate!();
    old.migrations.to_mut().truncate(1);
    old.run(&mut connection).await.unwrap();
    let row = format!("INSERT INTO credentials VALUES ('default', 'a', 'postgres', '{CANARY}')");
    run(&database, &row).await;
    let keys = ring(&[&MasterKey::random()]);
    let stores = (0..4).map(|_| Store::connect(&database, keys.clone()));
    for store in futures_util::future::join_all(stores).await {
        assert_eq!(url_of(&store.unwrap(), "a").await.unwrap(), CANARY);
    }
}

#[tokio::test]
async fn a_wrong_key_is_named_and_never_garbage() {
    let database = testing::database().await;
    let (right, wrong) = (MasterKey::random(), MasterKey::random());
    let store = Store::connect(&database, ring(&[&right])).await.unwrap();
    store
        .put_credential(DEFAULT_TENANT, "a", &credential(CANARY))
        .await
        .unwrap();
    assert!(!dump(&database).await.contains("hunter2"));
    let error = refusal(&database, ring(&[&wrong])).await;
    assert!(
        error.contains(right.id()) && error.contains(wrong.id()),
        "{error}"
    );
    // Another server's key, seen while this one runs.
    let other = Store {
        keys: ring(&[&wrong]),
        ..store.clone()
    };
    let error = url_of(&other, "a").await.unwrap_err();
    assert!(
        error.contains(right.id()) && error.contains("`a`"),
        "{error}"
    );
    Store::connect(&database, ring(&[&wrong, &right]))
        .await
        .unwrap();
}

#[tokio::test]
async fn a_row_that_was_swapped_or_changed_is_refused() {
    let database = testing::database().await;
    let keys = ring(&[&MasterKey::random()]);
    let store = Store::connect(&database, keys).await.unwrap();
    for change in [
        "alias = 'b' WHERE alias = 'a'",
        "tenant = 'default', alias = 'b' WHERE tenant = 'other'",
        "kind = 'other', alias = 'b' WHERE alias = 'a'",
        "allow_privileged = true, alias = 'b' WHERE alias = 'a'",
        "nonce = (SELECT nonce FROM credentials WHERE tenant = 'other'), alias = 'b' WHERE alias = 'a'",
        "ciphertext = set_byte(ciphertext, 3, 7), alias = 'b' WHERE tenant = 'default' AND alias = 'a'",
    ] {
        run(&database, "TRUNCATE credentials").await;
        for tenant in [DEFAULT_TENANT, "other"] {
            store
                .put_credential(tenant, "a", &credential(CANARY))
                .await
                .unwrap();
        }
        assert_eq!(url_of(&store, "a").await.unwrap(), CANARY);
        let filtered = change.replace("WHERE alias", "WHERE tenant = 'default' AND alias");
        run(&database, &format!("UPDATE credentials SET {filtered}")).await;
        let error = url_of(&store, "b").await.unwrap_err();
        assert!(error.contains("was changed"), "{change}: {error}");
    }
    // What was changed together with its place is found too.
    run(&database, "TRUNCATE credentials").await;
    store
        .put_credential(DEFAULT_TENANT, "a", &credential(CANARY))
        .await
        .unwrap();
    run(&database, "UPDATE credentials SET allow_privileged = true").await;
    assert!(url_of(&store, "a").await.is_err());
}

#[tokio::test]
async fn a_new_key_takes_over_all_credentials_or_none() {
    let database = testing::database().await;
    let (old, new) = (MasterKey::random(), MasterKey::random());
    let store = Store::connect(&database, ring(&[&old])).await.unwrap();
    for alias in ["a", "b", "c"] {
        store
            .put_credential(DEFAULT_TENANT, alias, &credential(CANARY))
            .await
            .unwrap();
    }
    let both = ring(&[&new, &old]);
    let Err(error) = Rotation::begin(&database, &both).await else {
        panic!("it does not see the server")
    };
    assert!(
        error.to_string().contains("a server uses this database"),
        "{error:#}"
    );
    store.close().await;

    let Err(error) = Rotation::begin(&database, &ring(&[&new])).await else {
        panic!("it does not miss the old key")
    };
    assert!(error.to_string().contains(old.id()), "{error:#}");

    // One that can't be decrypted: nothing is changed.
    run(
        &database,
        "UPDATE credentials SET kind = 'x' WHERE alias = 'b'",
    )
    .await;
    let mut rotation = Rotation::begin(&database, &both).await.unwrap();
    let error = rotation.encrypt(&both).await.unwrap_err().to_string();
    assert!(error.contains("`b`") && error.contains(old.id()), "{error}");
    assert_eq!(rotation.outdated(&both).await.unwrap(), 3);
    rotation.end().await;

    run(&database, "UPDATE credentials SET kind = 'postgres'").await;
    let mut rotation = Rotation::begin(&database, &both).await.unwrap();
    assert_eq!(rotation.encrypt(&both).await.unwrap(), 3);
    assert_eq!(rotation.outdated(&both).await.unwrap(), 0);
    assert_eq!(rotation.encrypt(&both).await.unwrap(), 0);
    rotation.end().await;

    assert!(refusal(&database, ring(&[&old])).await.contains(new.id()));
    let store = Store::connect(&database, ring(&[&new])).await.unwrap();
    for alias in ["a", "b", "c"] {
        assert_eq!(url_of(&store, alias).await.unwrap(), CANARY);
    }
}
