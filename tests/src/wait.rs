//! Waiting for conditions.

use std::time::Duration;

use anyhow::{Context, Result};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};
use tokio::time::{MissedTickBehavior, interval, timeout};

/// Longer than anything here takes on a busy machine; a test that gets here has failed.
pub const PATIENCE: Duration = Duration::from_secs(25);

/// Asks again and again until the answer is `Some`. `what` names it in the error.
pub async fn eventually<T>(what: &str, mut ask: impl AsyncFnMut() -> Option<T>) -> Result<T> {
    let mut every = interval(Duration::from_millis(10));
    every.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let answered = async {
        loop {
            every.tick().await;
            if let Some(answer) = ask().await {
                return answer;
            }
        }
    };
    timeout(PATIENCE, answered).await.with_context(|| format!("waited in vain: {what}"))
}

/// An RFC 3339 time in an answer, as seconds since the epoch.
pub fn unix_seconds(time: &serde_json::Value) -> Result<u64> {
    let text = time.as_str().with_context(|| format!("not a time: {time}"))?;
    let time = OffsetDateTime::parse(text, &Rfc3339).with_context(|| format!("not RFC 3339: {text}"))?;
    Ok(u64::try_from(time.unix_timestamp())?)
}
