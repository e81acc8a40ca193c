//! `packages.json`: what a client asks for first.

use actix_web::{HttpRequest, HttpResponse};

use super::stored;
use crate::http::guard::Opened;
use crate::http::{Error, State};
use crate::store::{self, root_dates};

/// Answers with the view's rendering, which is made at the first request after a change.
pub(super) async fn answer(request: &HttpRequest, state: &State, opened: &Opened) -> Result<HttpResponse, Error> {
    let organization = &opened.organization;
    let root = match opened.view.root(organization) {
        Some(root) => root,
        None => {
            let base = state.appliance.repository_url(&organization.slug);
            let date = async |digest: [u8; 32]| date_of(state, opened, digest).await;
            opened.view.render_root(organization, &base, date).await
        }
    };
    stored(request, root.body.clone(), root.last_modified.clone()).await
}

/// The date of a content; none if it cannot be stored, and then the answer has none: it is right all the same.
async fn date_of(state: &State, opened: &Opened, digest: [u8; 32]) -> Option<i64> {
    let org = opened.organization.id;
    let now = state.appliance.now().as_seconds();
    let date: store::Result<i64> =
        state.appliance.database.write(move |tx| root_dates::date_of(org, tx, &digest, now)).await;
    date.inspect_err(|error| {
        tracing::error!(error = %error, "The date of packages.json could not be stored: clients load it anew each time.");
    })
    .ok()
}
