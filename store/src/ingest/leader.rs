//! Who of several indexers of one index works: the one that holds an advisory lock, on a connection of its own.
//!
//! The lock goes when the connection does, and so with the process, however it ends. It is what keeps the others
//! waiting, not what keeps the index right: that is the writer's epoch.

use std::time::Duration;

use sqlx::PgPool;

use crate::{
    StoreError,
    pulse::{Pulse, within},
};

/// One that works, or waits to.
#[derive(Debug)]
pub struct Candidate {
    pulse: Pulse,
    leads: bool,
}

impl Candidate {
    /// Connects. The server notices within seconds when the machine at the other end is gone, and this end when the server
    /// says nothing for `patience`.
    ///
    /// # Errors
    /// [`StoreError::Silent`], [`StoreError::Database`].
    pub async fn connect(pool: &PgPool, patience: Duration) -> Result<Self, StoreError> {
        Ok(Self { pulse: Pulse::connect_as(pool, patience, "rollcall-indexer-leader").await?, leads: false })
    }

    /// Whether this one leads: it does already, or nobody else did until now. After an error it does no more: connect
    /// anew.
    ///
    /// # Errors
    /// [`StoreError::Silent`], [`StoreError::Database`].
    pub async fn leads(&mut self) -> Result<bool, StoreError> {
        if self.leads {
            self.pulse.beats().await?;
        } else {
            let lock = "SELECT pg_try_advisory_lock(hashtext('rollcall_indexer_leader' ||
                            CASE current_schema() WHEN 'rollcall_next' THEN '_next' ELSE '' END))";
            let Pulse { connection, patience, .. } = &mut self.pulse;
            self.leads = within(*patience, sqlx::query_scalar(lock).fetch_one(connection)).await?;
        }
        Ok(self.leads)
    }

    /// Whether its connection did not answer, and so the lead is lost.
    pub fn is_lost(&self) -> bool {
        self.pulse.lost
    }

    /// Its connection, to guard other work by: who loses it does not lead any more.
    pub fn pulse(&mut self) -> &mut Pulse {
        &mut self.pulse
    }
}
