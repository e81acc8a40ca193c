//! Which packages a repository's directories are.
//!
//! A package is known by the name that its newest `composer.json` gives: the default branch's, or else that of the newest ref. So one
//! that moved from one directory to another is one package, whose old versions are in the old directory; and one that got another
//! name stays one, because it is in the same directory.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use serde::Deserialize;

use crate::composer::name::PackageName;
use crate::store::directories::{Child, Problem};
use crate::vcs::{Found, Manifest, RemoteRef, Snapshot, Tree};

/// How many refs are looked through for a name.
const TRIES: usize = 50;

/// A package, and where it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Group {
    pub(super) name: PackageName,
    /// Where it is now.
    pub(super) directory: String,
    /// Where it was, the newest first.
    pub(super) former: Vec<String>,
}

/// What is known of a directory.
struct Place {
    on_default: bool,
    newest: i64,
    name: Result<PackageName, String>,
}

/// The packages, by directory, and the directories that are none.
pub(super) fn groups(snapshot: &Snapshot, found: &Found) -> (Vec<Group>, Vec<Problem>) {
    let mut problems: Vec<Problem> = found
        .bare
        .iter()
        .map(|directory| Problem {
            directory: directory.clone(),
            reason: "There is no composer.json in it.".to_owned(),
        })
        .collect();
    let mut by_name: BTreeMap<String, (PackageName, Vec<(String, Place)>)> = BTreeMap::new();
    for (directory, place) in places(snapshot, found) {
        match &place.name {
            Ok(name) => {
                let all = by_name.entry(name.as_str().to_owned()).or_insert_with(|| (name.clone(), Vec::new()));
                all.1.push((directory, place));
            }
            Err(reason) => problems.push(Problem { directory, reason: reason.clone() }),
        }
    }
    let mut groups = Vec::new();
    for (name, mut all) in by_name.into_values() {
        // Where it is now comes first; of equals the first by path.
        all.sort_by(|(a, x), (b, y)| (y.on_default, y.newest).cmp(&(x.on_default, x.newest)).then_with(|| a.cmp(b)));
        let now: Vec<String> =
            all.iter().filter(|(_, place)| place.on_default).map(|(directory, _)| directory.clone()).collect();
        // Of several on the default branch, the order of their paths decides, whatever their dates.
        let directory = now.iter().min().unwrap_or(&all[0].0).clone();
        for other in now.iter().filter(|other| **other != directory) {
            let reason = format!(
                "It calls itself {name}, as {directory} does: only {directory} is published. Give one of them another name."
            );
            problems.push(Problem { directory: other.clone(), reason });
        }
        let former = all.into_iter().filter(|(other, place)| !place.on_default && *other != directory);
        groups.push(Group { name, former: former.map(|(other, _)| other).collect(), directory });
    }
    groups.sort_by(|a, b| a.directory.cmp(&b.directory));
    (groups, problems)
}

fn places(snapshot: &Snapshot, found: &Found) -> BTreeMap<String, Place> {
    let mut newest_first: Vec<(usize, &RemoteRef)> = snapshot.refs.iter().enumerate().collect();
    newest_first.sort_by(|(_, a), (_, b)| b.time.cmp(&a.time).then_with(|| b.name.cmp(&a.name)));
    let set = |at: Option<u32>| at.and_then(|at| found.sets.get(at as usize)).into_iter().flatten();
    let head = set(found.head).map(|tree| (i64::MAX, *tree));
    let others = newest_first
        .iter()
        .flat_map(|(at, listed)| set(found.refs.get(*at).copied()).map(|tree| (listed.time.unwrap_or(0), *tree)));
    let on_default: HashSet<u32> = set(found.head).copied().collect();
    let mut tried: HashMap<&str, usize> = HashMap::new();
    let mut read: HashMap<u32, Result<PackageName, String>> = HashMap::new();
    let mut places: BTreeMap<String, Place> = BTreeMap::new();
    for (time, at) in head.chain(others) {
        let Some(tree) = found.trees.get(at as usize) else { continue };
        let known = places.get_mut(&tree.directory);
        let is_settled = known.as_ref().is_some_and(|place| place.name.is_ok());
        let tries = tried.entry(&tree.directory).or_default();
        if is_settled || *tries >= TRIES {
            continue;
        }
        *tries += 1;
        let name = read.entry(at).or_insert_with(|| name_of(tree, snapshot)).clone();
        match known {
            // What the newest says is wrong with it is what is told, unless an older one is good.
            Some(place) => {
                if name.is_ok() {
                    place.name = name;
                }
            }
            None => {
                let on_default = on_default.contains(&at);
                places.insert(tree.directory.clone(), Place { on_default, newest: time, name });
            }
        }
    }
    places
}

#[derive(Deserialize)]
struct Named {
    name: Option<serde_json::Value>,
}

/// What the `composer.json` of a directory calls the package.
fn name_of(tree: &Tree, snapshot: &Snapshot) -> Result<PackageName, String> {
    let bytes: &Arc<[u8]> = match &tree.manifest {
        Manifest::Blob(id) => snapshot.manifests.get(id).ok_or("Its composer.json could not be read.")?,
        Manifest::Missing => return Err("There is no composer.json in it.".to_owned()),
        Manifest::NotAFile => return Err("Its composer.json is not a file.".to_owned()),
        Manifest::TooLarge { bytes } => return Err(format!("Its composer.json has {bytes} bytes, which is too much.")),
    };
    let named: Named =
        serde_json::from_slice(bytes).map_err(|error| format!("Its composer.json is not valid JSON: {error}."))?;
    let name = named.name.ok_or("Its composer.json has no name.")?;
    let name = name.as_str().ok_or("The name in its composer.json is not a text.")?;
    PackageName::parse_lenient(name).map_err(|error| format!("Its composer.json has an invalid name: {error}."))
}

/// Which row each package has: the one that has its name, else the one that was in its directory; none for a new one.
pub(super) fn rows<'a>(groups: &[Group], children: &'a [Child]) -> Vec<Option<&'a Child>> {
    let mut taken = HashSet::new();
    let named: Vec<Option<&Child>> = groups
        .iter()
        .map(|group| children.iter().find(|child| child.name.as_deref() == Some(group.name.as_str())))
        .collect();
    taken.extend(named.iter().flatten().map(|child| child.id));
    let at = |directory: &str, taken: &HashSet<_>| {
        let mut there = children.iter().filter(|child| child.directory == directory && !child.retired);
        there.find(|child| !taken.contains(&child.id))
    };
    let mut rows = Vec::with_capacity(groups.len());
    for (group, named) in groups.iter().zip(named) {
        let row = named.or_else(|| at(&group.directory, &taken));
        taken.extend(row.map(|child| child.id));
        rows.push(row);
    }
    rows
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed unwrap is the test's failure")]
mod tests {
    use super::{Group, groups, rows};
    use crate::composer::name::PackageName;
    use crate::store::directories::Child;
    use crate::store::ids::PackageId;
    use crate::vcs::{Found, Manifest, RemoteRef, Snapshot, Tree};

    /// Refs in the order of time, the last is the default branch; each with directories and what they call themselves.
    fn world(refs: &[&[(&str, &str)]]) -> (Snapshot, Found) {
        let mut snapshot = Snapshot::default();
        let mut found = Found::default();
        for (time, directories) in refs.iter().enumerate() {
            let mut set = Vec::new();
            for (directory, manifest) in *directories {
                let json = if manifest.contains('/') {
                    format!(r#"{{"name": "{manifest}"}}"#)
                } else {
                    (*manifest).to_owned()
                };
                snapshot.manifests.insert((*manifest).to_owned(), json.as_bytes().into());
                set.push(u32::try_from(found.trees.len()).unwrap());
                found.trees.push(Tree {
                    directory: (*directory).to_owned(),
                    id: format!("{directory} {manifest}"),
                    manifest: Manifest::Blob((*manifest).to_owned()),
                });
            }
            found.refs.push(u32::try_from(found.sets.len()).unwrap());
            found.sets.push(set);
            snapshot.refs.push(RemoteRef {
                name: format!("refs/tags/v{time}"),
                target: String::new(),
                commit: Some(String::new()),
                time: Some(i64::try_from(time).unwrap()),
                offset: 0,
                manifest: Manifest::Missing,
            });
        }
        found.head = found.refs.last().copied();
        (snapshot, found)
    }

    fn group(name: &str, directory: &str, former: &[&str]) -> Group {
        let former = former.iter().map(|text| (*text).to_owned()).collect();
        Group { name: PackageName::parse(name).unwrap(), directory: directory.to_owned(), former }
    }

    #[test]
    fn a_package_that_moved_is_one() {
        let (snapshot, found) = world(&[&[("a", "x/a")], &[("b", "x/a"), ("c", "X/C")], &[("d", "x/a"), ("c", "x/c")]]);
        let (groups, problems) = groups(&snapshot, &found);
        assert_eq!(groups, [group("x/c", "c", &[]), group("x/a", "d", &["b", "a"])]);
        assert!(problems.is_empty(), "{problems:?}");
    }

    #[test]
    fn what_is_no_package_is_told() {
        let (snapshot, mut found) = world(&[
            &[("old", "x/old")],
            &[("a", "x/a"), ("b", "x/a"), ("bad", "{"), ("none", "{}"), ("odd", "a b/c")],
        ]);
        found.bare.push("empty".to_owned());
        let (groups, problems) = groups(&snapshot, &found);
        assert_eq!(groups, [group("x/a", "a", &[]), group("x/old", "old", &[])]);
        let told: Vec<&str> = problems.iter().map(|problem| problem.directory.as_str()).collect();
        assert_eq!(told, ["empty", "bad", "none", "odd", "b"]);
        assert!(problems[4].reason.contains("calls itself x/a, as a does"), "{problems:?}");
    }

    #[test]
    fn a_name_that_only_older_refs_have_is_a_name() {
        let (snapshot, found) = world(&[&[("a", "x/a")], &[("a", "{}")]]);
        assert_eq!(groups(&snapshot, &found).0, [group("x/a", "a", &[])]);
    }

    #[test]
    fn rows_stay_with_their_names_and_else_with_their_directories() {
        let child = |id: i64, directory: &str, name: &str, retired: bool| Child {
            id: PackageId(id),
            directory: directory.to_owned(),
            name: Some(name.to_owned()),
            digest: None,
            retired,
        };
        let children = [
            child(1, "a", "x/a", false),
            child(2, "b", "x/b", false),
            child(3, "c", "x/c", true),
            child(4, "d", "x/d", true),
        ];
        let groups =
            [group("x/z", "a", &[]), group("x/a", "b", &["a"]), group("x/new", "c", &[]), group("x/d", "e", &[])];
        let ids: Vec<Option<i64>> = rows(&groups, &children).iter().map(|row| row.map(|child| child.id.0)).collect();
        assert_eq!(ids, [None, Some(1), None, Some(4)], "x/b is gone, x/a moved, x/d is back elsewhere");
        let renamed = [group("x/z", "a", &[])];
        assert_eq!(rows(&renamed, &children)[0].unwrap().id, PackageId(1));
    }
}
