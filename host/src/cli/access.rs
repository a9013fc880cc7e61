//! Who may call, as options of `noetl serve`.

use std::net::IpAddr;

use clap::Args;

use super::failure::Failure;
use crate::access::{AccessConfig, Algorithm, OidcConfig, Role, parse_algorithm};

/// How callers are told apart.
#[derive(Debug, Args)]
#[command(next_help_heading = "Access")]
pub struct AccessOptions {
    /// Takes requests only with an API key (`noetl key create`) or a token
    #[arg(long, env = "NOETL_REQUIRE_AUTH")]
    require_auth: bool,
    /// Takes tokens of this OpenID Connect provider; implies --require-auth
    #[arg(
        long,
        env = "NOETL_OIDC_ISSUER",
        value_name = "URL",
        requires = "oidc_audience"
    )]
    oidc_issuer: Option<String>,
    /// The audience that a token must be for
    #[arg(
        long,
        env = "NOETL_OIDC_AUDIENCE",
        value_name = "NAME",
        requires = "oidc_issuer"
    )]
    oidc_audience: Option<String>,
    /// How tokens may be signed; may be repeated
    #[arg(long, env = "NOETL_OIDC_ALGORITHM", value_name = "NAME", value_delimiter = ',', default_value = "RS256", value_parser = parse_algorithm)]
    oidc_algorithm: Vec<Algorithm>,
    /// Where the provider's keys are [default: what its discovery document says]
    #[arg(
        long,
        env = "NOETL_OIDC_JWKS_URL",
        value_name = "URL",
        requires = "oidc_issuer"
    )]
    oidc_jwks_url: Option<String>,
    /// The claim with the tenant's name
    #[arg(
        long,
        env = "NOETL_OIDC_TENANT_CLAIM",
        value_name = "CLAIM",
        default_value = "tenant"
    )]
    oidc_tenant_claim: String,
    /// The tenant of tokens without that claim [default: they are refused]
    #[arg(long, env = "NOETL_OIDC_TENANT", value_name = "TENANT")]
    oidc_tenant: Option<String>,
    /// The claim with the role: viewer, runner, author or admin
    #[arg(
        long,
        env = "NOETL_OIDC_ROLE_CLAIM",
        value_name = "CLAIM",
        default_value = "role"
    )]
    oidc_role_claim: String,
    /// The role of tokens without that claim [default: they are refused]
    #[arg(long, env = "NOETL_OIDC_ROLE", value_name = "ROLE")]
    oidc_role: Option<Role>,
}

impl AccessOptions {
    /// What was chosen.
    pub fn config(&self) -> AccessConfig {
        let oidc = match (&self.oidc_issuer, &self.oidc_audience) {
            (Some(issuer), Some(audience)) => Some(OidcConfig {
                issuer: issuer.clone(),
                audience: audience.clone(),
                algorithms: self.oidc_algorithm.clone(),
                jwks_url: self.oidc_jwks_url.clone(),
                tenant_claim: self.oidc_tenant_claim.clone(),
                tenant: self.oidc_tenant.clone(),
                role_claim: self.oidc_role_claim.clone(),
                role: self.oidc_role,
            }),
            _ => None,
        };
        AccessConfig {
            required: self.require_auth || oidc.is_some(),
            oidc,
        }
    }

    /// Refuses to let the network in where nobody is asked who they are.
    ///
    /// # Errors
    /// The address is not one of this machine alone.
    pub fn check_address(&self, address: IpAddr) -> Result<(), Failure> {
        match self.config().required || address.is_loopback() {
            true => Ok(()),
            false => Err(Failure::new(format!(
                "cannot listen on {address}: without authentication, everybody who reaches it could do everything"
            ))
            .hint("ask callers for an API key with --require-auth (make the first one with 'noetl key create'), take the tokens of an identity provider with --oidc-issuer, or listen on 127.0.0.1")),
        }
    }
}
