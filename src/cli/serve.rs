//! `serve`: everything in one process, from the configuration to the last answered request.

use std::io::Write;
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use sd_notify::NotifyState;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::JoinHandle;

use super::control::{self, server::Control};
use super::failure::Failure;
use super::{settings, turn};
use crate::admin::{accounts, files, organizations, setup};
use crate::appliance::{Appliance, NoAnswer};
use crate::config::{Config, Overrides, PublicUrl};
use crate::http::{self, Server};
use crate::jobs::Workers;
use crate::jobs::build_dist::Dists;
use crate::store::syncs;
use crate::telemetry::{self, metrics};
use crate::vcs::Vcs;

/// How long file operations in the background may go on when everything else has ended.
const FAREWELL: Duration = Duration::from_secs(2);

/// What stands behind `serve`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// The IP address and port to listen on
    #[arg(long, value_name = "ADDR")]
    listen: Option<String>,
    /// The directory of database, keys, mirrors and dists
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
}

impl Arguments {
    /// What they say over file and environment.
    pub fn overrides(&self) -> Overrides {
        Overrides { listen: self.listen.clone(), data_dir: self.data_dir.clone() }
    }
}

/// Serves until a signal comes.
pub fn run(mut config: Config) -> Result<u8, Failure> {
    let rust_log = std::env::var("RUST_LOG").ok();
    telemetry::init(config.log.format, config.log.level, rust_log.as_deref())?;
    for warning in config.warnings.iter().chain(&settings::without_effect(&config)) {
        tracing::warn!("{warning}");
    }
    choose_port(&mut config)?;
    raise_files();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let ended = runtime.block_on(serve(&config));
    // Files that are being swept away in the background are left to the next start.
    runtime.shutdown_timeout(FAREWELL);
    ended
}

async fn serve(config: &Config) -> Result<u8, Failure> {
    let mut signals = Signals::new()?;
    let vcs = Vcs::new(settings::vcs(config)?);
    let metrics = metrics::install();
    let opened = tokio::select! {
        opened = turn::open(config, &vcs) => opened,
        name = signals.next() => {
            tracing::info!(signal = name, "The server stops before it has started.");
            return Ok(0);
        }
    };
    let appliance = opened?;
    let settings = settings::http(config)?;
    require_unchanged(&appliance, &settings.integrations).await?;
    // What platforms told while nobody listened is found by comparing everything.
    let now = appliance.now();
    appliance.database.write(move |tx| syncs::set_all_due(tx, now)).await?;
    let workers = Workers::start(appliance.clone(), config.jobs.workers).await?;
    let dists = Dists::new(appliance.clone());
    let state = http::State::new(appliance.clone(), dists, metrics, settings);
    let mut server = Server::start(state)?;
    let control = Control::listen(appliance.clone(), &control::socket(&config.server.data_dir))?;
    for address in server.addresses() {
        tracing::info!(address = %address, public_url = %config.server.public_url, "The server is listening.");
    }
    offer_setup(&appliance).await?;
    tell(&NotifyState::Ready);
    let mut beside: Vec<JoinHandle<()>> = watchdog(&appliance).into_iter().collect();
    // It may take long, and signals are heeded meanwhile.
    beside.push(tokio::spawn(prepare(appliance.clone())));
    let broken = tokio::select! {
        name = signals.next() => {
            tracing::info!(signal = name, "The server is stopping.");
            None
        }
        ended = server.ended() => Some(ended),
    };
    tell(&NotifyState::Stopping);
    let stop = async {
        server.stop().await;
        control.stop().await;
        workers.stop().await;
    };
    tokio::select! {
        () = stop => {}
        // Whoever asks twice does not want to wait; what is cut off is repeated at the next start.
        _ = signals.next() => tracing::warn!("The server stops at once."),
    }
    for task in beside {
        task.abort();
    }
    match broken {
        None => Ok(0),
        Some(ended) => Err(Failure::new(match ended {
            Ok(()) => "the HTTP server ended by itself".to_owned(),
            Err(error) => format!("the HTTP server ended by itself: {error}"),
        })),
    }
}

/// While nobody administers the server, the way to change that, on standard output.
async fn offer_setup(appliance: &Appliance) -> Result<(), Failure> {
    let Some(link) = setup::link(appliance).await? else { return Ok(()) };
    let text = format!("Nobody administers this server yet. Set it up, until {}: {}", link.until, link.address);
    let mut out = std::io::stdout().lock();
    // Whoever closed standard output has the command `setup-link`.
    let _ = writeln!(out, "{text}").and_then(|()| out.flush());
    Ok(())
}

/// People are known by an integration's id: under it there must be the platform that there was.
async fn require_unchanged(appliance: &Appliance, integrations: &[http::Integration]) -> Result<(), Failure> {
    let known: Vec<_> = integrations.iter().map(http::Integration::known).collect();
    let check = appliance
        .database
        .read(move |db| known.iter().try_for_each(|one| accounts::require_unchanged(db, &one.id, &one.recorded)));
    Ok(check.await?)
}

/// What is good to do once the server runs, and no reason to stop it.
async fn prepare(appliance: Appliance) {
    if let Err(error) = files::sweep(&appliance).await {
        tracing::warn!(error = %error, "What removed packages left could not be looked for.");
    }
    match organizations::all(&appliance).await {
        Ok(all) if all.is_empty() => {
            tracing::info!("There is no organization yet: add one with `packagist-selfhosted org add SLUG`.");
        }
        Ok(_) => {}
        Err(error) => tracing::warn!(error = %error, "The organizations could not be read."),
    }
}

/// Takes as many open files as the system gives: each client is one. The soft limit is low for old programs that use
/// `select`, which none of ours does.
fn raise_files() {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current == maximum {
        return;
    }
    if let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }) {
        tracing::warn!(%error, "The limit of open files could not be raised: fewer clients can be connected.");
    }
}

/// With port 0, the system's choice; links then lead there, unless the configuration says where they lead.
fn choose_port(config: &mut Config) -> Result<(), Failure> {
    let server = &mut config.server;
    if server.listen.port() != 0 {
        return Ok(());
    }
    let free = TcpListener::bind(server.listen)?.local_addr()?;
    server.listen = SocketAddr::new(server.listen.ip(), free.port());
    if !server.public_url_given {
        server.public_url = PublicUrl::of_listener(server.listen, server.tls.is_some());
    }
    Ok(())
}

/// Tells systemd, if it started us.
fn tell(state: &NotifyState<'_>) {
    if let Err(error) = sd_notify::notify(std::slice::from_ref(state)) {
        tracing::warn!(error = %error, "systemd could not be told.");
    }
}

/// Tells systemd from time to time that the runtime turns and the database answers, if it wants to know. That it cannot write
/// and a catalog that is behind are left to `/readyz`: a new start would not get further than this process, which serves on.
fn watchdog(appliance: &Appliance) -> Option<JoinHandle<()>> {
    let period = sd_notify::watchdog_enabled()?;
    let appliance = appliance.clone();
    Some(tokio::spawn(async move {
        // An answer that takes half of the time comes soon enough all the same.
        let mut beats = tokio::time::interval((period / 4).max(Duration::from_millis(100)));
        loop {
            beats.tick().await;
            match appliance.require_answers(period / 2).await {
                Ok(()) | Err(NoAnswer::Refused(_)) => tell(&NotifyState::Watchdog),
                Err(error @ NoAnswer::Silent) => tracing::error!(%error, "systemd is not told that all is well."),
            }
        }
    }))
}

/// The signals that end a server, and one that must not.
struct Signals {
    /// A file that may not grow any more, by a limit on the size of files: an error of that file, not the server's end.
    _file_too_large: Signal,
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn new() -> std::io::Result<Self> {
        let file_too_large = SignalKind::from_raw(rustix::process::Signal::XFSZ.as_raw());
        Ok(Self {
            _file_too_large: signal(file_too_large)?,
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }
}
