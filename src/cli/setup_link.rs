//! `setup-link`: the way into the first run.

use super::failure::Failure;
use super::session::Session;
use crate::admin::setup;

/// Prints a new link; those before it are good no longer.
pub async fn run(session: &Session) -> Result<(), Failure> {
    match setup::link(&session.appliance).await? {
        Some(link) => {
            session.output.once(link.address, "The link could not be shown; ask for another one");
            session.output.note(format!("It works once, until {}, while the server runs.", link.until));
            Ok(())
        }
        None => Err(Failure::new(
            "somebody administers this server already: sign in, or give an administrator another password with `packagist-selfhosted user set-password NAME`",
        )),
    }
}
