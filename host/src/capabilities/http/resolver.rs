//! From names to addresses. What is looked up here is what is connected to: a name
//! whose addresses change has no second chance.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use async_trait::async_trait;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use super::address::is_public;

/// Asks for the addresses of a name.
#[async_trait]
pub(super) trait Lookup: Send + Sync + 'static {
    /// Its addresses, in the order in which they are to be tried.
    async fn lookup(&self, name: &str) -> io::Result<Vec<IpAddr>>;
}

/// The machine's own resolver.
pub(super) struct System;

#[async_trait]
impl Lookup for System {
    async fn lookup(&self, name: &str) -> io::Result<Vec<IpAddr>> {
        let found = tokio::net::lookup_host((name, 0)).await?;
        Ok(found.map(|socket| socket.ip()).collect())
    }
}

/// Gives public addresses only, and those that are granted as addresses.
pub(super) struct Checked {
    pub lookup: Arc<dyn Lookup>,
    pub granted: Vec<IpAddr>,
}

/// A name has an address that it may not have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{name} has the address {address}, which is not public")]
pub(super) struct NotPublic {
    pub name: String,
    pub address: IpAddr,
}

impl Resolve for Checked {
    fn resolve(&self, name: Name) -> Resolving {
        let lookup = Arc::clone(&self.lookup);
        let granted = self.granted.clone();
        Box::pin(async move {
            let name = name.as_str();
            let found = lookup.lookup(name).await?;
            // One that is refused speaks against the others.
            let refused = found.iter().find(|address| {
                let is_local = name == "localhost" && address.is_loopback();
                !(is_local || is_public(**address) || granted.contains(address))
            });
            if let Some(&address) = refused {
                let name = name.to_owned();
                return Err(NotPublic { name, address }.into());
            }
            if found.is_empty() {
                return Err(io::Error::other("the name has no address").into());
            }
            let sockets = found.into_iter().map(|address| SocketAddr::new(address, 0));
            Ok(Box::new(sockets) as Addrs)
        })
    }
}
