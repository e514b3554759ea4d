//! A latest block that the chain never had.

use faulty_rpc::Fault;
use serde_json::{Value, json};

use super::helper::World;

#[tokio::test]
async fn the_latest_block_is_another_by_every_name() {
    let mut world = World::start().await;
    let block = world.block(12).await;
    let latest = world.result(Fault::Replace, "eth_getBlockByNumber", json!(["latest", false])).await;
    assert_ne!(latest["hash"], block["hash"]);
    assert_ne!(latest["timestamp"], block["timestamp"]);
    let mut back = latest.clone();
    (back["hash"], back["timestamp"]) = (block["hash"].clone(), block["timestamp"].clone());
    assert_eq!(back, block);

    let questions = [
        ("eth_getBlockByNumber", json!(["0xc", false])),
        ("eth_getBlockByHash", json!([latest["hash"], false])),
        ("eth_getBlockByHash", json!([block["hash"], false])),
        ("eth_getBlockReceipts", json!([block["hash"]])),
    ];
    let answers = world.under(Fault::Replace, &questions).await;
    assert_eq!(answers, [Ok(latest.clone()), Ok(latest), Ok(Value::Null), Ok(Value::Null)]);
}

#[tokio::test]
async fn its_logs_and_receipts_name_it() {
    let mut world = World::start().await;
    let block = world.block(12).await;
    let latest = world.result(Fault::Replace, "eth_getBlockByNumber", json!(["latest", false])).await;
    let by_hash = json!([{ "blockHash": latest["hash"] }]);
    let questions = [
        ("eth_getLogs", json!([{ "fromBlock": "0x0", "toBlock": "0xc" }])),
        ("eth_getLogs", by_hash),
        ("eth_getBlockReceipts", json!([latest["hash"]])),
        ("eth_getTransactionReceipt", json!([latest["transactions"][1]])),
        ("eth_getLogs", json!([{ "blockHash": block["hash"] }])),
    ];
    let answers = world.under(Fault::Replace, &questions).await;
    let logs = answers[0].clone().unwrap();
    assert_eq!(logs.as_array().unwrap().len(), 4);
    for log in logs.as_array().unwrap() {
        assert_eq!((&log["blockHash"], &log["blockTimestamp"]), (&latest["hash"], &latest["timestamp"]));
    }
    assert_eq!(answers[1], Ok(logs.clone()));
    let receipts = answers[2].clone().unwrap();
    assert_eq!((&receipts[1]["blockHash"], &receipts[1]["logs"][1]), (&latest["hash"], &logs[3]));
    assert_eq!(answers[3], Ok(receipts[1].clone()));
    assert_eq!(answers[4].as_ref().unwrap_err()["message"], "unknown block");
}

#[tokio::test]
async fn only_the_latest_block_is_replaced() {
    let mut world = World::start().await;
    world.mine(1).await;
    let block = world.block(12).await;
    assert_eq!(world.result(Fault::Replace, "eth_getBlockByNumber", json!(["0xc", false])).await, block);
    let latest = world.result(Fault::Replace, "eth_getBlockByNumber", json!(["latest", false])).await;
    assert_eq!(latest["parentHash"], block["hash"]);
}
