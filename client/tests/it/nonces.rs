//! One key, many tasks and many processes.

use std::time::Duration;

use tools::AnvilConfig;

use crate::world::{World, registration};

/// Publishers that do not know of each other stand for processes: they share a key and no lock.
async fn race(config: AnvilConfig, processes: usize, beats: usize) {
    let world = World::with(config).await;
    let first = world.publisher(1);
    let service = client::Service::parse_for("payments", first.account()).expect("a service");
    first.register(&registration(service.clone(), "a1")).await.expect("registered");
    let id = first.instance(&service, "a1");

    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..processes {
        let publisher = world.publisher(1);
        for _ in 0..beats {
            let publisher = publisher.clone();
            tasks.spawn(async move { publisher.heartbeat(id).await.expect("a heartbeat").tx });
        }
    }
    let sent = tasks.join_all().await;
    assert_eq!(sent.len(), processes * beats);
}

#[tokio::test]
async fn processes_with_one_key_do_not_lose_a_transaction() {
    race(AnvilConfig::default(), 4, 5).await;
}

#[tokio::test]
async fn nor_when_transactions_wait_for_their_block() {
    let config = AnvilConfig { block_time: Some(Duration::from_secs(1)), ..AnvilConfig::default() };
    race(config, 4, 3).await;
}
