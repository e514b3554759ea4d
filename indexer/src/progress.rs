//! How far the indexer is, for whoever draws a bar.

/// What the indexer is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Phase {
    /// Waiting for the node or for Postgres, or not started yet.
    #[default]
    Starting,
    /// Another indexer works on the database; this one takes its place when it ends.
    Standby,
    /// Behind, and fetching ranges of blocks.
    Backfill,
    /// At the tip, or a few blocks from it.
    Follow,
}

/// How far the indexer is. Numbers are heights, but for `events`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Progress {
    /// What it is doing.
    pub phase: Phase,
    /// Where this run began.
    pub start: u64,
    /// The last block applied.
    pub head: u64,
    /// The chain's newest block, when last asked.
    pub tip: u64,
    /// How many events this run has applied.
    pub events: u64,
}

impl Progress {
    /// How much of this run's way is done, in percent; 100 at the tip.
    pub fn percent(&self) -> u64 {
        let way = self.tip.saturating_sub(self.start);
        let done = self.head.saturating_sub(self.start).min(way);
        (done * 100).checked_div(way).unwrap_or(100)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percent_needs_no_way_to_go() {
        let at = |start, head, tip| Progress { start, head, tip, ..Progress::default() }.percent();
        assert_eq!(at(10, 10, 10), 100);
        assert_eq!(at(10, 15, 20), 50);
        assert_eq!(at(10, 5, 20), 0);
        assert_eq!(at(10, 30, 20), 100);
    }
}
