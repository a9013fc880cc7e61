//! How much, and for how long.

use super::*;

fn limit<T: std::fmt::Debug>(answer: Result<T, Error>) -> String {
    match answer {
        Err(Error::Limit(why)) => why,
        other => panic!("within the limits: {other:?}"),
    }
}

fn timeout<T: std::fmt::Debug>(answer: Result<T, Error>) -> String {
    match answer {
        Err(Error::Timeout(why)) => why,
        other => panic!("in time: {other:?}"),
    }
}

#[tokio::test]
async fn requests_are_counted_and_redirects_too() {
    let mut server = Server::start().await;
    server.limits.http_requests = 3;
    let mut step = server.step();
    let request = Request {
        redirects: 1,
        ..get(server.url(&Server::to(302, "/echo")))
    };
    send(&mut step, request.clone()).await.unwrap();
    assert!(limit(send(&mut step, request).await).contains("http_requests = 3"));
    assert_eq!(server.lines().len(), 3);
}

#[tokio::test]
async fn a_request_has_so_many_bytes() {
    let mut server = Server::start().await;
    server.limits.http_request_bytes = 1000;
    let mut step = server.step();
    for request in [
        Request {
            body: vec![0; 1000],
            ..get(server.url("/echo"))
        },
        Request {
            headers: vec![("x".into(), "y".repeat(1000))],
            ..get(server.url("/echo"))
        },
        get(server.url(&format!("/{}", "x".repeat(1000)))),
    ] {
        assert!(limit(send(&mut step, request).await).contains("http_request_bytes = 1000"));
    }
    assert!(server.lines().is_empty());
}

#[tokio::test]
async fn all_answers_together_have_so_many_bytes() {
    let mut server = Server::start().await;
    server.limits.http_bytes = 100_000;
    let mut step = server.step();
    for _ in 0..2 {
        let body = text(&mut step, server.url("/bytes?n=50000")).await.unwrap();
        assert_eq!(body.len(), 50_000);
    }
    let why = limit(text(&mut step, server.url("/bytes?n=1")).await);
    assert!(why.contains("http_bytes = 100000"), "{why}");
    // One that goes on for ever is not read for ever.
    let why = limit(text(&mut server.step(), server.url("/bytes?n=10000000")).await);
    assert!(why.contains("http_bytes"), "{why}");
}

#[tokio::test]
async fn a_head_is_not_endless() {
    let server = Server::start().await;
    let head = send(&mut server.step(), get(server.url("/head?n=60000")))
        .await
        .unwrap();
    assert_eq!(head.status, 200);
    for n in [70_000, 10_000_000] {
        let long = send(&mut server.step(), get(server.url(&format!("/head?n={n}")))).await;
        assert!(
            matches!(long, Err(Error::Other(_) | Error::ConnectionFailed(_))),
            "{long:?}"
        );
    }
}

#[tokio::test]
async fn four_answers_are_open_at_a_time() {
    let server = Server::start().await;
    let mut step = server.step();
    let mut open = Vec::new();
    for _ in 0..BODIES {
        open.push(
            send(&mut step, get(server.url("/bytes?n=9")))
                .await
                .unwrap()
                .body,
        );
    }
    let why = limit(send(&mut step, get(server.url("/echo"))).await);
    assert!(why.contains("drop it"), "{why}");
    // One is read to its end, and one is dropped.
    assert_eq!(all(&mut step, open[0]).await.unwrap().len(), 9);
    step.call(Call::Close { body: open[1] }).await.unwrap();
    for _ in 0..2 {
        send(&mut step, get(server.url("/bytes?n=9")))
            .await
            .unwrap();
    }
    limit(send(&mut step, get(server.url("/echo"))).await);
    // One without a body is over at once.
    step.call(Call::Close { body: open[2] }).await.unwrap();
    for _ in 0..3 {
        send(&mut step, get(server.url("/empty"))).await.unwrap();
    }
}

#[tokio::test]
async fn a_request_and_a_step_have_their_time() {
    let mut server = Server::start().await;
    let request = Request {
        timeout_ms: Some(50),
        ..get(server.url("/silent"))
    };
    let why = timeout(send(&mut server.step(), request.clone()).await);
    assert!(why.contains("50 ms"), "{why}");
    server.time = Duration::from_millis(50);
    let longer = Request {
        timeout_ms: Some(u32::MAX),
        ..request
    };
    let why = timeout(send(&mut server.step(), longer).await);
    assert!(why.contains("the step's time"), "{why}");
    timeout(text(&mut server.step(), server.url("/hangs")).await);
}
