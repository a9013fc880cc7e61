//! Answers that are kept.

use super::*;

fn hour(url: impl Into<String>) -> Request {
    Request {
        max_age: Some(3600),
        redirects: 1,
        ..get(url)
    }
}

async fn body(step: &mut Http, request: Request) -> String {
    let head = send(step, request).await.unwrap();
    let body = all(step, head.body).await.unwrap();
    String::from_utf8(body).unwrap()
}

#[tokio::test]
async fn an_answer_does_for_the_tenants_next_step() {
    let server = Server::start().await;
    for _ in 0..3 {
        let mut step = server.step();
        let head = send(&mut step, hour(server.url("/echo"))).await.unwrap();
        assert_eq!((head.status, &*head.url), (200, &*server.url("/echo")));
        assert!(head.headers.iter().any(|(name, _)| name == "content-type"));
        assert_eq!(all(&mut step, head.body).await.unwrap(), b"GET /echo");
    }
    assert_eq!(server.lines().len(), 1);
    body(&mut server.step_of("u"), hour(server.url("/echo"))).await;
    assert_eq!(server.lines().len(), 2, "another tenant asks for itself");
    body(&mut server.step(), get(server.url("/echo"))).await;
    assert_eq!(
        server.lines().len(),
        3,
        "who wants none of the kept gets a new one"
    );
}

#[tokio::test]
async fn what_is_not_the_same_for_all_is_not_kept() {
    let server = Server::start().await;
    let header = |name: &str| Request {
        headers: vec![(name.into(), "x".into())],
        ..hour(server.url("/echo"))
    };
    for request in [
        header("authorization"),
        header("cookie"),
        Request {
            method: "POST".into(),
            ..hour(server.url("/echo"))
        },
        Request {
            body: b"x".into(),
            ..hour(server.url("/echo"))
        },
        hour(server.url("/nothing")),
        hour(server.url("/no-store")),
        hour(server.url(&format!("/bytes?n={}", cache::BODY_BYTES + 1))),
        hour(server.url(&Server::to(302, "/echo"))),
    ] {
        server.seen.lock().unwrap().clear();
        let first = body(&mut server.step(), request.clone()).await;
        let count = server.lines().len();
        assert_eq!(body(&mut server.step(), request.clone()).await, first);
        assert_eq!(server.lines().len(), 2 * count, "{request:?}");
    }
    let whole = hour(server.url(&format!("/bytes?n={}", cache::BODY_BYTES)));
    server.seen.lock().unwrap().clear();
    for _ in 0..2 {
        assert_eq!(
            body(&mut server.step(), whole.clone()).await.len(),
            cache::BODY_BYTES
        );
    }
    assert_eq!(server.lines().len(), 1);
}

#[tokio::test]
async fn what_is_kept_is_not_for_who_may_not_ask() {
    let mut server = Server::start().await;
    body(&mut server.step(), hour(server.url("/echo"))).await;
    server.capabilities = Some(Capabilities::default());
    denied(send(&mut server.step(), hour(server.url("/echo"))).await);
    server.capabilities = None;
    server.limits.http_requests = 0;
    let over = send(&mut server.step(), hour(server.url("/echo"))).await;
    assert!(matches!(over, Err(Error::Limit(_))), "{over:?}");
}

#[tokio::test]
async fn of_those_who_want_the_same_one_asks() {
    let server = Server::start().await;
    let mut steps: Vec<_> = (0..20).map(|_| server.step()).collect();
    let asks = steps
        .iter_mut()
        .map(|step| body(step, hour(server.url("/echo"))));
    let answers = futures_util::future::join_all(asks).await;
    assert!(answers.iter().all(|answer| answer == "GET /echo"));
    assert_eq!(server.lines().len(), 1);
}
