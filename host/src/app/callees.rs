//! The playbooks that others name: whether they are there, and lead back to nobody.

use std::collections::HashMap;

use super::App;
use super::catalog::RegisterError;
use crate::access::Principal;
use crate::playbook::{ActionKind, Playbook};
use crate::yaml::{Diagnostic, Position};

/// A call that a playbook's text names in full, or does not.
struct Call {
    step: String,
    position: Position,
    path: Option<String>,
}

impl App {
    /// What is wrong with the playbooks that these call. They may call each other, and
    /// what is registered.
    pub(super) async fn check_callees(
        &self,
        principal: &Principal,
        playbooks: &[Playbook],
    ) -> Result<Vec<Diagnostic>, RegisterError> {
        let mut known: HashMap<String, Vec<String>> = HashMap::new();
        for playbook in playbooks {
            let named = calls(playbook).into_iter().filter_map(|call| call.path);
            known.insert(playbook.path.clone(), named.collect());
        }
        let mut found = Vec::new();
        for playbook in playbooks {
            for call in calls(playbook) {
                let fault = match &call.path {
                    None if principal.paths().is_some() => Some((
                        "a key that is limited to some paths can only call playbooks that it names"
                            .to_owned(),
                        "write the path without braces".to_owned(),
                    )),
                    None => None,
                    Some(path) if !principal.may_use(path) => Some(unknown(path)),
                    Some(path) => {
                        self.fault(principal, &playbook.path, path, &mut known)
                            .await?
                    }
                };
                if let Some((message, hint)) = fault {
                    found.push(Diagnostic {
                        file: playbook.file.clone(),
                        line: call.position.line,
                        column: call.position.column,
                        step: Some(call.step),
                        field: Some("path".into()),
                        message,
                        hint: Some(hint),
                    });
                }
            }
        }
        Ok(found)
    }

    /// What is wrong with a call of `called` by the playbook `from`.
    async fn fault(
        &self,
        principal: &Principal,
        from: &str,
        called: &str,
        known: &mut HashMap<String, Vec<String>>,
    ) -> Result<Option<(String, String)>, RegisterError> {
        let mut open = vec![vec![called.to_owned()]];
        let mut seen = Vec::new();
        while let Some(way) = open.pop() {
            let path = way.last().expect("it is not empty").clone();
            if path == from {
                let way = way.join("` → `");
                return Ok(Some((
                    format!("the playbook calls itself: `{from}` → `{way}`"),
                    "a playbook can't be its own part; repeat steps with `next` or `loop`".into(),
                )));
            }
            if seen.contains(&path) {
                continue;
            }
            if !known.contains_key(&path) {
                match self.named_by(principal, &path).await? {
                    Some(named) => known.insert(path.clone(), named),
                    None if path == called => return Ok(Some(unknown(called))),
                    // Whoever registered that one was told.
                    None => continue,
                };
            }
            for next in &known[&path] {
                let mut way = way.clone();
                way.push(next.clone());
                open.push(way);
            }
            seen.push(path);
        }
        Ok(None)
    }

    /// The playbooks that the latest version of one names; `None` if there is none.
    async fn named_by(
        &self,
        principal: &Principal,
        path: &str,
    ) -> Result<Option<Vec<String>>, RegisterError> {
        let tenant = &principal.tenant;
        let stored = self.inner.store.playbook(tenant, path, None, false).await?;
        let Some(stored) = stored else {
            return Ok(None);
        };
        // One whose tool is gone calls nobody.
        let playbook = self.parse(tenant, &stored.file, &stored.content).await;
        let calls = playbook.map_or_else(|_| Vec::new(), |playbook| calls(&playbook));
        Ok(Some(
            calls.into_iter().filter_map(|call| call.path).collect(),
        ))
    }
}

fn unknown(path: &str) -> (String, String) {
    (
        format!("no playbook `{path}` is registered"),
        "register it before this one, or together with it".into(),
    )
}

fn calls(playbook: &Playbook) -> Vec<Call> {
    let steps = playbook.steps.iter();
    let calls = steps.filter_map(|step| {
        let action = step.action.as_ref()?;
        let ActionKind::Playbook { path, position, .. } = &action.kind else {
            return None;
        };
        Some(Call {
            step: step.name.clone(),
            position: *position,
            path: (!path.is_dynamic()).then(|| path.source().to_owned()),
        })
    });
    calls.collect()
}
