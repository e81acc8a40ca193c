//! Access levels: who reads code, until when, and what is left of a level where a group was let in with a limit. Pure.
//!
//! Levels are open: GitLab adds some between those that are known, so that they are only ever compared.

use crate::clock::Timestamp;

/// Whoever is more may read the code of private projects.
pub(super) const REPORTER: i64 = 20;
/// Reads plans, and in some releases code.
const PLANNER: i64 = 15;
/// Reads what is public or internal where that is for members only.
pub(super) const GUEST: i64 = 10;
/// May install webhooks on a project.
pub(super) const MAINTAINER: i64 = 40;
/// Owns a group.
pub(super) const OWNER: i64 = 50;

/// Which levels are let read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rule {
    /// Whether planners are: releases of GitLab differ.
    pub planners: bool,
}

/// What somebody is somewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Standing {
    /// The level.
    pub level: i64,
    /// Whether a role that somebody made lets read code, whatever the level.
    pub by_role: bool,
    /// When it ends.
    pub until: Option<Timestamp>,
}

impl Standing {
    /// Whether it lets read the code of private projects.
    pub(super) fn reads(&self, rule: Rule) -> bool {
        self.level >= REPORTER || (rule.planners && self.level == PLANNER) || self.by_role
    }

    /// What is left of it where its group was let in with at most `cap`, until the end of that. Roles that somebody made do
    /// not count there: whether they do differs between releases.
    pub(super) fn capped(self, cap: i64, until: Option<Timestamp>) -> Self {
        Self { level: self.level.min(cap), by_role: false, until: sooner(self.until, until) }
    }

    /// What holds of what GitLab lists, given the ways by which it can be so, as far as GitLab tells of them: not more than
    /// the most of that, and not for longer than what lets read lasts. Where it tells of none, somebody was let in by a group
    /// that the credential may not see, and what is listed holds.
    pub(super) fn held_to(self, ways: &[Self], rule: Rule) -> Self {
        let Some(most) = ways.iter().map(|way| way.level).max() else { return self };
        let level = most.min(self.level);
        let by_role = self.by_role && ways.iter().any(|way| way.by_role);
        let held = Self { level, by_role, until: None };
        let bearing = ways.iter().filter(|way| way.reads(rule) == held.reads(rule));
        let until = bearing.map(|way| way.until).reduce(later).unwrap_or(self.until);
        Self { until, ..held }
    }

    /// The more of two, which somebody has both of.
    pub(super) fn or(self, other: Self, rule: Rule) -> Self {
        let until = match (self.reads(rule), other.reads(rule)) {
            (true, false) => self.until,
            (false, true) => other.until,
            _ => later(self.until, other.until),
        };
        Self { level: self.level.max(other.level), by_role: self.by_role || other.by_role, until }
    }
}

/// The sooner of two ends.
pub(super) fn sooner(one: Option<Timestamp>, other: Option<Timestamp>) -> Option<Timestamp> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}

/// The later of two ends, of which none is the latest.
pub(super) fn later(one: Option<Timestamp>, other: Option<Timestamp>) -> Option<Timestamp> {
    Some(one?.max(other?))
}

/// The end that a day means: GitLab lets nobody in from its first second on.
pub(super) fn end_of(day: Option<&str>) -> Option<Timestamp> {
    let day = day?.trim();
    let text = if day.len() == 10 { format!("{day}T00:00:00Z") } else { day.to_owned() };
    // What cannot be read is over: nobody is let in for longer than GitLab says.
    Some(Timestamp::parse_rfc3339(&text).unwrap_or_else(|_| Timestamp::from_seconds(0)))
}

/// A level in words, as GitLab's pages have them.
pub(super) fn word(level: i64) -> String {
    match level {
        0 => "no access".to_owned(),
        5 => "minimal access".to_owned(),
        10 => "guest".to_owned(),
        15 => "planner".to_owned(),
        20 => "reporter".to_owned(),
        25 => "security manager".to_owned(),
        30 => "developer".to_owned(),
        40 => "maintainer".to_owned(),
        50 => "owner".to_owned(),
        other => format!("level {other}"),
    }
}

#[cfg(test)]
mod tests {
    use super::{Rule, Standing, end_of, later, sooner};
    use crate::clock::Timestamp;

    const USUAL: Rule = Rule { planners: false };

    fn at(level: i64) -> Standing {
        Standing { level, by_role: false, until: None }
    }

    fn until(level: i64, seconds: i64) -> Standing {
        Standing { until: Some(Timestamp::from_seconds(seconds)), ..at(level) }
    }

    #[test]
    fn code_is_read_from_reporters_on() {
        for (level, reads) in
            [(0, false), (5, false), (10, false), (15, false), (20, true), (25, true), (35, true), (60, true)]
        {
            assert_eq!(at(level).reads(USUAL), reads, "{level}");
        }
        let planners = Rule { planners: true };
        assert!(at(15).reads(planners) && !at(14).reads(planners) && !at(16).reads(planners));
        assert!(Standing { by_role: true, ..at(10) }.reads(USUAL));
    }

    #[test]
    fn an_owner_of_a_group_that_was_let_in_is_what_it_was_let_in_as() {
        assert!(!at(50).capped(10, None).reads(USUAL));
        assert!(at(50).capped(20, None).reads(USUAL));
        assert_eq!(at(20).capped(50, None).level, 20);
        let role = Standing { by_role: true, ..at(10) };
        assert!(!role.capped(50, None).reads(USUAL));
        let day = Some(Timestamp::from_seconds(100));
        assert_eq!(until(30, 200).capped(20, day).until, day);
    }

    #[test]
    fn what_is_listed_is_held_to_the_ways_there_are() {
        // GitLab once listed the level in the invited group.
        assert_eq!(at(50).held_to(&[at(10)], USUAL), at(10));
        assert_eq!(at(30).held_to(&[at(50)], USUAL), at(30));
        assert_eq!(at(50).held_to(&[], USUAL), at(50));
        // Maintainer for a while, developer for ever: reads for ever.
        assert_eq!(until(40, 100).held_to(&[until(40, 100), at(30)], USUAL), at(40));
        // Developer for a while, guest for ever: reads for a while.
        assert_eq!(until(30, 100).held_to(&[until(30, 100), at(10)], USUAL), until(30, 100));
        let role = Standing { by_role: true, ..at(10) };
        assert_eq!(role.held_to(&[at(10)], USUAL), at(10));
        assert_eq!(role.held_to(&[role, at(10)], USUAL), role);
    }

    #[test]
    fn of_two_memberships_the_one_that_reads_counts() {
        assert_eq!(until(30, 100).or(at(10), USUAL), until(30, 100));
        assert_eq!(until(30, 100).or(until(20, 200), USUAL), until(30, 200));
        assert_eq!(until(30, 100).or(at(20), USUAL), at(30));
    }

    #[test]
    fn days_end_before_they_begin() {
        let day = end_of(Some("2026-01-01"));
        assert_eq!(day.map(|end| end.rfc3339()).as_deref(), Some("2026-01-01T00:00:00Z"));
        assert_eq!(end_of(None), None);
        assert_eq!(end_of(Some("rubbish")), Some(Timestamp::from_seconds(0)));
        assert_eq!((sooner(day, None), later(day, None)), (day, None));
    }
}
