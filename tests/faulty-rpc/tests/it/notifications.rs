//! What becomes of `newHeads`.

use faulty_rpc::Fault;
use serde_json::json;

use super::helper::{Line, World};

/// A world with a subscriber at the proxy, and one at the node.
async fn subscribed() -> (World, Line, Line) {
    let world = World::start().await;
    let (mut told, mut truth) = (Line::ws(&world.proxy.ws_url()).await, Line::ws(&world.anvil.ws_url()).await);
    for line in [&mut told, &mut truth] {
        line.ask("eth_subscribe", json!(["newHeads"])).await.unwrap();
    }
    (world, told, truth)
}

/// Waits until the notification of a block that the node's own subscriber has got must have come to the proxy too:
/// it was sent before these answers.
async fn settle(world: &mut World, truth: &mut Line, number: &str) {
    while truth.next_header().await["number"] != number {}
    for _ in 0..50 {
        world.truth.ask("eth_chainId", json!([])).await.unwrap();
    }
}

#[tokio::test]
async fn they_are_passed_on() {
    let (mut world, mut told, mut truth) = subscribed().await;
    for _ in 0..2 {
        world.mine(1).await;
        assert_eq!(told.next_header().await, truth.next_header().await);
    }
    assert_eq!(world.proxy.asked("eth_subscribe"), 1);
}

#[tokio::test]
async fn an_end_of_a_subscription_is_one() {
    let (mut world, _, mut truth) = subscribed().await;
    let mut told = Line::ws(&world.proxy.ws_url()).await;
    let id = told.ask("eth_subscribe", json!(["newHeads"])).await.unwrap();
    assert_eq!(told.ask("eth_unsubscribe", json!([id])).await, Ok(json!(true)));
    world.mine(1).await;
    settle(&mut world, &mut truth, "0xd").await;
    assert_eq!(told.ask("eth_blockNumber", json!([])).await, Ok(json!("0xd")));
}

#[tokio::test]
async fn a_node_that_lags_tells_of_a_block_so_much_later() {
    let (mut world, mut told, _) = subscribed().await;
    world.proxy.set(Fault::Lag(3));
    world.mine(1).await;
    let header = told.next_header().await;
    let block = world.block(10).await;
    for field in ["number", "hash", "parentHash", "timestamp", "logsBloom", "receiptsRoot"] {
        assert_eq!(header[field], block[field], "{field}");
    }
    assert!(header.get("transactions").is_none());
    world.proxy.set(Fault::None);
    world.mine(1).await;
    assert_eq!(told.next_header().await["number"], "0xe");
}

#[tokio::test]
async fn a_head_that_is_not_there_is_told() {
    let (mut world, mut told, mut truth) = subscribed().await;
    world.proxy.set(Fault::HighHead(1_000));
    world.mine(1).await;
    let (mut header, mut true_header) = (told.next_header().await, truth.next_header().await);
    assert_eq!((header["number"].take(), true_header["number"].take()), (json!("0x3f5"), json!("0xd")));
    assert_eq!(header, true_header);
}

#[tokio::test]
async fn a_replacement_is_told_as_it_is_answered() {
    let (mut world, mut told, _) = subscribed().await;
    world.proxy.set(Fault::Replace);
    world.mine(1).await;
    let header = told.next_header().await;
    let latest = told.ask("eth_getBlockByNumber", json!(["latest", false])).await.unwrap();
    assert_ne!(latest["hash"], world.block(13).await["hash"]);
    assert_eq!((&header["hash"], &header["timestamp"]), (&latest["hash"], &latest["timestamp"]));
}

#[tokio::test]
async fn a_node_that_hangs_or_goes_back_tells_nothing() {
    let (mut world, mut told, mut truth) = subscribed().await;
    for (fault, silent, loud) in [(Fault::Hang, "0xd", "0xe"), (Fault::HeadGoesBack(2), "0xf", "0x10")] {
        world.proxy.set(fault);
        world.mine(1).await;
        settle(&mut world, &mut truth, silent).await;
        world.proxy.set(Fault::None);
        world.mine(1).await;
        assert_eq!(told.next_header().await["number"], loud, "{fault:?}");
        assert_eq!(truth.next_header().await["number"], loud);
    }
}
