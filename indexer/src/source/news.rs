//! The node says when there is a new block, if it was asked over a WebSocket. That is a wake-up and no more: it may come
//! late or never, and says nothing that is believed.

use std::time::Duration;

use alloy::{primitives::B256, pubsub::RawSubscription};

use super::Source;

/// Where news come from, if they do.
pub(crate) struct News(Option<RawSubscription>);

impl Source {
    /// Subscribes to the chain's new heads. A node that does not let us is polled.
    pub(crate) async fn news(&self) -> News {
        let Some(frontend) = self.client.inner().pubsub_frontend() else { return News(None) };
        match self.ask::<_, B256>("eth_subscribe", ["newHeads"]).await {
            Ok(id) => News(frontend.get_subscription(id).await.ok()),
            Err(error) => {
                tracing::warn!(%error, "the node tells no news: it is polled");
                News(None)
            }
        }
    }
}

impl News {
    /// Waits for news, but no longer than this. What has come meanwhile is one piece of news.
    pub(crate) async fn wait(&mut self, at_most: Duration) {
        let Self(Some(subscription)) = self else { return tokio::time::sleep(at_most).await };
        let heard = tokio::time::timeout(at_most, subscription.recv()).await;
        if matches!(heard, Ok(Err(tokio::sync::broadcast::error::RecvError::Closed))) {
            tracing::warn!("the node tells no more news: it is polled");
            self.0 = None;
            return tokio::time::sleep(at_most).await;
        }
        while subscription.try_recv().is_ok() {}
    }
}
