//! The command line: one module for each command.

mod access;
mod cache;
mod client;
mod components;
mod config;
mod connect;
mod credential;
mod data_directory;
mod doctor;
pub mod embedded;
mod environment;
mod execute;
mod execution;
mod executions;
mod failure;
mod files;
mod fmt;
mod graph;
mod judge;
mod key;
mod limits;
mod local;
mod log;
mod manual;
mod master_key;
mod migrate;
mod mistakes;
mod payload;
mod playbook;
mod register;
mod replay;
mod rotate_key;
mod sandbox;
mod schema;
mod serve;
mod sse;
mod table;
mod terminal;
mod test;
mod test_database;
mod tool;
mod validate;

use std::path::Path;
use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};

use config::Configured;

use crate::trace::Exporter;

/// Runs workflow playbooks, every tool step in a fresh WebAssembly sandbox.
#[derive(Debug, Parser)]
#[command(name = "noetl", version, propagate_version = false)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the server
    Serve(Box<serve::Serve>),
    /// Register a file and execute it
    #[command(subcommand)]
    Run(execute::Run),
    /// Execute a registered playbook
    Execute(execute::Execute),
    /// Register playbooks
    Register(register::Register),
    /// Check playbooks without a server
    Validate(validate::Validate),
    /// Bring playbooks into one form
    Fmt(fmt::Fmt),
    /// Draw where a playbook's steps lead
    Graph(graph::Graph),
    /// Run the cases beside playbooks, with stubs for what is outside
    Test(test::Test),
    /// Manage the credentials that playbooks name
    #[command(subcommand)]
    Credential(credential::Credential),
    /// Manage the API keys that callers show
    #[command(subcommand)]
    Key(key::Key),
    /// See what ran, cancel it, run it again
    #[command(subcommand)]
    Execution(executions::Execution),
    /// Walk an execution once more from its record, running nothing
    Replay(replay::Replay),
    /// See what is registered, and remove it
    #[command(subcommand)]
    Playbook(playbook::Playbook),
    /// Write, build and try tools, and hand them to servers and registries
    #[command(subcommand)]
    Tool(Box<tool::Tool>),
    /// Print the JSON Schema of playbooks, for editors
    Schema(schema::Schema),
    /// Check the configuration and what the server needs of this machine
    Doctor(Box<doctor::Doctor>),
    /// Check and show the configuration
    #[command(subcommand)]
    Config(config::Config),
    /// Bring the tables of the server's database up to date
    Migrate(migrate::Migrate),
    /// Write what lets a shell complete the arguments
    Completions(manual::Completions),
    /// Write the manual's pages
    Man(manual::Man),
    /// Print the version
    Version,
    /// Run a command with a PostgreSQL of its own in NOETL_TEST_DATABASE_URL
    #[command(hide = true)]
    TestDatabase(test_database::TestDatabase),
    /// Run steps for the server at the other end of stdin
    #[command(hide = true, name = crate::sandbox::WORKER)]
    SandboxWorker,
    /// Compile a component from stdin to stdout
    #[command(hide = true, name = crate::sandbox::COMPILE)]
    SandboxCompiler,
}

/// Playbooks, payloads and templates nest as deep as their limits allow, and what
/// reads them recurses. Only what is used of it becomes memory.
const THREAD_STACK: usize = 32 << 20;

/// Parses the arguments, runs the command, reports its error.
pub fn main() -> ExitCode {
    let configured = match Configured::new(Cli::command()) {
        Ok(configured) => configured,
        Err(error) => return failure::report(&error),
    };
    let matches = configured.command.clone().get_matches();
    let cli = Cli::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    // These lock themselves down while they have one thread.
    match cli.command {
        Command::SandboxWorker => return crate::sandbox::worker(),
        Command::SandboxCompiler => return crate::sandbox::compiler(),
        Command::Config(command) => return ended(command.run(&configured, &matches)),
        _ => {}
    }
    let file = configured.file().map(Path::to_owned);
    // Secrets that were given may be in them.
    drop((configured, matches));
    // SAFETY: nothing before this has started a thread.
    unsafe { environment::take_secrets() };
    crate::tls::choose_provider();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .thread_stack_size(THREAD_STACK)
        .build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => return failure::report(&anyhow::Error::new(error)),
    };
    let exporter = match runtime.block_on(start_log(&cli.command)) {
        Ok(exporter) => exporter,
        Err(error) => return failure::report(&error),
    };
    let code = ended(runtime.block_on(run(cli.command, file.as_deref())));
    if let Some(exporter) = exporter {
        exporter.stop();
    }
    code
}

fn ended(result: anyhow::Result<ExitCode>) -> ExitCode {
    result.unwrap_or_else(|error| failure::report(&error))
}

/// Runs a command; `file` is the configuration file that it was given.
async fn run(command: Command, file: Option<&Path>) -> anyhow::Result<ExitCode> {
    match command {
        Command::Serve(command) => command.run().await,
        Command::Run(execute::Run::Playbook(command)) => command.run().await,
        Command::Execute(command) => command.run().await,
        Command::Register(command) => command.run().await,
        Command::Validate(command) => command.run(),
        Command::Fmt(command) => command.run(),
        Command::Graph(command) => command.run(),
        Command::Test(command) => command.run().await,
        Command::Credential(command) => command.run().await,
        Command::Key(command) => command.run().await,
        Command::Execution(command) => command.run().await,
        Command::Replay(command) => command.run().await,
        Command::Playbook(command) => command.run().await,
        Command::Tool(command) => command.run().await,
        Command::Schema(command) => command.run().await,
        Command::Doctor(command) => command.run(file).await,
        Command::Migrate(command) => command.run().await,
        Command::Completions(command) => command.run(Cli::command()),
        Command::Man(command) => command.run(Cli::command()),
        Command::Version => {
            terminal::out(concat!("noetl ", env!("CARGO_PKG_VERSION")));
            Ok(ExitCode::SUCCESS)
        }
        Command::TestDatabase(command) => command.run().await,
        Command::Config(_) | Command::SandboxWorker | Command::SandboxCompiler => {
            unreachable!("they run without a runtime")
        }
    }
}

/// Messages of the program's inside go to stderr, and a server's spans to who
/// collects them.
async fn start_log(command: &Command) -> anyhow::Result<Option<Exporter>> {
    let Command::Serve(serve) = command else {
        log::start("warn", log::LogFormat::Text, None);
        return Ok(None);
    };
    let options = serve.telemetry();
    let exporter = Exporter::start(options.otlp_endpoint.as_deref())?;
    log::start("warn,noetl=info", options.log_format, exporter.as_ref());
    Ok(exporter)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn the_arguments_are_consistent() {
        super::Cli::command().debug_assert();
    }
}
