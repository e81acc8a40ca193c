//! The API about who is in groups and projects.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::Site;
use super::answers::{Takes, list, moment, not_found, nowhere, parameters};
use super::directory::{Listing, Membership, Project, Share};
use super::tokens::Caller;
use crate::platforms::message::{Asked, Reply};

/// What is common to lists of members.
const KNOWN: [(&str, Takes); 6] = [
    ("query", Takes::Text),
    ("user_ids[]", Takes::Number),
    ("skip_users[]", Takes::Number),
    ("show_seat_info", Takes::Flag),
    ("with_saml_identity", Takes::Flag),
    ("state", Takes::One(&["awaiting", "active"])),
];

impl Site {
    /// What stands below `members` of a group or project: `own` and `all` of them.
    pub(super) fn of_members(
        &self,
        asked: &Asked,
        own: &BTreeMap<u64, Membership>,
        all: &BTreeMap<u64, Membership>,
        rest: &[&str],
    ) -> Result<Reply, Reply> {
        match rest {
            [] => {
                let (_, page) = list(asked, &KNOWN[..5], false)?;
                Ok(self.page(asked, page, &self.listed(own), |(id, own)| self.member_shown(**id, own)))
            }
            ["all"] => {
                let (given, page) = list(asked, &KNOWN, false)?;
                let rows = if given.get("state") == Some(&"awaiting") { Vec::new() } else { self.listed(all) };
                Ok(self.page(asked, page, &rows, |(id, own)| self.member_shown(**id, own)))
            }
            ["all", id] => self.one_member(asked, all, id),
            [id] => self.one_member(asked, own, id),
            _ => Err(nowhere()),
        }
    }

    fn listed<'m>(&self, members: &'m BTreeMap<u64, Membership>) -> Vec<(&'m u64, &'m Membership)> {
        members.iter().filter(|(id, own)| self.users.contains_key(id) && own.level > 0).collect()
    }

    fn one_member(&self, asked: &Asked, members: &BTreeMap<u64, Membership>, id: &str) -> Result<Reply, Reply> {
        parameters(asked, &[("user_id", Takes::Number)])?;
        let id: u64 = id.parse().map_err(|_| super::answers::bad("user_id is invalid"))?;
        let own = members.get(&id).filter(|_| self.users.contains_key(&id)).ok_or_else(|| not_found(""))?;
        Ok(Reply::json(200, &self.member_shown(id, own)))
    }

    fn member_shown(&self, id: u64, own: &Membership) -> Value {
        let mut shown = self.users[&id].shown(&self.external_url);
        shown["access_level"] = own.level.into();
        shown["created_at"] = moment(1_700_000_000).into();
        shown["expires_at"] = own.expires_at.clone().into();
        shown["membership_state"] = "active".into();
        if self.ways.licensed {
            let role = own.role.and_then(|id| self.directory.roles.get(&id));
            shown["member_role"] = role.map_or(Value::Null, |role| {
                json!({
                    "id": role.id, "group_id": null, "name": role.name, "description": null,
                    "base_access_level": role.base, "read_code": role.read_code, "read_vulnerability": false,
                    "admin_merge_request": false,
                })
            });
        }
        shown
    }

    /// Groups that were invited, as far as somebody sees them.
    pub(super) fn shares_shown(&self, caller: &Caller, shares: &BTreeMap<u64, Share>) -> Value {
        let visible = shares.iter().filter(|(id, _)| self.shows_group(caller, &self.directory.groups[id]));
        let shown = visible.map(|(id, share)| {
            json!({
                "group_id": id, "group_name": self.directory.groups[id].path, "group_full_path": self.directory.group_path(*id),
                "group_access_level": share.level, "expires_at": share.expires_at, "member_role_id": null,
            })
        });
        shown.collect()
    }

    /// All members of a group that somebody is told of.
    pub(super) fn members_of_group(&self, caller: &Caller, group: u64) -> BTreeMap<u64, Membership> {
        let sees = |id: u64| self.ways.lists_invited || self.shows_group(caller, &self.directory.groups[&id]);
        self.directory.group_members_listed(group, Listing { sees: &sees, caps: self.ways.lists_caps })
    }

    /// All members of a project that somebody is told of.
    pub(super) fn members_of_project(&self, caller: &Caller, project: &Project) -> BTreeMap<u64, Membership> {
        let sees = |id: u64| self.ways.lists_invited || self.shows_group(caller, &self.directory.groups[&id]);
        self.directory.project_members_listed(project, Listing { sees: &sees, caps: self.ways.lists_caps })
    }
}
