//! The state of old.

use bindings::Event;
use store::rows::{EventRow, HeartbeatRow};

use super::State;

/// An event and where it comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The log.
    pub row: EventRow,
    /// What it says.
    pub event: Event,
}

/// What a state of old is rebuilt from: as `store::ingest::History`, decoded.
#[derive(Debug, Clone, Default)]
pub struct Past {
    /// The newest event of each kind of each instance, heartbeats aside.
    pub instances: Vec<Entry>,
    /// The newest heartbeat of each instance.
    pub heartbeats: Vec<HeartbeatRow>,
    /// The newest event of each kind of each service.
    pub rosters: Vec<Entry>,
    /// The newest event of each kind of each namespace.
    pub namespaces: Vec<Entry>,
    /// The newest event of each kind of each slot with a proposal, a grant or an endorsement.
    pub grants: Vec<Entry>,
}

impl Past {
    /// The state after all of it. There are no inverse steps, and no need for the events in between: each event sets
    /// all that events of its kind ever set, and a registration sets everything.
    pub fn rebuild(mut self) -> State {
        let mut state = State::default();
        for list in [&mut self.instances, &mut self.rosters, &mut self.namespaces, &mut self.grants] {
            list.sort_by_key(|entry| (entry.row.block.number, entry.row.log_index));
        }
        self.heartbeats.sort_by_key(|beat| (beat.block_number, beat.log_index));

        self.namespaces.iter().for_each(|entry| state.set_namespace(&entry.event));
        self.rosters.iter().for_each(|entry| state.set_service(&entry.event));
        for Entry { row, event } in &self.grants {
            state.set_grant(row.block.number, row.log_index, event);
        }
        let mut beats = self.heartbeats.iter().peekable();
        for entry in &self.instances {
            let at = (entry.row.block.number, entry.row.log_index);
            while let Some(beat) = beats.next_if(|beat| (beat.block_number, beat.log_index) < at) {
                state.set_lease(beat.instance, |lease| lease.last_heartbeat = beat.time);
            }
            state.set_instance(entry.row.block.number, &entry.event);
        }
        for beat in beats {
            state.set_lease(beat.instance, |lease| lease.last_heartbeat = beat.time);
        }
        state
    }
}
