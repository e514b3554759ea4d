//! Faults that need nothing of the chain: statuses, garbage, ranges, the chain's id; and what is the same under all.

use faulty_rpc::Fault;
use futures::StreamExt;
use serde_json::{Value, json};

use super::helper::World;

#[tokio::test]
async fn without_a_fault_all_is_as_the_node_says() {
    let mut world = World::start().await;
    let questions = [
        ("eth_chainId", json!([])),
        ("eth_getBlockByNumber", json!(["latest", true])),
        ("eth_getLogs", json!([{ "fromBlock": "earliest" }])),
        ("eth_getLogs", json!([{ "blockHash": format!("0x{}", "1".repeat(64)) }])),
        ("no_suchMethod", json!([])),
    ];
    let answers = world.under(Fault::None, &questions).await;
    assert_eq!(answers[0], Ok(json!("0x7a69")));
    assert_eq!(answers[2].as_ref().unwrap().as_array().unwrap().len(), 4);
    assert_eq!(answers[3].as_ref().unwrap_err()["message"], "unknown block");
    assert_eq!(answers[4].as_ref().unwrap_err()["code"], -32601);
}

#[tokio::test]
async fn a_batch_is_answered_item_by_item_and_counted() {
    let world = World::start().await;
    world.proxy.set(Fault::WrongChainId(7));
    let batch = json!([
        { "jsonrpc": "2.0", "id": "a", "method": "eth_chainId" },
        { "jsonrpc": "2.0", "id": 2, "method": "eth_blockNumber", "params": [] },
        { "jsonrpc": "2.0", "id": 3, "method": "eth_chainId", "params": [] },
    ]);
    for (mut line, times) in world.lines().await.into_iter().zip(1..) {
        let answers: Value = serde_json::from_str(&line.say(batch.clone()).await).unwrap();
        let said = |id: Value, result: &str| json!({ "jsonrpc": "2.0", "id": id, "result": result });
        assert_eq!(answers, json!([said(json!("a"), "0x7"), said(json!(2), "0xc"), said(json!(3), "0x7")]));
        assert_eq!((world.proxy.asked("eth_chainId"), world.proxy.asked("eth_blockNumber")), (2 * times, times));
    }
    assert_eq!((world.proxy.asked("eth_getLogs"), world.proxy.asked_in_all()), (0, 6));
}

#[tokio::test]
async fn a_subscription_in_a_batch_is_one() {
    let mut world = World::start().await;
    let [_, mut ws] = world.lines().await;
    let batch = json!([
        { "jsonrpc": "2.0", "id": 1, "method": "eth_subscribe", "params": ["newHeads"] },
        { "jsonrpc": "2.0", "id": 2, "method": "eth_chainId", "params": [] },
    ]);
    let answers: Value = serde_json::from_str(&ws.say(batch).await).unwrap();
    assert!(answers[0]["result"].is_string(), "{answers}");
    assert_eq!(answers[1]["result"], "0x7a69");
    world.mine(1).await;
    assert_eq!(ws.next_header().await["number"], "0xd");
}

#[tokio::test]
async fn another_chain_id_is_told() {
    let mut world = World::start().await;
    let fault = Fault::WrongChainId(10);
    assert_eq!(world.result(fault, "eth_chainId", json!([])).await, "0xa");
    assert_eq!(world.result(fault, "net_version", json!([])).await, "10");
    assert_eq!(world.result(fault, "eth_blockNumber", json!([])).await, "0xc");
}

#[tokio::test]
async fn a_method_is_unknown() {
    let mut world = World::start().await;
    let fault = Fault::Without("eth_getBlockReceipts");
    assert_eq!(world.result(fault, "eth_blockNumber", json!([])).await, "0xc");
    world.proxy.set(fault);
    for mut line in world.lines().await {
        let request = json!({ "jsonrpc": "2.0", "id": 1, "method": "eth_getBlockReceipts", "params": ["0xc"] });
        let answer: Value = serde_json::from_str(&line.say(request).await).unwrap();
        assert_eq!(answer["error"]["code"], -32601);
    }
}

#[tokio::test]
async fn a_status_is_one_of_http_and_an_error_over_websocket() {
    let world = World::start().await;
    let request = json!({ "jsonrpc": "2.0", "id": 5, "method": "eth_chainId", "params": [] });
    let [_, mut ws] = world.lines().await;
    let client = reqwest::Client::new();
    let post = async || client.post(world.proxy.url()).json(&request).send().await.unwrap();
    for (status, code) in [(429, -32005), (500, -32603), (502, -32603), (503, -32603)] {
        world.proxy.set(Fault::Status(status));
        let response = post().await;
        assert_eq!(response.status().as_u16(), status);
        assert!(!response.text().await.unwrap().is_empty());
        assert_eq!(ws.ask("eth_chainId", json!([])).await.unwrap_err()["code"], code);
        world.proxy.set(Fault::None);
        assert_eq!(post().await.status().as_u16(), 200);
        assert_eq!(ws.ask("eth_chainId", json!([])).await, Ok(json!("0x7a69")));
    }
}

#[tokio::test]
async fn garbage_is_no_json_and_then_the_answer_to_nobody() {
    let world = World::start().await;
    let request = json!({ "jsonrpc": "2.0", "id": 5, "method": "eth_chainId", "params": [] });
    for mut line in world.lines().await {
        world.proxy.set(Fault::Garbage);
        assert!(serde_json::from_str::<Value>(&line.say(request.clone()).await).is_err());
        let answer: Value = serde_json::from_str(&line.say(request.clone()).await).unwrap();
        assert_eq!(answer, json!({ "jsonrpc": "2.0", "id": 1_000_005, "result": "0x1" }));
        world.proxy.set(Fault::None);
        assert_eq!(line.ask("eth_chainId", json!([])).await, Ok(json!("0x7a69")));
    }
    world.proxy.set(Fault::Garbage);
    assert_eq!(reqwest::Client::new().post(world.proxy.url()).send().await.unwrap().status().as_u16(), 200);
}

#[tokio::test]
async fn a_range_that_is_too_large_is_refused_in_many_words() {
    let world = World::start().await;
    for mut line in world.lines().await {
        world.proxy.set(Fault::RangeTooLarge(10));
        // Blocks 3 to 12, then 2 to 12.
        let ten = json!([{ "fromBlock": "0x3", "toBlock": "latest" }]);
        let eleven = json!([{ "fromBlock": "0x2" }]);
        let mut words = Vec::new();
        for _ in 0..4 {
            assert_eq!(line.ask("eth_getLogs", ten.clone()).await.unwrap().as_array().unwrap().len(), 4);
            words.push(line.ask("eth_getLogs", eleven.clone()).await.unwrap_err()["message"].take());
        }
        let expected = [
            "query returned more than 10000 results",
            "block range is too wide",
            "exceed maximum block range: 10",
            "query exceeds max results 20000, retry with the range 2-11",
        ];
        assert_eq!(words, expected);
        let hash = line.ask("eth_getBlockByNumber", json!(["latest", false])).await.unwrap()["hash"].take();
        let logs = line.ask("eth_getLogs", json!([{ "blockHash": hash }])).await.unwrap();
        assert_eq!(logs.as_array().unwrap().len(), 4);
        world.proxy.set(Fault::None);
        assert_eq!(line.ask("eth_getLogs", eleven).await.unwrap(), logs);
    }
}

#[tokio::test]
async fn a_node_that_is_gone_is_an_error_and_the_end_of_websockets() {
    let world = World::start().await;
    let [mut http, mut ws] = world.lines().await;
    assert_eq!(ws.ask("eth_chainId", json!([])).await, Ok(json!("0x7a69")));
    world.anvil.kill().await.unwrap();
    assert_eq!(http.ask("eth_chainId", json!([])).await.unwrap_err()["code"], -32603);
    assert!(!matches!(ws.socket().next().await, Some(Ok(_))));
}
