//! Where the index stands at one moment, for who does not look into it.

use std::time::Duration;

use api::{BlockInfo, Consistency};
use store::rows::Checkpoint;

use crate::{
    freshness::{At, Freshness},
    index::Index,
};

/// Where the index stands, and how fresh it is.
#[derive(Debug)]
pub(super) struct Moment {
    pub(super) checkpoint: Checkpoint,
    pub(super) freshness: Freshness,
    /// The newest heads that the chain calls safe, and finalized, of those that the index can be taken back to.
    safe: Option<BlockInfo>,
    finalized: Option<BlockInfo>,
}

impl Moment {
    pub(super) fn new(checkpoint: Checkpoint, freshness: Freshness, index: &Index) -> Self {
        let (safe, finalized) = (index.head_at(checkpoint.heads.safe), index.head_at(checkpoint.heads.finalized));
        Self { checkpoint, freshness, safe, finalized }
    }

    /// Whether the indexer has never yet reached the tip: what is missing may just not be indexed yet.
    pub(super) fn is_filling(&self) -> bool {
        self.checkpoint.confirmations == 0
    }

    /// Whether changes up to there lead on from here: not from an index that another one has taken the place of.
    pub(super) fn is_followed_by(&self, next: &Checkpoint) -> bool {
        let known = &self.checkpoint;
        let same = known.origin == next.origin && known.writer_epoch == next.writer_epoch;
        same && known.change_seq <= next.change_seq && (self.is_filling() || next.confirmations > 0)
    }

    /// What is true at the monotonic time `monotonic`.
    pub(super) fn at(&self, monotonic: Duration) -> At {
        self.freshness.at(&self.checkpoint, monotonic)
    }

    /// The newest block that is so final and was seen; none at the head itself, which is no past.
    pub(super) fn newest(&self, consistency: Consistency) -> Option<BlockInfo> {
        match consistency {
            Consistency::Latest => None,
            Consistency::Safe => self.safe,
            Consistency::Finalized => self.finalized,
        }
    }
}
