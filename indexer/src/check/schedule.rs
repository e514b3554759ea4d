//! The short check, again and again, beside the loop.

use std::{convert::Infallible, time::Duration};

use super::{Found, roots::roots};
use crate::{Config, Phase, Vitals, error::plain, metrics};

/// After a check that could not be done, or that found something, the next one is not far.
const SOON: Duration = Duration::from_secs(10);

/// Checks whenever it is time, if this indexer works and is at the tip. Never ends.
pub(crate) async fn watch(config: &Config, vitals: &Vitals) -> Infallible {
    let mut progress = vitals.progress();
    let Some(every) = config.check_every else { return std::future::pending().await };
    let (mut could_not, mut wrong) = (0_u32, 0_u32);
    loop {
        // Of an index that catches up, nodes would have to know the old state.
        if progress.wait_for(|progress| progress.phase == Phase::Follow).await.is_err() {
            return std::future::pending().await;
        }
        let began = vitals.clock().monotonic();
        let found = roots(config).await;
        let took = vitals.clock().monotonic().saturating_sub(began);
        metrics::checked(found.as_ref(), took);
        let wait = match found {
            Ok(found) => {
                let agrees = found.agrees();
                (could_not, wrong) = (0, if agrees { 0 } else { wrong + 1 });
                tell(vitals, found);
                // If it does not help, it is not done again and again.
                if config.rebuild && wrong.is_power_of_two() {
                    vitals.order_rebuild();
                }
                if agrees { every } else { every.min(SOON) }
            }
            Err(error) => {
                // The index may be right all the same. Once may be a reorg; twice is a node that does not know how.
                could_not = could_not.saturating_add(1);
                if could_not == 2 {
                    tracing::warn!(error = plain(error), "the roots cannot be compared; tries again, and says so once");
                }
                every.min(SOON)
            }
        };
        tokio::time::sleep(wait).await;
    }
}

fn tell(vitals: &Vitals, found: Found) {
    let before = vitals.wrong();
    if let Some(instance) = before.as_ref().and_then(Found::instance) {
        metrics::differs(&instance.to_string(), false);
    }
    if let Some(instance) = found.instance() {
        metrics::differs(&instance.to_string(), true);
    }
    match found.fault() {
        Some(fault) if before.as_ref().and_then(Found::fault) != Some(fault.clone()) => {
            let instance = found.instance().map(|id| id.to_string());
            tracing::error!(at = %found.at, instance, "{fault}");
        }
        None if before.is_some() => tracing::info!(at = %found.at, "the index is what the chain says again"),
        _ => {}
    }
    vitals.checked(found);
}
