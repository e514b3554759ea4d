//! The events in the index against the node's logs.

use std::cmp::Ordering;

use store::{
    audit::Audit,
    rows::{EventRow, HeartbeatRow},
};

use super::Check;
use crate::{
    IndexerError,
    apply::Entry,
    log::{Contracts, decode_row, heartbeats},
};

impl Check {
    /// Looks at the events above one height up to another, or less far if the node does not give so many at once, and lets
    /// them act on the state. Answers how far.
    pub(super) async fn look_at(&mut self, audit: &mut Audit, above: u64, to: u64) -> Result<u64, IndexerError> {
        let (to, theirs) = self.range.rows(&self.source, above, to).await?;
        let ours = audit.events(above, to).await?;
        self.events += ours.len() as u64;
        self.compare_events(&ours, &theirs);
        let beats = self.apply(ours);
        let stored = audit.heartbeats(above, to).await?;
        self.history.compare_heartbeats(&mut self.found, &beats, &stored);
        self.history.compare_days(&mut self.found, audit).await?;
        Ok(to)
    }

    fn compare_events(&mut self, ours: &[EventRow], theirs: &[EventRow]) {
        for pair in merge(ours, theirs, place) {
            match pair {
                (Some(ours), None) => self.found.note(ours.instance, format!("{} is not on the chain", name(ours))),
                (None, Some(theirs)) => self.found.note(theirs.instance, format!("{} is missing", name(theirs))),
                (Some(ours), Some(theirs)) => {
                    if let Some(field) = differs(ours, theirs) {
                        self.found
                            .note(theirs.instance.or(ours.instance), format!("{}: {field} differs", name(theirs)));
                    }
                }
                (None, None) => {}
            }
        }
    }

    /// Returns the heartbeats that the events are.
    fn apply(&mut self, rows: Vec<EventRow>) -> Vec<HeartbeatRow> {
        let origin = &self.stored.origin;
        let contracts = Contracts { registry: origin.contract, endorsements: origin.endorsements };
        let mut beats = Vec::new();
        for row in rows {
            let (instance, name) = (row.instance, name(&row));
            let Entry { row, event } = match decode_row(contracts, row) {
                Ok(entry) => entry,
                Err(error) => {
                    self.found.note(instance, format!("{name}: {error}"));
                    continue;
                }
            };
            if let Err(misfit) = self.state.apply(row.block.number, row.log_index, &event) {
                self.found.note(instance, format!("{name} does not fit to those before it: {misfit}"));
                continue;
            }
            let entry = Entry { row, event };
            self.history.act(&mut self.found, &entry);
            beats.extend(heartbeats(&entry));
        }
        beats
    }
}

fn place(row: &EventRow) -> (u64, u64) {
    (row.block.number, row.log_index)
}

pub(super) fn name(row: &EventRow) -> String {
    let kind = crate::error::plain(&row.kind);
    let of = row.instance.map_or(String::new(), |id| format!(" of the instance {id}"));
    format!("the event {kind}{of} at block {}, log {}", row.block.number, row.log_index)
}

fn differs(ours: &EventRow, theirs: &EventRow) -> Option<&'static str> {
    let fields = [
        ("its contract", ours.contract == theirs.contract),
        ("the hash of its block", ours.block.hash == theirs.block.hash),
        ("the hash of its transaction", ours.tx_hash == theirs.tx_hash),
        ("its kind", ours.kind == theirs.kind),
        ("its instance", ours.instance == theirs.instance),
        ("its namespace", ours.namespace == theirs.namespace),
        ("its slot", ours.slot == theirs.slot),
        ("a topic", ours.topics == theirs.topics),
        ("its data", ours.data == theirs.data),
        ("its time", ours.time == theirs.time),
    ];
    fields.into_iter().find_map(|(field, same)| (!same).then_some(field))
}

/// Puts two lists side by side that are ordered by a key.
pub(super) fn merge<'a, T, K: Ord>(
    ours: &'a [T],
    theirs: &'a [T],
    key: impl Fn(&T) -> K,
) -> Vec<(Option<&'a T>, Option<&'a T>)> {
    let (mut ours, mut theirs) = (ours.iter().peekable(), theirs.iter().peekable());
    let mut pairs = Vec::new();
    loop {
        let order = match (ours.peek(), theirs.peek()) {
            (None, None) => return pairs,
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some(ours), Some(theirs)) => key(ours).cmp(&key(theirs)),
        };
        pairs.push((if order.is_le() { ours.next() } else { None }, if order.is_ge() { theirs.next() } else { None }));
    }
}
