//! The description of the API, out of its code.

use axum::Router;
use axum::routing::get;
use serde::Serialize;
use utoipa::openapi::path::{Operation, PathItem};
use utoipa::openapi::schema::{SchemaType, Type};
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{Content, OpenApi, Ref, RefOr, Response, ResponseBuilder, Schema};
use utoipa::{OpenApi as _, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use utoipa_swagger_ui::SwaggerUi;

use super::{catalog, credentials, events, execute, executions, keys, tools};
use crate::app::App;

/// Something that went wrong (RFC 9457).
#[derive(Serialize, ToSchema)]
#[allow(
    dead_code,
    reason = "it is the shape of a problem, for the description"
)]
pub(super) struct ProblemDocument {
    /// The kind of problem, `urn:noetl:problem:…`.
    #[serde(rename = "type")]
    kind: String,
    /// The kind in words.
    title: String,
    /// The HTTP status.
    status: u16,
    /// This occurrence in words, with what to do next.
    detail: String,
    /// The request, as the server's log names it.
    request_id: Option<String>,
    /// The execution that it is about.
    execution_id: Option<uuid::Uuid>,
    /// A playbook's mistakes, each with `file`, `line`, `column`, `step`, `field`,
    /// `message`, `hint`.
    #[schema(value_type = Option<Vec<Object>>)]
    errors: Option<Vec<serde_json::Value>>,
}

#[derive(utoipa::OpenApi)]
#[openapi(
    info(title = "noetl", description = "Runs workflow playbooks, every tool step in a fresh WebAssembly sandbox."),
    tags(
        (name = "executions", description = "Run playbooks, and see what became of it"),
        (name = "catalog", description = "Playbooks and their versions"),
        (name = "credentials", description = "What playbooks connect with"),
        (name = "tools", description = "What steps can use"),
        (name = "access", description = "Who may call"),
    ),
    components(schemas(ProblemDocument))
)]
struct Description;

/// The routes that callers have to show themselves for, and their description.
pub(super) fn routes() -> (Router<App>, OpenApi) {
    let (router, mut description) = OpenApiRouter::with_openapi(Description::openapi())
        .routes(routes!(execute::execute))
        .routes(routes!(executions::list))
        .routes(routes!(events::live))
        .routes(routes!(executions::get, executions::delete))
        .routes(routes!(events::of_execution))
        .routes(routes!(executions::logs))
        .routes(routes!(executions::cancel))
        .routes(routes!(executions::replay))
        .routes(routes!(executions::rerun))
        .routes(routes!(catalog::list, catalog::register))
        .routes(routes!(catalog::validate))
        .routes(routes!(catalog::get, catalog::delete))
        .routes(routes!(catalog::versions))
        .routes(routes!(catalog::diff))
        .routes(routes!(credentials::list))
        .routes(routes!(credentials::put, credentials::delete))
        .routes(routes!(tools::list, tools::push))
        .routes(routes!(tools::show, tools::remove))
        .routes(routes!(tools::schema))
        .routes(routes!(keys::list, keys::create))
        .routes(routes!(keys::revoke))
        .routes(routes!(keys::me))
        .split_for_parts();
    describe(&mut description);
    (router, description)
}

/// The description, and a page that shows it.
pub(super) fn pages(description: OpenApi) -> Router<App> {
    let text = description.to_json().expect("it is JSON");
    let document = move || {
        let text = text.clone();
        async move { ([("content-type", "application/json")], text) }
    };
    Router::new()
        .route("/api/openapi.json", get(document))
        .merge(
            SwaggerUi::new("/api/docs")
                .config(utoipa_swagger_ui::Config::from("/api/openapi.json").validator_url("none")),
        )
}

/// What is the same for all operations.
fn describe(description: &mut OpenApi) {
    if let Some(components) = &mut description.components {
        let bearer = Http::builder()
            .scheme(HttpAuthScheme::Bearer)
            .description(Some("An API key, or a token of the identity provider"))
            .build();
        components.add_security_scheme("bearer", SecurityScheme::Http(bearer));
    }
    let bearer = SecurityRequirement::new::<_, _, String>("bearer", []);
    description.security = Some(vec![bearer, SecurityRequirement::default()]);
    let paths = std::mem::take(&mut description.paths.paths);
    for (path, mut item) in paths {
        for operation in operations(&mut item) {
            complete(operation);
        }
        // axum's name for a path that goes over slashes.
        description
            .paths
            .paths
            .insert(path.replace("{*", "{"), item);
    }
}

fn operations(item: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    [
        &mut item.get,
        &mut item.post,
        &mut item.put,
        &mut item.delete,
    ]
    .into_iter()
    .filter_map(Option::as_mut)
}

fn complete(operation: &mut Operation) {
    for parameter in operation.parameters.iter_mut().flatten() {
        // What is not given is not there: a query or a header has no null.
        if let RefOr::T(parameter) = parameter
            && let Some(RefOr::T(Schema::Object(object))) = &mut parameter.schema
            && let SchemaType::Array(types) = &mut object.schema_type
        {
            types.retain(|kind| *kind != Type::Null);
            if let [kind] = &types[..] {
                object.schema_type = SchemaType::Type(kind.clone());
            }
        }
    }
    let problems = [
        ("400", "The request can't be read"),
        ("401", "Who calls is not known"),
        ("403", "The caller may not do this"),
        ("default", "Another problem"),
    ];
    for (status, text) in problems {
        let responses = &mut operation.responses.responses;
        responses
            .entry(status.to_owned())
            .or_insert_with(|| RefOr::T(problem(text)));
    }
}

fn problem(text: &str) -> Response {
    let schema = Ref::from_schema_name("ProblemDocument");
    ResponseBuilder::new()
        .description(text)
        .content("application/problem+json", Content::new(Some(schema)))
        .build()
}
