//! The stand-in's two pages. minijinja escapes what it puts into a template
//! whose name ends in `.html`.

use std::sync::LazyLock;

use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY};
use axum::response::{Html, IntoResponse, Response};
use minijinja::{Environment, UndefinedBehavior, Value, context};

use super::request::{Parameters, Request};

static TEMPLATES: LazyLock<Environment<'static>> = LazyLock::new(|| {
    let mut templates = Environment::new();
    templates.set_undefined_behavior(UndefinedBehavior::Strict);
    for (name, source) in [
        ("layout.html", include_str!("layout.html")),
        ("form.html", include_str!("form.html")),
        ("refusal.html", include_str!("refusal.html")),
    ] {
        templates
            .add_template(name, source)
            .expect("the templates are part of the program, and tested");
    }
    templates
});

/// The sign-in form for `request`, filled with what was typed before; with a
/// `problem`, it says what to put right.
pub(super) fn form(
    request: &Request,
    parameters: &Parameters,
    email: &str,
    name: &str,
    problem: Option<&str>,
) -> Response {
    let status = match problem {
        None => StatusCode::OK,
        Some(_) => StatusCode::UNPROCESSABLE_ENTITY,
    };
    // A browser holds a form's redirect to the policy as well.
    let form_action = format!("'self' {}", request.redirect_origin());
    let values = context! {
        client_id => request.client_id,
        parameters => Value::from_pairs(parameters.pairs()),
        email,
        name,
        problem,
    };
    page(status, &form_action, "form.html", values)
}

/// Tells the person that the application's request can't be served.
pub(super) fn refusal(why: &str) -> Response {
    let values = context! { why };
    page(StatusCode::BAD_REQUEST, "'none'", "refusal.html", values)
}

fn page(status: StatusCode, form_action: &str, template: &str, values: Value) -> Response {
    let html = TEMPLATES
        .get_template(template)
        .and_then(|template| template.render(values));
    let policy = format!(
        "default-src 'none'; style-src 'self'; img-src data:; form-action {form_action}; base-uri 'none'; \
         frame-ancestors 'none'"
    );
    let headers = [
        (CONTENT_SECURITY_POLICY, policy),
        (CACHE_CONTROL, "no-store".to_owned()),
    ];
    match html {
        Ok(html) => (status, headers, Html(html)).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}
