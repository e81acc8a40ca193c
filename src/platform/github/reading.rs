//! Reading lists of an organization: page after page, and only what changed, where the answers of before are kept.

use std::sync::{Mutex, MutexGuard, PoisonError};

use oauth2::http::StatusCode;
use serde::Serialize;
use serde::de::DeserializeOwned;
use url::Url;

use super::api::{Api, Ask, Walk, is_partial};
use super::touched::Touched;
use super::wire::FORM;
use crate::outbound::Answer;
use crate::platform::hub::{Hub, HubError, Key};
use crate::platform::remote::{Kind, Pages, Wanted};

/// Somebody who reads an organization.
pub(super) struct Reader<'a> {
    pub api: Api<'a>,
    pub wanted: &'a Wanted,
    pub touched: Touched,
    /// Written by whatever was read; several lists are read at the same time.
    pages: Mutex<&'a mut Pages>,
    /// What somebody should know, and what may be missing.
    remarks: Mutex<Remarks>,
}

/// What is said beside what was read.
#[derive(Clone, Debug, Default)]
pub(super) struct Remarks {
    pub notices: Vec<String>,
    pub incomplete: Vec<Kind>,
}

impl<'a> Reader<'a> {
    /// Begins to read.
    pub(super) fn new(hub: &'a Hub, key: &'a Key, wanted: &'a Wanted, pages: &'a mut Pages) -> Self {
        Self {
            api: Api::new(hub, key).sparing(wanted.spare),
            wanted,
            touched: Touched::of(&wanted.scope),
            pages: Mutex::new(pages),
            remarks: Mutex::default(),
        }
    }

    fn pages(&self) -> MutexGuard<'_, &'a mut Pages> {
        self.pages.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells something, once.
    pub(super) fn notice(&self, text: String) {
        let mut remarks = self.remarks.lock().unwrap_or_else(PoisonError::into_inner);
        if !remarks.notices.contains(&text) {
            remarks.notices.push(text);
        }
    }

    /// Something of these kinds may be missing.
    pub(super) fn incomplete(&self, kinds: &[Kind]) {
        self.remarks.lock().unwrap_or_else(PoisonError::into_inner).incomplete.extend_from_slice(kinds);
    }

    /// What is to be said beside what was read.
    pub(super) fn remarks(&self) -> Remarks {
        self.remarks.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// All of a list; what is kept of it is taken, unless it is to be asked for `again`.
    ///
    /// # Errors
    /// [`HubError`].
    pub(super) async fn list<T>(&self, path: &str, again: bool, what: &str) -> Result<Vec<T>, HubError>
    where
        T: Serialize + DeserializeOwned,
    {
        self.listed(path, again, what, |answer| self.api.json(answer)).await
    }

    /// The same, of a list that stands in something.
    ///
    /// # Errors
    /// [`HubError`].
    pub(super) async fn listed<T>(
        &self,
        path: &str,
        again: bool,
        what: &str,
        read: impl Fn(&Answer) -> Result<Vec<T>, HubError>,
    ) -> Result<Vec<T>, HubError>
    where
        T: Serialize + DeserializeOwned,
    {
        let mut walk = Walk::default();
        let (mut all, mut next) = (Vec::new(), Some(self.api.url(path)));
        while let Some(url) = next {
            walk.step(&url).map_err(|reason| self.api.malformed(&reason))?;
            let page = self.page(url, again, what, &read).await?;
            all.extend(page.0);
            next = page.1;
        }
        Ok(all)
    }

    async fn page<T>(
        &self,
        url: Url,
        again: bool,
        what: &str,
        read: impl Fn(&Answer) -> Result<Vec<T>, HubError>,
    ) -> Result<(Vec<T>, Option<Url>), HubError>
    where
        T: Serialize + DeserializeOwned,
    {
        let place = self.place(&url);
        let kept = self.kept_page::<T>(&place);
        let kept = match kept {
            Some((_, items, next)) if !again => return Ok((items, next)),
            kept => kept,
        };
        let mut ask = Ask::get(url);
        ask.etag = kept.as_ref().and_then(|(etag, _, _)| etag.clone());
        let answer = self.api.answered(&ask, what).await?;
        if answer.status == StatusCode::NOT_MODIFIED {
            let Some((_, items, next)) = kept else {
                return Err(self.api.malformed("it says that something is unmodified which we did not know"));
            };
            self.pages().confirm(&place);
            return Ok((items, next));
        }
        let (items, next) = (read(&answer)?, self.api.next(&answer)?);
        self.keep(place, &answer, &items, next.as_ref());
        Ok((items, next))
    }

    fn keep<T: Serialize>(&self, place: String, answer: &Answer, items: &[T], next: Option<&Url>) {
        let body = serde_json::to_vec(items).unwrap_or_default();
        if is_partial(answer) || body.is_empty() {
            self.pages().remove(&place);
            return;
        }
        let etag = answer.headers.get("etag").and_then(|value| value.to_str().ok()).map(str::to_owned);
        self.pages().put(place, etag, next.map(Url::to_string), body);
    }

    /// What is kept of a list, if all of it is.
    pub(super) fn kept<T: DeserializeOwned>(&self, path: &str) -> Option<Vec<T>> {
        let mut walk = Walk::default();
        let (mut all, mut next) = (Vec::new(), Some(self.api.url(path)));
        while let Some(url) = next {
            walk.step(&url).ok()?;
            let (_, items, further) = self.kept_page::<T>(&self.place(&url))?;
            all.extend(items);
            next = further;
        }
        Some(all)
    }

    /// Its ETag, its values, and where the list goes on.
    fn kept_page<T: DeserializeOwned>(&self, place: &str) -> Option<(Option<String>, Vec<T>, Option<Url>)> {
        let pages = self.pages();
        let page = pages.get(place)?;
        let items = serde_json::from_slice(&page.body).ok()?;
        let next = match &page.next {
            Some(next) => Some(next.parse().ok()?),
            None => None,
        };
        Some((page.etag.clone(), items, next))
    }

    /// What an answer is kept by: whoever asks with another secret may see something else.
    fn place(&self, url: &Url) -> String {
        let key = self.api.key;
        format!("{url}#{FORM}.{}.{}", key.credential, key.generation)
    }
}
