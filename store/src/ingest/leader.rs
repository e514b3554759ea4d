//! Who of several indexers of one index works: the one that holds an advisory lock, on a connection of its own.
//!
//! The lock goes when the connection does, and so with the process, however it ends. It is what keeps the others
//! waiting, not what keeps the index right: that is the writer's epoch.

use sqlx::{Connection, PgConnection, PgPool};

use crate::StoreError;

/// One that works, or waits to.
#[derive(Debug)]
pub struct Candidate {
    connection: PgConnection,
    leads: bool,
}

impl Candidate {
    /// Connects. The server notices within seconds when the machine at the other end is gone.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn connect(pool: &PgPool) -> Result<Self, StoreError> {
        let options = pool.connect_options().as_ref().clone().application_name("rollcall-indexer-leader").options([
            ("tcp_keepalives_idle", "1"),
            ("tcp_keepalives_interval", "1"),
            ("tcp_keepalives_count", "2"),
        ]);
        Ok(Self { connection: PgConnection::connect_with(&options).await?, leads: false })
    }

    /// Whether this one leads: it does already, or nobody else did until now. After an error it does no more: connect
    /// anew.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn leads(&mut self) -> Result<bool, StoreError> {
        if self.leads {
            self.connection.ping().await?;
        } else {
            let lock = "SELECT pg_try_advisory_lock(hashtext('rollcall_indexer_leader' ||
                            CASE current_schema() WHEN 'rollcall_next' THEN '_next' ELSE '' END))";
            self.leads = sqlx::query_scalar(lock).fetch_one(&mut self.connection).await?;
        }
        Ok(self.leads)
    }
}
