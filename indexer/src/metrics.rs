//! Figures for machines. They are counted in the recorder of the indexer whose task counts them
//! ([`Vitals`](crate::Vitals)); docs/operations.md lists them.

use std::time::Duration;

use metrics::{counter, gauge, histogram};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusRecorder};

use crate::{
    IndexerError, Phase,
    check::Found,
    vitals::{Condition, Health},
};

/// Upper bounds of times, in seconds.
const SECONDS: [f64; 14] = [0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0, 15.0, 60.0, 300.0];

/// Upper bounds of depths, in blocks.
const BLOCKS: [f64; 10] = [1.0, 2.0, 5.0, 10.0, 20.0, 45.0, 64.0, 128.0, 256.0, 1024.0];

const DEPTH: &str = "rollcall_indexer_reorg_depth_blocks";

/// A recorder with our buckets.
pub(crate) fn recorder() -> PrometheusRecorder {
    // The only error is an empty list.
    let builder = PrometheusBuilder::new()
        .set_buckets(&SECONDS)
        .and_then(|builder| builder.set_buckets_for_metric(Matcher::Full(DEPTH.to_owned()), &BLOCKS));
    builder.unwrap_or_else(|_| PrometheusBuilder::new()).build_recorder()
}

/// Events were applied.
pub(crate) fn events(new: u64) {
    counter!("rollcall_indexer_events_total").increment(new);
}

/// A reorg that took the index back by `depth` blocks.
pub(crate) fn reorg(depth: u64) {
    counter!("rollcall_indexer_reorgs_total").increment(1);
    histogram!(DEPTH).record(number(depth));
}

/// Trouble with a node, by kind and node: scheme, host and port.
pub(crate) fn node_failed(node: &str, error: &IndexerError) {
    counter!("rollcall_indexer_rpc_errors_total", "kind" => error.kind(), "node" => node.to_owned()).increment(1);
}

/// Trouble, by kind.
pub(crate) fn trouble(error: &IndexerError) {
    counter!("rollcall_indexer_errors_total", "kind" => error.kind()).increment(1);
}

/// A transaction was committed.
pub(crate) fn wrote(kind: &'static str, took: Duration) {
    histogram!("rollcall_indexer_write_seconds", "kind" => kind).record(took);
}

/// The roots were compared; or could not be.
pub(crate) fn checked(found: Result<&Found, &IndexerError>, took: Duration) {
    let result = match found {
        Ok(found) if found.agrees() => "agrees",
        Ok(_) => "differs",
        Err(_) => "impossible",
    };
    counter!("rollcall_indexer_root_checks_total", "result" => result).increment(1);
    if let Ok(found) = found {
        histogram!("rollcall_indexer_root_check_seconds").record(took);
        gauge!("rollcall_indexer_root_check_block").set(number(found.at.number));
    }
}

/// The first instance that is not as the chain says, or is again.
pub(crate) fn differs(instance: &str, does: bool) {
    gauge!("rollcall_indexer_root_differs", "instance" => instance.to_owned()).set(flag(does));
}

/// The index was mended: its state, or its events, too.
pub(crate) fn rebuilt(what: &'static str) {
    counter!("rollcall_indexer_rebuilds_total", "what" => what).increment(1);
}

/// What is true at one moment.
pub(crate) fn gauges(health: &Health) {
    gauge!("rollcall_indexer_ready").set(flag(health.is_ready() && !health.standby));
    gauge!("rollcall_indexer_leads").set(flag(!health.standby && health.progress.phase != Phase::Starting));
    for Condition { name, fault } in &health.conditions {
        gauge!("rollcall_indexer_condition", "condition" => *name).set(flag(fault.is_none()));
    }
    for (phase, name) in [
        (Phase::Starting, "starting"),
        (Phase::Standby, "standby"),
        (Phase::Backfill, "backfill"),
        (Phase::Follow, "follow"),
    ] {
        gauge!("rollcall_indexer_phase", "phase" => name).set(flag(health.phase() == phase));
    }
    let Some((head, heads)) = health.heads else { return };
    gauge!("rollcall_indexer_head_block").set(number(head.number));
    gauge!("rollcall_indexer_tip_block").set(number(heads.latest));
    gauge!("rollcall_indexer_safe_block").set(number(heads.safe));
    gauge!("rollcall_indexer_finalized_block").set(number(heads.finalized));
    gauge!("rollcall_indexer_lag_blocks").set(number(health.lag_blocks()));
    gauge!("rollcall_indexer_lag_seconds").set(health.lag.as_secs_f64());
    gauge!("rollcall_indexer_head_age_seconds").set(health.head_age.as_secs_f64());
}

fn flag(is: bool) -> f64 {
    if is { 1.0 } else { 0.0 }
}

#[expect(clippy::cast_precision_loss, reason = "heights and depths stay far below 2^52")]
fn number(n: u64) -> f64 {
    n as f64
}
