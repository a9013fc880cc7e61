//! `noetl tool`: writes, builds, tries and hands over the tools that playbooks use.

mod build;
mod check;
mod docker;
mod keygen;
mod language;
mod list;
mod new;
mod oci;
mod project;
mod pull;
mod push;
mod remove;
mod show;
mod target;
mod test;
mod words;
mod world;

use std::process::ExitCode;

use clap::Subcommand;

/// What to do with tools.
#[derive(Debug, Subcommand)]
pub enum Tool {
    /// Write a new tool's project
    New(new::New),
    /// Build a tool's component with its manifest
    Build(build::Build),
    /// Say what a component is and asks for, and whether a server would take it
    Check(check::Check),
    /// Run a tool's cases in the sandbox, with answers written beside them
    Test(test::Test),
    /// Hand a component to a server or a registry
    Push(push::Push),
    /// Fetch a component from a registry
    Pull(pull::Pull),
    /// List the tools that a server has
    List(list::List),
    /// Show one of a server's tools
    Show(show::Show),
    /// Remove one version of a tool from a server
    Remove(remove::Remove),
    /// Make a key that components are signed with
    Keygen(keygen::Keygen),
}

impl Tool {
    /// Does it.
    ///
    /// # Errors
    /// Those of the subcommand.
    pub async fn run(self) -> anyhow::Result<ExitCode> {
        match self {
            Self::New(command) => command.run(),
            Self::Build(command) => command.run().await,
            Self::Check(command) => command.run().await,
            Self::Test(command) => command.run().await,
            Self::Push(command) => command.run().await,
            Self::Pull(command) => command.run().await,
            Self::List(command) => command.run().await,
            Self::Show(command) => command.run().await,
            Self::Remove(command) => command.run().await,
            Self::Keygen(command) => command.run(),
        }
    }
}
