//! Reading lists of an organization: page after page, and only what changed, where the answers of before are kept.

use std::future::Future;
use std::sync::{Mutex, MutexGuard, PoisonError};

use oauth2::http::StatusCode;
use serde::Serialize;
use serde::de::DeserializeOwned;
use url::Url;

use super::line::Line;
use super::touched::Touched;
use super::walk::Walk;
use crate::outbound::Answer;
use crate::platform::hub::HubError;
use crate::platform::remote::{Kind, Pages, RemoteRepository, Wanted};

/// An API that has lists.
pub(crate) trait Lists: Sync {
    /// The form in which answers are kept. To be counted up with every change of what is kept, so that none of an older form
    /// is taken for one of the new.
    const FORM: u32;

    /// The way to it.
    fn line(&self) -> &Line<'_>;

    /// An address of the API.
    fn url(&self, path: &str) -> Url;

    /// An answer that says yes, or that nothing changed since the one of this name. `what` stands after "may not".
    ///
    /// # Errors
    /// [`HubError`] for every other.
    fn fetch(
        &self,
        url: Url,
        etag: Option<String>,
        what: &str,
    ) -> impl Future<Output = Result<Answer, HubError>> + Send;

    /// Where a list goes on after the page at `url`, which had so many things.
    ///
    /// # Errors
    /// `Malformed` where that is nowhere.
    fn next(&self, url: &Url, answer: &Answer, items: usize) -> Result<Option<Url>, HubError>;

    /// Where a list goes on after a page that is what it was, and went on there then.
    ///
    /// # Errors
    /// `Malformed` where that is nowhere.
    fn next_unmodified(
        &self,
        _url: &Url,
        _answer: &Answer,
        _items: usize,
        then: Option<Url>,
    ) -> Result<Option<Url>, HubError> {
        Ok(then)
    }

    /// Whether an answer may be kept.
    fn is_whole(&self, answer: &Answer) -> bool;
}

/// Somebody who reads an organization.
pub(crate) struct Reader<'a, A> {
    pub api: A,
    pub wanted: &'a Wanted,
    pub touched: Touched,
    /// Written by whatever was read; several lists are read at the same time.
    pages: Mutex<&'a mut Pages>,
    /// What somebody should know, and what may be missing.
    remarks: Mutex<Remarks>,
}

/// What is said beside what was read.
#[derive(Clone, Debug, Default)]
pub(crate) struct Remarks {
    pub notices: Vec<String>,
    pub incomplete: Vec<Kind>,
    /// Repositories of which it is not told who was added to them.
    pub untold: Vec<String>,
}

impl<'a, A: Lists> Reader<'a, A> {
    /// Begins to read.
    pub(crate) fn of(api: A, wanted: &'a Wanted, pages: &'a mut Pages) -> Self {
        let touched = Touched::of(&wanted.scope);
        Self { api, wanted, touched, pages: Mutex::new(pages), remarks: Mutex::default() }
    }

    fn pages(&self) -> MutexGuard<'_, &'a mut Pages> {
        self.pages.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells something, once.
    pub(crate) fn notice(&self, text: String) {
        let mut remarks = self.remarks.lock().unwrap_or_else(PoisonError::into_inner);
        if !remarks.notices.contains(&text) {
            remarks.notices.push(text);
        }
    }

    /// Something of these kinds may be missing.
    pub(crate) fn incomplete(&self, kinds: &[Kind]) {
        self.remarks.lock().unwrap_or_else(PoisonError::into_inner).incomplete.extend_from_slice(kinds);
    }

    /// Who was added to these repositories is not told. None is not to lose one of them for that, while whoever was removed from
    /// another one does. The repositories in words, if there are any.
    pub(crate) fn untold(&self, repositories: &[&RemoteRepository]) -> Option<String> {
        let first = repositories.first()?;
        let ids = repositories.iter().map(|one| one.id.clone());
        self.remarks.lock().unwrap_or_else(PoisonError::into_inner).untold.extend(ids);
        let others = match repositories.len() - 1 {
            0 => String::new(),
            1 => " and one other repository".to_owned(),
            more => format!(" and {more} other repositories"),
        };
        Some(format!("{}{others}", first.path))
    }

    /// What is to be said beside what was read.
    pub(crate) fn remarks(&self) -> Remarks {
        self.remarks.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// One thing; what is kept of it is taken, unless it is to be asked for `again`.
    ///
    /// # Errors
    /// [`HubError`].
    pub(crate) async fn one<T>(&self, path: &str, again: bool, what: &str) -> Result<T, HubError>
    where
        T: Serialize + DeserializeOwned,
    {
        let read = |answer: &Answer| Ok(vec![self.api.line().json::<T>(answer)?]);
        let found = self.page(self.api.url(path), again, what, read).await?.0;
        found.into_iter().next().ok_or_else(|| self.api.line().malformed("what it should tell is empty"))
    }

    /// All of a list; what is kept of it is taken, unless it is to be asked for `again`.
    ///
    /// # Errors
    /// [`HubError`].
    pub(crate) async fn list<T>(&self, path: &str, again: bool, what: &str) -> Result<Vec<T>, HubError>
    where
        T: Serialize + DeserializeOwned,
    {
        self.listed(path, again, what, |answer| self.api.line().json(answer)).await
    }

    /// The same, of a list that stands in something.
    ///
    /// # Errors
    /// [`HubError`].
    pub(crate) async fn listed<T>(
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
            walk.step(&url).map_err(|reason| self.api.line().malformed(&reason))?;
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
        let kept = match self.kept_page::<T>(&place) {
            Some((_, items, next)) if !again => return Ok((items, next)),
            kept => kept,
        };
        let etag = kept.as_ref().and_then(|(etag, _, _)| etag.clone());
        let answer = self.api.fetch(url.clone(), etag.clone(), what).await?;
        if answer.status == StatusCode::NOT_MODIFIED {
            let Some((_, items, next)) = kept else {
                let reason = "it says that something is unmodified which we did not know";
                return Err(self.api.line().malformed(reason));
            };
            let now = self.api.next_unmodified(&url, &answer, items.len(), next.clone())?;
            if now == next {
                self.pages().confirm(&place);
            } else {
                self.keep(place, etag.as_deref(), &items, now.as_ref());
            }
            return Ok((items, now));
        }
        let items = read(&answer)?;
        let next = self.api.next(&url, &answer, items.len())?;
        if self.api.is_whole(&answer) {
            let etag = answer.headers.get("etag").and_then(|value| value.to_str().ok());
            self.keep(place, etag, &items, next.as_ref());
        } else {
            self.pages().remove(&place);
        }
        Ok((items, next))
    }

    fn keep<T: Serialize>(&self, place: String, etag: Option<&str>, items: &[T], next: Option<&Url>) {
        match serde_json::to_vec(items) {
            Ok(body) => self.pages().put(place, etag.map(str::to_owned), next.map(Url::to_string), body),
            Err(_) => self.pages().remove(&place),
        }
    }

    /// What an earlier run found out about something while it was in `state`, and could not bring to its end.
    pub(crate) fn noted<T: DeserializeOwned>(&self, path: &str, state: &str) -> Option<T> {
        let place = self.note_place(path, state);
        let (_, items, _) = self.kept_page::<T>(&place)?;
        self.pages().confirm(&place);
        items.into_iter().next()
    }

    /// Notes that for the next run, should this one not come to its end.
    pub(crate) fn note<T: Serialize>(&self, path: &str, state: &str, found: &T) {
        self.keep(self.note_place(path, state), None, std::slice::from_ref(found), None);
    }

    fn note_place(&self, path: &str, state: &str) -> String {
        format!("{}@{state}", self.place(&self.api.url(path)))
    }

    /// What is kept of a list, if all of it is.
    pub(crate) fn kept<T: DeserializeOwned>(&self, path: &str) -> Option<Vec<T>> {
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

    /// What was told of a list last, where it is not told any more; it is kept on.
    pub(crate) fn last_told<T: DeserializeOwned>(&self, path: &str) -> Option<Vec<T>> {
        let all = self.kept(path)?;
        let mut next = Some(self.api.url(path));
        while let Some(url) = next {
            let place = self.place(&url);
            self.pages().confirm(&place);
            next = self.kept_page::<T>(&place).and_then(|(_, _, further)| further);
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
        let key = self.api.line().key;
        format!("{url}#{}.{}.{}", A::FORM, key.credential, key.generation)
    }
}
