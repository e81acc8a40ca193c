//! The people of a group and its subgroups, and what each of them is there.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::future::{try_join_all, try_join3};

use super::group::{Reader, Tree};
use super::invited;
use super::levels::{self, OWNER, Rule, Standing, end_of};
use super::wire::{Member, Share};
use crate::access::facts::GrantKind;
use crate::access::role::Role;
use crate::clock::Timestamp;
use crate::platform::answer::printable;
use crate::platform::hub::HubError;
use crate::platform::remote::{RemoteAccount, RemoteMember, Wanted};

/// Longest name that is kept.
const LONGEST_NAME: usize = 200;
/// Below that, somebody is in no way in a group.
const SOMEBODY: i64 = 5;

/// What everybody is somewhere, by number.
pub(super) type Standings = BTreeMap<u64, Standing>;

/// Everybody.
#[derive(Debug, Default)]
pub(super) struct People {
    /// In the groups of the tree.
    groups: BTreeMap<u64, Standings>,
    /// In groups that were let in; none: those that the credential may not see.
    pub invited: BTreeMap<u64, Option<Standings>>,
    /// Who they are.
    accounts: BTreeMap<u64, RemoteAccount>,
}

/// Which levels are let read.
pub(super) fn rule(wanted: &Wanted) -> Rule {
    Rule { planners: wanted.planners }
}

/// Everybody in the groups of the tree.
///
/// # Errors
/// [`HubError`].
pub(super) async fn read(reader: &Reader<'_>, tree: &Tree) -> Result<People, HubError> {
    let now = reader.api.hub.now();
    // Where nobody else was let in, what GitLab says of a group needs nothing to be held to.
    let is_shared = |id: &u64| tree.line(*id).any(|group| live(&group.shared_with_groups, now).next().is_some());
    let shared: BTreeSet<u64> = tree.groups.keys().copied().filter(is_shared).collect();
    let lines: BTreeSet<u64> = shared.iter().flat_map(|id| tree.line(*id)).map(|group| group.id).collect();
    let shares = tree.groups.values().flat_map(|group| live(&group.shared_with_groups, now));
    let mut others: BTreeSet<u64> = shares.map(|share| share.group_id).collect();
    let outer = tree.root().parent_id.filter(|_| !shared.is_empty());
    others.extend(outer);
    let all = tree.groups.keys().map(|id| async { Ok((*id, members(reader, tree, *id, Which::All).await?)) });
    let direct = lines.iter().map(|id| async { Ok((*id, members(reader, tree, *id, Which::Direct).await?)) });
    let others = others.iter().map(|id| async { Ok((*id, invited::read(reader, tree, *id).await?)) });
    let (all, direct, others) = try_join3(try_join_all(all), try_join_all(direct), try_join_all(others)).await?;
    let mut people = People::default();
    let listed: BTreeMap<u64, Standings> = all.into_iter().map(|(id, list)| (id, people.add(&list, now))).collect();
    let direct: BTreeMap<u64, Standings> = direct.into_iter().map(|(id, list)| (id, people.add(&list, now))).collect();
    for (id, other) in others {
        let standings = other.map(|other| other.standings(reader, &mut people, now));
        people.invited.insert(id, standings);
    }
    let ways = Ways { tree, direct: &direct, people: &people, outer, now };
    let held = |(id, list): (&u64, &Standings)| match shared.contains(id) {
        true => (*id, ways.held(*id, list, rule(reader.wanted))),
        false => (*id, list.clone()),
    };
    let groups = listed.iter().map(held).collect();
    people.groups = groups;
    Ok(people)
}

/// By what people are in the groups of a tree.
struct Ways<'a> {
    tree: &'a Tree,
    direct: &'a BTreeMap<u64, Standings>,
    people: &'a People,
    /// The group above the tree.
    outer: Option<u64>,
    now: Timestamp,
}

impl Ways<'_> {
    /// What holds of what GitLab lists for a group.
    fn held(&self, id: u64, list: &Standings, rule: Rule) -> Standings {
        let held =
            |(person, listed): (&u64, &Standing)| (*person, listed.held_to(&self.of(id, *person, *listed), rule));
        list.iter().map(held).collect()
    }

    fn of(&self, id: u64, person: u64, listed: Standing) -> Vec<Standing> {
        let mut ways = Vec::new();
        for group in self.tree.line(id) {
            ways.extend(self.direct.get(&group.id).and_then(|list| list.get(&person)));
            ways.extend(by_shares(self.people, &group.shared_with_groups, person, listed, self.now));
        }
        match self.outer.map(|outer| self.people.invited.get(&outer)) {
            None => {}
            Some(Some(Some(above))) => ways.extend(above.get(&person)),
            // Nobody tells what is inherited from there.
            Some(_) => ways.push(listed),
        }
        ways
    }
}

/// What somebody is by groups that were let in. Of one that the credential may not see, it is what GitLab lists, at most.
pub(super) fn by_shares(
    people: &People,
    shares: &[Share],
    person: u64,
    listed: Standing,
    now: Timestamp,
) -> Vec<Standing> {
    let way = |share: &Share| {
        let there = match people.invited.get(&share.group_id).map(Option::as_ref) {
            Some(Some(list)) => *list.get(&person)?,
            _ => listed,
        };
        Some(there.capped(share.group_access_level, end_of(share.expires_at.as_deref())))
    };
    live(shares, now).filter_map(way).collect()
}

/// The shares that have not ended.
pub(super) fn live(shares: &[Share], now: Timestamp) -> impl Iterator<Item = &Share> {
    shares.iter().filter(move |share| end_of(share.expires_at.as_deref()).is_none_or(|end| end > now))
}

impl People {
    /// Takes a list in; what everybody on it is.
    pub(super) fn add(&mut self, list: &[Member], now: Timestamp) -> Standings {
        let mut standings = Standings::new();
        for member in list {
            let Some(standing) = standing(member, now) else { continue };
            self.accounts.entry(member.id).or_insert_with(|| account(member));
            let more = |one: &mut Standing| {
                if standing.level > one.level {
                    *one = standing;
                }
            };
            standings.entry(member.id).and_modify(more).or_insert(standing);
        }
        standings
    }

    /// Who somebody is.
    pub(super) fn account(&self, person: u64) -> Option<&RemoteAccount> {
        self.accounts.get(&person)
    }

    /// What somebody is in a group of the tree.
    pub(super) fn in_group(&self, group: u64, person: u64) -> Option<&Standing> {
        self.groups.get(&group)?.get(&person)
    }

    /// Everybody who is in any group of the tree.
    pub(super) fn everybody(&self) -> BTreeSet<u64> {
        self.groups.values().flat_map(|list| list.keys().copied()).collect()
    }

    /// Who reads in a group, and until when.
    pub(super) fn readers_in(&self, group: u64, rule: Rule) -> BTreeMap<String, Option<Timestamp>> {
        let list = self.groups.get(&group).into_iter().flatten().filter(|(_, standing)| standing.reads(rule));
        list.map(|(person, standing)| (person.to_string(), standing.until)).collect()
    }

    /// The members: whoever is in the group or in one below it.
    pub(super) fn members(&self, tree: &Tree) -> Vec<RemoteMember> {
        let member = |person: u64| {
            let account = self.accounts.get(&person)?.clone();
            let root = self.in_group(tree.root, person);
            if let Some(owner) = root.filter(|standing| standing.level >= OWNER) {
                let detail = format!("owner of {}", tree.root().full_path);
                let (role, reads) = (Role::Owner, Some(GrantKind::Sync));
                return Some(RemoteMember { account, role, reads, detail, until: owner.until });
            }
            let all = tree.groups.iter().filter_map(|(id, group)| Some((group, self.in_group(*id, person)?)));
            let until = all.clone().map(|(_, standing)| standing.until).reduce(levels::later).flatten();
            let (group, standing) = root
                .map_or_else(|| all.min_by_key(|(group, _)| group.full_path.len()), |root| Some((tree.root(), root)))?;
            let detail = format!("{} in {}", levels::word(standing.level), group.full_path);
            Some(RemoteMember { account, role: Role::Member, reads: None, detail, until })
        };
        self.everybody().into_iter().filter_map(member).collect()
    }
}

/// What a membership makes somebody; none where it is none: asked for and not accepted yet, over, or a bot's.
pub(super) fn standing(member: &Member, now: Timestamp) -> Option<Standing> {
    let until = end_of(member.expires_at.as_deref());
    let is_one = member.membership_state.as_deref().is_none_or(|state| state == "active")
        && until.is_none_or(|until| until > now)
        && member.access_level >= SOMEBODY
        && !is_bot(&member.username);
    let by_role = member.member_role.as_ref().is_some_and(|role| role.read_code);
    is_one.then_some(Standing { level: member.access_level, by_role, until })
}

/// Lists do not tell who is a bot; the names of those that belong to tokens do. Bots cannot log in, whatever is missed here.
fn is_bot(username: &str) -> bool {
    let of_token = ["project_", "group_"].iter().find_map(|kind| username.strip_prefix(kind));
    let of_token = of_token.and_then(|rest| rest.split_once("_bot"));
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    of_token.is_some_and(|(number, _)| is_number(number)) || username.starts_with("service_account_")
}

fn account(member: &Member) -> RemoteAccount {
    let name = member.name.as_deref().map(|name| printable(name, LONGEST_NAME));
    RemoteAccount {
        id: member.id.to_string(),
        login: printable(&member.username, LONGEST_NAME),
        display_name: name.filter(|name| !name.is_empty()),
        suspended: member.state.as_deref().is_some_and(|state| state != "active"),
    }
}

/// Which members.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Which {
    /// With those that are inherited and invited.
    All,
    /// Those who were added here.
    Direct,
}

async fn members(reader: &Reader<'_>, tree: &Tree, id: u64, which: Which) -> Result<Vec<Member>, HubError> {
    let tail = if which == Which::All { "members/all" } else { "members" };
    let path = format!("/groups/{id}/{tail}?per_page=100");
    let again = reader.touched.members() || reader.touched.team(id, &tree.parents, &tree.before);
    let name = tree.groups.get(&id).map_or("", |group| group.full_path.as_str());
    listed(reader, &path, again, &format!("list the members of {name}")).await
}

/// A list of members, which is asked for again where it names somebody who is said to be gone.
///
/// # Errors
/// [`HubError`].
pub(super) async fn listed(reader: &Reader<'_>, path: &str, again: bool, what: &str) -> Result<Vec<Member>, HubError> {
    let kept: Vec<Member> = reader.kept(path).unwrap_or_default();
    let again = again || reader.touched.names_gone(kept.iter().map(|member| member.id));
    reader.list(path, again, what).await
}

#[cfg(test)]
mod tests {
    use super::{Member, is_bot, standing};
    use crate::clock::Timestamp;

    #[test]
    fn bots_are_known_by_their_names() {
        for bot in ["project_12_bot", "group_9_bot_0af3", "project_1_bot2", "service_account_group_9_x"] {
            assert!(is_bot(bot), "{bot}");
        }
        for person in ["robot", "project_x_bot", "ada_bot", "group__bot"] {
            assert!(!is_bot(person), "{person}");
        }
    }

    #[test]
    fn not_everything_that_is_listed_is_a_membership() {
        let member = |state: Option<&str>, level: i64, expires_at: Option<&str>| Member {
            id: 1,
            username: "ada".to_owned(),
            name: None,
            state: Some("active".to_owned()),
            membership_state: state.map(str::to_owned),
            access_level: level,
            expires_at: expires_at.map(str::to_owned),
            member_role: None,
        };
        let now = Timestamp::from_seconds(1_800_000_000);
        assert!(standing(&member(Some("active"), 30, None), now).is_some());
        assert!(standing(&member(None, 30, Some("2999-01-01")), now).is_some());
        assert!(standing(&member(Some("awaiting"), 30, None), now).is_none());
        assert!(standing(&member(None, 30, Some("2020-01-01")), now).is_none());
        assert!(standing(&member(None, 0, None), now).is_none());
    }
}
