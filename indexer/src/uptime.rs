//! How long instances were live on a day, and how often they said so. Pure.
//!
//! An instance is up in a second if it is live in it ([`domain::Lease::is_live`]) by the state after the last block
//! whose time is not after that second: what a reader was told then, whatever came later. So a day is what it is once a
//! block that stays is of a later one, and a heartbeat that came late does not reach back.

use std::collections::{BTreeMap, BTreeSet};

use bindings::Event;
use domain::{InstanceId, Status};
use store::rows::{DAY, LeaseRow, UptimeRow};

use crate::{apply::Entry, log};

/// The leases, and what the day has been like so far that is under way.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Uptimes {
    day: u64,
    tallies: BTreeMap<InstanceId, Tally>,
    /// Whose leases changed since they were last asked for.
    changed: BTreeSet<InstanceId>,
}

/// One instance on the day that is under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Tally {
    status: Status,
    last_heartbeat: u64,
    ttl: u32,
    /// The seconds before this one are counted.
    since: u64,
    seconds_up: u64,
    heartbeats: u64,
}

impl Tally {
    /// The first second at which it is not live any more, unless something happens.
    fn end(&self) -> u64 {
        match self.status {
            Status::Active => self.last_heartbeat.saturating_add(u64::from(self.ttl)).saturating_add(1),
            _ => 0,
        }
    }

    /// Counts the seconds before `time`.
    fn count(&mut self, time: u64) {
        self.seconds_up += time.min(self.end()).saturating_sub(self.since);
        self.since = self.since.max(time);
    }

    fn lease(&self, instance: InstanceId) -> LeaseRow {
        LeaseRow { instance, last_heartbeat: self.last_heartbeat, ttl: self.ttl, status: self.status }
    }
}

impl Uptimes {
    /// As it was when a day began.
    pub fn new(day: u64, leases: impl IntoIterator<Item = LeaseRow>) -> Self {
        let since = day.saturating_mul(DAY);
        let tally = |LeaseRow { instance, last_heartbeat, ttl, status }| {
            (instance, Tally { status, last_heartbeat, ttl, since, seconds_up: 0, heartbeats: 0 })
        };
        Self { day, tallies: leases.into_iter().map(tally).collect(), changed: BTreeSet::new() }
    }

    /// The day that is under way.
    pub fn day(&self) -> u64 {
        self.day
    }

    /// Ends the days before the one of `time`; what they were like, by day and instance. Who was not up and sent nothing
    /// has no row.
    pub fn until(&mut self, time: u64) -> Vec<UptimeRow> {
        let (mut rows, target) = (Vec::new(), time / DAY);
        while self.day < target {
            let end = (self.day + 1).saturating_mul(DAY);
            let mut goes_on = false;
            for (instance, tally) in &mut self.tallies {
                tally.count(end);
                let Tally { seconds_up, heartbeats, .. } = *tally;
                if seconds_up > 0 || heartbeats > 0 {
                    // A day has no more seconds than fit.
                    let seconds_up = u32::try_from(seconds_up).unwrap_or(u32::MAX);
                    rows.push(UptimeRow { day: self.day, instance: *instance, seconds_up, heartbeats });
                }
                (tally.seconds_up, tally.heartbeats) = (0, 0);
                goes_on |= tally.end() > end;
            }
            // Days on which nothing happens are many where time leaps.
            self.day = if goes_on { self.day + 1 } else { target };
        }
        rows
    }

    /// Lets an event act that is of a block at `time`, on the day that is under way.
    pub fn act(&mut self, time: u64, entry: &Entry) {
        match &entry.event {
            Event::Registered { id, ttl, time: last_heartbeat, .. } => {
                let (status, last_heartbeat, ttl) = (Status::Active, *last_heartbeat, *ttl);
                let new = Tally { status, last_heartbeat, ttl, since: time, seconds_up: 0, heartbeats: 0 };
                self.tallies.entry(*id).or_insert(new);
                self.change(time, *id, |tally| {
                    (tally.status, tally.last_heartbeat, tally.ttl) = (status, last_heartbeat, ttl);
                });
            }
            Event::Updated { id, ttl, .. } => self.change(time, *id, |tally| tally.ttl = *ttl),
            Event::Deregistered { id, .. } => self.change(time, *id, |tally| tally.status = Status::Deregistered),
            Event::Reaped { id, .. } => self.change(time, *id, |tally| tally.status = Status::Reaped),
            Event::StatusSet { id, status, .. } => self.change(time, *id, |tally| tally.status = *status),
            _ => {
                for beat in log::heartbeats(entry) {
                    self.change(time, beat.instance, |tally| {
                        tally.last_heartbeat = beat.time;
                        tally.heartbeats += 1;
                    });
                }
            }
        }
    }

    fn change(&mut self, time: u64, id: InstanceId, change: impl FnOnce(&mut Tally)) {
        if let Some(tally) = self.tallies.get_mut(&id) {
            tally.count(time);
            change(tally);
            self.changed.insert(id);
        }
    }

    /// The leases that changed since this was last asked, as they are now.
    pub fn changed(&mut self) -> Vec<LeaseRow> {
        let changed = std::mem::take(&mut self.changed);
        changed.into_iter().filter_map(|id| self.tallies.get(&id).map(|tally| tally.lease(id))).collect()
    }

    /// All leases as they are now, by instance.
    pub fn leases(&self) -> impl Iterator<Item = LeaseRow> {
        self.tallies.iter().map(|(id, tally)| tally.lease(*id))
    }
}

#[cfg(test)]
mod tests;
