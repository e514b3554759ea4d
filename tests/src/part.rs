//! An indexer or gateway as a task that can be stopped and started again.

use std::{future::Future, time::Duration};

use anyhow::{Context, Result};
use tokio::{task::JoinHandle, time::timeout};
use tokio_util::sync::CancellationToken;

/// A running part. Dropping it ends it.
#[derive(Debug)]
pub struct Part {
    token: CancellationToken,
    task: JoinHandle<Result<()>>,
}

impl Part {
    /// Starts a part; `run` gets the token that stops it.
    pub fn start<F>(run: impl FnOnce(CancellationToken) -> F) -> Self
    where
        F: Future<Output = Result<()>> + Send + 'static,
    {
        let token = CancellationToken::new();
        let task = tokio::spawn(run(token.clone()));
        Self { token, task }
    }

    /// Asks it to stop, as a signal does, and waits until it has; its error is ours.
    pub async fn stop(mut self) -> Result<()> {
        self.token.cancel();
        self.ended().await
    }

    /// Ends it in the middle of whatever it does, as a crash does.
    pub async fn crash(mut self) {
        self.task.abort();
        let _ = (&mut self.task).await;
    }

    /// Waits until it ends by itself.
    pub async fn ended(&mut self) -> Result<()> {
        timeout(Duration::from_secs(20), &mut self.task).await.context("the part does not end")??
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        self.task.abort();
    }
}
