//! The way back of an account that an organization shall use as a credential. Who began it must still be who is here, and
//! must still manage the organization: nothing is asked of the platform before, and nothing kept without.

use actix_web::{HttpRequest, HttpResponse};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};

use super::Stopped;
use crate::admin::{self, credentials};
use crate::http::State;
use crate::http::integrations::Integration;
use crate::http::local_path::LocalPath;
use crate::http::page_error::PageError;
use crate::http::pages::components::Flash;
use crate::http::pages::respond;
use crate::http::visitor::{Manages, Visitor};
use crate::platform::{Departure, LoginError, Reach, Returned};
use crate::store::ids::{OrgId, SessionId, UserId};

/// What an account is connected for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::http) struct ForCredential {
    /// Who connects it.
    pub user: UserId,
    /// In which session.
    pub session: SessionId,
    /// For which organization.
    pub org: OrgId,
    /// As which credential.
    pub becomes: credentials::Becomes,
    /// Whether it shall install webhooks.
    pub hooks: bool,
}

impl ForCredential {
    const fn reach(&self) -> Reach {
        if self.hooks { Reach::Hooks } else { Reach::Reading }
    }

    /// The way to the platform.
    pub(super) fn depart(&self, integration: &Integration, state: &State) -> Result<Departure, Stopped> {
        let missing = || Stopped::Page(PageError::NotFound(None));
        let connection = integration.connection.as_ref().ok_or_else(missing)?;
        let callback = integration.callback_url(&state.settings.public_url).ok_or_else(missing)?;
        connection.depart_to_connect(&callback, self.reach()).map_err(Stopped::Login)
    }

    async fn manager(
        &self,
        request: &HttpRequest,
        state: &State,
        next: &LocalPath,
        visitor: &Visitor,
    ) -> Result<Manages, PageError> {
        let who = visitor.who.as_ref().filter(|who| who.user.id == self.user && who.session.id == self.session);
        let who = who.cloned().ok_or_else(|| PageError::SignIn(next.clone()))?;
        Manages::now(request, state, who, self.org).await
    }

    /// Takes what came back.
    pub(super) async fn arrive(
        self,
        (request, state, visitor): (&HttpRequest, &State, &Visitor),
        integration: &Integration,
        (returned, keep): (&Returned, String),
        next: &LocalPath,
    ) -> Result<HttpResponse, PageError> {
        let missing = || PageError::NotFound(None);
        let connection = integration.connection.as_ref().ok_or_else(missing)?;
        let callback = integration.callback_url(&state.settings.public_url).ok_or_else(missing)?;
        self.manager(request, state, next, visitor).await?;
        let came = connection.connect(&callback, self.reach(), returned, &SecretString::from(keep)).await;
        let (identity, granted) = match came {
            Ok(came) => came,
            Err(error) => return Ok(refused(&error, integration, next)),
        };
        // The platform took its time.
        let manager = match self.manager(request, state, next, visitor).await {
            Ok(manager) => manager,
            Err(error) => {
                connection.disconnect(&granted.access).await;
                return Err(error);
            }
        };
        let (login, reach) = (identity.login.clone(), self.reach());
        let (appliance, actor, org) = (&state.appliance, manager.actor(), manager.org());
        let what = (self.becomes, reach);
        match credentials::connect(appliance, &actor, org, what, connection, (identity, granted)).await {
            Ok(connected) => {
                let before = connected.before.map(|before| format!(" in place of {before}")).unwrap_or_default();
                let name = connected.name;
                let text = format!("“{name}” acts as {login} of {}{before}.", integration.name);
                let place = format!("/orgs/{}/credentials/{name}", manager.organization.slug);
                Ok(respond::see_other(&place, Some(&Flash { good: true, text })))
            }
            Err(admin::Error::Conflict(text) | admin::Error::Invalid(text) | admin::Error::NotFound(text)) => {
                let text = format!("Not connected: {text}.");
                Ok(respond::see_other(next.as_str(), Some(&Flash { good: false, text })))
            }
            Err(error) => Err(error.into()),
        }
    }
}

/// What a manager is told whose account was not connected.
pub(in crate::http) fn words(error: &LoginError) -> String {
    match error {
        LoginError::Denied { name } => format!("Nothing was connected, because {name} was told not to."),
        LoginError::Stale { name } => format!(
            "Nothing was connected: what {name} gave is too old, or was used before. Begin once more; if it happens every time, run the test of this integration."
        ),
        LoginError::App { name, reason } => format!("{name} lets no account be connected: {reason}."),
        LoginError::Account { name, reason, .. } => format!("This account of {name} cannot be connected: {reason}."),
        other => format!("Nothing was connected. {other}."),
    }
}

fn refused(error: &LoginError, integration: &Integration, next: &LocalPath) -> HttpResponse {
    tracing::info!(integration = %integration.id, error = %error, "An account could not be connected.");
    respond::see_other(next.as_str(), Some(&Flash { good: false, text: words(error) }))
}
