use serde_json::json;
use sqlx::{Connection, PgConnection};

use uuid::Uuid;

use super::*;
use crate::sandbox::{StepOutcome, StepRequest};
use crate::secrets::MasterKey;
use crate::tool::Tool;

/// A runner that breaks.
struct Breaks;

#[async_trait::async_trait]
impl StepRunner for Breaks {
    async fn run(&self, _: StepRequest) -> StepOutcome {
        panic!("the runner broke");
    }
}

async fn store() -> Store {
    let base = std::env::var("NOETL_TEST_DATABASE_URL")
        .expect("NOETL_TEST_DATABASE_URL names a PostgreSQL to test with; `make test` sets it");
    let name = format!("t_{}", Uuid::new_v4().simple());
    let mut connection = PgConnection::connect(&base).await.unwrap();
    sqlx::query(sqlx::AssertSqlSafe(format!("CREATE DATABASE {name}")))
        .execute(&mut connection)
        .await
        .unwrap();
    let (server, _) = base.rsplit_once('/').unwrap();
    let keys = KeyRing::new(vec![MasterKey::random()]).unwrap();
    Store::connect(&Secret::new(format!("{server}/{name}")), keys)
        .await
        .unwrap()
}

#[tokio::test]
async fn an_execution_that_breaks_is_marked_as_failed() {
    let store = store().await;
    let credentials = Arc::new(StoredCredentials(store.clone()));
    let pools = Pools::new(credentials, PoolSettings::default());
    let python = Tool::built_in("python".parse().unwrap(), String::new(), None);
    let parts = Parts {
        store: store.clone(),
        pools,
        grants: Arc::new(Grants::built_in(DEFAULT_TENANT)),
        access: AccessConfig::default(),
        limits: ServiceLimits::default(),
        built_in: Vec::new(),
        registry: Arc::new(Registry::new(store.clone(), vec![Arc::new(python)])),
        metrics: Metrics::new(),
        retention: None,
        dev: false,
    };
    let app = App::assemble(parts, Arc::new(Breaks)).unwrap();
    let yaml = "apiVersion: noetl.io/v1
kind: Playbook
metadata: {name: breaks, path: test/breaks}
workflow:
  - step: start
    next: [{step: one}]
  - step: one
    tool: python
    code: |
      def main(): pass
";
    let principal = Principal::open();
    let file = File {
        file: "breaks.yaml".into(),
        content: yaml.into(),
    };
    app.register(&principal, &[file]).await.unwrap();
    let wanted = Wanted {
        path: "test/breaks".into(),
        version: None,
        payload: serde_json::Map::new(),
        idempotency: None,
        rerun_of: None,
    };
    let admitted = app.admit(DEFAULT_TENANT).unwrap();
    let problem = app
        .execute(admitted, &principal, wanted, None)
        .await
        .unwrap_err()
        .to_json();
    assert_eq!(problem["type"], "urn:noetl:problem:internal");
    let id = problem["execution_id"].as_str().unwrap().parse().unwrap();
    let record = app.inner.store.execution(DEFAULT_TENANT, id).await;
    let record = json!(record.unwrap().unwrap());
    assert_eq!(record["status"], "failed", "{record:#}");
    assert_eq!(record["error"]["kind"], "internal");
    let events: Vec<_> = record["events"].as_array().unwrap().iter().collect();
    assert_eq!(events.last().unwrap()["event"], "execution_finished");
    assert_eq!(events[1]["event"], "step_started");
    assert!(app.drain(Duration::from_secs(10)).await, "nothing runs on");
}
