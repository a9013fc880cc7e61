//! `/api/catalog`.

use axum::Json;
use axum::extract::State;
use axum::extract::rejection::StringRejection;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use utoipa::{IntoParams, ToSchema};

use super::answer::Problem;
use super::extract::{Path, Query};
use super::openapi::ProblemDocument;
use crate::access::{Principal, Role};
use crate::app::{App, File, RegisterError, Registered, Validated};
use crate::playbook::{ActionKind, Join, Next, OnRestart, Playbook};
use crate::store::{CatalogEntry, Page, PlaybookVersion, StoredPlaybook};

/// Several playbooks.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Files {
    #[schema(min_items = 1, max_items = 1000)]
    playbooks: Vec<File>,
}

/// Playbooks of one request.
const MAX_FILES: usize = 1000;

/// One playbook as YAML, or several in JSON.
struct Uploaded {
    files: Vec<File>,
    one: bool,
}

impl Uploaded {
    fn read(
        headers: &HeaderMap,
        body: Result<String, StringRejection>,
    ) -> Result<Self, Box<Problem>> {
        let body = body.map_err(|e| Box::new(Problem::unreadable(e.status(), e.body_text())))?;
        let content_type = headers
            .get(header::CONTENT_TYPE)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default();
        if !content_type.starts_with("application/json") {
            let file = headers
                .get("x-noetl-file")
                .and_then(|name| name.to_str().ok())
                .unwrap_or("playbook.yaml");
            let files = vec![File {
                file: file.into(),
                content: body,
            }];
            return Ok(Self { files, one: true });
        }
        let Files { playbooks } = serde_json::from_str(&body).map_err(|error| {
            Box::new(Problem::bad_request(format!(
                r#"the body must be {{"playbooks": [{{"file": "a.yaml", "content": "…"}}]}}: {error}"#
            )))
        })?;
        if playbooks.is_empty() || playbooks.len() > MAX_FILES {
            return Err(Box::new(Problem::bad_request(format!(
                "`playbooks` must have 1 to {MAX_FILES} entries, it has {}",
                playbooks.len()
            ))));
        }
        Ok(Self {
            files: playbooks,
            one: false,
        })
    }
}

impl From<RegisterError> for Problem {
    fn from(error: RegisterError) -> Self {
        match error {
            RegisterError::Invalid(diagnostics) => Self::invalid_playbook(&diagnostics),
            RegisterError::Forbidden(_) => Self::forbidden(error.to_string()),
            RegisterError::Store(error) => Self::store(error),
        }
    }
}

/// Registers playbooks.
///
/// The body is a playbook's YAML text, whose file the header `x-noetl-file` names in
/// messages; or JSON with several, of which all are registered or none. The same text
/// again is the same version.
#[utoipa::path(post, path = "/api/catalog/playbooks", tag = "catalog",
    params(("x-noetl-file" = Option<String>, Header, description = "The file's name in messages")),
    request_body(content((String = "application/yaml"), (Files = "application/json"))),
    responses(
        (status = 201, description = "Registered; of several, a list `playbooks`", body = Registered),
        (status = 422, description = "The playbook has mistakes", body = ProblemDocument, content_type = "application/problem+json"),
    ))]
pub(super) async fn register(
    State(app): State<App>,
    principal: Principal,
    headers: HeaderMap,
    body: Result<String, StringRejection>,
) -> Result<Response, Problem> {
    principal.needs(Role::Author)?;
    let uploaded = Uploaded::read(&headers, body)?;
    let mut registered: Vec<Registered> = app.register(&principal, &uploaded.files).await?;
    let body = match uploaded.one {
        true => Json(registered.remove(0)).into_response(),
        false => Json(json!({"playbooks": registered})).into_response(),
    };
    Ok((StatusCode::CREATED, body).into_response())
}

/// Playbooks that could be registered.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Valid {
    playbooks: Vec<Validated>,
}

/// Checks playbooks.
///
/// As they are checked when they are registered; nothing is stored.
#[utoipa::path(post, path = "/api/catalog/validate", tag = "catalog",
    params(("x-noetl-file" = Option<String>, Header, description = "The file's name in messages")),
    request_body(content((String = "application/yaml"), (Files = "application/json"))),
    responses(
        (status = 200, description = "They could be registered", body = Valid),
        (status = 422, description = "A playbook has mistakes", body = ProblemDocument, content_type = "application/problem+json"),
    ))]
pub(super) async fn validate(
    State(app): State<App>,
    principal: Principal,
    headers: HeaderMap,
    body: Result<String, StringRejection>,
) -> Result<Json<Valid>, Problem> {
    principal.needs(Role::Author)?;
    let uploaded = Uploaded::read(&headers, body)?;
    let playbooks = app.validate(&principal, &uploaded.files).await?;
    Ok(Json(Valid { playbooks }))
}

/// Which playbooks a list has.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ListQuery {
    /// What paths begin with.
    #[serde(default)]
    prefix: String,
    /// `next_cursor` of the page before.
    #[serde(default)]
    cursor: String,
    /// So many at most, 1 to 1000.
    #[serde(default = "a_thousand")]
    #[param(minimum = 1, maximum = 1000)]
    limit: u16,
}

/// A page's length, if it is one.
pub(super) fn within(limit: u16, most: u16) -> Result<u16, Box<Problem>> {
    match (1..=most).contains(&limit) {
        true => Ok(limit),
        false => Err(Box::new(Problem::bad_request(format!(
            "`limit` must be 1 to {most}"
        )))),
    }
}

fn a_thousand() -> u16 {
    1000
}

/// The catalog.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Playbooks {
    playbooks: Vec<CatalogEntry>,
    /// The cursor of the next page, if there is one.
    next_cursor: Option<String>,
}

/// Lists playbooks.
///
/// The latest version of each, by path.
#[utoipa::path(get, path = "/api/catalog/playbooks", tag = "catalog", params(ListQuery),
    responses((status = 200, description = "The list", body = Playbooks)))]
pub(super) async fn list(
    State(app): State<App>,
    principal: Principal,
    Query(query): Query<ListQuery>,
) -> Result<Json<Playbooks>, Problem> {
    let limit = within(query.limit, 1000)?;
    let page = Page {
        prefix: &query.prefix,
        paths: principal.paths(),
        after: &query.cursor,
        limit: i64::from(limit),
    };
    let playbooks = app.inner.store.playbooks(&principal.tenant, page).await?;
    let full = playbooks.len() == usize::from(limit);
    Ok(Json(Playbooks {
        next_cursor: playbooks
            .last()
            .filter(|_| full)
            .map(|last| last.path.clone()),
        playbooks,
    }))
}

/// A playbook's path with a version: `path`, `path@latest`, `path@3`.
pub(super) struct Reference {
    pub path: String,
    pub version: Option<i32>,
}

impl Reference {
    pub(super) fn parse(text: &str) -> Result<Self, Box<Problem>> {
        let (path, version) = match text.rsplit_once('@') {
            None => (text, None),
            Some((path, "latest")) => (path, None),
            Some((path, version)) => {
                let number = version.parse().ok().filter(|&number: &i32| number > 0);
                let number = number.ok_or_else(|| {
                    Box::new(Problem::bad_request(format!(
                        "`@{version}` is no version: it is `@latest` or `@` and a number from 1"
                    )))
                })?;
                (path, Some(number))
            }
        };
        Ok(Self {
            path: path.into(),
            version,
        })
    }

    fn missing(&self) -> Problem {
        match self.version {
            None => Problem::no_playbook(&self.path),
            Some(version) => Problem::no_version(&self.path, version),
        }
    }
}

/// A playbook, with what its text says.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct PlaybookDocument {
    #[serde(flatten)]
    stored: StoredPlaybook,
    /// Whether there is no newer version.
    latest: bool,
    /// `metadata.description`.
    description: Option<String>,
    /// What becomes of an execution whose server has stopped.
    on_restart: Option<OnRestart>,
    /// The workload's defaults.
    #[schema(value_type = Object)]
    workload: Map<String, Value>,
    /// The steps, in the order of the text, those of `finally` last. Empty if the text has mistakes by the
    /// rules of today.
    steps: Vec<StepDocument>,
}

/// A step, to be shown.
#[derive(Debug, Serialize, ToSchema)]
struct StepDocument {
    name: String,
    /// The line of its name.
    line: usize,
    tool: Option<String>,
    /// The workbook's task that it runs.
    task: Option<String>,
    description: Option<String>,
    /// The variables that it sets.
    vars: Vec<String>,
    /// The line of its code's or query's first line.
    code_line: Option<usize>,
    /// The playbook that it calls, as written.
    calls: Option<CallDocument>,
    /// What it runs its tool for, if for more than once.
    #[serde(rename = "loop")]
    each: Option<LoopDocument>,
    /// How often its tool is run at most, if a failed attempt is made again.
    attempts: Option<u32>,
    /// What it waits for, if that is written: `all` or `any`.
    join: Option<&'static str>,
    /// The table that rows of its result go into.
    sink: Option<String>,
    /// Whether it is one of `finally`.
    finally: bool,
    next: Vec<NextDocument>,
    /// Where it leads if it has failed.
    on_error: Vec<NextDocument>,
}

/// A playbook that a step calls.
#[derive(Debug, Serialize, ToSchema)]
struct CallDocument {
    /// Its path; a template, if it is only known then.
    path: String,
    /// Its version; the latest, if there is none.
    version: Option<i32>,
}

/// A step's loop.
#[derive(Debug, Serialize, ToSchema)]
struct LoopDocument {
    /// The name under which templates see the item.
    element: String,
    /// How many items run at once.
    concurrency: usize,
    /// Whether it goes on when an item has failed.
    continues: bool,
}

/// A way on from a step.
#[derive(Debug, Serialize, ToSchema)]
struct NextDocument {
    /// The condition, as written.
    when: Option<String>,
    /// The condition's line.
    line: Option<usize>,
    /// The steps that it leads to.
    then: Vec<String>,
    /// Taken if no condition holds.
    default: bool,
}

impl StepDocument {
    fn new(index: usize, playbook: &Playbook) -> Self {
        let step = &playbook.steps[index];
        let action = step.action.as_ref();
        let kind = action.map(|action| &action.kind);
        Self {
            name: step.name.clone(),
            line: step.line,
            tool: action.map(|action| action.tool.clone()),
            task: action.and_then(|action| action.task.clone()),
            description: step.description.clone(),
            vars: step.vars.iter().map(|var| var.name.clone()).collect(),
            code_line: match kind {
                Some(ActionKind::Python { line, .. } | ActionKind::Postgres { line, .. }) => {
                    Some(*line)
                }
                _ => None,
            },
            calls: match kind {
                Some(ActionKind::Playbook { path, version, .. }) => Some(CallDocument {
                    path: path.source().to_owned(),
                    version: *version,
                }),
                _ => None,
            },
            each: step.each.as_ref().map(|each| LoopDocument {
                element: each.element.clone(),
                concurrency: each.concurrency,
                continues: each.continues,
            }),
            attempts: step.retry.as_ref().map(|retry| retry.attempts),
            join: match step.join {
                Join::Open => None,
                Join::All => Some("all"),
                Join::Any => Some("any"),
            },
            sink: step.sink.as_ref().map(|sink| sink.table.join(".")),
            finally: index >= playbook.finally_at(),
            next: ways(&step.next, playbook),
            on_error: ways(&step.on_error, playbook),
        }
    }
}

/// The ways of `next` or `on_error`.
fn ways(next: &Next, playbook: &Playbook) -> Vec<NextDocument> {
    let names = |steps: &[usize]| {
        let name = |&step: &usize| playbook.steps[step].name.clone();
        steps.iter().map(name).collect::<Vec<_>>()
    };
    let way = |then: &[usize], default| NextDocument {
        when: None,
        line: None,
        then: names(then),
        default,
    };
    match next {
        Next::None => Vec::new(),
        Next::All(steps) => vec![way(steps, false)],
        Next::Branches { branches, default } => branches
            .iter()
            .map(|branch| NextDocument {
                when: Some(branch.condition.template.source().to_owned()),
                line: Some(branch.condition.line),
                ..way(&branch.then, false)
            })
            .chain((!default.is_empty()).then(|| way(default, true)))
            .collect(),
    }
}

/// A playbook.
///
/// `path@3` is its third version; `path` and `path@latest` are the latest.
#[utoipa::path(get, path = "/api/catalog/playbooks/{*path}", tag = "catalog",
    params(("path" = String, Path, pattern = "^[^@]+(@(latest|[1-9][0-9]{0,8}))?$", description = "The path, with or without `@version`")),
    responses(
        (status = 200, description = "The playbook", body = PlaybookDocument),
        (status = 404, description = "There is none", body = ProblemDocument, content_type = "application/problem+json"),
    ))]
pub(super) async fn get(
    State(app): State<App>,
    principal: Principal,
    Path(reference): Path<String>,
) -> Result<Json<PlaybookDocument>, Problem> {
    let reference = Reference::parse(&reference)?;
    let (store, tenant) = (&app.inner.store, &principal.tenant);
    if !principal.may_use(&reference.path) {
        return Err(reference.missing());
    }
    // An execution is looked at even if its playbook was removed.
    let removed = reference.version.is_some();
    let stored = store
        .playbook(tenant, &reference.path, reference.version, removed)
        .await?
        .ok_or_else(|| reference.missing())?;
    let latest = match reference.version {
        None => true,
        Some(version) => store
            .playbook(tenant, &reference.path, None, false)
            .await?
            .is_some_and(|latest| latest.version == version),
    };
    let plan = app.plan(tenant, &stored.path, stored.version).await.ok();
    let playbook = plan.as_ref().map(|plan| &plan.playbook);
    Ok(Json(PlaybookDocument {
        latest,
        description: playbook.and_then(|playbook| playbook.description.clone()),
        on_restart: playbook.map(|playbook| playbook.on_restart),
        workload: playbook.map_or_else(Map::new, |playbook| playbook.workload.clone()),
        steps: playbook.map_or_else(Vec::new, |playbook| {
            let steps = 0..playbook.steps.len();
            steps
                .map(|index| StepDocument::new(index, playbook))
                .collect()
        }),
        stored,
    }))
}

/// Removes a playbook.
///
/// With `@version` that version, without all of them. Executions that ran it keep
/// their records, and its text.
#[utoipa::path(delete, path = "/api/catalog/playbooks/{*path}", tag = "catalog",
    params(("path" = String, Path, pattern = "^[^@]+(@[1-9][0-9]{0,8})?$", description = "The path, with or without `@version`")),
    responses(
        (status = 204, description = "It is removed"),
        (status = 404, description = "There is none", body = ProblemDocument, content_type = "application/problem+json"),
    ))]
pub(super) async fn delete(
    State(app): State<App>,
    principal: Principal,
    Path(text): Path<String>,
) -> Result<StatusCode, Problem> {
    principal.needs(Role::Author)?;
    let reference = Reference::parse(&text)?;
    if text.ends_with("@latest") {
        return Err(Problem::bad_request(
            "say which version is to be removed: `@latest` may be another one by now",
        ));
    }
    let (store, tenant) = (&app.inner.store, &principal.tenant);
    let removed = principal.may_use(&reference.path)
        && store
            .delete_playbook(tenant, &reference.path, reference.version)
            .await?;
    match removed {
        true => Ok(StatusCode::NO_CONTENT),
        false => Err(reference.missing()),
    }
}

/// A playbook's history.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Versions {
    path: String,
    /// The newest first.
    versions: Vec<PlaybookVersion>,
}

/// Lists a playbook's versions.
#[utoipa::path(get, path = "/api/catalog/versions/{*path}", tag = "catalog",
    params(("path" = String, Path, description = "The playbook's path")),
    responses(
        (status = 200, description = "The versions", body = Versions),
        (status = 404, description = "There is no such playbook", body = ProblemDocument, content_type = "application/problem+json"),
    ))]
pub(super) async fn versions(
    State(app): State<App>,
    principal: Principal,
    Path(path): Path<String>,
) -> Result<Json<Versions>, Problem> {
    let versions = match principal.may_use(&path) {
        true => {
            let store = &app.inner.store;
            store.playbook_versions(&principal.tenant, &path).await?
        }
        false => Vec::new(),
    };
    match versions.is_empty() {
        true => Err(Problem::no_playbook(&path)),
        false => Ok(Json(Versions { path, versions })),
    }
}

/// Which versions to compare.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct DiffQuery {
    /// The older version; the one before `to`, if it is not given.
    #[param(minimum = 1)]
    from: Option<i32>,
    /// The newer version; the latest, if it is not given.
    #[param(minimum = 1)]
    to: Option<i32>,
}

/// How two versions differ.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Diff {
    path: String,
    from: i32,
    to: i32,
    /// The difference in the unified format; empty, if there is none.
    diff: String,
}

/// Compares two versions of a playbook.
#[utoipa::path(get, path = "/api/catalog/diff/{*path}", tag = "catalog",
    params(("path" = String, Path, description = "The playbook's path"), DiffQuery),
    responses(
        (status = 200, description = "The difference", body = Diff),
        (status = 404, description = "There is no such playbook or version", body = ProblemDocument, content_type = "application/problem+json"),
    ))]
pub(super) async fn diff(
    State(app): State<App>,
    principal: Principal,
    Path(path): Path<String>,
    Query(query): Query<DiffQuery>,
) -> Result<Json<Diff>, Problem> {
    let (store, tenant) = (&app.inner.store, &principal.tenant);
    let known = match principal.may_use(&path) {
        true => store.playbook_versions(tenant, &path).await?,
        false => Vec::new(),
    };
    let numbers: Vec<i32> = known.iter().map(|known| known.version).collect();
    let latest = *numbers.first().ok_or_else(|| Problem::no_playbook(&path))?;
    let to = query.to.unwrap_or(latest);
    let before = numbers.iter().copied().find(|&number| number < to);
    let from = query.from.or(before).unwrap_or(to);
    let mut texts = Vec::new();
    for version in [from, to] {
        let stored = store.playbook(tenant, &path, Some(version), false).await?;
        let stored = stored.ok_or_else(|| Problem::no_version(&path, version))?;
        texts.push(stored.content);
    }
    let [old, new] = [&texts[0], &texts[1]];
    let (a, b) = (format!("{path}@{from}"), format!("{path}@{to}"));
    let diff = tokio::task::block_in_place(|| {
        similar::TextDiff::configure()
            .timeout(std::time::Duration::from_secs(1))
            .diff_lines(old.as_str(), new.as_str())
            .unified_diff()
            .header(&a, &b)
            .to_string()
    });
    Ok(Json(Diff {
        path,
        from,
        to,
        diff,
    }))
}
