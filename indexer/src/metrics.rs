//! Figures for machines, through the `metrics` facade: nothing is counted unless the program installs a recorder.

use metrics::{counter, gauge, histogram};

use crate::{IndexerError, Progress};

/// Heights and events, after each batch and each look at the head.
pub(crate) fn progress(progress: &Progress, new_events: u64) {
    #[expect(clippy::cast_precision_loss, reason = "heights stay far below 2^52")]
    let number = |n: u64| n as f64;
    gauge!("rollcall_indexer_head_block").set(number(progress.head));
    gauge!("rollcall_indexer_tip_block").set(number(progress.tip));
    counter!("rollcall_indexer_events_total").increment(new_events);
}

/// A reorg that took the index back by `depth` blocks.
pub(crate) fn reorg(depth: u64) {
    counter!("rollcall_indexer_reorgs_total").increment(1);
    #[expect(clippy::cast_precision_loss, reason = "depths stay far below 2^52")]
    histogram!("rollcall_indexer_reorg_depth_blocks").record(depth as f64);
}

/// Trouble with a node, by kind and node: scheme, host and port.
pub(crate) fn node_failed(node: &str, error: &IndexerError) {
    counter!("rollcall_indexer_rpc_errors_total", "kind" => error.kind(), "node" => node.to_owned()).increment(1);
}

/// Trouble, by kind.
pub(crate) fn trouble(error: &IndexerError) {
    counter!("rollcall_indexer_errors_total", "kind" => error.kind()).increment(1);
}
