//! Names, and the addresses that they may lead to.

use std::str::FromStr;

use reqwest::dns::{Name, Resolve};

use super::super::resolver::{Checked, NotPublic};
use super::*;

#[tokio::test]
async fn a_name_with_an_address_that_is_not_public_is_refused() {
    let mut server = Server::start().await;
    let port = server.address.port();
    // Without the address itself among them.
    server.grant.hosts.clear();
    server.grants(&[&format!("api.example:{port}"), &format!("10.0.0.1:{port}")]);
    for addresses in [
        &["127.0.0.1"][..],
        &["1.1.1.1", "127.0.0.1"],
        &["127.0.0.1", "1.1.1.1"],
        &["10.0.0.2"],
        &["169.254.169.254"],
        &["::1"],
        &["::ffff:127.0.0.1"],
        &["64:ff9b::7f00:1"],
        &["fe80::1"],
        &["0.0.0.0"],
        &["::"],
    ] {
        server.names("api.example", &[addresses]);
        let why = denied(
            send(
                &mut server.step(),
                get(format!("http://api.example:{port}/")),
            )
            .await,
        );
        assert!(
            why.contains("not public") && why.contains("the address itself"),
            "{why}"
        );
        // Where names of the inside lead is not the guest's to know.
        assert!(
            !addresses.iter().any(|address| why.contains(address)),
            "{why}"
        );
    }
    assert!(server.lines().is_empty());

    server.names("api.example", &[&[]]);
    let none = send(
        &mut server.step(),
        get(format!("http://api.example:{port}/")),
    )
    .await;
    assert!(matches!(none, Err(Error::ConnectionFailed(_))), "{none:?}");
}

#[tokio::test]
async fn an_address_that_is_granted_itself_may_have_a_name() {
    let mut server = Server::start().await;
    let port = server.address.port();
    server.grants(&[&format!("api.example:{port}"), &format!("localhost:{port}")]);
    server.names("api.example", &[&["127.0.0.1"]]);
    let url = format!("http://api.example:{port}/echo");
    assert_eq!(text(&mut server.step(), &*url).await.unwrap(), "GET /echo");
    assert_eq!(server.last().1["host"], format!("api.example:{port}"));

    // Another port of the address is another matter, and so is another tenant's
    // connection to it.
    server.grant.hosts.retain(|host| host.address().is_none());
    denied(text(&mut server.step(), &*url).await);
    server.grants(&["127.0.0.1", "127.0.0.1:1"]);
    denied(text(&mut server.step(), &*url).await);

    // `localhost` is what it says, and only that.
    server.names("localhost", &[&["127.0.0.1"]]);
    let local = format!("http://localhost:{port}/echo");
    assert_eq!(
        text(&mut server.step(), &*local).await.unwrap(),
        "GET /echo"
    );
    denied(text(&mut server.step(), &*url).await);
    let mut other = Server::start().await;
    let port = other.address.port();
    other.grant.hosts.clear();
    other.grants(&[&format!("localhost:{port}")]);
    other.names("localhost", &[&["10.0.0.1"]]);
    denied(text(&mut other.step(), format!("http://localhost:{port}/echo")).await);
}

#[tokio::test]
async fn what_was_looked_up_is_what_is_connected_to() {
    // Public at first, and then the inside: each look-up is one that is checked.
    let names = Arc::new(Names::default());
    let lists = [
        vec!["1.1.1.1".parse().unwrap()],
        vec!["127.0.0.1".parse().unwrap()],
    ];
    names
        .answers
        .lock()
        .unwrap()
        .insert("rebind.example".into(), lists.into());
    let resolver = Checked {
        lookup: names.clone(),
        granted: Vec::new(),
    };
    let name = || Name::from_str("rebind.example").unwrap();
    let first: Vec<_> = resolver.resolve(name()).await.unwrap().collect();
    assert_eq!(first, ["1.1.1.1:0".parse().unwrap()]);
    assert_eq!(names.asked.lock().unwrap().len(), 1);
    let Err(error) = resolver.resolve(name()).await else {
        panic!("it leads inside")
    };
    let expected = NotPublic {
        name: "rebind.example".into(),
        address: "127.0.0.1".parse().unwrap(),
    };
    assert_eq!(error.downcast_ref(), Some(&expected));
}

#[tokio::test]
async fn a_name_is_looked_up_once_for_a_connection() {
    let mut server = Server::start().await;
    let port = server.address.port();
    server.grants(&[&format!("rebind.example:{port}")]);
    // The second answer would be refused, and is never asked for.
    server.names("rebind.example", &[&["127.0.0.1"], &["10.0.0.1"]]);
    let url = format!("http://rebind.example:{port}/echo");
    assert_eq!(text(&mut server.step(), &*url).await.unwrap(), "GET /echo");
    assert_eq!(*server.names.asked.lock().unwrap(), ["rebind.example"]);
}

#[tokio::test]
async fn tenants_share_no_connection() {
    let mut server = Server::start().await;
    let port = server.address.port();
    server.grants(&[&format!("api.example:{port}")]);
    server.names("api.example", &[&["127.0.0.1"]]);
    let url = format!("http://api.example:{port}/echo");
    for tenant in ["t", "u"] {
        text(&mut server.step_of(tenant), &*url).await.unwrap();
    }
    assert_eq!(server.names.asked.lock().unwrap().len(), 2);
}

#[tokio::test]
async fn what_can_not_be_reached_is_told_without_the_url() {
    let mut server = Server::start().await;
    // Nobody listens on a port that was just given back.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let free = listener.local_addr().unwrap();
    drop(listener);
    server.grants(&[&free.to_string(), "unknown.example"]);
    let url = format!("http://{free}/?token=hunter2");
    let Err(Error::ConnectionFailed(why)) = send(&mut server.step(), get(url)).await else {
        panic!("it is reached")
    };
    assert!(
        why.contains(&free.to_string()) && why.contains("refused"),
        "{why}"
    );
    assert!(!why.contains("hunter2"), "{why}");
    let unknown = send(&mut server.step(), get("http://unknown.example/")).await;
    assert!(
        matches!(unknown, Err(Error::ConnectionFailed(_))),
        "{unknown:?}"
    );
    // It speaks no TLS.
    let plain = server.url("/").replace("http:", "https:");
    let plain = send(&mut server.step(), get(plain)).await;
    assert!(
        matches!(plain, Err(Error::ConnectionFailed(_))),
        "{plain:?}"
    );
}

#[tokio::test]
async fn the_machine_knows_its_own_name() {
    let found = super::super::resolver::System
        .lookup("localhost")
        .await
        .unwrap();
    assert!(
        !found.is_empty() && found.iter().all(IpAddr::is_loopback),
        "{found:?}"
    );
}
