//! `audit`: the log of who did what.

use clap::Subcommand;

use super::failure::Failure;
use super::session::Session;
use crate::admin::audit::{self, Filter};
use crate::admin::organizations;

/// Commands about the audit log.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Print the log as JSON lines, oldest first
    Export {
        /// Only what concerns one organization
        #[arg(long)]
        org: Option<String>,
    },
}

/// Does one of them.
pub async fn run(command: Command, session: &Session) -> Result<(), Failure> {
    let Command::Export { org } = command;
    let org = match org {
        Some(slug) => Some(organizations::find(&session.appliance, &slug).await?.id),
        None => None,
    };
    let filter = Filter { org, ..Filter::default() };
    let mut after = 0;
    loop {
        let (lines, last) = audit::lines(&session.appliance, filter.clone(), after).await?;
        let Some(last) = last else { return Ok(()) };
        session.output.line(lines.trim_end());
        after = last;
    }
}
