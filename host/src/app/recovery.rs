//! What the server does by itself: it goes on with executions whose server is gone,
//! ends those that another server was asked to cancel, and removes old ones.

use std::time::Duration;

use chrono::Utc;
use serde_json::{Map, Value};
use tokio::time::{Instant, MissedTickBehavior, interval};

use super::App;
use super::executions::Task;
use super::running::Place;
use crate::engine::{History, Lineage};
use crate::playbook::OnRestart;
use crate::store::{Adopted, Finished};

const EVERY: Duration = Duration::from_secs(1);

/// Old executions are looked for this often, and removed so many at once.
const CLEAN_EVERY: Duration = Duration::from_secs(60);
const CLEAN_AT_ONCE: i64 = 1000;

/// How long to wait before asking again for room to run one more.
const ROOM: Duration = Duration::from_millis(50);

/// Runs until the server is to end.
pub(super) async fn recover(app: App) {
    let mut ticks = interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut cleaned: Option<Instant> = None;
    loop {
        tokio::select! {
            () = app.inner.stopping.cancelled() => return,
            _ = ticks.tick() => {}
        }
        if let Err(error) = app.adopt().await {
            tracing::warn!(%error, "can't look for executions that were left behind");
        }
        if let Err(error) = app.cancel_asked().await {
            tracing::warn!(%error, "can't look for executions to cancel");
        }
        if cleaned.is_none_or(|at| at.elapsed() >= CLEAN_EVERY) {
            cleaned = Some(Instant::now());
            if let Err(error) = app.clean().await {
                tracing::warn!(%error, "can't remove old executions");
            }
        }
    }
}

impl App {
    async fn adopt(&self) -> sqlx::Result<()> {
        let running = &self.inner.running;
        for adopted in self.inner.store.adopt(&running.ids()).await? {
            if let Some(place) = running.enter(adopted.id) {
                let app = self.clone();
                self.inner
                    .executions
                    .spawn(async move { app.resume(adopted, place).await });
            }
        }
        Ok(())
    }

    async fn resume(&self, adopted: Adopted, place: Place) {
        let Adopted {
            id,
            tenant,
            path,
            version,
            payload,
            parent,
        } = adopted;
        let _admitted = loop {
            // A part of another execution goes on with that one, which waits for it.
            if parent.is_some() {
                break None;
            }
            match self.inner.admission.admit(&tenant) {
                Ok(admitted) => break Some(admitted),
                Err(_) if self.inner.stopping.is_cancelled() => return,
                Err(_) => tokio::time::sleep(ROOM).await,
            }
        };
        let events = match self.inner.store.events(&tenant, id, -1).await {
            Ok(events) => events,
            // It is tried again.
            Err(error) => {
                tracing::warn!(execution_id = %id, %error, "can't resume an execution now");
                return;
            }
        };
        let history = match events.is_empty() {
            true => None,
            false => match History::read(&events) {
                Ok(history) => Some(history),
                Err(error) => {
                    let why = format!("its record can't be read: {error}");
                    return self.interrupt(&tenant, id, &why).await;
                }
            },
        };
        let started = events.iter().any(|event| event.event == "step_started");
        if started
            && let Ok(plan) = self.plan(&tenant, &path, version).await
            && plan.playbook.on_restart == OnRestart::Fail
        {
            let why = "the playbook says `on_restart: fail`";
            return self.interrupt(&tenant, id, why).await;
        }
        let above = match parent {
            None => Ok(Vec::new()),
            Some(parent) => self.inner.store.lineage(&tenant, parent).await,
        };
        let lineage = match above {
            Ok(paths) => Lineage {
                paths,
                ..Lineage::default()
            },
            Err(error) => {
                tracing::warn!(execution_id = %id, %error, "can't resume an execution now");
                return;
            }
        };
        tracing::info!(execution_id = %id, tenant, path, "resumed: its server is gone");
        let payload: Map<String, Value> = serde_json::from_str(payload.0.get()).unwrap_or_default();
        let task = Task {
            tenant,
            path,
            version,
            payload,
            events: None,
            history,
            lineage,
        };
        // How it ends is in its record.
        let _ = self.carry_out(&place, task).await;
    }

    /// Ends an execution that nobody goes on with.
    async fn interrupt(&self, tenant: &str, id: uuid::Uuid, why: &str) {
        tracing::warn!(execution_id = %id, tenant, why, "marked as interrupted: its server is gone");
        let finished = Finished {
            status: "interrupted",
            result: None,
            error: Some(serde_json::json!({
                "category": "internal",
                "kind": "interrupted",
                "message": format!("the server stopped while the execution ran, and {why}"),
            })),
        };
        match self.inner.store.end(tenant, id, &finished).await {
            Ok(_) => self.inner.engine.changes().tell(tenant, id, true),
            Err(error) => {
                tracing::warn!(execution_id = %id, %error, "can't mark an execution as interrupted");
            }
        }
    }

    async fn cancel_asked(&self) -> sqlx::Result<()> {
        for id in self.inner.store.asked_to_cancel().await? {
            self.inner.running.cancel(id);
        }
        Ok(())
    }

    async fn clean(&self) -> sqlx::Result<()> {
        let Some(retention) = self.inner.retention else {
            return Ok(());
        };
        let until = Utc::now() - retention;
        let mut removed = 0;
        loop {
            let now = self.inner.store.delete_ended(until, CLEAN_AT_ONCE).await?;
            removed += now;
            if now < CLEAN_AT_ONCE as u64 {
                break;
            }
        }
        if removed > 0 {
            tracing::info!(executions = removed, "removed: older than the retention");
        }
        Ok(())
    }
}
