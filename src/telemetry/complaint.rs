//! Saying a lasting trouble once, however often it is met: a full disk must not fill what is left of it with log lines.

use std::sync::{Mutex, PoisonError};

/// What was said last. Whoever meets the trouble, or its end, writes; the lock is held for a comparison only.
#[derive(Debug, Default)]
pub struct Complaint {
    said: Mutex<Option<String>>,
}

impl Complaint {
    /// Whether this is not what was said last: then it is to be said now.
    pub fn is_new(&self, text: &str) -> bool {
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        let new = said.as_deref() != Some(text);
        if new {
            *said = Some(text.to_owned());
        }
        new
    }

    /// Whether there was a trouble until now: then its end is to be said.
    pub fn is_over(&self) -> bool {
        self.said.lock().unwrap_or_else(PoisonError::into_inner).take().is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::Complaint;

    #[test]
    fn a_trouble_and_its_end_are_said_once() {
        let complaint = Complaint::default();
        assert!(!complaint.is_over());
        assert!(complaint.is_new("full") && !complaint.is_new("full") && complaint.is_new("read-only"));
        assert!(complaint.is_over() && !complaint.is_over());
        assert!(complaint.is_new("full"));
    }
}
