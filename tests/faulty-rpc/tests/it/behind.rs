//! Heads that are lower than the chain's, or said to be higher.

use faulty_rpc::Fault;
use serde_json::{Value, json};

use super::helper::World;

/// What a node says of block 12, whose height, hash and logs it must not know, with block 9 as its head.
async fn knows_nothing_above_9(world: &mut World, fault: Fault) {
    let (block, head) = (world.block(12).await, world.block(9).await);
    let (hash, transaction) = (&block["hash"], &block["transactions"][0]);
    let questions = [
        ("eth_blockNumber", json!([])),
        ("eth_getBlockByNumber", json!(["latest", false])),
        ("eth_getBlockByNumber", json!(["0x9", false])),
        ("eth_getBlockByNumber", json!(["0xa", false])),
        ("eth_getBlockByHash", json!([hash, false])),
        ("eth_getBlockReceipts", json!([hash])),
        ("eth_getBlockReceipts", json!(["0xc"])),
        ("eth_getTransactionReceipt", json!([transaction])),
        ("eth_getTransactionByHash", json!([transaction])),
        ("eth_getLogs", json!([{ "fromBlock": "0x1", "toBlock": "0xc" }])),
        ("eth_getLogs", json!([{ "fromBlock": "0xa", "toBlock": "0xc" }])),
        ("eth_getLogs", json!([{ "fromBlock": "0x0", "toBlock": "latest" }])),
    ];
    let answers = world.under(fault, &questions).await;
    let (null, none) = (Ok(Value::Null), Ok(json!([])));
    let expected = [Ok(json!("0x9")), Ok(head.clone()), Ok(head), null.clone(), null.clone(), null.clone()];
    assert_eq!(answers[..6], expected);
    assert_eq!(answers[6..], [null.clone(), null.clone(), null, none.clone(), none.clone(), none]);

    let errors = world
        .under(
            fault,
            &[
                ("eth_getLogs", json!([{ "blockHash": hash }])),
                ("eth_getCode", json!([format!("0x{:040x}", 1), "0xc"])),
                ("eth_getBalance", json!([format!("0x{:040x}", 1), { "blockHash": hash }])),
            ],
        )
        .await;
    let words: Vec<_> = errors.into_iter().map(|answer| answer.unwrap_err()["message"].take()).collect();
    assert_eq!(words, ["unknown block", "header not found", "header not found"]);
}

/// The heights of `safe` and `finalized`: of the node itself, and under a fault.
async fn finality(world: &mut World, fault: Fault) -> [(u64, u64); 2] {
    let mut heights = Vec::new();
    for tag in ["safe", "finalized"] {
        let height = |block: Value| u64::from_str_radix(&block["number"].as_str().unwrap()[2..], 16).unwrap();
        let question = json!([tag, false]);
        let truth = world.true_result("eth_getBlockByNumber", question.clone()).await;
        heights.push((height(truth), height(world.result(fault, "eth_getBlockByNumber", question).await)));
    }
    [heights[0], heights[1]]
}

#[tokio::test]
async fn a_node_that_lags_knows_nothing_above_its_head() {
    let mut world = World::start().await;
    knows_nothing_above_9(&mut world, Fault::Lag(3)).await;
    let [safe, finalized] = finality(&mut world, Fault::Lag(3)).await;
    assert_eq!((safe.1, finalized.1), (safe.0 - 3, finalized.0 - 3));
    assert_eq!(world.result(Fault::Lag(100), "eth_blockNumber", json!([])).await, "0x0");
}

#[tokio::test]
async fn a_head_that_goes_back_takes_all_above_along() {
    let mut world = World::start().await;
    knows_nothing_above_9(&mut world, Fault::HeadGoesBack(3)).await;
    let [safe, finalized] = finality(&mut world, Fault::HeadGoesBack(3)).await;
    assert_eq!((safe.1, finalized.1), (safe.0.min(9), finalized.0.min(9)));
}

#[tokio::test]
async fn a_node_that_lags_goes_on_with_the_chain() {
    let mut world = World::start().await;
    world.mine(2).await;
    let logs = world.result(Fault::Lag(2), "eth_getLogs", json!([{ "fromBlock": "0x0" }])).await;
    assert_eq!(logs.as_array().unwrap().len(), 4);
    world.mine(1).await;
    assert_eq!(world.result(Fault::Lag(2), "eth_blockNumber", json!([])).await, "0xd");
}

#[tokio::test]
async fn a_head_is_said_to_be_higher_and_is_not_there() {
    let mut world = World::start().await;
    let head = world.block(12).await;
    let fault = Fault::HighHead(1_000);
    let mut told = world.result(fault, "eth_getBlockByNumber", json!(["latest", false])).await;
    assert_eq!(told["number"].take(), "0x3f4");
    told["number"] = json!("0xc");
    assert_eq!(told, head);
    let questions = [
        ("eth_blockNumber", json!([])),
        ("eth_getBlockByNumber", json!(["0xc", false])),
        ("eth_getBlockByNumber", json!(["0xd", false])),
        ("eth_getBlockByNumber", json!(["0x3f4", false])),
        ("eth_getLogs", json!([{ "fromBlock": "0xd", "toBlock": "0x20" }])),
    ];
    let answers = world.under(fault, &questions).await;
    assert_eq!(answers, [Ok(json!("0x3f4")), Ok(head), Ok(Value::Null), Ok(Value::Null), Ok(json!([]))]);
    let logs = world.result(fault, "eth_getLogs", json!([{ "fromBlock": "0x1" }])).await;
    assert_eq!(logs.as_array().unwrap().len(), 4);
    let most = world.result(Fault::HighHead(u64::MAX), "eth_blockNumber", json!([])).await;
    assert_eq!(most, "0xffffffffffffffff");
}
