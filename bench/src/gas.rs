//! Gas of whole transactions, from the receipts of a fresh Anvil: the registry, and the textbook contract on the same
//! input. It fails if a figure is over its bar.

mod chain;
mod registry;
mod textbook;

use anyhow::{Result, ensure};
use serde_json::{Map, Value, json};

use chain::Chain;

/// One operation: its key in the figures, the most that it may cost, what it cost, and what the textbook's costs.
struct Row {
    key: &'static str,
    bar: u64,
    ours: u64,
    textbook: Option<u64>,
}

/// Figures in gas; those of a batch are of one of its 50 items, rounded up. `textbook` has the same of that contract,
/// where it has the operation.
pub async fn run() -> Result<Value> {
    let chain = Chain::start().await?;
    let textbook = textbook::measure(&chain).await?;
    let ours = registry::measure(&chain).await?;
    chain.stop().await?;

    let rows = [
        Row { key: "heartbeat", bar: 29_000, ours: ours.heartbeat, textbook: Some(textbook.heartbeat) },
        Row { key: "heartbeat_operator", bar: 31_700, ours: ours.heartbeat_operator, textbook: None },
        Row { key: "heartbeat_batch_50_each", bar: 7_000, ours: ours.batch_each, textbook: Some(textbook.heartbeat) },
        Row { key: "heartbeat_batch_50_operator_each", bar: 7_100, ours: ours.batch_operator_each, textbook: None },
        Row { key: "heartbeat_signed_50_each", bar: 14_600, ours: ours.signed_each, textbook: None },
        Row { key: "register_first", bar: 123_000, ours: ours.register_first, textbook: Some(textbook.register_first) },
        Row { key: "register_next", bar: 106_000, ours: ours.register_next, textbook: Some(textbook.register_next) },
        Row { key: "update", bar: 53_000, ours: ours.update, textbook: Some(textbook.update) },
        Row { key: "deregister", bar: 38_000, ours: ours.deregister, textbook: Some(textbook.deregister) },
        Row { key: "runtime_bytes", bar: 20_480, ours: ours.runtime_bytes, textbook: Some(textbook.runtime_bytes) },
    ];
    println!("{:<34} {:>9} {:>9} {:>9} {:>7}", "whole transactions", "ours", "textbook", "bar", "ratio");
    let mut figures = Map::new();
    let mut reference = Map::new();
    for Row { key, bar, ours, textbook } in &rows {
        let (other, ratio) = textbook.map_or(("–".to_owned(), "–".to_owned()), |textbook| {
            (textbook.to_string(), format!("{:.2}", ratio(*ours, textbook)))
        });
        println!("{key:<34} {ours:>9} {other:>9} {bar:>9} {ratio:>7}");
        figures.insert((*key).to_owned(), json!(ours));
        if let Some(textbook) = textbook {
            reference.insert((*key).to_owned(), json!(textbook));
        }
    }
    for Row { key, bar, ours, .. } in &rows {
        ensure!(ours <= bar, "{key} is {ours}, over its bar of {bar}");
    }
    figures.insert("textbook".to_owned(), Value::Object(reference));
    Ok(json!({ "bench": "gas", "figures": figures }))
}

#[expect(clippy::cast_precision_loss, reason = "gas figures are far below 2^53")]
fn ratio(ours: u64, textbook: u64) -> f64 {
    ours as f64 / textbook as f64
}
