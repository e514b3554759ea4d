//! The node says when there is a new block, if it was asked over a WebSocket. That may come late or never, so the node is
//! polled as well; what it says is believed no further than an answer.

use std::time::Duration;

use alloy::{primitives::B256, pubsub::RawSubscription};
use serde_json::value::RawValue;
use store::rows::BlockRow;
use tokio::sync::broadcast::error::RecvError;

use super::{Block, Source};
use crate::verify::Verify;

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

    /// The block that it told of; none if we cannot read it.
    fn heard(&self, news: &RawValue) -> Option<BlockRow> {
        if self.verify == Verify::None {
            return serde_json::from_str::<Block>(news.get()).ok().map(BlockRow::from);
        }
        serde_json::from_str(news.get()).ok().map(|header| self.told(header))
    }
}

impl News {
    /// Waits for news, but no longer than this. The newest block that the node has told of since the last time, if there
    /// is one.
    pub(crate) async fn wait(&mut self, source: &Source, at_most: Duration) -> Option<BlockRow> {
        let heard = match &mut self.0 {
            Some(subscription) => tokio::time::timeout(at_most, subscription.recv()).await,
            None => {
                tokio::time::sleep(at_most).await;
                return None;
            }
        };
        let mut newest = match heard {
            Ok(Ok(news)) => Some(news),
            Ok(Err(RecvError::Closed)) => {
                tracing::warn!(node = %source, "the node tells no more news: it is polled");
                self.0 = None;
                tokio::time::sleep(at_most).await;
                return None;
            }
            Ok(Err(RecvError::Lagged(_))) | Err(_) => None,
        };
        while let Some(news) = self.0.as_mut().and_then(|subscription| subscription.try_recv().ok()) {
            newest = Some(news);
        }
        source.heard(&newest?)
    }
}
