//! The feed, on a real Postgres and with the rows that the writer writes.

use std::time::Duration;

use store::{
    ingest::{self, Batch, Reorg, Touched, Writer},
    rows::BlockRow,
    schema,
};
use tools::{TestPostgres, Tools};

use super::*;
use crate::{Histories, feed};

/// So long that nothing in this test waits for it: the bell alone brings news.
pub(super) const NEVER: Duration = Duration::from_secs(3_600);

pub(super) const SOON: Duration = Duration::from_millis(20);

/// A writer on a chain of its own making, and a gateway that is fed from what it writes.
pub(super) struct Feed {
    pub(super) postgres: TestPostgres,
    pub(super) world: World,
    pub(super) head: BlockRow,
    task: tokio::task::JoinHandle<std::convert::Infallible>,
}

impl Drop for Feed {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Feed {
    pub(super) async fn start(poll: Duration) -> Self {
        let tools = Tools::ensure().expect("the tools");
        let postgres = TestPostgres::start(&tools).await.expect("a Postgres");
        let mut world = World::new();
        let histories = Histories::new(&postgres.url("postgres")).expect("a URL");
        world.state = AppState::new(world.clock.clone()).with_histories(histories);
        let task = tokio::spawn(feed::run(world.state.clone(), postgres.url("postgres"), poll));
        Self { postgres, world, head: block(1, 0), task }
    }

    /// The schema, and an index that holds nothing.
    pub(super) async fn init(&self) -> Writer {
        let pool = schema::connect(&self.postgres.url("postgres")).await.expect("a connection");
        schema::migrate(&pool).await.expect("the schema");
        let mut origin = checkpoint(100).origin;
        origin.deploy_block = self.head.block;
        ingest::init(&pool, &origin, &self.head, heads(1)).await.expect("an index");
        Writer::take_over(&pool).await.expect("a writer").0
    }

    /// Applies one block, which is the chain's tip.
    pub(super) async fn apply(&mut self, writer: &Writer, mut batch: Batch) {
        let next = block(self.head.block.number + 1, 0);
        batch.blocks = vec![next];
        let heads = heads(next.block.number);
        writer.apply(self.head.block, next, heads, 64, &batch).await.expect("a block");
        self.head = next;
    }

    /// Waits until the labels of the live instances are these.
    pub(super) async fn until(&self, labels: &[&str]) {
        let path = "/v1/namespaces/acme/services/payments/instances";
        eventually(async || {
            let answer = self.world.get(path).await;
            let found = answer.body["instances"].as_array().map(|list| {
                let mut found: Vec<_> = list.iter().filter_map(|i| i["label"].as_str()).collect();
                found.sort_unstable();
                found == labels
            });
            found == Some(true) && answer.header("x-registry-block") == self.head.block.number.to_string()
        })
        .await;
    }
}

pub(super) fn block(number: u64, fork: u8) -> BlockRow {
    let hash = |number: u64| B256::with_last_byte(number as u8) | B256::left_padding_from(&[fork, 0, 0]);
    let block = BlockRef { number, hash: hash(number) };
    BlockRow { block, parent_hash: hash(number - 1), time: NOW }
}

fn heads(latest: u64) -> Heads {
    Heads { latest, safe: 0, finalized: 0 }
}

/// The rows of one more instance of `acme/payments`, which then has `count` of them.
pub(super) fn registered(label: &str, count: u64) -> Batch {
    let instance = instance(&acme(), "payments", label);
    let key = instance.service;
    Batch {
        namespaces: vec![namespace_row()],
        services: vec![ServiceRow { key, namespace: acme().id(), name: "payments".into(), count, sequence: count }],
        instances: vec![instance],
        ..Batch::default()
    }
}

#[tokio::test]
async fn what_the_writer_writes_is_served() {
    let mut feed = Feed::start(NEVER).await;
    let why = async || feed.world.get("/readyz").await.body["detail"].to_string();
    eventually(async || why().await.contains("rollcall indexer")).await;

    let writer = feed.init().await;
    feed.apply(&writer, registered("a1", 1)).await;
    feed.until(&["a1"]).await;
    feed.apply(&writer, registered("a2", 2)).await;
    feed.until(&["a1", "a2"]).await;
    assert_eq!(feed.world.get("/v1/services").await.body["services"][0]["listed"], 2);

    // A lease alone: suspended.
    let row = instance(&acme(), "payments", "a1");
    let lease = Lease { status: Status::Suspended, ..row.lease };
    feed.apply(&writer, Batch { leases: vec![(row.id, lease)], ..Batch::default() }).await;
    feed.until(&["a2"]).await;
    // A block with nothing for us.
    feed.apply(&writer, Batch::default()).await;
    feed.until(&["a2"]).await;

    // A reorg to before a2 came, and when a1 was not suspended.
    let ancestor = block(2, 0);
    let Batch { services, instances, .. } = registered("a1", 1);
    let gone = instance(&acme(), "payments", "a2");
    let touched = Touched { instances: [row.id, gone.id].into(), services: [row.service].into(), ..Touched::default() };
    let found_at = block(5, 1).block.hash;
    let reorg = Reorg {
        ancestor,
        found_at,
        touched,
        namespaces: vec![],
        services,
        instances,
        heartbeats: vec![],
        grants: vec![],
    };
    writer.reorg(feed.head.block, heads(2), &reorg).await.expect("a reorg");
    feed.head = ancestor;
    feed.until(&["a1"]).await;
    feed.world.get(&format!("/v1/instances/{}", gone.id)).await.problem(404, "unknown-instance");
    assert_eq!(feed.world.get("/v1/services").await.body["services"][0]["listed"], 1);

    // Another writer takes over.
    let pool = schema::connect(&feed.postgres.url("postgres")).await.expect("a connection");
    let (writer, _) = Writer::take_over(&pool).await.expect("a writer");
    feed.apply(&writer, registered("a3", 2)).await;
    feed.until(&["a1", "a3"]).await;
}

#[tokio::test]
async fn a_database_that_goes_and_comes_back_is_noticed_both_times() {
    let mut feed = Feed::start(SOON).await;
    let writer = feed.init().await;
    feed.apply(&writer, registered("a1", 1)).await;
    feed.until(&["a1"]).await;
    assert_eq!(feed.world.get("/readyz").await.status, 200);

    feed.postgres.stop_server().await.expect("it stops");
    feed.world.clock.advance(Duration::from_secs(4));
    assert_eq!(feed.world.get("/v1/services").await.header("x-registry-mode"), "stale");
    feed.until(&["a1"]).await;
    eventually(async || feed.world.get("/readyz").await.body["detail"].to_string().contains("does not answer")).await;

    feed.postgres.start_server().await.expect("it starts");
    eventually(async || feed.world.get("/readyz").await.status == 200).await;

    // The database is there, and nobody confirms; the poll then brings a confirmation, for which no bell rings.
    eventually(async || feed.world.get("/v1/services").await.header("x-registry-mode") == "preserved").await;
    let pool = schema::connect(&feed.postgres.url("postgres")).await.expect("a connection");
    let (writer, _) = Writer::take_over(&pool).await.expect("a writer");
    writer.confirm(feed.head.block, heads(feed.head.block.number)).await.expect("a confirmation");
    eventually(async || feed.world.get("/v1/services").await.header("x-registry-mode") == "normal").await;
    feed.apply(&writer, registered("a2", 2)).await;
    feed.until(&["a1", "a2"]).await;
}
