//! Registries of the Open Container Initiative, with components in the format of
//! the CNCF's TAG Runtime, which `wkg` and others use too.

use std::collections::BTreeMap;

use chrono::Utc;
use clap::Args;
use futures_util::TryStreamExt;
use oci_client::client::{ClientConfig, ClientProtocol, Config, ImageLayer};
use oci_client::errors::{DigestError, OciDistributionError, OciErrorCode};
use oci_client::manifest::{OCI_IMAGE_MEDIA_TYPE, OciImageManifest};
use oci_client::secrets::RegistryAuth;
use oci_client::{Client, Reference};
use semver::Version;
use serde_json::json;

use super::docker;
use super::target::Component;
use crate::cli::failure::Failure;
use crate::secrets::Secret;

/// How places in registries begin.
pub const SCHEME: &str = "oci://";

const CONFIG: &str = "application/vnd.wasm.config.v0+json";
const LAYER: &str = "application/wasm";
/// The annotation with the signature of the component's digest.
const SIGNATURE: &str = "com.noetl.signature";
/// The largest component that is fetched, in bytes; no server compiles a larger one.
const BYTES: u64 = 256 << 20;

/// How to talk to a registry.
#[derive(Debug, Args)]
pub struct RegistryOptions {
    /// Who logs in to the registry; the password is NOETL_REGISTRY_PASSWORD [default: as `docker login` did]
    #[arg(long, value_name = "NAME")]
    user: Option<String>,
    /// The password for the registry; other accounts can see arguments, so rather set the variable
    #[arg(
        long = "password",
        env = "NOETL_REGISTRY_PASSWORD",
        value_name = "PASSWORD",
        hide_env_values = true
    )]
    password: Option<Secret>,
    /// Talks to the registry without TLS; so it does with one on this machine
    #[arg(long)]
    plain_http: bool,
}

/// A repository in a registry, and which of its components.
#[derive(Debug)]
pub struct Place {
    reference: Reference,
    /// Whether a tag or a digest was named.
    is_complete: bool,
}

/// What a registry had.
pub struct Fetched {
    /// The component's bytes, which have the digest that the manifest names.
    pub wasm: Vec<u8>,
    /// The signature of that digest, if there is one. Nobody has verified it.
    pub signature: Option<String>,
}

impl Place {
    /// The place `oci://REGISTRY/REPOSITORY[:TAG|@DIGEST]`.
    ///
    /// # Errors
    /// The text is none.
    pub fn parse(text: &str) -> anyhow::Result<Self> {
        let wrong = |why: &dyn std::fmt::Display| {
            Failure::usage(format!("'{text}' is no place in a registry: {why}"))
                .hint("write it as oci://registry.example/acme/geocode:1.2.0")
        };
        let place = text
            .strip_prefix(SCHEME)
            .ok_or_else(|| wrong(&"it must begin with oci://"))?;
        // Without this the rest would be looked for in Docker's own registry.
        let Some((registry, repository)) = place.split_once('/') else {
            return Err(wrong(&"it names no repository").into());
        };
        if !registry.contains(['.', ':']) && registry != "localhost" {
            return Err(wrong(&format!("`{registry}` is no registry's host")).into());
        }
        Ok(Self {
            is_complete: repository.contains([':', '@']),
            reference: place.parse().map_err(|error| wrong(&error))?,
        })
    }

    /// The same place, with a tag for the version if it had none.
    #[must_use]
    pub fn or_version(self, version: &Version) -> Self {
        if self.is_complete {
            return self;
        }
        let registry = self.reference.registry().to_owned();
        let repository = self.reference.repository().to_owned();
        // A tag has no `+`.
        let tag = version.to_string().replace('+', "_");
        Self {
            reference: Reference::with_tag(registry, repository, tag),
            is_complete: true,
        }
    }

    /// The repository's last part.
    pub fn name(&self) -> &str {
        let repository = self.reference.repository();
        repository.rsplit('/').next().unwrap_or(repository)
    }

    fn is_on_this_machine(&self) -> bool {
        let registry = self.reference.resolve_registry();
        let url = url::Url::parse(&format!("http://{registry}"));
        url.is_ok_and(|url| match url.host() {
            Some(url::Host::Domain(name)) => name == "localhost",
            Some(url::Host::Ipv4(address)) => address.is_loopback(),
            Some(url::Host::Ipv6(address)) => address.is_loopback(),
            None => false,
        })
    }
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{SCHEME}{}", self.reference)
    }
}

impl RegistryOptions {
    /// Puts a component into a registry, with the signature of its digest.
    ///
    /// # Errors
    /// The registry can't be reached, or refuses it.
    pub async fn push(
        &self,
        place: &Place,
        component: &Component,
        signature: Option<&str>,
    ) -> anyhow::Result<()> {
        let layer = ImageLayer::new(component.wasm.clone(), LAYER.into(), None);
        let config = json!({
            "created": Utc::now(),
            "author": null,
            "architecture": "wasm",
            "os": "wasip2",
            "layerDigests": [component.digest],
            "component": {
                "exports": component.interfaces.exports,
                "imports": component.interfaces.imports,
                "target": null,
            },
        });
        let config = Config::new(config.to_string(), CONFIG.into(), None);
        let layers = [layer];
        let annotations = annotations(component, signature);
        let mut manifest = OciImageManifest::build(&layers, &config, Some(annotations));
        manifest.media_type = Some(OCI_IMAGE_MEDIA_TYPE.into());
        let (client, auth) = self.client(place)?;
        client
            .push(&place.reference, &layers, config, &auth, Some(manifest))
            .await
            .map_err(|error| failure(place, &error))?;
        Ok(())
    }

    /// Fetches a component.
    ///
    /// # Errors
    /// The registry can't be reached or has none there, or it sends something else
    /// than the manifest says.
    pub async fn pull(&self, place: &Place) -> anyhow::Result<Fetched> {
        let (client, auth) = self.client(place)?;
        let failed = |error| failure(place, &error);
        let (manifest, _) = client
            .pull_image_manifest(&place.reference, &auth)
            .await
            .map_err(failed)?;
        let [layer] = &manifest.layers[..] else {
            let layers = manifest.layers.len();
            return Err(not_a_component(place, &format!("it has {layers} layers, not one")).into());
        };
        if layer.media_type != LAYER {
            let why = format!("its layer is of the type {}", layer.media_type);
            return Err(not_a_component(place, &why).into());
        }
        let too_large = || not_a_component(place, &format!("it has more than {} MiB", BYTES >> 20));
        if u64::try_from(layer.size).is_ok_and(|size| size > BYTES) {
            return Err(too_large().into());
        }
        let blob = client.pull_blob_stream(&place.reference, layer).await;
        let mut stream = blob.map_err(failed)?.stream;
        let mut wasm = Vec::new();
        while let Some(bytes) = stream.try_next().await.map_err(|e| broken(place, &e))? {
            wasm.extend_from_slice(&bytes);
            if wasm.len() as u64 > BYTES {
                return Err(too_large().into());
            }
        }
        let digest = crate::tool::digest(&wasm);
        if digest != layer.digest {
            let why = format!("{digest} and not {}", layer.digest);
            return Err(something_else(place, &why).into());
        }
        Ok(Fetched {
            wasm,
            signature: manifest
                .annotations
                .and_then(|mut annotations| annotations.remove(SIGNATURE)),
        })
    }

    fn client(&self, place: &Place) -> anyhow::Result<(Client, RegistryAuth)> {
        let registry = place.reference.resolve_registry();
        let login = match (&self.user, &self.password) {
            (Some(user), Some(password)) => Some((user.clone(), password.clone())),
            (None, None) => docker::login(registry),
            (Some(_), None) => {
                return Err(Failure::usage("there is no password for the registry")
                    .hint("set NOETL_REGISTRY_PASSWORD")
                    .into());
            }
            (None, Some(_)) => {
                return Err(Failure::usage("there is a password, but no --user").into());
            }
        };
        let plain = self.plain_http || place.is_on_this_machine();
        let config = ClientConfig {
            protocol: match plain {
                true => ClientProtocol::Http,
                false => ClientProtocol::Https,
            },
            user_agent: concat!("noetl/", env!("CARGO_PKG_VERSION")),
            ..ClientConfig::default()
        };
        let auth = login.map_or(RegistryAuth::Anonymous, |(user, password)| {
            RegistryAuth::Basic(user, password.expose().into())
        });
        Ok((Client::new(config), auth))
    }
}

fn annotations(component: &Component, signature: Option<&str>) -> BTreeMap<String, String> {
    let mut annotations = BTreeMap::new();
    let mut add = |name: &str, value: &str| annotations.insert(name.to_owned(), value.to_owned());
    if let Some(manifest) = &component.manifest {
        let name = "org.opencontainers.image";
        add(&format!("{name}.title"), manifest.name.as_str());
        add(&format!("{name}.version"), &manifest.version.to_string());
        if !manifest.description.is_empty() {
            add(&format!("{name}.description"), &manifest.description);
        }
    }
    if let Some(signature) = signature {
        add(SIGNATURE, signature);
    }
    annotations
}

fn not_a_component(place: &Place, why: &str) -> Failure {
    Failure::new(format!("{place} is no component: {why}"))
        .hint("'noetl tool push' and 'wkg oci push' put components into registries")
}

fn something_else(place: &Place, why: &dyn std::fmt::Display) -> Failure {
    Failure::new(format!(
        "{place}: the registry sent something else than its manifest says: {why}"
    ))
    .hint("do not use this registry before that is cleared up")
}

/// The answer broke off, or what came has another digest.
fn broken(place: &Place, error: &std::io::Error) -> Failure {
    match error.get_ref().and_then(|error| error.downcast_ref()) {
        Some(error @ DigestError::VerificationError { .. }) => something_else(place, error),
        _ => Failure::new(format!("{place}: {error}")),
    }
}

fn other_login(place: &Place) -> Failure {
    Failure::new(format!("{place}: the registry wants another login"))
        .hint("name it with --user and NOETL_REGISTRY_PASSWORD, or run 'docker login'")
}

fn failure(place: &Place, error: &OciDistributionError) -> Failure {
    use OciDistributionError as E;
    use OciErrorCode as C;
    let code = match error {
        E::RegistryError { envelope, .. } => envelope.errors.first().map(|error| &error.code),
        _ => None,
    };
    let status = match error {
        E::ServerError { code, .. } => *code,
        _ => 0,
    };
    let registry = place.reference.resolve_registry();
    match (error, code) {
        (E::AuthenticationFailure(_) | E::UnauthorizedError { .. }, _)
        | (_, Some(C::Unauthorized | C::Denied)) => other_login(place),
        _ if [401, 403].contains(&status) => other_login(place),
        (E::ImageManifestNotFoundError(_), _)
        | (_, Some(C::ManifestUnknown | C::NameUnknown | C::NotFound | C::BlobUnknown)) => {
            Failure::new(format!("{place} is not there"))
        }
        _ if status == 404 => Failure::new(format!("{place} is not there")),
        (E::RequestError(error), _) if error.is_connect() => {
            Failure::new(format!("no registry answers on {registry}"))
                .hint("a registry without TLS needs --plain-http")
        }
        (E::DigestError(error), _) => something_else(place, error),
        (error, _) => Failure::new(format!("{place}: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_names_registry_and_repository() {
        let place = Place::parse("oci://localhost:5000/acme/geocode").unwrap();
        assert!(place.is_on_this_machine());
        assert_eq!(place.name(), "geocode");
        let place = place.or_version(&Version::new(1, 2, 0));
        assert_eq!(place.to_string(), "oci://localhost:5000/acme/geocode:1.2.0");
        let place = Place::parse("oci://registry.example/acme/geocode:2").unwrap();
        assert!(!place.is_on_this_machine());
        let place = place.or_version(&Version::new(1, 2, 0));
        assert_eq!(place.to_string(), "oci://registry.example/acme/geocode:2");
    }

    #[test]
    fn what_is_no_place_is_refused() {
        for text in [
            "registry.example/acme/geocode",
            "oci://acme/geocode",
            "oci://registry.example",
            "oci://registry.example/Acme",
            "oci://registry.example/",
        ] {
            assert!(Place::parse(text).is_err(), "{text}");
        }
    }
}
