//! A server's turn at the data directory: it waits for a command that is using it, and not for another server.

use std::time::{Duration, Instant};

use super::control::{self, client};
use super::failure::Failure;
use super::settings;
use crate::appliance::{Appliance, DirectoryError, Mode, OpenError};
use crate::clock::Clock;
use crate::config::Config;
use crate::vcs::Vcs;

/// How long a server waits for a command; less than systemd waits for a start.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often it looks.
const PAUSE: Duration = Duration::from_millis(100);

/// Opens the instance for a server as soon as no command uses it.
///
/// # Errors
/// If another server runs, a command takes too long, or anything in the directory cannot be used.
pub async fn open(config: &Config, vcs: &Vcs) -> Result<Appliance, Failure> {
    let data_dir = &config.server.data_dir;
    let hubs = settings::hubs(config)?;
    let started = Instant::now();
    let mut was_told = false;
    loop {
        let settings = settings::appliance(config)?;
        let locked = match Appliance::open(settings, vcs.clone(), Clock::system(), Mode::CreateOrUpgrade).await {
            Err(OpenError::Directory(DirectoryError::Locked(path))) => path,
            opened => return Ok(opened?.with_hubs(hubs).await?),
        };
        if client::is_answered(&control::socket(data_dir)) {
            return Err(Failure::new(format!(
                "another process uses the data directory {}, a server that runs: stop it first. It does commands meanwhile",
                locked.display()
            )));
        }
        if started.elapsed() >= PATIENCE {
            return Err(Failure::new(format!(
                "another process uses the data directory {}, and it is no server that answers: wait until the command has ended, or end it, and start again (`fuser {}/lock` tells which it is)",
                locked.display(),
                locked.display()
            )));
        }
        if !was_told {
            tracing::info!("The server is waiting for a command that is using the data directory.");
            was_told = true;
        }
        tokio::time::sleep(PAUSE).await;
    }
}
