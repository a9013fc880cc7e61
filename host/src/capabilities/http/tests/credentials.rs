//! Secrets that the host adds.

use super::*;

/// A server with the credential `api` for these hosts of its own.
async fn server(hosts: &[&str]) -> Server {
    let source = Arc::new(Source(Mutex::default()));
    let server = Server::with(source.clone()).await;
    let own = server.address.to_string();
    let hosts = hosts.iter().copied().chain([&*own]);
    let credential = Credential {
        login: Login::Bearer {
            token: Secret::new("t0ken"),
        },
        hosts: hosts.map(|host| host.parse().unwrap()).collect(),
    };
    source.0.lock().unwrap().insert("api".into(), credential);
    server
}

fn with_api(url: impl Into<String>) -> Request {
    Request {
        credential: Some("api".into()),
        redirects: 5,
        ..get(url)
    }
}

#[tokio::test]
async fn the_server_sees_the_secret_and_the_guest_does_not() {
    let server = server(&[]).await;
    let mut step = server.step();
    let head = send(&mut step, with_api(server.url("/echo")))
        .await
        .unwrap();
    let body = all(&mut step, head.body).await.unwrap();
    assert_eq!(server.last().1["authorization"], "Bearer t0ken");
    assert!(!format!("{:?} {body:?}", head.headers).contains("t0ken"));

    let request = Request {
        headers: vec![("Authorization".into(), "mine".into())],
        ..with_api(server.url("/echo"))
    };
    let both = send(&mut step, request).await;
    assert!(matches!(both, Err(Error::InvalidRequest(_))), "{both:?}");
}

#[tokio::test]
async fn who_may_not_use_it_does_not_learn_whether_it_is_there() {
    let mut server = server(&[]).await;
    let url = server.url("/echo");
    let why = denied(send(&mut server.step_of("u"), with_api(&url)).await);
    let unknown = Request {
        credential: Some("none".into()),
        ..with_api(&url)
    };
    let unknown = denied(send(&mut server.step(), unknown).await);
    assert_eq!(unknown.replace("`none`", "`api`"), why);
    server.credentials = Some(vec!["other".into()]);
    assert_eq!(denied(send(&mut server.step(), with_api(&url)).await), why);
    server.credentials = Some(vec!["api".into()]);
    send(&mut server.step(), with_api(&url)).await.unwrap();
    server.grant.credentials = Allowed::none();
    assert_eq!(denied(send(&mut server.step(), with_api(&url)).await), why);
    assert_eq!(server.lines().len(), 1);
}

#[tokio::test]
async fn it_is_sent_to_its_own_hosts_only() {
    let mut server = server(&["api.example"]).await;
    let port = server.address.port();
    server.grants(&[&format!("other.example:{port}"), "api.example"]);
    server.names("other.example", &[&["127.0.0.1"]]);
    let why = denied(
        send(
            &mut server.step(),
            with_api(format!("http://other.example:{port}/echo")),
        )
        .await,
    );
    assert!(why.contains("is not for the host"), "{why}");
    let why = denied(send(&mut server.step(), with_api("http://api.example/")).await);
    assert!(why.contains("`https:` only"), "{why}");
    assert!(server.lines().is_empty());

    // A redirect takes neither it nor the guest's own secrets to another origin.
    let away = format!("http://other.example:{port}/echo");
    let request = Request {
        headers: vec![
            ("Cookie".into(), "a=b".into()),
            ("X-Kept".into(), "1".into()),
        ],
        ..with_api(server.url(&Server::to(302, &away)))
    };
    send(&mut server.step(), request).await.unwrap();
    let seen = server.seen.lock().unwrap().clone();
    assert_eq!(seen[0].1["authorization"], "Bearer t0ken");
    assert_eq!(seen[0].1["cookie"], "a=b");
    assert!(seen[1].0.starts_with("GET /echo") && seen[1].1.contains_key("x-kept"));
    assert!(!seen[1].1.contains_key("authorization") && !seen[1].1.contains_key("cookie"));

    // Nor does it come back from there.
    server.seen.lock().unwrap().clear();
    let back = Server::to(302, &server.url("/echo"));
    let there = format!("http://other.example:{port}{back}");
    let request = with_api(server.url(&Server::to(302, &there)));
    send(&mut server.step(), request).await.unwrap();
    let seen = server.seen.lock().unwrap().clone();
    let shown: Vec<_> = seen
        .iter()
        .map(|(_, headers, _)| headers.contains_key("authorization"))
        .collect();
    assert_eq!(shown, [true, false, false]);
}
