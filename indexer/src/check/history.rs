//! Heartbeats and uptimes against those that follow from the events.

use std::collections::BTreeMap;

use domain::InstanceId;
use store::{
    audit::Audit,
    rows::{DAY, HeartbeatRow, LeaseRow, Upkeep, UptimeRow},
};

use super::{Check, Differences, events::merge, tables::compare};
use crate::{IndexerError, apply::Entry, upkeep::acts_at, uptime::Uptimes};

/// What follows from the events so far.
pub(super) struct History {
    upkeep: Upkeep,
    uptimes: Uptimes,
    /// The days up to this one are compared; those after it that are over are in `rows`.
    compared: u64,
    rows: Vec<UptimeRow>,
    /// The leases when the first day began that is not rolled up, once it did.
    leases: Option<Vec<LeaseRow>>,
    /// The newest heartbeat of each instance, if it is not there and may have been dropped were it not the newest.
    gone: BTreeMap<InstanceId, HeartbeatRow>,
}

impl History {
    pub(super) fn new(upkeep: Upkeep) -> Self {
        let (uptimes, rows, leases, gone) = Default::default();
        Self { upkeep, uptimes, compared: 0, rows, leases, gone }
    }

    /// Lets an event act, unless it is of a day that is not rolled up.
    pub(super) fn act(&mut self, found: &mut Differences, entry: &Entry) {
        match acts_at(entry) {
            Ok(Some(time)) if time / DAY >= self.upkeep.uptime_day => self.end(),
            Ok(Some(time)) if self.leases.is_none() => {
                self.rows.extend(self.uptimes.until(time));
                self.uptimes.act(time, entry);
            }
            Ok(_) => {}
            Err(row) => found.note(row.instance, format!("{} has no time", super::events::name(row))),
        }
    }

    /// Ends the last day that is rolled up.
    fn end(&mut self) {
        if self.leases.is_none() {
            self.rows.extend(self.uptimes.until(self.upkeep.uptime_day.saturating_mul(DAY)));
            self.leases = Some(self.uptimes.leases().collect());
        }
    }

    pub(super) fn compare_heartbeats(
        &mut self,
        found: &mut Differences,
        expected: &[HeartbeatRow],
        stored: &[HeartbeatRow],
    ) {
        let place = |beat: &HeartbeatRow| (beat.block_number, beat.log_index, beat.instance);
        for pair in merge(stored, expected, place) {
            match pair {
                (Some(stored), None) => note(found, stored, "follows from no event"),
                (None, Some(expected)) if expected.time / DAY >= self.upkeep.heartbeats_from => {
                    note(found, expected, "is missing");
                }
                (None, Some(expected)) => drop(self.gone.insert(expected.instance, *expected)),
                (Some(stored), Some(expected)) => {
                    if stored != expected {
                        note(found, expected, "has another time");
                    }
                    self.gone.remove(&expected.instance);
                }
                (None, None) => {}
            }
        }
    }

    /// Compares the days that are over.
    pub(super) async fn compare_days(
        &mut self,
        found: &mut Differences,
        audit: &mut Audit,
    ) -> Result<(), IndexerError> {
        let to = self.uptimes.day().min(self.upkeep.uptime_day);
        if to > self.compared {
            let stored = audit.uptimes(self.compared, to).await?;
            let expected = std::mem::take(&mut self.rows);
            let name =
                |row: &UptimeRow| (Some(row.instance), format!("the uptime of {} on day {}", row.instance, row.day));
            compare(found, &stored, &expected, |row| (row.day, row.instance), name);
            self.compared = to;
        }
        Ok(())
    }
}

impl Check {
    /// Once all events have acted.
    pub(super) async fn compare_history(&mut self, audit: &mut Audit) -> Result<(), IndexerError> {
        let (history, found) = (&mut self.history, &mut self.found);
        for beat in std::mem::take(&mut history.gone).values() {
            note(found, beat, "is missing, and is the newest");
        }
        history.end();
        history.compare_days(found, audit).await?;
        let beyond = audit.uptimes_beyond(history.upkeep.uptime_day).await?;
        if beyond > 0 {
            found.note(None, format!("{beyond} uptimes are of days that are not over"));
        }
        let stored = audit.rolled_leases().await?;
        let expected = history.leases.take().unwrap_or_default();
        let name = |row: &LeaseRow| {
            (Some(row.instance), format!("the lease of {} on day {}", row.instance, history.upkeep.uptime_day))
        };
        compare(found, &stored, &expected, |row| row.instance, name);
        Ok(())
    }
}

fn note(found: &mut Differences, beat: &HeartbeatRow, what: &str) {
    let at = format!("block {}, log {}", beat.block_number, beat.log_index);
    found.note(Some(beat.instance), format!("the heartbeat of {} at {at} {what}", beat.instance));
}
