//! GitHub Apps that were made here, as the platforms use them: opened at the start, and when somebody makes or forgets one.

use super::Appliance;
use crate::platform::AppKey;
use crate::secrets::{Context, SealedError, open};
use crate::store::github_apps::{self, GithubApp};
use crate::store::ids::GithubAppId;
use crate::store::{self};

/// Where an App's private key is sealed.
#[must_use]
pub const fn key_place(id: GithubAppId) -> Context {
    Context { table: "github_app", column: "private_key", row_id: id.0 }
}

/// Where what signs its deliveries is sealed.
#[must_use]
pub const fn webhook_place(id: GithubAppId) -> Context {
    Context { table: "github_app", column: "webhook_secret", row_id: id.0 }
}

impl Appliance {
    /// Lets every platform use the App that was made for it. One whose secrets cannot be opened is as good as none, and
    /// keeps nobody from starting.
    pub(super) async fn load_apps(&self) -> store::Result<()> {
        for row in self.database.read(github_apps::all).await? {
            let Some(hub) = self.hubs.by_id(&row.integration) else { continue };
            match self.opened(&row) {
                Ok(app) => hub.set_app(Some(app)),
                Err(error) => tracing::error!(
                    platform = row.integration,
                    %error,
                    "The key of a GitHub App cannot be opened: forget the App on the integration's page, and make another one."
                ),
            }
        }
        Ok(())
    }

    fn opened(&self, row: &GithubApp) -> Result<AppKey, SealedError> {
        let webhook_secret = row.webhook_secret.as_ref();
        Ok(AppKey {
            id: row.app.unsigned_abs(),
            private_key: open(&self.keys, key_place(row.id), &row.private_key)?,
            slug: Some(row.slug.clone()),
            webhook_secret: webhook_secret.map(|sealed| open(&self.keys, webhook_place(row.id), sealed)).transpose()?,
        })
    }
}
