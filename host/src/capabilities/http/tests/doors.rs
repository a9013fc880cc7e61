//! Where a step may go: grants, manifests, redirects.

use super::*;

#[tokio::test]
async fn only_what_is_granted_and_asked_for_is_reached() {
    let mut server = Server::start().await;
    server.grants(&["*.example.com", "granted"]);
    let port = server.address.port();
    for url in [
        "http://evil.example/".to_owned(),
        "http://example.com/".into(),
        "http://granted:81/".into(),
        "http://granted./".into(),
        "http://granted.evil.example/".into(),
        "http://127.0.0.1/".into(),
        format!("http://localhost:{port}/"),
        format!("http://127.0.0.2:{port}/"),
        format!("http://[::1]:{port}/"),
        format!("http://[::ffff:127.0.0.1]:{port}/"),
        "http://169.254.169.254/latest/meta-data/".into(),
        "http://8.8.8.8/".into(),
    ] {
        let why = denied(send(&mut server.step(), get(&url)).await);
        assert!(why.contains("`hosts` in the grants file"), "{url}: {why}");
    }
    for url in [
        "http://granted@evil.example/",
        "http://user:secret@granted/",
        "ftp://granted/",
        "file:///etc/passwd",
    ] {
        let refused = send(&mut server.step(), get(url)).await;
        assert!(
            matches!(refused, Err(Error::InvalidRequest(_))),
            "{url}: {refused:?}"
        );
    }
    assert!(server.lines().is_empty() && server.names.asked.lock().unwrap().is_empty());

    // Odd forms of the address that is granted are that address.
    for host in ["127.1", "0x7f.1", "2130706433", "0177.0.0.01"] {
        let url = format!("http://{host}:{port}/echo");
        assert_eq!(text(&mut server.step(), url).await.unwrap(), "GET /echo");
    }

    let literal = server.address.to_string();
    for (hosts, reached) in [
        (Hosts::Any, true),
        (Hosts::Only(vec![literal.parse().unwrap()]), true),
        (Hosts::Only(vec!["127.0.0.1".parse().unwrap()]), false),
        (Hosts::Only(Vec::new()), false),
    ] {
        server.capabilities = Some(Capabilities {
            postgres: true,
            http: hosts.clone(),
        });
        let answer = text(&mut server.step(), server.url("/echo")).await;
        match reached {
            true => assert_eq!(answer.unwrap(), "GET /echo"),
            false => assert!(denied(answer).contains("manifest"), "{hosts:?}"),
        }
    }
}

#[tokio::test]
async fn redirects_are_followed_as_far_as_they_are_asked_for() {
    let server = Server::start().await;
    let mut step = server.step();
    let to = server.url(&Server::to(302, "/echo?x"));
    let follow = |redirects| Request {
        redirects,
        ..get(&to)
    };
    let head = send(&mut step, follow(0)).await.unwrap();
    assert_eq!((head.status, head.url), (302, to.clone()));
    let head = send(&mut step, follow(1)).await.unwrap();
    assert_eq!((head.status, head.url), (200, server.url("/echo?x")));

    let request = Request {
        redirects: 3,
        ..get(server.url("/loop"))
    };
    server.seen.lock().unwrap().clear();
    let head = send(&mut server.step(), request.clone()).await.unwrap();
    assert_eq!((head.status, server.lines().len()), (302, 4));
    server.seen.lock().unwrap().clear();
    let endless = Request {
        redirects: u32::MAX,
        ..request
    };
    let head = send(&mut server.step(), endless).await.unwrap();
    assert_eq!((head.status, server.lines().len()), (302, 11));

    let request = Request {
        method: "POST".into(),
        body: b"body".into(),
        redirects: 1,
        ..get(server.url(&Server::to(307, "/echo")))
    };
    send(&mut server.step(), request.clone()).await.unwrap();
    let (line, _, body) = server.last();
    assert_eq!((&*line, &*body), ("POST /echo", &b"body"[..]));
    let request = Request {
        url: server.url(&Server::to(303, "/echo")),
        ..request
    };
    send(&mut server.step(), request).await.unwrap();
    let (line, headers, body) = server.last();
    assert_eq!((&*line, &*body), ("GET /echo", &b""[..]));
    assert!(!headers.contains_key("content-length"));
}

#[tokio::test]
async fn a_redirect_leads_nowhere_where_the_step_may_not_go() {
    let mut server = Server::start().await;
    server.grants(&["inside.example"]);
    server.names("inside.example", &[&["10.0.0.1"]]);
    for url in [
        "http://169.254.169.254/latest/meta-data/",
        "http://[fd00:ec2::254]/",
        "http://evil.example/",
        "http://localhost/",
        "http://2852039166/",
        "//evil.example/",
        "ftp://127.0.0.1/",
        "file:///etc/passwd",
        "http://inside.example/",
    ] {
        let request = Request {
            redirects: 5,
            ..get(server.url(&Server::to(302, url)))
        };
        denied(send(&mut server.step(), request).await);
    }
    let with_user = format!("http://user:pass@{}/echo", server.address);
    let request = Request {
        redirects: 5,
        ..get(server.url(&Server::to(302, &with_user)))
    };
    let why = denied(send(&mut server.step(), request).await);
    assert!(!why.contains("pass@"), "{why}");
    assert!(
        server
            .lines()
            .iter()
            .all(|line| line.starts_with("GET /to?"))
    );
}
