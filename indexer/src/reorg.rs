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

/// A search below the window, by halves, among blocks that the index knows by their events alone. They are too many to
/// have in memory, so the caller looks for the highest one at or below a height.
#[derive(Debug, Clone, Copy)]
pub struct DeepSearch {
    good: BlockRef,
    low: u64,
    high: u64,
}

impl DeepSearch {
    /// A search from `good`, which the chain has, up to and including the height `high`.
    pub fn new(good: BlockRef, high: u64) -> Self {
        Self { good, low: good.number, high }
    }

    /// The height at or below which to look for a block of the index; none when the search is over.
    pub fn look_below(&self) -> Option<u64> {
        (self.low < self.high).then(|| self.low + (self.high - self.low).div_ceil(2))
    }

    /// Takes what [`look_below`](Self::look_below) led to: the highest block of the index at or below `height`, if
    /// there is one. Returns it if the chain has to be asked for it.
    pub fn looked(&mut self, height: u64, block: Option<BlockRef>) -> Option<BlockRef> {
        let news = block.filter(|block| block.number > self.low);
        if news.is_none() {
            self.low = self.low.max(height);
        }
        news
    }

    /// The chain has a block that was [`looked`](Self::looked) for at or below `height`.
    pub fn has(&mut self, height: u64, block: BlockRef) {
        self.good = block;
        self.low = self.low.max(height);
    }

    /// The chain does not have a block.
    pub fn lacks(&mut self, block: BlockRef) {
        self.high = self.high.min(block.number.saturating_sub(1));
    }

    /// The highest block found that both have.
    pub fn found(&self) -> BlockRef {
        self.good
    }
}

#[cfg(test)]
mod tests {
    use proptest::{collection::btree_set, prelude::*};

    use super::*;

    fn hash(number: u64, fork: u64) -> B256 {
        B256::left_padding_from(&[number.to_be_bytes(), fork.to_be_bytes()].concat())
    }

    /// A chain that shares its blocks with the index up to and including `shared`, and is `height` high.
    fn on_chain(number: u64, shared: u64, height: u64) -> Option<B256> {
        (number <= height).then(|| hash(number, u64::from(number > shared)))
    }

    fn search(blocks: &[u64], shared: u64, height: u64) -> (Step, usize) {
        let blocks = blocks.iter().map(|&number| BlockRef { number, hash: hash(number, 0) }).collect();
        let mut search = Search::new(blocks);
        for asked in 0.. {
            match search.step() {
                Step::Ask(number) => search.answer(number, on_chain(number, shared, height)),
                end => return (end, asked),
            }
        }
        unreachable!()
    }

    #[test]
    fn a_shallow_reorg_takes_a_few_questions_and_a_deep_one_not_many_more() {
        let blocks: Vec<u64> = (1_000..1_256).collect();
        assert!(matches!(search(&blocks, 1_254, 2_000), (Step::Ancestor(b), 2) if b.number == 1_254));
        assert!(matches!(search(&blocks, 1_001, 2_000), (Step::Ancestor(b), asked) if b.number == 1_001 && asked < 20));
        assert!(matches!(search(&blocks, 999, 2_000), (Step::TooDeep, asked) if asked < 12));
    }

    #[test]
    fn no_reorg_is_found_with_one_question() {
        assert!(matches!(search(&[5, 6, 7], 9, 9), (Step::Ancestor(b), 1) if b.number == 7));
        assert_eq!(search(&[], 9, 9), (Step::TooDeep, 0));
    }

    proptest! {
        #[test]
        fn the_window_gives_the_highest_shared_block(
            blocks in btree_set(0u64..300, 0..80), shared in 0u64..300, height in 0u64..300,
        ) {
            let blocks: Vec<u64> = blocks.into_iter().collect();
            let expected = blocks.iter().rfind(|n| **n <= shared.min(height));
            match search(&blocks, shared, height).0 {
                Step::Ancestor(found) => prop_assert_eq!(Some(&found.number), expected),
                step => {
                    prop_assert_eq!(step, Step::TooDeep);
                    prop_assert_eq!(expected, None);
                }
            }
        }

        #[test]
        fn below_the_window_too(anchors in btree_set(11u64..5_000, 0..60), shared in 10u64..6_000) {
            let anchors: Vec<u64> = anchors.into_iter().collect();
            let start = BlockRef { number: 10, hash: hash(10, 0) };
            let mut search = DeepSearch::new(start, 5_000);
            let mut asked = 0;
            while let Some(height) = search.look_below() {
                let anchor = anchors.iter().rfind(|n| **n <= height).map(|&n| BlockRef { number: n, hash: hash(n, 0) });
                let Some(block) = search.looked(height, anchor) else { continue };
                asked += 1;
                if on_chain(block.number, shared, 9_999) == Some(block.hash) {
                    search.has(height, block);
                } else {
                    search.lacks(block);
                }
            }
            let expected = anchors.iter().rfind(|n| **n <= shared).copied().unwrap_or(10);
            prop_assert_eq!(search.found().number, expected);
            prop_assert!(asked <= 13);
        }
    }
}
