//! How many blocks a node is asked for at once: as many as give answers of a few MB, and fewer where it refuses.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use store::rows::EventRow;

use crate::{IndexerError, RpcFailure, apply::Entry, source::Source};

/// How many blocks a node is asked for that was not asked before.
const FIRST: u64 = 128;

/// The answers that a range is made larger and smaller for, in bytes.
const SMALL: u64 = 2 << 20;
const LARGE: u64 = 6 << 20;

/// How many times in a row a node may not answer in time for a range, which takes long, before another one is asked.
const LATE: u32 = 2;

/// How many blocks a node is asked for at once. Learned from its answers, and remembered of each node.
#[derive(Debug, Clone)]
pub(crate) struct Range {
    blocks: Arc<AtomicU64>,
    most: u64,
}

impl Range {
    pub(crate) fn new(most: u64) -> Self {
        let most = most.max(1);
        Self { blocks: Arc::new(AtomicU64::new(most.min(FIRST))), most }
    }

    /// The last block of a range that begins at a height and goes up to another one at most.
    pub(crate) fn end(&self, from: u64, to: u64) -> u64 {
        to.min(from.saturating_add(self.get() - 1))
    }

    /// Asks a node for some blocks, at least one, and for fewer as long as it refuses. Answers the last block of those that
    /// it gave, and what it said. `size` tells the bytes of an answer, if there is something to be learned from it.
    ///
    /// # Errors
    /// That of the question, if fewer blocks do not help.
    pub(crate) async fn ask<T, F: Future<Output = Result<T, IndexerError>>>(
        &self,
        from: u64,
        to: u64,
        question: impl Fn(u64, u64) -> F,
        size: impl Fn(&T) -> Option<u64>,
    ) -> Result<(u64, T), IndexerError> {
        let (mut end, mut late) = (self.end(from, to), 0);
        loop {
            let blocks = end - from + 1;
            match question(from, end).await {
                Ok(answer) => {
                    if let Some(bytes) = size(&answer) {
                        self.took(blocks, bytes);
                    }
                    return Ok((end, answer));
                }
                // A node that cannot tell a single block either has another trouble than the range.
                Err(IndexerError::Rpc {
                    method: "eth_getLogs",
                    failure: failure @ (RpcFailure::Late | RpcFailure::Busy | RpcFailure::Refused),
                    reason,
                    ..
                }) if blocks > 1 && late < LATE => {
                    late += u32::from(failure == RpcFailure::Late);
                    self.refused(blocks);
                    tracing::debug!(from, to = end, reason, "the node wants a smaller range");
                    // Whatever was learned of other ranges meanwhile: this one was too large.
                    end = self.end(from, from + (blocks - 1) / 2);
                }
                Err(error) => {
                    if let IndexerError::Rpc { failure: RpcFailure::Late, .. } = &error {
                        // Perhaps it had too much to do to answer anything.
                        self.refused(blocks);
                    }
                    return Err(error);
                }
            }
        }
    }

    /// The node's logs above one height up to another, or less far if it does not give so many at once, as the index has
    /// them; and how far that is.
    ///
    /// # Errors
    /// As of [`Source::logs_in`] and [`Source::date`].
    pub(crate) async fn rows(
        &self,
        source: &Source,
        above: u64,
        to: u64,
    ) -> Result<(u64, Vec<EventRow>), IndexerError> {
        let logs = |from, to| source.logs_in(from, to);
        let (end, mut entries) = self.ask(above + 1, to, logs, |entries| Some(bytes(entries))).await?;
        source.date(&mut entries, &[]).await?;
        Ok((end, entries.into_iter().map(|entry| entry.row).collect()))
    }

    fn get(&self) -> u64 {
        self.blocks.load(Ordering::Relaxed).clamp(1, self.most)
    }

    /// Takes note of how large the answer for some blocks was.
    fn took(&self, blocks: u64, bytes: u64) {
        let next = match bytes {
            LARGE.. => (blocks.saturating_mul((SMALL + LARGE) / 2) / bytes).max(1),
            // The last of all may be a short one.
            ..SMALL if blocks >= self.get() => blocks.saturating_mul(if bytes < SMALL / 4 { 4 } else { 2 }),
            _ => return,
        };
        self.blocks.store(next.min(self.most), Ordering::Relaxed);
    }

    /// Takes note that the node refused so many. It grows again from there, slowly.
    fn refused(&self, blocks: u64) {
        self.blocks.fetch_min(blocks.div_ceil(2).max(1), Ordering::Relaxed);
    }
}

/// About how many bytes of JSON logs are.
pub(crate) fn bytes(entries: &[Entry]) -> u64 {
    let bytes = |entry: &Entry| 450 + 70 * entry.row.topics.len() as u64 + 2 * entry.row.data.len() as u64;
    entries.iter().map(bytes).sum()
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;

    #[test]
    fn a_range_follows_the_size_of_the_answers() {
        let range = Range::new(2_000);
        assert_eq!(range.get(), FIRST);
        for _ in 0..10 {
            range.took(range.get(), 1_000);
        }
        assert_eq!(range.get(), 2_000);
        range.took(2_000, 60 << 20);
        assert_eq!(range.get(), 2_000 * 4 / 60);
        range.took(133, 4 << 20);
        assert_eq!(range.get(), 133);
        // A short rest says nothing.
        range.took(3, 100);
        assert_eq!(range.get(), 133);
        range.refused(133);
        assert_eq!(range.get(), 67);
        range.refused(1);
        assert_eq!((range.get(), range.end(10, 20)), (1, 10));
        range.took(1, 0);
        assert_eq!((range.get(), range.end(10, 20)), (4, 13));
        range.took(4, SMALL / 2);
        assert_eq!(range.get(), 8);
        assert_eq!(Range::new(0).get(), 1);
    }

    /// What a node is asked for that fails in this way if it is asked for more blocks than it likes.
    async fn asked(range: &Range, to: u64, most: u64, failure: RpcFailure) -> (Vec<u64>, Result<u64, IndexerError>) {
        let asked = RefCell::new(Vec::new());
        let question = async |from: u64, to: u64| {
            asked.borrow_mut().push(to - from + 1);
            let (node, reason) = (String::new(), String::new());
            if to - from < most {
                Ok(())
            } else {
                Err(IndexerError::Rpc { node, method: "eth_getLogs", failure, reason })
            }
        };
        let answer = range.ask(1, to, question, |()| Some(SMALL)).await.map(|(end, ())| end);
        (asked.into_inner(), answer)
    }

    #[tokio::test]
    async fn a_node_that_refuses_is_asked_for_half_as_much_until_it_answers() {
        let range = Range::new(100);
        for failure in [RpcFailure::Refused, RpcFailure::Busy] {
            let (blocks, end) = asked(&range, 1_000, 10, failure).await;
            assert_eq!((blocks, end.ok()), (vec![100, 50, 25, 13, 7], Some(7)));
            assert_eq!(range.get(), 7, "it is remembered");
            range.took(7, SMALL / 2);
            range.took(14, 0);
            range.took(56, 0);
            assert_eq!(range.get(), 100);
        }
    }

    #[tokio::test]
    async fn what_fewer_blocks_do_not_mend_is_an_error() {
        let (blocks, end) = asked(&Range::new(100), 5, 0, RpcFailure::Refused).await;
        assert_eq!(blocks, [5, 3, 2, 1]);
        assert!(matches!(end, Err(IndexerError::Rpc { failure: RpcFailure::Refused, .. })));
        // It takes its time for each: not so often.
        let range = Range::new(100);
        let (blocks, end) = asked(&range, 1_000, 0, RpcFailure::Late).await;
        assert_eq!((blocks, end.is_err(), range.get()), (vec![100, 50, 25], true, 13));
        let (blocks, end) = asked(&range, 1_000, 0, RpcFailure::Unreachable).await;
        assert_eq!((blocks, end.is_err(), range.get()), (vec![13], true, 13));
    }
}
