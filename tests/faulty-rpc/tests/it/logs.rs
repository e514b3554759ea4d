//! Lies about logs: the same one by range, by block hash, and in receipts.

use faulty_rpc::{Fault, Part};
use serde_json::{Value, json};

use super::helper::{CONTRACT, World};

/// What the chain's four logs become under a fault, after a check that every question tells the same, and that
/// neither the header nor a bloom filter changes.
async fn told(world: &mut World, fault: Fault) -> Vec<Value> {
    let block = world.block(12).await;
    let (hash, transactions) = (&block["hash"], block["transactions"].as_array().unwrap());
    let logs = world.result(fault, "eth_getLogs", json!([{ "blockHash": hash }])).await;
    let by_range = json!([{ "fromBlock": "0x1", "toBlock": "latest", "address": CONTRACT }]);
    assert_eq!(world.result(fault, "eth_getLogs", by_range).await, logs);

    let true_receipts = world.true_result("eth_getBlockReceipts", json!([hash])).await;
    let receipts = world.result(fault, "eth_getBlockReceipts", json!([hash])).await;
    assert_eq!(world.result(fault, "eth_getBlockReceipts", json!(["0xc"])).await, receipts);
    let mut in_receipts = Vec::new();
    for (at, transaction) in transactions.iter().enumerate() {
        let receipt = world.result(fault, "eth_getTransactionReceipt", json!([transaction])).await;
        assert_eq!(receipt, receipts[at]);
        assert_eq!(receipt["logsBloom"], true_receipts[at]["logsBloom"]);
        in_receipts.extend(receipt["logs"].as_array().unwrap().clone());
    }
    assert_eq!(json!(in_receipts), logs);
    assert_eq!(world.result(fault, "eth_getBlockByHash", json!([hash, false])).await, block);
    in_receipts
}

async fn truth(world: &mut World) -> Vec<Value> {
    let logs = world.true_result("eth_getLogs", json!([{ "fromBlock": "0x0" }])).await;
    let logs = logs.as_array().unwrap().clone();
    assert_eq!(logs.len(), 4);
    logs
}

#[tokio::test]
async fn the_last_log_is_missing() {
    let mut world = World::start().await;
    let truth = truth(&mut world).await;
    assert_eq!(told(&mut world, Fault::DropLog).await, truth[..3]);
}

#[tokio::test]
async fn no_log_is_there() {
    let mut world = World::start().await;
    assert_eq!(told(&mut world, Fault::OmitLogs).await, Vec::<Value>::new());
}

#[tokio::test]
async fn the_last_log_says_something_else() {
    let mut world = World::start().await;
    let mut truth = truth(&mut world).await;
    let honest = truth[3].clone();
    truth[3]["data"] = format!("0x{:064x}", 42).into();
    assert_eq!(told(&mut world, Fault::ForgeLog(Part::Data)).await, truth);
    truth[3] = honest;
    truth[3]["topics"][1] = format!("0x{:064x}", 5).into();
    assert_eq!(told(&mut world, Fault::ForgeLog(Part::Topic)).await, truth);
}

#[tokio::test]
async fn the_last_two_logs_change_places() {
    let mut world = World::start().await;
    let mut truth = truth(&mut world).await;
    truth.swap(2, 3);
    (truth[2]["logIndex"], truth[3]["logIndex"]) = (json!("0x2"), json!("0x3"));
    assert_eq!(told(&mut world, Fault::ReorderLogs).await, truth);
}

#[tokio::test]
async fn the_last_log_comes_twice() {
    let mut world = World::start().await;
    let mut truth = truth(&mut world).await;
    let mut again = truth[3].clone();
    again["logIndex"] = json!("0x4");
    truth.push(again);
    assert_eq!(told(&mut world, Fault::DuplicateLog).await, truth);
}
