//! Which block the index and the chain share. Pure: these say which hash to ask the chain for, and take the answer.
//!
//! Hashes commit to their parents, so if the chain has a block, it has all the blocks before it too: both searches
//! rest on that.

use domain::{B256, BlockRef};

/// What a [`Search`] wants next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// The chain's hash at this height.
    Ask(u64),
    /// Nothing more: this is the highest block that both have.
    Ancestor(BlockRef),
    /// Nothing more: the chain has none of the blocks, so the reorg is deeper than the window.
    TooDeep,
}

/// A search among the blocks of the window, from the top down: first one by one, since reorgs are mostly shallow, then
/// in steps that double, and between the last two steps by halves.
#[derive(Debug, Clone)]
pub struct Search {
    blocks: Vec<BlockRef>,
    /// The highest block that the chain is known to have.
    good: Option<usize>,
    /// The lowest block that the chain is known not to have.
    bad: usize,
}

impl Search {
    /// A search among blocks of the index, lowest first. They need not be neighbours.
    pub fn new(blocks: Vec<BlockRef>) -> Self {
        Self { bad: blocks.len(), good: None, blocks }
    }

    /// What to do next.
    pub fn step(&self) -> Step {
        match self.good {
            Some(good) if good + 1 >= self.bad => Step::Ancestor(self.blocks[good]),
            Some(good) => Step::Ask(self.blocks[good.midpoint(self.bad)].number),
            None if self.bad == 0 => Step::TooDeep,
            None => {
                let stride = (self.blocks.len() - self.bad).max(1);
                Step::Ask(self.blocks[self.bad.saturating_sub(stride)].number)
            }
        }
    }

    /// Takes the chain's hash at a height that [`step`](Self::step) asked for; none if the chain is not that high.
    pub fn answer(&mut self, number: u64, hash: Option<B256>) {
        let Ok(at) = self.blocks.binary_search_by_key(&number, |block| block.number) else { return };
        if hash == Some(self.blocks[at].hash) {
            self.good = self.good.max(Some(at));
        } else {
            self.bad = self.bad.min(at);
        }
    }
}

/// A search below the window, by halves, among blocks that the index knows by their events alone: too many to have in
/// memory, so the caller looks for the one at or below a height.
#[derive(Debug, Clone, Copy)]
pub struct DeepSearch {
    good: BlockRef,
    high: u64,
}

impl DeepSearch {
    /// A search from `good`, which the chain has, up to the height `high`.
    pub fn new(good: BlockRef, high: u64) -> Self {
        Self { good, high }
    }

    /// The height at or below which to look for a block of the index; none when the search is over.
    pub fn look_below(&self) -> Option<u64> {
        (self.good.number < self.high).then(|| self.good.number + (self.high - self.good.number).div_ceil(2))
    }

    /// Nothing is there above what is [`found`](Self::found) and at or below the height `number`.
    pub fn nothing(&mut self, number: u64) {
        // What is good now stands for all up to there; only its height moves.
        self.good.number = self.good.number.max(number);
    }

    /// The index knows `block` there, and the chain has it or not.
    pub fn answer(&mut self, block: BlockRef, on_chain: bool) {
        if on_chain {
            self.good = block;
        } else {
            self.high = self.high.min(block.number.saturating_sub(1));
        }
    }
}
