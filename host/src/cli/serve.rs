//! `noetl serve`.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Args;
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::task::AbortOnDropHandle;

use super::access::AccessOptions;
use super::client::Client;
use super::config::ConfigOption;
use super::failure::Failure;
use super::limits::{LimitOptions, make_room_for_files};
use super::local::{DRAIN_LIMIT, Local, LocalOptions, Serving};
use super::log::TelemetryOptions;
use super::terminal::{note, out, timed};
use super::{failure, files};
use crate::api::limits::HttpLimits;
use crate::app::App;

/// Where the server listens if it isn't told.
pub const DEFAULT_LISTEN: &str = "127.0.0.1:8082";

/// Connections at once to the address of metrics and health.
const OPERATING_CONNECTIONS: usize = 64;

/// Arguments of `noetl serve`.
#[derive(Debug, Args)]
pub struct Serve {
    /// Address and port
    #[arg(long, env = "NOETL_LISTEN", value_name = "ADDRESS", default_value = DEFAULT_LISTEN)]
    listen: String,
    #[command(flatten)]
    config: ConfigOption,
    #[command(flatten)]
    local: LocalOptions,
    /// Registers the playbooks in this directory; may be repeated, or several with `:` between them
    #[arg(
        long,
        env = "NOETL_PLAYBOOKS",
        value_name = "DIR",
        value_delimiter = ':'
    )]
    playbooks: Vec<PathBuf>,
    /// Also serves the example page and its stand-in for an identity provider
    #[arg(long, env = "NOETL_DEV")]
    dev: bool,
    /// How long ended executions are kept, such as `30d` [default: for ever]
    #[arg(long, env = "NOETL_RETENTION", value_name = "TIME", value_parser = humantime::parse_duration)]
    retention: Option<Duration>,
    #[command(flatten)]
    access: AccessOptions,
    #[command(flatten)]
    telemetry: TelemetryOptions,
    #[command(flatten)]
    limits: LimitOptions,
}

impl Serve {
    /// How it tells what happens.
    pub fn telemetry(&self) -> &TelemetryOptions {
        &self.telemetry
    }

    /// Serves until SIGINT or SIGTERM. SIGHUP ends it too, unless there is a file
    /// of grants to read again.
    ///
    /// # Errors
    /// The address is taken, or a part does not start.
    pub async fn run(self) -> anyhow::Result<ExitCode> {
        let begin = Instant::now();
        let mut signals = Signals::new(self.local.grants.is_some())?;
        let hangup = signal(SignalKind::hangup())?;
        out(concat!("noetl ", env!("CARGO_PKG_VERSION")));
        let listener = bind(&self.listen, "--listen").await?;
        let operating = match &self.telemetry.metrics_listen {
            Some(address) => Some(bind(address, "--metrics-listen").await?),
            None => None,
        };
        let address = listener.local_addr()?;
        self.access.check_address(address.ip())?;
        let local = tokio::select! {
            local = self.start() => local?,
            () = signals.next() => return Err(Failure::new("interrupted while starting").into()),
        };
        if self.local.grants.is_some() {
            tokio::spawn(reload_grants(local.app.clone(), hangup));
        }
        if !self.access.config().required {
            out(
                "no authentication: everybody on this machine may do everything, as the tenant default; --require-auth asks for API keys",
            );
        }
        if self.dev {
            out(&format!(
                "example page: http://{address}/examples/auth0-login/"
            ));
            if !address.ip().is_loopback() {
                note(
                    "warning: with --dev the server signs a token for anybody's name; \
                     let only people you trust reach it",
                );
            }
        }
        let _operating = match operating {
            Some(listener) => {
                out(&format!(
                    "metrics and health on http://{}",
                    listener.local_addr()?
                ));
                Some(spawn_operating(&local.app, listener))
            }
            None => None,
        };
        out(&timed("everything started", begin.elapsed()));
        // Programs that start the server wait for this line.
        out(&format!("ready on http://{address}"));

        let (stop, stopping) = tokio::sync::oneshot::channel::<()>();
        let app = local.app.clone();
        let mut server = tokio::spawn(async move {
            app.serve(listener, async {
                stopping.await.ok();
            })
            .await;
        });
        tokio::select! {
            ended = &mut server => {
                ended?;
                return Err(Failure::new("the server ended by itself").into());
            }
            () = signals.next() => {}
        }
        out(&format!(
            "stopping: running executions have {} s to finish; Ctrl-C again ends them now",
            DRAIN_LIMIT.as_secs()
        ));
        let before = Instant::now();
        local.app.stop();
        stop.send(()).ok();
        let finish = async {
            if tokio::time::timeout(DRAIN_LIMIT, &mut server)
                .await
                .is_err()
            {
                note("some connections were still open");
            }
        };
        tokio::select! {
            () = finish => {}
            () = signals.next() => {}
        }
        server.abort();
        tokio::select! {
            stopped = local.stop() => stopped?,
            // The embedded database is stopped by being dropped.
            () = signals.next() => {}
        }
        out(&timed("stopped", before.elapsed()));
        Ok(ExitCode::SUCCESS)
    }

    async fn start(&self) -> anyhow::Result<Local> {
        let mut limits = self.limits.limits();
        make_room_for_files(&mut limits)?;
        let serving = Serving {
            dev: self.dev,
            limits,
            access: self.access.config(),
            retention: self.retention,
        };
        let local = Local::start(&self.local, serving, &out).await?;
        let before = Instant::now();
        match self.register(&local.client).await? {
            0 => out("no playbooks registered now; add some with 'noetl register' or --playbooks"),
            1 => out(&timed("1 playbook registered", before.elapsed())),
            count => out(&timed(
                &format!("{count} playbooks registered"),
                before.elapsed(),
            )),
        }
        Ok(local)
    }

    /// A playbook with mistakes does not keep the others from being served.
    async fn register(&self, client: &Client) -> anyhow::Result<usize> {
        let mut count = 0;
        for file in files::read_all(&self.playbooks)? {
            match client.register(&file).await {
                Ok(_) => count += 1,
                Err(error) => {
                    failure::report(&error.context(format!("{} is not registered", file.name)));
                }
            }
        }
        Ok(count)
    }
}

/// Before anything slow, so that a taken port is known at once.
async fn bind(address: &str, option: &str) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address).await.map_err(|error| {
        Failure::new(format!("cannot listen on {address}: {error}"))
            .hint(format!(
                "is another noetl running? choose another address with {option} 127.0.0.1:PORT"
            ))
            .into()
    })
}

/// Serves metrics and health until the end, when the server itself takes no more
/// requests.
fn spawn_operating(app: &App, listener: TcpListener) -> AbortOnDropHandle<()> {
    let router = app.operating_router();
    let limits = HttpLimits {
        connections: OPERATING_CONNECTIONS,
        ..HttpLimits::default()
    };
    AbortOnDropHandle::new(tokio::spawn(crate::api::serve(
        listener,
        router,
        limits,
        std::future::pending(),
    )))
}

/// Reads the grants again at each SIGHUP.
async fn reload_grants(app: App, mut hangup: Signal) {
    while hangup.recv().await.is_some() {
        match app.grants().reload() {
            Ok(()) => out("grants read again"),
            Err(error) => note(&format!("error: {error}\nthe grants stay as they were")),
        }
    }
}

/// The signals that end the server.
struct Signals {
    interrupt: Signal,
    terminate: Signal,
    hangup: Option<Signal>,
}

impl Signals {
    fn new(reloads: bool) -> anyhow::Result<Signals> {
        Ok(Signals {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hangup: match reloads {
                true => None,
                false => Some(signal(SignalKind::hangup())?),
            },
        })
    }

    async fn next(&mut self) {
        let hangup = async {
            match &mut self.hangup {
                Some(hangup) => hangup.recv().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
            _ = hangup => {}
        }
    }
}
