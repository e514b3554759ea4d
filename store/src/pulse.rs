//! Is the database still there?
//!
//! One that is shut down says so, and a statement that takes too long is ended by it. But when its machine loses power, or
//! the network between us is cut, nothing says anything: a call would wait for as long as TCP does, a quarter of an hour.
//! So something small is asked beside whatever is under way, again and again: a database that does not answer that is
//! gone, however long the statements may take that it works on.

use std::time::Duration;

use sqlx::{Connection, PgConnection, PgPool};

use crate::StoreError;

/// Between two questions.
const EVERY: Duration = Duration::from_secs(1);

/// Settings by which the server, too, notices within seconds that we are gone, and lets go of what we have locked.
pub(crate) const NOTICED: [(&str, &str); 4] = [
    ("tcp_keepalives_idle", "1"),
    ("tcp_keepalives_interval", "1"),
    ("tcp_keepalives_count", "2"),
    // Where an answer is on its way, keepalives wait for it.
    ("tcp_user_timeout", "5000"),
];

/// A connection that nothing large is asked on.
#[derive(Debug)]
pub struct Pulse {
    pub(crate) connection: PgConnection,
    pub(crate) patience: Duration,
    /// Whether it did not answer.
    pub(crate) lost: bool,
}

impl Pulse {
    /// Connects to where `pool` does. Who says nothing for `patience` is gone.
    ///
    /// # Errors
    /// [`StoreError::Silent`], [`StoreError::Database`].
    pub async fn connect(pool: &PgPool, patience: Duration) -> Result<Self, StoreError> {
        Self::connect_as(pool, patience, "rollcall-pulse").await
    }

    pub(crate) async fn connect_as(pool: &PgPool, patience: Duration, name: &str) -> Result<Self, StoreError> {
        let options = pool.connect_options().as_ref().clone().application_name(name);
        let connection = within(patience, PgConnection::connect_with(&options)).await?;
        Ok(Self { connection, patience, lost: false })
    }

    /// Whether it answers now.
    pub(crate) async fn beats(&mut self) -> Result<(), StoreError> {
        let answer = within(self.patience, self.connection.ping()).await;
        self.lost = answer.is_err();
        answer
    }

    /// Waits until the database does not answer any more.
    async fn stops(&mut self) -> StoreError {
        loop {
            tokio::time::sleep(EVERY).await;
            if let Err(error) = self.beats().await {
                return error;
            }
        }
    }

    /// Does some work on the connections of `pool`, as long as the database answers. When it does not, the work is dropped
    /// and the pool closed: its connections are as dead as this one, and would hang in whoever uses them next.
    ///
    /// # Errors
    /// Those of the work; [`StoreError::Silent`], [`StoreError::Database`].
    pub async fn guard<T, E: From<StoreError>>(
        &mut self,
        pool: &PgPool,
        work: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        let stops = async {
            let error = self.stops().await;
            // Before the work is dropped: what it gives back then is not tried again, but thrown away.
            drop(pool.close());
            error
        };
        tokio::select! {
            error = stops => Err(error.into()),
            done = work => done,
        }
    }
}

/// Asks something that is answered at once.
pub(crate) async fn within<T>(
    patience: Duration,
    answer: impl Future<Output = Result<T, sqlx::Error>>,
) -> Result<T, StoreError> {
    match tokio::time::timeout(patience, answer).await {
        Ok(answer) => Ok(answer?),
        Err(_) => Err(StoreError::Silent(patience)),
    }
}
