//! How far the indexer is and how fast, for whoever draws a bar.

use std::{collections::VecDeque, time::Duration};

/// Over how long a rate is taken, and how far its looks are apart.
const OVER: Duration = Duration::from_secs(10);
const APART: Duration = Duration::from_millis(250);

/// What the indexer is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Phase {
    /// Waiting for the node or for Postgres, or not started yet.
    #[default]
    Starting,
    /// Another indexer works on the database; this one takes its place when it ends.
    Standby,
    /// Behind, and fetching old blocks.
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

/// How fast it goes, over the last few seconds.
#[derive(Debug, Clone, Default)]
pub struct Pace {
    looks: VecDeque<(Duration, Progress)>,
}

/// A pace at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Rate {
    /// Events per second.
    pub events_per_s: f64,
    /// Blocks per second.
    pub blocks_per_s: f64,
    /// How long it takes to the tip if it goes on like that; none if it stands still.
    pub left: Option<Duration>,
}

impl Pace {
    /// Takes note of how far it is now.
    pub fn look(&mut self, now: Duration, progress: Progress) -> Rate {
        // A reorg or another run: what was before says nothing.
        if self.looks.back().is_some_and(|(_, last)| last.head > progress.head || last.events > progress.events) {
            self.looks.clear();
        }
        let before = self.looks.len().checked_sub(2).and_then(|n| self.looks.get(n));
        if before.is_some_and(|(at, _)| now.saturating_sub(*at) < APART) {
            self.looks.pop_back();
        }
        self.looks.push_back((now, progress));
        // The first of them is the last that is old enough.
        while self.looks.get(1).is_some_and(|(at, _)| now.saturating_sub(*at) >= OVER) {
            self.looks.pop_front();
        }
        let Some((since, first)) = self.looks.front() else { return Rate::default() };
        let seconds = now.saturating_sub(*since).as_secs_f64();
        if seconds <= 0.0 {
            return Rate::default();
        }
        #[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^52")]
        let per_second = |to: u64, from: u64| to.saturating_sub(from) as f64 / seconds;
        let blocks_per_s = per_second(progress.head, first.head);
        #[expect(clippy::cast_precision_loss, reason = "heights stay far below 2^52")]
        let left = progress.tip.saturating_sub(progress.head) as f64 / blocks_per_s;
        Rate {
            events_per_s: per_second(progress.events, first.events),
            blocks_per_s,
            left: Duration::try_from_secs_f64(left).ok(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pace_is_that_of_the_last_seconds() {
        let at = |head, events| Progress { head, tip: 1_000, events, ..Progress::default() };
        let mut pace = Pace::default();
        assert_eq!(pace.look(Duration::ZERO, at(0, 0)), Rate::default());
        let rate = pace.look(Duration::from_secs(2), at(100, 2_000));
        assert_eq!((rate.blocks_per_s, rate.events_per_s, rate.left), (50.0, 1_000.0, Some(Duration::from_secs(18))));
        // Then it stands still: the rate sinks, and after a while there is none.
        assert_eq!(pace.look(Duration::from_secs(4), at(100, 2_000)).blocks_per_s, 25.0);
        let rate = pace.look(Duration::from_secs(15), at(100, 2_000));
        assert_eq!((rate.blocks_per_s, rate.left), (0.0, None));
        // Many looks at once are few.
        for ms in 0..100 {
            pace.look(Duration::from_millis(20_000 + ms), at(200, 3_000));
        }
        assert!(pace.looks.len() < 6, "{}", pace.looks.len());
        assert_eq!(pace.look(Duration::from_secs(21), at(5, 0)), Rate::default(), "a new run");
    }

    #[test]
    fn percent_needs_no_way_to_go() {
        let at = |start, head, tip| Progress { start, head, tip, ..Progress::default() }.percent();
        assert_eq!(at(10, 10, 10), 100);
        assert_eq!(at(10, 15, 20), 50);
        assert_eq!(at(10, 5, 20), 0);
        assert_eq!(at(10, 30, 20), 100);
    }
}
