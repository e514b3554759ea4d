//! What is known of an indexer, and what follows from it. Pure.

use std::time::Duration;

use domain::{BlockRef, Heads};

use crate::{Phase, Progress, check::Found};

/// For how long nothing may come of it before an indexer is not ready: a few looks at a busy node, and less than the five
/// seconds within which it has to say so.
pub(crate) const PATIENCE: Duration = Duration::from_secs(3);

/// The loop ticks at least this often, or it hangs. Longer than any step of it may take: a range of logs, the statements
/// of a large reorg.
const TICKS_WITHIN: Duration = Duration::from_secs(300);

/// When the loop has not ticked for so long, its connections are taken for lost, and it begins anew. Later than
/// whoever watches [`TICKS_WITHIN`] would act.
pub(crate) const STANDSTILL: Duration = Duration::from_secs(600);

/// An index this many blocks behind the chain follows it.
const FOLLOWING: u64 = 2;

/// What is healthy.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    pub(crate) patience: Duration,
    /// How old the chain's head may be.
    pub(crate) head_age: Option<Duration>,
}

impl Default for Limits {
    fn default() -> Self {
        Self { patience: PATIENCE, head_age: None }
    }
}

/// What is known. Times are monotonic.
#[derive(Debug, Clone, Default)]
pub(crate) struct Signs {
    pub(crate) limits: Limits,
    /// When the loop was last seen at work.
    pub(crate) ticked: Duration,
    pub(crate) standby: bool,
    /// Where the index stands, and what the chain said of itself.
    pub(super) heads: Option<(BlockRef, Heads)>,
    /// Since when it stands there.
    pub(super) stands_since: Duration,
    /// When the answers of a node last moved it, or confirmed it.
    pub(super) proceeded: Option<Duration>,
    /// When it was last at the tip, or next to it.
    pub(super) at_tip: Option<Duration>,
    /// The last trouble, until the index proceeds.
    pub(crate) trouble: Option<String>,
    /// That of the database, until it takes a write.
    pub(crate) database: Option<String>,
    /// Since when a write is under way.
    pub(crate) writes: Option<Duration>,
    /// Whether the database ever took a write.
    pub(crate) wrote: bool,
    /// The log that stopped the index, until it is at the tip.
    pub(crate) bad_log: Option<String>,
    /// What the last comparison of the roots found.
    pub(crate) check: Option<Found>,
    /// Whether the state is to be made anew.
    pub(crate) rebuild: bool,
}

/// One of the things that must be so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Condition {
    pub(crate) name: &'static str,
    /// Why it is not so.
    pub(crate) fault: Option<String>,
}

/// How an indexer feels at one moment.
#[derive(Debug, Clone)]
pub(crate) struct Health {
    pub(crate) alive: bool,
    pub(crate) standby: bool,
    pub(crate) conditions: Vec<Condition>,
    pub(crate) progress: Progress,
    pub(crate) heads: Option<(BlockRef, Heads)>,
    /// For how long the index has stood where it stands.
    pub(crate) head_age: Duration,
    /// For how long it has not been at the tip.
    pub(crate) lag: Duration,
}

impl Health {
    pub(crate) fn is_ready(&self) -> bool {
        self.conditions.iter().all(|condition| condition.fault.is_none())
    }

    pub(crate) fn phase(&self) -> Phase {
        if self.standby { Phase::Standby } else { self.progress.phase }
    }

    pub(crate) fn lag_blocks(&self) -> u64 {
        self.heads.map_or(0, |(head, heads)| heads.latest.saturating_sub(head.number))
    }
}

impl Signs {
    /// Where the index stands.
    pub(crate) fn stands(&mut self, head: BlockRef, heads: Heads, now: Duration) {
        if self.heads.is_none_or(|(known, _)| known != head) {
            self.stands_since = now;
        }
        self.heads = Some((head, heads));
    }

    /// The answers of a node have led there.
    pub(crate) fn proceeds(&mut self, head: BlockRef, heads: Heads, now: Duration) {
        self.stands(head, heads, now);
        (self.ticked, self.proceeded, self.trouble) = (now, Some(now), None);
        let lag = heads.latest.saturating_sub(head.number);
        if lag <= FOLLOWING {
            self.at_tip = Some(now);
        }
        if lag == 0 {
            self.bad_log = None;
        }
    }

    pub(crate) fn health(&self, progress: Progress, now: Duration) -> Health {
        let age = |then: Duration| now.saturating_sub(then);
        let mut conditions = vec![("loop", self.hangs(now)), ("database", self.cannot_write(now))];
        // Whoever stands by has nothing else to do well.
        if !self.standby {
            conditions.extend([
                ("node", self.is_alone(now)),
                ("tip", self.is_behind(now)),
                ("logs", self.bad_log.clone()),
                ("roots", self.check.as_ref().and_then(Found::fault)),
            ]);
        }
        let is_behind = self.heads.is_none_or(|(head, heads)| heads.latest > head.number);
        Health {
            alive: age(self.ticked) <= TICKS_WITHIN,
            standby: self.standby,
            conditions: conditions.into_iter().map(|(name, fault)| Condition { name, fault }).collect(),
            progress,
            heads: self.heads,
            head_age: self.heads.map_or(Duration::ZERO, |_| age(self.stands_since)),
            lag: if is_behind { age(self.at_tip.unwrap_or_default()) } else { Duration::ZERO },
        }
    }

    fn is_late(&self, then: Duration, now: Duration) -> Option<u64> {
        let age = now.saturating_sub(then);
        (age > self.limits.patience).then_some(age.as_secs())
    }

    fn hangs(&self, now: Duration) -> Option<String> {
        self.is_late(self.ticked, now).map(|age| format!("nothing has happened for {age} s"))
    }

    fn cannot_write(&self, now: Duration) -> Option<String> {
        if let Some(trouble) = &self.database {
            return Some(trouble.clone());
        }
        if !self.wrote && !self.standby {
            return Some("nothing has been written yet".to_owned());
        }
        let age = self.writes.and_then(|since| self.is_late(since, now))?;
        Some(format!("a write has been under way for {age} s"))
    }

    /// Whether no node leads it on.
    fn is_alone(&self, now: Duration) -> Option<String> {
        let trouble = self.trouble.as_deref().unwrap_or("it does not answer, or is behind");
        match self.proceeded {
            None => Some(format!("no node has been of use yet: {trouble}")),
            Some(then) => self.is_late(then, now).map(|age| format!("no node has been of use for {age} s: {trouble}")),
        }
    }

    fn is_behind(&self, now: Duration) -> Option<String> {
        let Some((head, heads)) = self.heads else { return Some("not at the chain's head yet".to_owned()) };
        let lag = heads.latest.saturating_sub(head.number);
        if lag > FOLLOWING && self.at_tip.is_none_or(|then| self.is_late(then, now).is_some()) {
            return Some(format!("at block {}, {lag} blocks behind the chain", head.number));
        }
        let (age, limit) = (now.saturating_sub(self.stands_since), self.limits.head_age?);
        (age > limit).then(|| {
            let (age, limit) = (age.as_secs(), limit.as_secs_f64());
            format!("the chain's head has been block {} for {age} s; more than {limit} s are too long", head.number)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(number: u64, latest: u64) -> (BlockRef, Heads) {
        (BlockRef { number, hash: domain::B256::with_last_byte(number as u8) }, Heads { latest, ..Heads::default() })
    }

    fn secs(s: u64) -> Duration {
        Duration::from_secs(s)
    }

    fn faults(signs: &Signs, now: u64) -> Vec<&'static str> {
        let health = signs.health(Progress::default(), secs(now));
        health.conditions.into_iter().filter_map(|one| one.fault.map(|_| one.name)).collect()
    }

    fn well() -> Signs {
        let mut signs = Signs { wrote: true, ..Signs::default() };
        let (head, heads) = at(7, 7);
        signs.proceeds(head, heads, secs(10));
        signs
    }

    #[test]
    fn an_indexer_that_has_not_begun_is_alive_and_not_ready() {
        let signs = Signs::default();
        assert_eq!(faults(&signs, 1), ["database", "node", "tip"]);
        assert!(signs.health(Progress::default(), secs(1)).alive);
    }

    #[test]
    fn a_loop_that_hangs_is_not_ready_within_five_seconds_and_not_alive_after_minutes() {
        let mut signs = well();
        assert!(faults(&signs, 13).is_empty());
        assert_eq!(faults(&signs, 14), ["loop", "node"]);
        assert!(signs.health(Progress::default(), secs(310)).alive);
        assert!(!signs.health(Progress::default(), secs(311)).alive);
        let (head, heads) = at(7, 7);
        signs.proceeds(head, heads, secs(400));
        assert!(faults(&signs, 400).is_empty());
    }

    #[test]
    fn a_loop_that_turns_without_a_node_is_not_ready() {
        let mut signs = well();
        (signs.ticked, signs.trouble) = (secs(20), Some("away".to_owned()));
        assert_eq!(faults(&signs, 20), ["node"]);
    }

    #[test]
    fn a_few_blocks_behind_for_a_moment_is_nothing() {
        let mut signs = well();
        let (head, heads) = at(8, 30);
        signs.proceeds(head, heads, secs(12));
        assert!(faults(&signs, 12).is_empty());
        assert_eq!(signs.health(Progress::default(), secs(12)).lag, secs(2));
        signs.proceeds(head, heads, secs(14));
        assert_eq!(faults(&signs, 14), ["tip"]);
        let (head, heads) = at(29, 30);
        signs.proceeds(head, heads, secs(20));
        assert!(faults(&signs, 20).is_empty());
    }

    #[test]
    fn a_chain_may_be_slow_unless_the_settings_say_how_slow() {
        let mut signs = well();
        let (head, heads) = at(7, 7);
        signs.proceeds(head, heads, secs(1_000));
        assert!(faults(&signs, 1_000).is_empty());
        signs.limits.head_age = Some(secs(60));
        assert_eq!(faults(&signs, 1_000), ["tip"]);
        let (head, heads) = at(8, 8);
        signs.proceeds(head, heads, secs(1_001));
        assert!(faults(&signs, 1_001).is_empty());
    }

    #[test]
    fn a_write_that_hangs_and_a_database_in_trouble_are_not_ready() {
        let mut signs = well();
        signs.writes = Some(secs(8));
        assert_eq!(faults(&signs, 12), ["database"]);
        (signs.writes, signs.database) = (None, Some("gone".to_owned()));
        assert_eq!(faults(&signs, 12), ["database"]);
    }

    #[test]
    fn one_that_stands_by_needs_a_loop_and_a_database_alone() {
        let mut signs = Signs { standby: true, ..Signs::default() };
        assert!(faults(&signs, 2).is_empty());
        signs.database = Some("gone".to_owned());
        assert_eq!(faults(&signs, 9), ["loop", "database"]);
    }

    #[test]
    fn a_bad_log_holds_until_the_index_is_at_the_tip() {
        let mut signs = Signs { bad_log: Some("log 3 of block 9".to_owned()), ..well() };
        let (head, heads) = at(8, 9);
        signs.proceeds(head, heads, secs(11));
        assert_eq!(faults(&signs, 11), ["logs"]);
        let (head, heads) = at(9, 9);
        signs.proceeds(head, heads, secs(11));
        assert!(faults(&signs, 11).is_empty());
    }
}
