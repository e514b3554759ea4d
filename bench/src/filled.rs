//! An index that no chain made: rows as the indexer writes them, for measurements of the gateway alone.

use std::time::Duration;

use anyhow::{Context, Result};
use domain::{Address, B256, BlockRef, Heads, InstanceId, Lease, Namespace, NamespaceId, ServiceKey, Status};
use store::{
    ingest::{self, Batch, Writer},
    rows::{BlockRow, InstanceRow, NamespaceRow, Origin, ServiceRow},
    schema,
};
use tokio::time::{sleep, timeout};

use crate::world::Process;

/// Long enough that nothing expires while it is measured.
const TTL: u32 = 86_400;

/// The height of the first block, and how far below the head blocks are final: what happened since is remembered, as it
/// would be of a chain with finality.
const FIRST: u64 = 1_000;
const FINAL_AFTER: u64 = 64;

/// When the first block was.
const BEGAN: u64 = 1_700_000_000;

/// The rows of one batch: bounds the memory of the benchmark.
const BATCH: u32 = 10_000;

const OWNER: Address = Address::repeat_byte(0xab);

/// Services `bench/s0`, `bench/s1`, …, each with as many instances.
pub struct Filled {
    writer: Writer,
    head: BlockRow,
    per_service: u32,
}

impl Filled {
    /// Fills a new database.
    pub async fn new(url: &str, services: u32, per_service: u32) -> Result<Self> {
        let pool = schema::connect(url).await?;
        schema::migrate(&pool).await?;
        let head = block(FIRST);
        let origin = Origin {
            chain_id: 31_337,
            genesis_hash: B256::repeat_byte(1),
            contract: Address::repeat_byte(2),
            code_hash: B256::repeat_byte(3),
            endorsements: None,
            deploy_block: head.block,
        };
        ingest::init(&pool, &origin, &head, heads(FIRST)).await?;
        let (writer, _) = Writer::take_over(&pool).await?;
        let mut filled = Self { writer, head, per_service };
        let namespace =
            NamespaceRow { id: namespace_id(), label: Some("bench".into()), owner: OWNER, open: true, epoch: 0 };
        filled.apply(Batch { namespaces: vec![namespace], ..Batch::default() }).await?;
        let step = (BATCH / per_service).max(1);
        for first in (0..services).step_by(usize::try_from(step)?) {
            let these = first..services.min(first + step);
            let count = u64::from(per_service);
            let row = |n| ServiceRow {
                key: key(n),
                namespace: namespace_id(),
                name: format!("s{n}"),
                count,
                sequence: count,
            };
            let services = these.clone().map(row).collect();
            let instances = these.flat_map(|n| (0..per_service).map(move |m| instance(n, m))).collect();
            filled.apply(Batch { services, instances, ..Batch::default() }).await?;
        }
        Ok(filled)
    }

    /// A block with a heartbeat of each instance of these services.
    pub async fn beat(&mut self, services: impl IntoIterator<Item = u32>) -> Result<()> {
        let (time, per_service) = (self.head.time + 1, self.per_service);
        let of = |n: u32| (0..per_service).map(move |m| (id(n, m), lease(time)));
        let leases = services.into_iter().flat_map(of).collect();
        self.apply(Batch { leases, ..Batch::default() }).await
    }

    /// The height of the head.
    pub fn head(&self) -> u64 {
        self.head.block.number
    }

    async fn apply(&mut self, batch: Batch) -> Result<()> {
        let next = block(self.head.block.number + 1);
        let batch = Batch { blocks: vec![next], ..batch };
        let heads = heads(next.block.number);
        self.writer.apply(self.head.block, next, heads, 64, &batch).await?;
        self.head = next;
        Ok(())
    }
}

/// Waits until a gateway is ready.
pub async fn ready(gateway: &mut Process, url: &str, patience: Duration) -> Result<()> {
    let client = reqwest::Client::new();
    let ready = format!("{url}/readyz");
    let wait = async {
        while !client.get(&ready).send().await.is_ok_and(|answer| answer.status().is_success()) {
            gateway.check()?;
            sleep(Duration::from_millis(5)).await;
        }
        anyhow::Ok(())
    };
    timeout(patience, wait).await.context("the gateway is not ready in time")?
}

fn heads(latest: u64) -> Heads {
    Heads { latest, safe: latest - FINAL_AFTER / 2, finalized: latest - FINAL_AFTER }
}

fn block(number: u64) -> BlockRow {
    let hash = |number: u64| B256::left_padding_from(&number.to_be_bytes());
    let parent_hash = hash(number.saturating_sub(1));
    BlockRow { block: BlockRef { number, hash: hash(number) }, parent_hash, time: BEGAN + number }
}

fn namespace_id() -> NamespaceId {
    Namespace::Label("bench".into()).id()
}

fn key(n: u32) -> ServiceKey {
    ServiceKey::new(namespace_id(), &format!("s{n}"))
}

fn id(n: u32, m: u32) -> InstanceId {
    InstanceId::new(key(n), OWNER, &format!("i{m}"))
}

fn lease(last_heartbeat: u64) -> Lease {
    Lease { owner: OWNER, last_heartbeat, ttl: TTL, status: Status::Active, epoch: 0 }
}

fn instance(n: u32, m: u32) -> InstanceRow {
    let metadata = format!(
        r#"{{"region":"eu-west-1","zone":"eu-west-1{}","tags":["blue"],"weight":100,"protocol":"grpc","latency_ms":{m}}}"#,
        if m.is_multiple_of(2) { 'a' } else { 'b' }
    );
    InstanceRow {
        id: id(n, m),
        service: key(n),
        label: format!("i{m}"),
        registrant: OWNER,
        version: "1.2.0".into(),
        endpoints: vec![format!("https://i{m}.s{n}.bench.example:8443").into_bytes().into()],
        metadata: metadata.into_bytes().into(),
        record_hash: B256::left_padding_from(&[n.to_be_bytes(), m.to_be_bytes()].concat()),
        registered_block: 2,
        updated_block: 2,
        reason: None,
        lease: lease(BEGAN),
    }
}
