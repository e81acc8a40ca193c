//! What somebody pushed, as whoever announces it is told.

/// What somebody pushed to a ref.
#[derive(Clone, Debug)]
pub struct Pushed {
    /// `refs/heads/…` or `refs/tags/…`.
    pub name: String,
    /// What it was, if it was.
    pub before: Option<String>,
    /// What it is, if it is.
    pub after: Option<String>,
}

impl Pushed {
    /// A ref that is new.
    pub fn new(name: &str, after: &str) -> Self {
        Self { name: name.to_owned(), before: None, after: Some(after.to_owned()) }
    }
}
