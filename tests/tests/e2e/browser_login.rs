//! The example page in a real browser: identity provider, playbooks, database.

use noetl_tests::browser::{Browser, with_browser};
use noetl_tests::{Server, server};
use serde_json::{Value, json};
use thirtyfour::prelude::*;

const PROVISION: &str = "api_integration/auth0/provision_auth_schema";

/// A server that is ready for logins.
async fn ready_server() -> Server {
    let server = server().await;
    let reply = server.execute(PROVISION, json!({})).await;
    assert_eq!(reply.status, 200, "{reply:?}");
    server
}

/// `localhost` is what people type, and what browsers count as secure.
fn page(server: &Server) -> String {
    let url = server.url.replace("127.0.0.1", "localhost");
    format!("{url}/examples/auth0-login/")
}

/// Opens the page and fills in the provider's form.
async fn sign_in(browser: &Browser, page: &str, email: &str, name: &str) -> WebDriverResult<()> {
    browser.driver.goto(page).await?;
    browser.click("#sign-in").await?;
    browser.type_into("#email", email).await?;
    browser.type_into("#name", name).await?;
    browser.click("#allow").await
}

async fn stored_token(browser: &Browser) -> WebDriverResult<Value> {
    let script = "return localStorage.getItem('session_token')";
    browser.script(script, vec![]).await
}

async fn assert_no_complaints(browser: &Browser) -> WebDriverResult<()> {
    let complaints = browser.complaints().await?;
    assert!(complaints.is_empty(), "{complaints:#?}");
    Ok(())
}

#[tokio::test]
async fn sign_in_validate_reload_and_sign_out() {
    let server = ready_server().await;
    let page = page(&server);
    with_browser(async |browser| {
        browser.driver.goto(&page).await?;
        browser.visible("#sign-in").await?;
        browser.screenshot("1-signed-out").await?;
        browser.click("#sign-in").await?;

        browser.visible("#email").await?;
        assert!(browser.text("body").await?.contains("Development only."));
        browser.screenshot("2-provider").await?;
        browser.type_into("#email", "ada@example.com").await?;
        browser.type_into("#name", "Ada O'Lovelace").await?;
        browser.click("#allow").await?;

        assert_eq!(browser.text("#session-status").await?, "signed in");
        assert_eq!(browser.text("#user-name").await?, "Ada O'Lovelace");
        assert_eq!(browser.text("#user-email").await?, "ada@example.com");
        assert!(browser.text("#user-id").await?.starts_with("dev|"));
        assert_eq!(
            json!(browser.text("#session-token").await?),
            stored_token(browser).await?,
        );
        assert!(browser.text("#steps").await?.contains("create_session"));
        let url = browser.driver.current_url().await?;
        assert_eq!(url.as_str(), page, "the token has left the URL");
        browser.screenshot("3-signed-in").await?;

        browser.click("#validate").await?;
        browser
            .visible("#session-status[data-status=valid]")
            .await?;
        assert_eq!(browser.text("#session-status").await?, "valid");
        assert!(browser.text("#steps").await?.contains("valid_session"));
        browser.screenshot("4-valid").await?;

        browser.driver.refresh().await?;
        browser
            .visible("#session-status[data-status=valid]")
            .await?;
        assert_eq!(browser.text("#user-name").await?, "Ada O'Lovelace");

        browser.click("#sign-out").await?;
        browser.visible("#sign-in").await?;
        assert!(browser.text("main").await?.contains("Signed out"));
        assert_eq!(stored_token(browser).await?, Value::Null);
        browser.driver.refresh().await?;
        browser.visible("#sign-in").await?;
        assert_no_complaints(browser).await
    })
    .await;
}

#[tokio::test]
async fn a_denied_sign_in_is_told_in_words() {
    let server = ready_server().await;
    let page = page(&server);
    with_browser(async |browser| {
        browser.driver.goto(&page).await?;
        browser.click("#sign-in").await?;
        browser.click("#deny").await?;

        let problem = browser.text("#problem").await?;
        assert!(problem.contains("The sign-in was declined"), "{problem}");
        assert!(problem.contains("You chose not to sign in."), "{problem}");
        assert!(browser.shows("#sign-in").await?);
        assert_eq!(stored_token(browser).await?, Value::Null);
        browser.screenshot("5-denied").await?;
        assert_no_complaints(browser).await
    })
    .await;
}

#[tokio::test]
async fn a_tampered_session_token_is_shown_as_invalid() {
    let server = ready_server().await;
    let page = page(&server);
    with_browser(async |browser| {
        sign_in(browser, &page, "ada@example.com", "Ada").await?;
        let token = browser.text("#session-token").await?;
        let last = if token.ends_with('0') { '1' } else { '0' };
        let near_miss = format!("{}{last}", &token[..token.len() - 1]);

        for tampered in [near_miss.as_str(), "' OR '1'='1", "{{ 7*7 }}"] {
            let store = "localStorage.setItem('session_token', arguments[0])";
            browser.script(store, vec![json!(tampered)]).await?;
            browser.driver.refresh().await?;
            browser
                .visible("#session-status[data-status=invalid]")
                .await?;
            assert_eq!(browser.text("#session-status").await?, "invalid");
            assert_eq!(browser.text("#session-token").await?, tampered);
            assert!(!browser.shows("#user").await?, "{tampered} shows a user");
        }
        browser.screenshot("6-invalid").await?;

        browser.click("#sign-in-again").await?;
        browser.visible("#email").await?;
        assert_no_complaints(browser).await
    })
    .await;
}

#[tokio::test]
async fn a_failed_step_is_told_with_its_title_detail_and_name() {
    let server = ready_server().await;
    let page = page(&server);
    with_browser(async |browser| {
        sign_in(browser, &page, "ada@example.com", "Ada").await?;
        browser.visible("#session-token").await?;
        browser.click("#sign-out").await?;

        // Another subject with the same email: the column email is UNIQUE.
        let mallory = json!({"sub": "dev|mallory", "email": "ada@example.com", "name": "Mallory"});
        let payload = json!({"auth0_token": noetl_tests::token(&mallory)});
        let reply = server
            .execute("api_integration/auth0/auth0_login", payload)
            .await;
        assert_ne!(reply.status, 200, "{reply:?}");

        // The same answer, as the page has it: the token goes into its own flow.
        answer_with_claims(browser, &page, mallory).await?;
        let problem = browser.text("#problem").await?;
        let title = reply.body["title"].as_str().expect("a title");
        let detail = reply.body["detail"].as_str().expect("a detail");
        assert!(problem.contains(title), "{problem}");
        assert!(one_line(&problem).contains(&one_line(detail)), "{problem}");
        assert!(problem.contains("step “upsert_user”"), "{problem}");
        assert_eq!(stored_token(browser).await?, Value::Null);
        browser.screenshot("7-failed-step").await
    })
    .await;
}

#[tokio::test]
async fn an_answer_with_another_state_or_nonce_is_refused() {
    let server = ready_server().await;
    let page = page(&server);
    with_browser(async |browser| {
        let claims = json!({"sub": "dev|eve", "email": "eve@example.com", "nonce": "eve's"});
        let token = noetl_tests::token(&claims);

        // Nobody has begun a sign-in in this tab.
        browser
            .driver
            .goto(format!("{page}#id_token={token}&state=eve"))
            .await?;
        let problem = browser.text("#problem").await?;
        assert!(problem.contains("not started here"), "{problem}");

        // A sign-in was begun, but the answer has neither its state nor its nonce.
        begin(browser, &page).await?;
        browser
            .driver
            .goto(format!("{page}#id_token={token}&state=eve"))
            .await?;
        let problem = browser.text("#problem").await?;
        assert!(problem.contains("not started here"), "{problem}");

        // The right state, a token that was made for someone else's sign-in.
        let (state, _) = begin(browser, &page).await?;
        browser
            .driver
            .goto(format!("{page}#id_token={token}&state={state}"))
            .await?;
        let problem = browser.text("#problem").await?;
        assert!(problem.contains("another sign-in"), "{problem}");

        assert_eq!(stored_token(browser).await?, Value::Null);
        let url = browser.driver.current_url().await?;
        assert_eq!(url.as_str(), page, "the token has left the URL");
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn the_browsers_own_cryptography_accepts_the_providers_signature() {
    let server = ready_server().await;
    let page = page(&server);
    with_browser(async |browser| {
        // Back to a file without a script, so that the token stays in the URL.
        let origin = page.split("/examples").next().expect("an origin");
        let query = "response_type=id_token&client_id=test&scope=openid&nonce=n";
        let back = format!("{page}style.css");
        let url = format!("{origin}/dev/idp/authorize?{query}&redirect_uri={back}");
        browser.driver.goto(url).await?;
        browser.type_into("#email", "ada@example.com").await?;
        browser.click("#allow").await?;
        browser.visible("pre").await?;

        let verified = browser
            .script(
                "const token = new URLSearchParams(location.hash.slice(1)).get('id_token');
                 const [header, payload, signature] = token.split('.');
                 const bytes = (text) => Uint8Array.from(
                   atob(text.replaceAll('-', '+').replaceAll('_', '/')), (c) => c.charCodeAt(0));
                 const {kid} = JSON.parse(new TextDecoder().decode(bytes(header)));
                 const {keys} = await (await fetch('/dev/idp/.well-known/jwks.json')).json();
                 const algorithm = {name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256'};
                 const jwk = keys.find((key) => key.kid === kid);
                 const key = await crypto.subtle.importKey('jwk', jwk, algorithm, false, ['verify']);
                 const verify = (text) => crypto.subtle.verify(
                   algorithm, key, bytes(signature), new TextEncoder().encode(text));
                 return [await verify(`${header}.${payload}`), await verify(`${header}.x${payload}`)];",
                vec![],
            )
            .await?;
        assert_eq!(verified, json!([true, false]));
        Ok(())
    })
    .await;
}

/// Begins a sign-in and stays on the provider's form; the `state` and `nonce`
/// that the page has sent.
async fn begin(browser: &Browser, page: &str) -> WebDriverResult<(String, String)> {
    browser.driver.goto(page).await?;
    browser.click("#sign-in").await?;
    browser.visible("#email").await?;
    let url = browser.driver.current_url().await?;
    let parameter = |name: &str| {
        let found = url.query_pairs().find(|(key, _)| key == name);
        found.expect("the page sends it").1.into_owned()
    };
    Ok((parameter("state"), parameter("nonce")))
}

/// Begins a sign-in and answers it, in the provider's stead, with these claims.
async fn answer_with_claims(
    browser: &Browser,
    page: &str,
    mut claims: Value,
) -> WebDriverResult<()> {
    let (state, nonce) = begin(browser, page).await?;
    claims["nonce"] = json!(nonce);
    let token = noetl_tests::token(&claims);
    browser
        .driver
        .goto(format!("{page}#id_token={token}&state={state}"))
        .await
}

/// What HTML makes of white space.
fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
