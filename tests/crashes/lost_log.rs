//! The one loss that cannot be made good: the database's write-ahead log is deleted after a crash.
//!
//! It holds commits that were promised to last, so that this is tried on a copy. What may follow is a refusal, or an older
//! state; never a document that was never true.

use std::fs;
use std::path::Path;

use crate::activity::Scene;
use crate::aftermath::files;
use crate::database;
use crate::http;
use crate::project::Broken;
use crate::server::{Place, kill};

/// What came of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Outcome {
    /// The log was empty: nothing was lost.
    NothingToLose,
    /// The server did not start.
    Refused,
    /// It serves an older state.
    Older,
    /// It serves, and the database is damaged, which `check` says.
    Damaged,
}

/// Copies the data directory of a server that was killed, deletes the log, and starts a server on it.
pub fn try_it(scene: &Scene, folder: &Path) -> Result<Outcome, Broken> {
    let lost = database::log_bytes(&scene.place.data());
    let place = Place::new(folder, scene.place.authority.clone());
    copy(&scene.place.data(), &place.data());
    for name in ["config.toml", "ca.pem"] {
        fs::copy(scene.place.folder.join(name), folder.join(name)).expect("files can be copied");
    }
    for name in ["packagist.sqlite-wal", "packagist.sqlite-shm"] {
        // There is none if the server had just started.
        let _ = fs::remove_file(place.data().join(name));
    }
    let mut server = place.start();
    let started = place.ready(&mut server);
    let outcome = match started {
        Err(_) => Ok(Outcome::Refused),
        Ok(()) => served(scene, &place, lost),
    };
    kill(&mut server);
    place.orphans_end()?;
    outcome
}

fn served(scene: &Scene, place: &Place, lost: u64) -> Result<Outcome, Broken> {
    if database::sound(&place.data()).is_err() {
        let said = place.command("check");
        return if said.code == Some(0) {
            Err("without its log the database is damaged, and `check` finds nothing".to_owned())
        } else {
            Ok(Outcome::Damaged)
        };
    }
    for project in scene.each() {
        for dev in [false, true] {
            let answer = http::send(&place.authority, "GET", &project.document(dev), &scene.authorization, b"");
            let answer = answer.ok_or_else(|| "no whole answer without the log".to_owned())?;
            if answer.status == 200 {
                project.require_some_state(dev, &answer)?;
            }
        }
    }
    Ok(if lost == 0 { Outcome::NothingToLose } else { Outcome::Older })
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("folders can be made");
    for path in files(from) {
        let target = to.join(path.file_name().expect("it has a name"));
        if path.is_dir() {
            copy(&path, &target);
        } else if path.is_file() {
            fs::copy(&path, target).expect("files can be copied");
        }
    }
}
