//! Why there is no page: what a person is told instead, or where the browser is sent.

use std::fmt::{self, Display};
use std::rc::Rc;

use actix_web::http::StatusCode;
use actix_web::http::header::RETRY_AFTER;
use actix_web::{HttpResponse, ResponseError};

use super::Error;
use super::local_path::LocalPath;
use super::pages::layout::Chrome;
use super::pages::{refusals, respond};
use crate::telemetry::RequestId;
use crate::{admin, store};

/// Why there is no page.
#[derive(Clone, Debug)]
pub enum PageError {
    /// Nobody is signed in; where to go on afterwards.
    SignIn(LocalPath),
    /// Somebody signed in long ago, and has to prove it again.
    SignInAgain(LocalPath),
    /// There is nothing here, or nothing that this person may see: the two are one.
    NotFound(Option<Rc<Chrome>>),
    /// The person is known here and may not do this.
    Forbidden(Rc<Forbidden>),
    /// The organization takes only people who signed in by one of its integrations.
    OtherLogin(Rc<OtherLogin>),
    /// The form is not one of ours, or cannot be read.
    Form(FormFault),
    /// Too much at once: again after so many seconds. The text says what.
    Busy(u64, String),
    /// Something that the person can do nothing about, and is told as it is.
    Refused(StatusCode, String),
    /// Something inside failed; it is in the log under this id.
    Internal(RequestId),
}

/// What somebody may not do, and who may.
#[derive(Clone, Debug)]
pub struct Forbidden {
    /// What the page is for, as in "Settings are for owners of Acme".
    pub what: String,
    /// Who has the role that opens it.
    pub who: Vec<String>,
    /// The frame of the person's pages.
    pub chrome: Chrome,
}

/// What an organization asks of a sign-in.
#[derive(Clone, Debug)]
pub struct OtherLogin {
    /// What the organization is called.
    pub organization: String,
    /// The integrations that will do: id and name.
    pub integrations: Vec<(String, String)>,
    /// Where to go on afterwards.
    pub next: LocalPath,
    /// The frame of the person's pages.
    pub chrome: Chrome,
}

/// What is wrong with a form before anybody looks at its fields.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FormFault {
    /// It was sent from somewhere else.
    Foreign {
        /// From where.
        origin: String,
        /// Where we are.
        public_url: String,
    },
    /// Its token is not that of the browser.
    Token,
    /// The browser sent no cookie that it could be checked against.
    Cookies {
        /// Where we are.
        public_url: String,
    },
    /// It is longer than any page of ours makes it.
    TooLarge,
    /// It is in no form that pages send.
    Unreadable,
    /// It lacks a field, or has one with a value that no page of ours sends.
    Fields,
}

impl PageError {
    /// Logs what failed inside, and gives the error that says no more than the id of that line.
    #[must_use]
    pub fn internal(what: &'static str, cause: &dyn Display) -> Self {
        match Error::internal(what, cause) {
            Error::Internal(id) => Self::Internal(id),
            _ => Self::Internal(RequestId::random()),
        }
    }
}

impl From<store::Error> for PageError {
    fn from(error: store::Error) -> Self {
        if error.is_trouble() {
            return Self::Busy(10, "The server cannot save anything at the moment.".to_owned());
        }
        Self::internal("the database did not answer", &error)
    }
}

/// For what a page asks; what a form asks goes back into the form.
impl From<admin::Error> for PageError {
    fn from(error: admin::Error) -> Self {
        match error {
            admin::Error::NotFound(_) => Self::NotFound(None),
            admin::Error::Invalid(text) => Self::Refused(StatusCode::UNPROCESSABLE_ENTITY, text.into()),
            admin::Error::Conflict(text) => Self::Refused(StatusCode::CONFLICT, text.into()),
            admin::Error::Store(error) => error.into(),
            admin::Error::Interrupted => Self::Busy(10, "The server is stopping.".to_owned()),
            error @ admin::Error::Sealed(_) => Self::internal("a secret could not be opened", &error),
        }
    }
}

impl Display for PageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("there is no page")
    }
}

impl ResponseError for PageError {
    fn status_code(&self) -> StatusCode {
        match self {
            Self::SignIn(_) | Self::SignInAgain(_) => StatusCode::SEE_OTHER,
            Self::NotFound(_) => StatusCode::NOT_FOUND,
            Self::Forbidden(_) | Self::OtherLogin(_) => StatusCode::FORBIDDEN,
            Self::Form(FormFault::TooLarge) => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Form(FormFault::Unreadable) => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::Form(FormFault::Fields) => StatusCode::BAD_REQUEST,
            Self::Form(_) => StatusCode::FORBIDDEN,
            Self::Busy(..) => StatusCode::SERVICE_UNAVAILABLE,
            Self::Refused(status, _) => *status,
            Self::Internal(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    fn error_response(&self) -> HttpResponse {
        match self {
            Self::SignIn(next) => return respond::see_other(&sign_in(next, false), None),
            Self::SignInAgain(next) => return respond::see_other(&sign_in(next, true), None),
            _ => {}
        }
        let id = if let Self::Internal(id) = self { *id } else { RequestId::random() };
        let mut response = respond::failure(self.status_code(), id, &refusals::page(self, id));
        if let Self::Busy(seconds, _) = self {
            response.headers_mut().insert(RETRY_AFTER, (*seconds).into());
        }
        response
    }
}

fn sign_in(next: &LocalPath, again: bool) -> String {
    match (again, next.as_str()) {
        (true, _) => format!("/login?again=1&next={}", next.encoded()),
        (false, "/") => "/login".to_owned(),
        (false, _) => format!("/login?next={}", next.encoded()),
    }
}
