//! `/api/executions`.

use axum::Json;
use axum::extract::State;
use uuid::Uuid;

use super::answer::Problem;
use super::extract::Path;
use crate::app::App;
use crate::store::{DEFAULT_TENANT, ExecutionRecord};

/// All that is known of one execution.
pub(super) async fn get(
    State(app): State<App>,
    Path(id): Path<Uuid>,
) -> Result<Json<ExecutionRecord>, Problem> {
    app.inner
        .store
        .execution(DEFAULT_TENANT, id)
        .await?
        .map(Json)
        .ok_or_else(|| Problem::not_found(format!("there is no execution {id}")))
}
