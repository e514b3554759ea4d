//! A start without the database, from what is on disk.

use std::{path::PathBuf, time::Duration};

use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use super::{
    feed::{Feed, NEVER, registered},
    *,
};
use crate::disk::Disk;

const PATH: &str = "/v1/namespaces/acme/services/payments/instances";

/// A feed with an instance, and a file that has it.
async fn saved() -> (Feed, TempDir, PathBuf) {
    let mut feed = Feed::start(NEVER).await;
    let writer = feed.init().await;
    feed.apply(&writer, registered("a1", 1)).await;
    feed.until(&["a1"]).await;
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("snapshot");
    let stop = CancellationToken::new();
    stop.cancel();
    disk(&feed.world, feed.postgres.url("postgres"), &path).run(stop).await;
    (feed, folder, path)
}

fn disk(world: &World, database_url: String, path: &std::path::Path) -> Disk {
    Disk::new(world.state.clone(), database_url, path.to_owned(), NEVER)
}

/// A gateway that starts, on the same clock.
fn started(feed: &Feed) -> World {
    World { state: AppState::new(feed.world.clock.clone()), ..World::new() }
}

#[tokio::test]
async fn what_was_saved_is_served_as_old_as_it_is_until_the_database_is_read() {
    let (feed, _folder, path) = saved().await;
    let before = feed.world.get(PATH).await;
    feed.world.clock.advance(Duration::from_secs(600));
    let world = World { clock: feed.world.clock.clone(), ..started(&feed) };
    world.get(PATH).await.problem(503, "not-ready");
    disk(&world, String::new(), &path).restore().await;

    let after = world.get(PATH).await;
    assert_eq!(after.status, 200, "{}", after.body);
    assert_eq!(after.body["instances"], before.body["instances"]);
    assert_eq!((after.header("x-registry-mode"), after.header("x-registry-head-age")), ("stale", "600"));
    assert_eq!(after.header("x-registry-block"), "2");
    assert_eq!(after.header("x-registry-now"), "1700000003", "chain time stands still");
    assert!(world.get("/readyz").await.problem(503, "not-ready").contains("from memory"));
    world.clock.advance(Duration::from_secs(100));
    let later = world.get(PATH).await;
    assert_eq!((later.header("x-registry-head-age"), &later.body["now"]), ("700", &after.body["now"]));

    // The database is there, and the indexer went on meanwhile.
    let reader = store::query::Reader::connect(&feed.postgres.url("postgres")).await.expect("a reader");
    let known = reader.snapshot().await.expect("a snapshot");
    let mut next = known.clone();
    next.checkpoint.confirmations += 1;
    next.checkpoint.head.number += 1;
    assert!(world.state.update(Update::Snapshot(next)));
    let back = world.get(PATH).await;
    assert_eq!((back.header("x-registry-mode"), back.header("x-registry-head-age")), ("normal", "0"));
    // What is on disk comes too late now.
    disk(&world, String::new(), &path).restore().await;
    assert_eq!(world.get(PATH).await.header("x-registry-mode"), "normal");

    // Or it did not: then the head is as old as before.
    let world = World { clock: feed.world.clock.clone(), ..started(&feed) };
    disk(&world, String::new(), &path).restore().await;
    assert!(world.state.update(Update::Snapshot(known)));
    let back = world.get(PATH).await;
    assert_eq!((back.header("x-registry-mode"), back.header("x-registry-head-age")), ("preserved", "700"));
}

#[tokio::test]
async fn an_index_that_has_just_begun_replaces_neither_the_file_nor_what_came_from_it() {
    let (feed, _folder, path) = saved().await;
    let reader = store::query::Reader::connect(&feed.postgres.url("postgres")).await.expect("a reader");
    let mut empty = reader.snapshot().await.expect("a snapshot");
    (empty.checkpoint.confirmations, empty.instances, empty.services) = (0, vec![], vec![]);
    // The database was faster, and has nothing yet.
    let world = started(&feed);
    assert!(world.state.update(Update::Snapshot(empty.clone())));
    world.get(PATH).await.problem(503, "not-ready");
    disk(&world, String::new(), &path).restore().await;
    assert_eq!(world.get(PATH).await.status, 200);
    assert!(!world.state.update(Update::Snapshot(empty.clone())), "of no use");
    assert_eq!(world.labels("").await, ["a1"]);

    // But an index of another contract is the truth, whole or not.
    empty.checkpoint.origin.contract = Address::ZERO;
    assert!(world.state.update(Update::Snapshot(empty)));
    disk(&world, String::new(), &path).restore().await;
    world.get(PATH).await.problem(503, "not-ready");

    let pool = store::schema::connect(&feed.postgres.url("postgres")).await.expect("a connection");
    store::ingest::Writer::take_over(&pool).await.expect("a writer");
    let bytes = std::fs::read(&path).expect("a file");
    let stop = CancellationToken::new();
    stop.cancel();
    // A database that holds no index, and one that is away.
    for url in [feed.postgres.url("template1"), "postgres://rollcall@127.0.0.1:1/rollcall".to_owned()] {
        disk(&feed.world, url, &path).run(stop.clone()).await;
        assert_eq!(std::fs::read(&path).expect("a file"), bytes, "the old one is better than none");
    }
    let metrics = feed.world.state.telemetry().render(&feed.world.state);
    assert!(metrics.contains(r#"rollcall_gateway_snapshots_total{result="saved"} 1"#), "{metrics}");
    assert!(metrics.contains(r#"rollcall_gateway_snapshots_total{result="failed"} 2"#), "{metrics}");
}

#[tokio::test]
async fn a_broken_file_is_ignored_and_written_anew() {
    let (feed, _folder, path) = saved().await;
    let good = std::fs::read(&path).expect("a file");
    let broken = &good[..good.len() - 7];
    std::fs::write(&path, broken).expect("a file");
    let world = started(&feed);
    disk(&world, String::new(), &path).restore().await;
    world.get(PATH).await.problem(503, "not-ready");

    let stop = CancellationToken::new();
    let running = tokio::spawn(disk(&feed.world, feed.postgres.url("postgres"), &path).run(stop.clone()));
    eventually(async || std::fs::read(&path).is_ok_and(|bytes| bytes.len() == good.len())).await;
    stop.cancel();
    running.await.expect("it ends");
    disk(&world, String::new(), &path).restore().await;
    assert_eq!(world.labels("").await, ["a1"]);
}
