//! The house as it is meant to stand: which room may know which.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// The rooms from top to bottom. An arrow may run from a room to any room of a lower line.
const FLOORS: &[&[&str]] = &[
    &["cli"],
    &["config"],
    &["http"],
    &["jobs"],
    &["admin"],
    &["sync"],
    &["publish"],
    &["appliance"],
    &["catalog"],
    &["store", "vcs", "platform", "storage", "secrets"],
    &["outbound"],
    &["composer", "access"],
    &["telemetry"],
    &["clock"],
];

/// What adapters may not know although it lies below them.
const FORBIDDEN: &[(&str, &str)] = &[("store", "outbound"), ("secrets", "outbound")];

/// What the pure rooms may not use.
const IMPURE: &[&str] = &[
    "tokio",
    "actix_web",
    "rusqlite",
    "reqwest",
    "std::fs",
    "std::net",
    "std::process",
    "std::env",
    "SystemTime",
    "Instant::now",
    "async fn",
    "rand::",
];

struct Source {
    room: String,
    path: PathBuf,
    /// Its text without comments, and without what only tests see.
    code: String,
}

fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("src can be read") {
            let path = entry.expect("src can be read").path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let inside = path.strip_prefix(&root).expect("it lies in src");
            let first = inside.components().next().expect("a file has a name").as_os_str();
            let room = first.to_string_lossy().trim_end_matches(".rs").to_owned();
            if path.extension().is_some_and(|extension| extension == "rs") && !is_test(&path) {
                let text = fs::read_to_string(&path).expect("sources are UTF-8");
                found.push(Source { room, path: inside.to_owned(), code: code(&text) });
            }
        }
    }
    assert!(found.len() > 50, "the walk over src found only {} files", found.len());
    found
}

fn is_test(path: &Path) -> bool {
    path.file_stem().is_some_and(|stem| stem.to_string_lossy().ends_with("tests"))
}

fn code(text: &str) -> String {
    let until_tests = text.split("#[cfg(test)]\n#[expect").next().unwrap_or(text);
    let until_tests = until_tests.split("#[cfg(test)]\nmod tests {").next().unwrap_or(until_tests);
    until_tests.lines().map(|line| line.split("//").next().unwrap_or(line)).collect::<Vec<_>>().join("\n")
}

/// The rooms that a source names by `crate::room`, also in a `use crate::{a, b::c}`.
fn named(code: &str) -> BTreeSet<String> {
    let mut rooms = BTreeSet::new();
    for after in code.split("crate::").skip(1) {
        let list = match after.strip_prefix('{') {
            Some(list) => list.split("};").next().unwrap_or(list),
            None => after,
        };
        let heads: Vec<&str> = if after.starts_with('{') { top_level(list) } else { vec![list] };
        for head in heads {
            let word: String =
                head.trim().chars().take_while(|char| char.is_ascii_alphanumeric() || *char == '_').collect();
            if FLOORS.iter().flat_map(|floor| floor.iter()).any(|room| *room == word) {
                rooms.insert(word);
            }
        }
    }
    rooms
}

fn top_level(list: &str) -> Vec<&str> {
    let (mut depth, mut start, mut parts) = (0, 0, Vec::new());
    for (at, char) in list.char_indices() {
        match char {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(&list[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&list[start..]);
    parts
}

fn floor(room: &str) -> Option<usize> {
    FLOORS.iter().position(|floor| floor.contains(&room))
}

#[test]
fn arrows_point_down() {
    let mut wrong = Vec::new();
    for source in sources() {
        if matches!(source.room.as_str(), "lib" | "main") {
            continue;
        }
        let from = floor(&source.room).unwrap_or_else(|| panic!("{} is no room of the design", source.room));
        for room in named(&source.code) {
            let to = floor(&room).expect("only rooms are named");
            let forbidden = FORBIDDEN.contains(&(source.room.as_str(), room.as_str()));
            if room != source.room && (to <= from || forbidden) {
                wrong.push(format!("{}: {} → {room}", source.path.display(), source.room));
            }
        }
    }
    assert!(wrong.is_empty(), "arrows that run up or sideways:\n{}", wrong.join("\n"));
}

#[test]
fn the_walk_sees_arrows() {
    let names = named("use crate::store::{self, jobs};\nuse crate::{http::routes, jobs};\nlet x = crate::vcs::url::Y;");
    assert_eq!(names.into_iter().collect::<Vec<_>>(), ["http", "jobs", "store", "vcs"]);
}

#[test]
fn pure_rooms_are_pure() {
    let mut wrong = Vec::new();
    for source in sources().into_iter().filter(|source| matches!(source.room.as_str(), "composer" | "access")) {
        for word in IMPURE.iter().filter(|word| source.code.contains(**word)) {
            wrong.push(format!("{} uses {word}", source.path.display()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn only_outbound_builds_http_clients() {
    let wrong: Vec<_> = sources()
        .into_iter()
        .filter(|source| source.room != "outbound" && source.code.contains("Client::builder"))
        .map(|source| source.path)
        .collect();
    assert!(wrong.is_empty(), "{wrong:?}");
}

/// Functions of the store that speak of the instance as a whole, or find out whose something is.
const SPANNING: &[&str] = &[
    "accounts.rs",
    "audit.rs",
    "audit_log.rs",
    "database.rs",
    "database_tests.rs",
    "connection.rs",
    "migrate.rs",
    "row.rs",
    "ids.rs",
    "figures.rs",
    "host_keys.rs",
    "github_apps.rs",
    "instance.rs",
    "job_lines.rs",
    "job_lists.rs",
    "jobs.rs",
    "recovery_codes.rs",
    "sessions.rs",
    "system_hooks.rs",
    "user_lists.rs",
    "users.rs",
];
const SPANNING_FUNCTIONS: &[&str] = &[
    "credentials::any_of_type",
    "credentials::ending",
    "credentials::for_host",
    "self_rotations::rotating",
    "installs::count_recent",
    "organizations::insert",
    "organizations::all",
    "organizations::by_slug",
    "organizations::is_taken",
    "organizations::removals",
    "packages::due",
    "packages::failed",
    "changes::prune",
    "dists::is_used",
    "hooks::addresses",
    "hooks::prune",
    "installs::count_recent",
    "tokens::insert_for_user",
    "tokens::of_users",
    "tokens::owner",
    "tokens::revoke",
    "tokens::set_last_used",
    "tokens::prune",
    "tokens::keys_of_users",
    "members::connected",
    "members::accounts_named",
    "members::organizations_of",
    "platform_deliveries::address",
    "platform_deliveries::is_known",
    "installations::owner",
    "installations::used",
    "platform_deliveries::of_installation",
    "platform_deliveries::prune",
    "platform_hooks::prune",
    "policies::knows_integration",
    "syncs::due",
    "syncs::ageing",
    "syncs::stale",
    "syncs::set_all_due",
    "teams::is_below",
];

#[test]
fn store_functions_take_the_organization_first() {
    let mut wrong = Vec::new();
    let mut checked = 0;
    for source in sources().into_iter().filter(|source| source.room == "store") {
        let file = source.path.file_name().expect("it is a file").to_string_lossy().into_owned();
        if file == "store.rs" || SPANNING.contains(&file.as_str()) {
            continue;
        }
        for function in source.code.split("\npub fn ").skip(1) {
            let (name, rest) = function.split_once('(').expect("a function has parameters");
            let full = format!("{}::{name}", file.trim_end_matches(".rs"));
            checked += 1;
            if !rest.trim_start().starts_with("org: OrgId") && !SPANNING_FUNCTIONS.contains(&full.as_str()) {
                wrong.push(full);
            }
        }
    }
    assert!(checked > 40, "only {checked} functions were found");
    assert!(wrong.is_empty(), "these do not take OrgId first: {wrong:?}");
}

#[test]
fn files_can_be_held_in_the_head() {
    let long: Vec<_> = sources()
        .into_iter()
        .filter_map(|source| {
            let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src").join(&source.path);
            let lines = fs::read_to_string(path).expect("sources are UTF-8").lines().count();
            (lines > 600).then(|| format!("{} has {lines} lines", source.path.display()))
        })
        .collect();
    assert!(long.is_empty(), "{long:?}");
}
