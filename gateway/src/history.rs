//! The past of instances, out of the database: memory does not hold it.
//!
//! Strangers ask, so few questions are under way at a time, on connections of their own, and each has little time; who
//! comes when all are taken is told to come back. What is served from memory never waits for them.

use std::{sync::Arc, time::Duration};

use api::BlockInfo;
use domain::{BlockRef, Finality, Heads};
use store::{
    StoreError,
    query::history::{CONNECTIONS, HistoryReader},
    rows::Checkpoint,
};
use tokio::{sync::Semaphore, time::timeout};

use crate::{
    error::{Error, Kind},
    freshness::At,
};

pub(crate) use entry::entry;

mod entry;

/// How long a question may wait for its turn.
const TURN_WITHIN: Duration = Duration::from_millis(500);

/// How long the database may take for an answer: a connection, and a statement.
const ANSWER_WITHIN: Duration = Duration::from_secs(4);

/// Answers questions about the past. Cheap to clone; all clones have their turns together.
#[derive(Debug, Clone)]
pub struct Histories {
    reader: HistoryReader,
    turns: Arc<Semaphore>,
}

impl Histories {
    /// Asks this database. It need not be there yet.
    ///
    /// # Errors
    /// [`StoreError::Database`] if the URL is none.
    pub fn new(database_url: &str) -> Result<Self, StoreError> {
        Ok(Self { reader: HistoryReader::new(database_url)?, turns: Arc::new(Semaphore::new(CONNECTIONS as usize)) })
    }

    /// Asks one question, when it is its turn.
    pub(crate) async fn ask<T>(
        &self,
        ask: impl AsyncFnOnce(&HistoryReader) -> Result<T, StoreError>,
    ) -> Result<T, Error> {
        let busy = || Error::new(Kind::Busy, "too many ask for histories at once: try again after a second");
        let Ok(turn) = timeout(TURN_WITHIN, self.turns.acquire()).await else { return Err(busy()) };
        let _turn = turn.map_err(|_| busy())?;
        let away = || Error::new(Kind::DatabaseAway, "histories are read from the database, and it does not answer");
        match timeout(ANSWER_WITHIN, ask(&self.reader)).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(StoreError::NoIndex)) => Err(Error::new(Kind::NotReady, StoreError::NoIndex.to_string())),
            Ok(Err(error)) => {
                tracing::warn!(error = ?error.to_string(), "cannot read a history");
                Err(away())
            }
            Err(_) => {
                tracing::warn!("cannot read a history: no answer within {} s", ANSWER_WITHIN.as_secs());
                Err(away())
            }
        }
    }

    #[cfg(test)]
    pub(crate) fn turns(&self) -> &Semaphore {
        &self.turns
    }
}

/// What an answer is true at that was read at a checkpoint: its block, and how memory feels.
pub(crate) fn at(checkpoint: &Checkpoint, at: At) -> At {
    let BlockRef { number, hash } = checkpoint.head;
    At { block: BlockInfo { number, hash, time: api::timestamp::from_seconds(checkpoint.head_time) }, ..at }
}

/// How final a block is. A chain without finality calls block 0 safe and finalized.
pub(crate) fn finality(block: u64, heads: &Heads) -> Finality {
    if block <= heads.finalized {
        Finality::Finalized
    } else if block <= heads.safe {
        Finality::Safe
    } else {
        Finality::Latest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finality_is_by_height() {
        let heads = Heads { latest: 100, safe: 68, finalized: 36 };
        for (block, expected) in [
            (1, Finality::Finalized),
            (36, Finality::Finalized),
            (37, Finality::Safe),
            (68, Finality::Safe),
            (69, Finality::Latest),
            (101, Finality::Latest),
        ] {
            assert_eq!(finality(block, &heads), expected, "{block}");
        }
        assert_eq!(finality(1, &Heads { latest: 9, ..Heads::default() }), Finality::Latest);
    }
}
