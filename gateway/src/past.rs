//! What rosters were, for answers as of a block that is final, or as good as final.
//!
//! The index is at the head of the chain. Going back from there to a block takes what changed since: a gateway has seen
//! that if it was there, so a gateway that has just started knows no past yet. It goes back to heads that it has seen.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
};

use api::{BlockInfo, timestamp};
use domain::InstanceId;
use store::rows::Checkpoint;

use crate::service::Instance;

/// The most changes of one service that are kept: more do not come before blocks are final.
const CHANGES: usize = 100_000;

/// The most changes of all services that are kept, in some 130 bytes each.
pub(crate) const CHANGES_OF_ALL: usize = 2_000_000;

/// The most heads that are kept.
const HEADS: usize = 100_000;

/// The changes of one service, oldest first.
#[derive(Debug, Clone, Default)]
pub(crate) struct Past {
    changes: VecDeque<Change>,
    /// What was before this block is forgotten.
    from: u64,
}

/// Until a block came, an instance was this; or it was not on the roster.
#[derive(Debug, Clone)]
struct Change {
    block: u64,
    id: InstanceId,
    was: Option<Arc<Instance>>,
}

impl Past {
    /// With the block an instance ceased to be what it was.
    pub(crate) fn note(&mut self, block: u64, id: InstanceId, was: Option<Arc<Instance>>) {
        self.keep(CHANGES - 1);
        self.changes.push_back(Change { block, id, was });
    }

    /// Forgets the oldest changes until so many are left at most.
    fn keep(&mut self, most: usize) {
        let over = self.changes.len().saturating_sub(most);
        if let Some(last) = self.changes.drain(..over).next_back() {
            self.from = self.from.max(last.block);
        }
    }

    /// How many changes are remembered.
    pub(crate) fn len(&self) -> usize {
        self.changes.len()
    }

    /// Nobody will ask for what was before this block any more.
    pub(crate) fn forget(&mut self, before: u64) {
        while self.changes.front().is_some_and(|change| change.block <= before) {
            self.changes.pop_front();
        }
        if self.changes.is_empty() {
            self.changes.shrink_to_fit();
        }
    }

    /// From which block on it is known what was.
    pub(crate) fn from(&self) -> u64 {
        self.from
    }

    /// The roster after a block, out of the roster `now`.
    pub(crate) fn rewind(&self, mut now: BTreeMap<InstanceId, Arc<Instance>>, block: u64) -> Vec<Arc<Instance>> {
        for change in self.changes.iter().rev().take_while(|change| change.block > block) {
            match &change.was {
                Some(was) => now.insert(change.id, Arc::clone(was)),
                None => now.remove(&change.id),
            };
        }
        now.into_values().collect()
    }
}

/// Has those that remember the most changes forget their oldest until all together have so many at most; how many they have
/// then. A service that changes seldom keeps its past, whatever the others do.
pub(crate) fn keep_of_all<'a>(pasts: impl Iterator<Item = &'a mut Past>, most: usize) -> usize {
    let mut pasts: Vec<&mut Past> = pasts.collect();
    pasts.sort_unstable_by_key(|past| past.len());
    let (number, mut left) = (pasts.len(), most);
    for (n, past) in pasts.into_iter().enumerate() {
        past.keep(left / (number - n));
        left -= past.len();
        past.changes.shrink_to(2 * past.len());
    }
    most - left
}

/// The heads that this gateway has seen, lowest first.
#[derive(Debug, Clone, Default)]
pub(crate) struct Heads(VecDeque<BlockInfo>);

impl Heads {
    /// Another head; none counts on a chain that calls no block safe or finalized. `whole`: what is between the last one and this one is not known, nor whether the last one still is
    /// a block of the chain, unless it is final.
    pub(crate) fn see(&mut self, checkpoint: &Checkpoint, whole: bool) {
        let head = BlockInfo {
            number: checkpoint.head.number,
            hash: checkpoint.head.hash,
            time: timestamp::from_seconds(checkpoint.head_time),
        };
        if checkpoint.heads.safe == 0 && checkpoint.heads.finalized == 0 {
            self.0.clear();
            return;
        }
        let below = head.number.saturating_sub(1);
        let stays = if whole { checkpoint.heads.finalized.min(below) } else { below };
        while self.0.back().is_some_and(|last| last.number > stays) {
            self.0.pop_back();
        }
        self.0.push_back(head);
        // The last one that is final is the one to go back to.
        while self.0.len() > HEADS || self.0.get(1).is_some_and(|second| second.number <= checkpoint.heads.finalized) {
            self.0.pop_front();
        }
    }

    /// The newest head at or below a height.
    pub(crate) fn at_or_below(&self, height: u64) -> Option<BlockInfo> {
        let after = self.0.partition_point(|head| head.number <= height);
        after.checked_sub(1).and_then(|last| self.0.get(last).copied())
    }

    /// The first one that is known.
    pub(crate) fn first(&self) -> Option<u64> {
        self.0.front().map(|head| head.number)
    }
}

#[cfg(test)]
mod tests {
    use domain::B256;

    use super::*;

    #[test]
    fn those_with_the_most_changes_forget_first() {
        let past = |changes: u64| {
            let mut past = Past::default();
            (1..=changes).for_each(|block| past.note(block, InstanceId(B256::ZERO), None));
            past
        };
        let mut pasts = [past(1_000), past(10), past(0), past(100), past(300)];
        assert_eq!(keep_of_all(pasts.iter_mut(), 510), 510);
        assert_eq!(pasts.each_ref().map(Past::len), [200, 10, 0, 100, 200]);
        // The change with block 800 is forgotten, so what was before it is not known.
        assert_eq!(pasts.each_ref().map(Past::from), [800, 0, 0, 0, 100]);
        assert_eq!(keep_of_all(pasts.iter_mut(), 1_000), 510, "there is room");
        assert_eq!(keep_of_all(pasts.iter_mut(), 0), 0);
        assert_eq!(pasts.each_ref().map(Past::from), [1_000, 10, 0, 100, 300]);
    }
}
