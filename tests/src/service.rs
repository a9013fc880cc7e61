//! Services that playbooks and the server talk to.

use axum::Router;
use tokio::net::TcpListener;

/// Starts a service of the test's own on a free port, whose routes may know its address.
/// Returns that: `127.0.0.1:PORT`.
pub async fn serve(routes: impl FnOnce(&str) -> Router) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("it is bound").to_string();
    let router = routes(&address);
    tokio::spawn(async move { axum::serve(listener, router).await });
    address
}
