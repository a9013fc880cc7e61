//! `/dev/idp/authorize`: the sign-in form, and what is done with its answer.

use axum::Form;
use axum::extract::rejection::{FormRejection, QueryRejection};
use axum::extract::{Query, State};
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;

use super::super::origin::Origin;
use super::claims::Claims;
use super::request::{Parameters, Refusal, Request};
use super::{ISSUER_PATH, Keys, no_key, pages};

/// What the form sends.
#[derive(Deserialize)]
pub(super) struct Answer {
    #[serde(flatten)]
    parameters: Parameters,
    #[serde(default)]
    email: String,
    #[serde(default)]
    name: String,
    decision: Decision,
}

#[derive(Deserialize, PartialEq)]
#[serde(rename_all = "lowercase")]
enum Decision {
    Allow,
    Deny,
}

/// Where an application sends the browser.
pub(super) async fn show_form(
    origin: Origin,
    query: Result<Query<Parameters>, QueryRejection>,
) -> Response {
    let parameters = match query {
        Ok(Query(parameters)) => parameters,
        Err(error) => return pages::refusal(&error.body_text()),
    };
    match Request::check(&parameters, &origin) {
        Ok(request) => pages::form(&request, &parameters, "", "", None),
        Err(refusal) => refuse(refusal),
    }
}

/// Where the form sends the answer.
pub(super) async fn answer_form(
    origin: Origin,
    State(keys): Keys,
    form: Result<Form<Answer>, FormRejection>,
) -> Response {
    let answer = match form {
        Ok(Form(answer)) => answer,
        Err(error) => return pages::refusal(&error.body_text()),
    };
    // Checked again: a form can be sent by anyone, with anything in it.
    let request = match Request::check(&answer.parameters, &origin) {
        Ok(request) => request,
        Err(refusal) => return refuse(refusal),
    };
    if answer.decision == Decision::Deny {
        let url = request.error("access_denied", "You chose not to sign in.");
        return Redirect::to(url.as_str()).into_response();
    }

    let (email, name) = (answer.email.trim(), answer.name.trim());
    if !is_email(email) {
        let problem = "Please give an email address, such as ada@example.com.";
        return pages::form(&request, &answer.parameters, email, name, Some(problem));
    }
    let claims = Claims::new(
        origin.join(ISSUER_PATH),
        request.client_id,
        request.nonce,
        email,
        Some(name).filter(|name| !name.is_empty()),
    );
    let token = match keys.get().await {
        Ok(key) => key.sign(&claims),
        Err(error) => return no_key(&error),
    };
    match token {
        Ok(token) => Redirect::to(request.success(&token).as_str()).into_response(),
        Err(error) => no_key(&error),
    }
}

fn refuse(refusal: Refusal) -> Response {
    match refusal {
        Refusal::Here(why) => pages::refusal(&why),
        Refusal::There(url) => Redirect::to(url.as_str()).into_response(),
    }
}

/// Enough to notice a name in the wrong field; nothing is ever sent there.
fn is_email(text: &str) -> bool {
    let parts = text.split_once('@');
    parts.is_some_and(|(user, host)| !user.is_empty() && !host.is_empty())
}
