//! The instances of a service that is watched, and what becomes of them. Pure: events in, changes out.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use api::{BlockInfo, Instance, InstancesAnswer, InstancesDelta, Mode, Observed};
use domain::InstanceId;

/// More than any gateway lists: one that has no end must not fill the memory.
const MAX_INSTANCES: usize = 10_000;

/// What a gateway told of a service that is watched.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    /// How it came to be told.
    pub kind: ChangeKind,
    /// The index of the service.
    pub index: u64,
    /// The block that this is true at.
    pub block: BlockInfo,
    /// How far this can be trusted to be up to date.
    pub mode: Mode,
    /// Whether the mode was another one before.
    pub mode_changed: bool,
    /// All that match now: in the gateway's order of the last snapshot or resync, those that came since at the end.
    pub instances: Vec<Arc<Instance>>,
    /// Those that were not there before; in a snapshot, all.
    pub came: Vec<InstanceId>,
    /// Those that are not as they were, by more than a renewed lease.
    pub changed: Vec<InstanceId>,
    /// Those whose lease was renewed, and nothing else.
    pub renewed: Vec<InstanceId>,
    /// Those that are not there any more, as they were last: gone, expired, or not wanted as they are now.
    pub gone: Vec<Arc<Instance>>,
}

/// How a change came to be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ChangeKind {
    /// The first of a watch.
    Snapshot,
    /// Of what was known.
    Delta,
    /// All anew, since something was missed while the gateway was away.
    Resync,
}

impl ChangeKind {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Snapshot => "snapshot",
            Self::Delta => "delta",
            Self::Resync => "resync",
        }
    }
}

impl Change {
    /// Whether there is more to it than renewed leases.
    pub fn is_news(&self) -> bool {
        let is_first = self.kind == ChangeKind::Snapshot;
        is_first || self.mode_changed || !(self.came.is_empty() && self.changed.is_empty() && self.gone.is_empty())
    }
}

/// More than fits: no gateway lists that many.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("more than {MAX_INSTANCES} instances")]
pub(super) struct TooMany;

/// What is known of the service.
#[derive(Debug, Default)]
pub(super) struct Roster {
    instances: Vec<Arc<Instance>>,
    mode: Option<Mode>,
}

impl Roster {
    /// Takes all anew.
    pub(super) fn begin(&mut self, index: u64, answer: InstancesAnswer) -> Result<Change, TooMany> {
        let kind = if self.mode.is_none() { ChangeKind::Snapshot } else { ChangeKind::Resync };
        let instances = answer.instances.into_iter().map(Arc::new).collect();
        self.become_(kind, index, answer.block, answer.mode, instances)
    }

    /// Takes what is new.
    pub(super) fn go_on(&mut self, index: u64, delta: InstancesDelta) -> Result<Change, TooMany> {
        let gone: HashSet<InstanceId> = delta.gone.into_iter().collect();
        let mut instances: Vec<_> = self.instances.iter().filter(|one| !gone.contains(&one.id)).cloned().collect();
        let places: HashMap<InstanceId, usize> =
            instances.iter().enumerate().map(|(place, instance)| (instance.id, place)).collect();
        for instance in delta.instances.into_iter().map(Arc::new) {
            match places.get(&instance.id).and_then(|place| instances.get_mut(*place)) {
                Some(known) => *known = instance,
                None => instances.push(instance),
            }
        }
        self.become_(ChangeKind::Delta, index, delta.block, delta.mode, instances)
    }

    fn become_(
        &mut self,
        kind: ChangeKind,
        index: u64,
        block: BlockInfo,
        mode: Mode,
        instances: Vec<Arc<Instance>>,
    ) -> Result<Change, TooMany> {
        if instances.len() > MAX_INSTANCES {
            return Err(TooMany);
        }
        let mode_changed = self.mode.replace(mode).is_some_and(|before| before != mode);
        let before = std::mem::replace(&mut self.instances, instances.clone());
        let known: HashMap<InstanceId, &Arc<Instance>> = before.iter().map(|one| (one.id, one)).collect();
        let (mut came, mut changed, mut renewed) = (Vec::new(), Vec::new(), Vec::new());
        for now in &instances {
            match known.get(&now.id) {
                None => came.push(now.id),
                Some(before) if Arc::ptr_eq(before, now) => {}
                Some(before) if !is_as_before(before, now) => changed.push(now.id),
                Some(before) if before.expires_at != now.expires_at => renewed.push(now.id),
                Some(_) => {}
            }
        }
        let there: HashSet<InstanceId> = instances.iter().map(|one| one.id).collect();
        let gone = before.into_iter().filter(|one| !there.contains(&one.id)).collect();
        Ok(Change { kind, index, block, mode, mode_changed, instances, came, changed, renewed, gone })
    }
}

/// Whether nothing but its lease, and how regular it is, has changed.
fn is_as_before(before: &Instance, now: &Instance) -> bool {
    let as_before = Instance {
        last_heartbeat: before.last_heartbeat,
        expires_at: before.expires_at,
        observed: Observed { phi: before.observed.phi, ..now.observed },
        ..now.clone()
    };
    as_before == *before
}

#[cfg(test)]
mod tests {
    use super::{
        super::tests::{answer, delta, instance},
        *,
    };

    const SOON: &str = "2026-11-21T09:00:30Z";
    const LATER: &str = "2026-11-21T09:00:40Z";

    fn ids(instances: &[Arc<Instance>]) -> Vec<u8> {
        instances.iter().map(|one| one.id.0[0]).collect()
    }

    #[test]
    fn a_heartbeat_is_no_news() {
        let mut roster = Roster::default();
        let mut first = answer(&[instance(1, SOON), instance(2, SOON)]);
        first.mode = Mode::Preserved;
        assert!(roster.begin(1, first).expect("a change").is_news());
        let mut beat = instance(1, LATER);
        beat.observed.phi = Some(0.3);
        let change = roster.go_on(2, delta(&[beat.clone()], &[])).expect("a change");
        assert_eq!((change.renewed.as_slice(), change.is_news()), ([beat.id].as_slice(), false));
        assert_eq!(*change.instances[0], beat, "the list has it all the same");
        beat.observed.suspect = true;
        let change = roster.go_on(3, delta(&[beat.clone()], &[])).expect("a change");
        assert_eq!((change.changed.as_slice(), change.is_news()), ([beat.id].as_slice(), true));
    }

    #[test]
    fn a_list_keeps_its_order_and_forgets_what_is_gone() {
        let mut roster = Roster::default();
        roster.begin(1, answer(&[instance(3, SOON), instance(1, SOON), instance(2, SOON)])).expect("a change");
        // Gone and back in one delta: it is there.
        let change = roster.go_on(2, delta(&[instance(4, SOON), instance(2, LATER)], &[1, 9])).expect("a change");
        assert_eq!((ids(&change.instances), ids(&change.gone)), (vec![3, 2, 4], vec![1]));
        let change = roster.begin(3, answer(&[instance(4, SOON)])).expect("a change");
        assert_eq!((change.kind, ids(&change.gone)), (ChangeKind::Resync, vec![3, 2]));
    }

    #[test]
    fn a_list_without_end_is_refused() {
        let mut roster = Roster::default();
        roster.begin(1, answer(&[])).expect("a change");
        let many: Vec<Instance> = (0..=MAX_INSTANCES)
            .map(|n| {
                let mut id = [0; 32];
                id[..8].copy_from_slice(&n.to_be_bytes());
                Instance { id: InstanceId(id.into()), ..instance(1, SOON) }
            })
            .collect();
        assert_eq!(roster.go_on(2, delta(&many, &[])), Err(TooMany));
    }
}
