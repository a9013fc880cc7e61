//! What a playbook asks for against what its tenant was granted.

use super::model::{Action, ActionKind, Playbook, Step};
use crate::grants::{Caller, Grant};
use crate::yaml::{Diagnostic, Diagnostics, Position};

impl Playbook {
    /// Checks that every tool, credential and limit that the playbook names is
    /// granted to `tenant`. What is not is logged too.
    ///
    /// # Errors
    /// All that is not granted, in the order of the lines.
    pub fn check_grant(&self, tenant: &str, grant: &Grant) -> Result<(), Diagnostics> {
        let mut found = Vec::new();
        for step in &self.steps {
            if let Some(action) = &step.action {
                self.check_action(step, action, tenant, grant, &mut found);
            }
        }
        found.sort_by_key(|found: &Diagnostic| (found.line, found.column));
        match found.is_empty() {
            true => Ok(()),
            false => Err(Diagnostics(found)),
        }
    }

    fn check_action(
        &self,
        step: &Step,
        action: &Action,
        tenant: &str,
        grant: &Grant,
        found: &mut Vec<Diagnostic>,
    ) {
        let caller = Caller {
            tenant: tenant.to_owned(),
            playbook: self.path.clone(),
            step: step.name.clone(),
            execution_id: None,
        };
        let mut add = |position: Position, field: String, message: String, hint: Option<String>| {
            found.push(Diagnostic {
                file: self.file.clone(),
                line: position.line,
                column: position.column,
                step: Some(step.name.clone()),
                field: Some(field),
                message,
                hint,
            });
        };
        let of_task = |field: &str| match &action.task {
            Some(task) => format!("workbook.{task}.{field}"),
            None => field.to_owned(),
        };
        let sink = step.sink.as_ref();
        // What another playbook runs is checked where that one is registered.
        let is_call = matches!(action.kind, ActionKind::Playbook { .. });
        let tool = (!is_call).then(|| (&action.reference.name, action.position, of_task("tool")));
        let of_sink = sink.map(|sink| (&sink.tool.name, sink.position, "sink.tool".to_owned()));
        for (tool, position, field) in tool.into_iter().chain(of_sink) {
            if grant.allows_tool(tool) {
                continue;
            }
            caller.denied("tool", tool.as_str());
            add(
                position,
                field,
                format!("the tool `{tool}` is not granted to the tenant `{tenant}`"),
                Some(format!(
                    "the operator can add it to `tenants.{tenant}.tools` in the grants file"
                )),
            );
        }
        let credential = match &action.kind {
            ActionKind::Postgres {
                credential,
                position,
                ..
            } => Some((credential, *position, of_task("auth"))),
            ActionKind::Plugin { credential, .. } => credential
                .as_ref()
                .map(|(alias, at)| (alias, *at, of_task("auth"))),
            ActionKind::Python { .. } | ActionKind::Playbook { .. } => None,
        };
        let of_sink = sink.map(|sink| (&sink.credential, sink.position, "sink.auth".to_owned()));
        for (credential, position, field) in credential.into_iter().chain(of_sink) {
            if grant.credentials.allows(credential) {
                continue;
            }
            caller.denied("credential", credential);
            add(
                position,
                field,
                format!("the credential `{credential}` is not granted to the tenant `{tenant}`"),
                Some(format!(
                    "the operator can add it to `tenants.{tenant}.credentials` in the grants file"
                )),
            );
        }
        for setting in &action.limits {
            if let Err(wide) = grant.limits.allows(setting) {
                caller.denied("limit", setting.limit.name());
                add(
                    setting.position,
                    format!("limits.{}", setting.limit),
                    wide.to_string(),
                    None,
                );
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tool::Toolset;

    #[test]
    fn what_a_task_asks_for_is_told_where_it_stands() {
        let text = "apiVersion: noetl.io/v1
kind: Playbook
metadata: {name: a, path: a}
workbook:
  - name: count
    tool: postgres
    auth: {type: postgres, credential: pg}
    query: SELECT 1
    limits: {time: 1s, memory: 1GiB}
workflow:
  - step: start
    next: [{step: work}]
  - step: work
    tool: workbook
    name: count
    limits: {postgres_rows: 20000}
";
        let playbook =
            crate::playbook::parse("a.yaml", text, &Toolset::named(["postgres"])).unwrap();
        playbook.check_grant("t", &Grant::built_in()).unwrap_err();
        let told = playbook.check_grant("t", &Grant::nothing()).unwrap_err();
        let told: Vec<String> = told.0.iter().map(ToString::to_string).collect();
        let expected = [
            "a.yaml:6:11: step `work`: workbook.count.tool: the tool `postgres` is not granted",
            "a.yaml:7:40: step `work`: workbook.count.auth: the credential `pg` is not granted",
            "a.yaml:9:32: step `work`: limits.memory: memory = 1GiB is more than",
            "a.yaml:16:29: step `work`: limits.postgres_rows: postgres_rows = 20000 is more than",
        ];
        assert_eq!(told.len(), expected.len(), "{told:#?}");
        for (told, expected) in told.iter().zip(expected) {
            assert!(told.starts_with(expected), "{told}\n{expected}");
        }
    }
}
