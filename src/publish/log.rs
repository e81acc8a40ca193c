//! What an update says while it works, for whoever looks at its job: where it is, what it found, and what it left out.
//!
//! Lines wait here until the worker stores them, some at a time, because each transaction costs the disk a moment.

use std::sync::{Arc, Mutex, PoisonError};

use crate::clock::Clock;
use crate::composer::derive::Derivation;
use crate::store::job_lines::New;
use crate::store::runs::Changes;
use crate::store::version_events::{self, Action};
use crate::vcs::{Progress, Snapshot, Step};

/// How many lines wait at most; what comes then is counted only.
const WAITING: usize = 1000;
/// Longest line, in characters: names of refs may have thousands.
const LONGEST: usize = 500;
/// How many refs that are no versions are told one by one.
const TOLD: usize = 100;

/// A job's log. Clones are the same log.
#[derive(Clone, Debug)]
pub struct Log {
    clock: Clock,
    waiting: Arc<Mutex<Waiting>>,
}

#[derive(Debug, Default)]
struct Waiting {
    lines: Vec<New>,
    lost: usize,
}

impl Log {
    /// An empty one.
    #[must_use]
    pub fn new(clock: Clock) -> Self {
        Self { clock, waiting: Arc::default() }
    }

    /// Says something.
    pub fn info(&self, text: impl AsRef<str>) {
        self.say("info", text.as_ref());
    }

    /// Says something that deserves a look.
    pub fn warn(&self, text: impl AsRef<str>) {
        self.say("warn", text.as_ref());
    }

    /// Says why it ends.
    pub fn fail(&self, text: impl AsRef<str>) {
        self.say("fail", text.as_ref());
    }

    fn say(&self, level: &'static str, text: &str) {
        let text: String = text.chars().filter(|letter| !letter.is_control()).take(LONGEST).collect();
        let line = New { at: self.clock.now(), level, text };
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.lines.len() < WAITING {
            waiting.lines.push(line);
        } else {
            waiting.lost += 1;
        }
    }

    /// What was said since the last time.
    #[must_use]
    pub fn take(&self) -> Vec<New> {
        let mut waiting = std::mem::take(&mut *self.waiting.lock().unwrap_or_else(PoisonError::into_inner));
        if waiting.lost > 0 {
            let text = format!("{} more lines were left out", waiting.lost);
            waiting.lines.push(New { at: self.clock.now(), level: "info", text });
        }
        waiting.lines
    }

    /// Who tells the steps of the version control system.
    pub(super) fn progress(&self) -> Progress {
        let log = self.clone();
        Progress::to(move |step| log.step(&step))
    }

    fn step(&self, step: &Step) {
        match step {
            Step::Listed { refs, current: true } => {
                self.info(format!("Listed {}, all of which are here", branches_and_tags(*refs)));
            }
            Step::Listed { refs, current: false } => {
                self.info(format!("Listed {}; fetching what is new", branches_and_tags(*refs)));
            }
            Step::Fetched { bytes: Some(bytes) } => self.info(format!("Fetched {}", size(*bytes))),
            Step::Fetched { bytes: None } => self.info("Nothing had to be fetched: only names changed"),
            Step::Repairing { what } => self.warn(format!("The mirror is damaged ({what}); fetching everything anew")),
        }
    }

    /// What was read of the repository.
    pub(super) fn read(&self, snapshot: &Snapshot) {
        let manifests = snapshot.manifests.len();
        self.info(format!("Read {manifests} composer.json {}", if manifests == 1 { "file" } else { "files" }));
        for commit in &snapshot.lost {
            self.warn(format!("The kept commit {commit} is lost: its archive cannot be built any more"));
        }
    }

    /// What the refs make.
    pub(super) fn derived(&self, derivation: &Derivation) {
        let (versions, skipped) = (derivation.versions.len(), derivation.skipped.len());
        self.info(format!("{versions} of {} are versions", branches_and_tags(versions + skipped)));
        for (other, (count, example)) in &derivation.other_names {
            let name = derivation.name.as_ref().map_or("", |name| name.as_str());
            self.info(format!(
                "{} with the name {other} in composer.json, such as {example}: published as {name} like the default branch",
                branches_and_tags(*count)
            ));
        }
        for skipped in derivation.skipped.iter().take(TOLD) {
            // The reason names its ref.
            self.warn(&skipped.reason);
        }
        if skipped > TOLD {
            self.info(format!("{} more refs are no versions: the package’s page has all reasons", skipped - TOLD));
        }
    }

    /// Releases that were given another content.
    pub(super) fn repointed(&self, events: &[version_events::New]) {
        let repointed = events.iter().filter(|event| !event.dev && event.action == Action::Moved);
        for event in repointed.take(TOLD) {
            self.warn(format!(
                "{} is a release, and was given another content, {} before and {} now: new installations get other code than before",
                event.version,
                event.before.as_deref().unwrap_or_default(),
                event.after.as_deref().unwrap_or_default()
            ));
        }
    }

    /// Which versions are new, changed or gone.
    pub(super) fn changes(&self, changes: &Changes) {
        for (which, what) in
            [(&changes.added, "new"), (&changes.moved, "names another commit now"), (&changes.removed, "gone")]
        {
            for version in &which.names {
                self.info(format!("{version}: {what}"));
            }
            if which.count > which.names.len() {
                self.info(format!("{} more: {what}", which.count - which.names.len()));
            }
        }
    }
}

fn branches_and_tags(count: usize) -> String {
    if count == 1 { "1 branch or tag".to_owned() } else { format!("{count} branches and tags") }
}

fn size(bytes: u64) -> String {
    match bytes {
        0..1_000 => format!("{bytes} bytes"),
        1_000..1_000_000 => format!("{} kB", bytes / 1_000),
        _ => format!("{} MB", bytes / 1_000_000),
    }
}

#[cfg(test)]
mod tests {
    use super::{LONGEST, Log, WAITING};
    use crate::clock::{Clock, Timestamp};
    use crate::vcs::Step;

    #[test]
    fn what_a_repository_says_cannot_fill_the_log() {
        let log = Log::new(Clock::manual(Timestamp::from_seconds(0)));
        log.warn(format!("a\nb\u{1b}[31m{}", "x".repeat(LONGEST * 2)));
        for _ in 0..WAITING + 5 {
            log.info("again");
        }
        let lines = log.take();
        assert!(lines[0].text.starts_with("ab[31mxxx") && lines[0].text.chars().count() == LONGEST);
        assert_eq!((lines.len(), lines[WAITING].text.as_str()), (WAITING + 1, "6 more lines were left out"));
        assert!(log.take().is_empty());
    }

    #[test]
    fn steps_read_as_sentences() {
        let log = Log::new(Clock::manual(Timestamp::from_seconds(0)));
        for step in [
            Step::Listed { refs: 388, current: false },
            Step::Fetched { bytes: Some(18_400) },
            Step::Listed { refs: 1, current: true },
        ] {
            log.step(&step);
        }
        let texts: Vec<String> = log.take().into_iter().map(|line| line.text).collect();
        let wanted = [
            "Listed 388 branches and tags; fetching what is new",
            "Fetched 18 kB",
            "Listed 1 branch or tag, all of which are here",
        ];
        assert_eq!(texts, wanted);
    }
}
