//! An indexer whose probes a test asks, by a clock that the test moves.

use std::{sync::Arc, time::Duration};

use anyhow::{Context, Result};
use domain::ManualClock;
use indexer::{Vitals, probes::Probes};
use serde_json::Value;

use crate::{eventually, part::Part};

/// Within this time an indexer that is not well must say so.
pub const SAYS_WITHIN: Duration = Duration::from_secs(5);

/// An indexer and its probes. Dropping it ends both.
#[derive(Debug)]
pub struct Watched {
    /// The indexer's clock: stands still unless the test moves it.
    pub clock: Arc<ManualClock>,
    url: String,
    part: Part,
    _probes: Part,
    http: reqwest::Client,
}

impl Watched {
    /// Starts it.
    pub async fn start(config: indexer::Config) -> Result<Self> {
        let clock = ManualClock::new();
        let vitals = Vitals::new(clock.clone());
        let probes = Probes::bind(([127, 0, 0, 1], 0).into(), vitals.clone()).await?;
        let url = format!("http://{}", probes.local_addr());
        let probes = Part::start(|token| async move {
            probes.serve(token).await;
            Ok(())
        });
        let part = Part::start(|token| async move { Ok(indexer::run_with_vitals(config, token, vitals).await?) });
        Ok(Self { clock, url, part, _probes: probes, http: reqwest::Client::new() })
    }

    /// Asks a probe; answers status and JSON body.
    pub async fn get(&self, path: &str) -> Result<(u16, Value)> {
        let response = self.http.get(format!("{}{path}", self.url)).send().await?;
        let status = response.status().as_u16();
        Ok((status, response.json().await?))
    }

    /// The metrics.
    pub async fn metrics(&self) -> Result<String> {
        Ok(self.http.get(format!("{}/metrics", self.url)).send().await?.error_for_status()?.text().await?)
    }

    /// The value of one of the metrics, with its labels.
    pub async fn metric(&self, name: &str) -> Result<f64> {
        let text = self.metrics().await?;
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        Ok(line.with_context(|| format!("no {name} in {text}"))?.parse()?)
    }

    /// Waits until it is ready.
    pub async fn is_ready(&self) -> Result<Value> {
        let ready =
            eventually("a ready indexer", async || self.get("/readyz").await.ok().filter(|(code, _)| *code == 200));
        match ready.await {
            Ok((_, body)) => Ok(body),
            Err(error) => Err(error.context(format!("{:?}", self.get("/readyz").await))),
        }
    }

    /// Waits until it is not ready, as long as five seconds of its own clock allow, because of this condition; answers the
    /// reason. Time goes on by itself in small steps, so what heals in between counts as well.
    pub async fn is_not_ready(&self, condition: &str) -> Result<String> {
        let mut left = SAYS_WITHIN.as_millis() / 100;
        let what = format!("not ready, for its {condition}");
        let reason = eventually(&what, async || {
            let (code, body) = self.get("/readyz").await.ok()?;
            let reason = body["conditions"][condition]["reason"].as_str().map(ToOwned::to_owned);
            if code == 503 && reason.is_some() {
                return reason;
            }
            if left > 0 {
                left -= 1;
                self.clock.advance(Duration::from_millis(100));
            }
            None
        });
        match reason.await {
            Ok(reason) => Ok(reason),
            Err(error) => Err(error.context(format!("{:?}", self.get("/readyz").await))),
        }
    }

    /// Asks the indexer to stop, and waits until it has.
    pub async fn stop(self) -> Result<()> {
        self.part.stop().await
    }
}
