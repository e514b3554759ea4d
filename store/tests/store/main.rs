//! The schema and the writer on a real Postgres.

use std::sync::atomic::{AtomicU32, Ordering};

use domain::{Address, B256, BlockRef, Bytes, Heads, InstanceId, Lease, NamespaceId, ServiceKey, Status};
use sqlx::PgPool;
use store::{
    StoreError,
    ingest::{self, Batch, CHANGES_KEPT, Reorg, Touched, Writer},
    query::{Delta, Reader, Snapshot, Update},
    rows::{BlockRow, EventRow, HeartbeatRow, InstanceRow, NamespaceRow, Origin, ServiceRow},
    schema,
};
use tokio::sync::OnceCell;
use tools::{TestPostgres, Tools};

mod grants;
mod heartbeats;
mod history;
mod reindex;

static SERVER: OnceCell<TestPostgres> = OnceCell::const_new();
static DATABASES: AtomicU32 = AtomicU32::new(0);

async fn url() -> String {
    let server = SERVER
        .get_or_init(async || {
            // On a runtime of its own, since the server outlives that of the test.
            let start = || -> TestPostgres {
                let runtime = Box::leak(Box::new(tokio::runtime::Runtime::new().expect("a runtime")));
                runtime.block_on(TestPostgres::start(&Tools::ensure().expect("the tools"))).expect("Postgres")
            };
            tokio::task::spawn_blocking(start).await.expect("no panic")
        })
        .await;
    server.url(&format!("store_{}", DATABASES.fetch_add(1, Ordering::Relaxed)))
}

/// A database with an index whose head is block 9.
async fn index() -> (String, PgPool, Writer) {
    let url = url().await;
    schema::ensure_database(&url).await.expect("a database");
    let pool = schema::connect(&url).await.expect("a connection");
    schema::migrate(&pool).await.expect("a schema");
    let origin = Origin {
        chain_id: 31_337,
        genesis_hash: B256::ZERO,
        contract: Address::ZERO,
        code_hash: B256::ZERO,
        endorsements: Some(Address::repeat_byte(0xee)),
        deploy_block: block(10).block,
    };
    ingest::init(&pool, &origin, &block(9), heads(20)).await.expect("an index");
    let (writer, checkpoint) = Writer::take_over(&pool).await.expect("the writer");
    assert_eq!(checkpoint.head, block(9).block);
    (url, pool, writer)
}

fn block(number: u64) -> BlockRow {
    let hash = |n: u64| B256::left_padding_from(&n.to_be_bytes());
    BlockRow { block: BlockRef { number, hash: hash(number) }, parent_hash: hash(number - 1), time: 1_000 + number }
}

fn heads(latest: u64) -> Heads {
    Heads { latest, safe: 0, finalized: 0 }
}

fn instance(n: u8) -> InstanceRow {
    InstanceRow {
        id: InstanceId(B256::repeat_byte(n)),
        service: ServiceKey(B256::repeat_byte(0xcc)),
        label: format!("label-{n}"),
        registrant: Address::repeat_byte(n),
        version: "1.0.0".into(),
        endpoints: (0..n).map(|i| Bytes::from(vec![0, 0xff, i])).collect(),
        metadata: Bytes::from_static(b"\0<b>\xff"),
        record_hash: B256::repeat_byte(n),
        registered_block: 10,
        updated_block: 10,
        reason: (n > 1).then(|| Bytes::from_static(b"\0\xff<b>")),
        lease: Lease {
            owner: Address::repeat_byte(n),
            last_heartbeat: 1_010,
            ttl: 30,
            status: Status::Active,
            epoch: (1 << 24) - 1,
        },
    }
}

fn event(number: u64, log_index: u64, n: u8) -> EventRow {
    EventRow {
        contract: Address::ZERO,
        block: block(number).block,
        log_index,
        tx_hash: B256::ZERO,
        kind: "Registered".into(),
        instance: Some(InstanceId(B256::repeat_byte(n))),
        namespace: Some(NamespaceId(B256::repeat_byte(0xaa))),
        slot: None,
        topics: vec![B256::repeat_byte(1), B256::repeat_byte(2)],
        data: Bytes::from_static(b"\0\xff"),
        time: None,
    }
}

fn batch(number: u64, n: u8) -> Batch {
    Batch {
        blocks: vec![block(number)],
        events: vec![event(number, 0, n), event(number, 1, n)],
        heartbeats: vec![HeartbeatRow { instance: instance(n).id, block_number: number, log_index: 1, time: 1_010 }],
        heartbeats_from: 0,
        namespaces: vec![NamespaceRow {
            id: NamespaceId(B256::repeat_byte(0xaa)),
            label: Some("acme".into()),
            owner: Address::repeat_byte(1),
            open: true,
            epoch: 7,
        }],
        services: vec![ServiceRow {
            key: instance(n).service,
            namespace: NamespaceId(B256::repeat_byte(0xaa)),
            name: "payments".into(),
            count: u64::from(n),
            sequence: u64::from(n),
        }],
        instances: vec![instance(n)],
        leases: Vec::new(),
        grants: Vec::new(),
    }
}

async fn delta(url: &str, known: &Snapshot) -> Delta {
    let reader = Reader::connect(url).await.expect("a reader");
    match reader.read(Some(&known.checkpoint)).await.expect("a read") {
        Update::Delta(delta) => delta,
        Update::Snapshot(_) => panic!("nothing was removed"),
    }
}

#[tokio::test]
async fn of_what_only_a_heartbeat_changed_the_lease_is_read_alone() {
    let (url, _pool, writer) = index().await;
    let of = |n: u8, number: u64| InstanceRow { updated_block: number, reason: None, ..instance(n) };
    let first = Batch { instances: (1..=4).map(|n| of(n, 10)).collect(), ..batch(10, 4) };
    writer.apply(block(9).block, block(10), heads(20), 256, &first).await.expect("applied");
    let before = snapshot(&url).await;
    // 1 and 2 say that they live, 2 to no effect since it is updated as well; 3 is set aside; 5 is new.
    let beat = |n: u8| (instance(n).id, Lease { last_heartbeat: 1_011, ..instance(n).lease });
    let aside = InstanceRow { reason: Some(Bytes::from_static(b"abuse")), ..of(3, 10) };
    let second = Batch {
        blocks: vec![block(11)],
        leases: vec![beat(1)],
        instances: vec![of(2, 11), aside.clone(), of(5, 11)],
        ..Batch::default()
    };
    writer.apply(block(10).block, block(11), heads(20), 256, &second).await.expect("applied");
    let mut found = delta(&url, &before).await;
    found.instances.sort_by_key(|row| row.id);
    assert_eq!(found.leases, [beat(1)]);
    assert_eq!(found.instances, [of(2, 11), aside, of(5, 11)]);
    assert_eq!(found.services, before.services, "their counts may have changed");
}

async fn seqs(pool: &PgPool) -> Vec<(i64, String)> {
    sqlx::query_as("SELECT seq, kind FROM changes ORDER BY seq").fetch_all(pool).await.expect("changes")
}

async fn snapshot(url: &str) -> Snapshot {
    let reader = Reader::connect(url).await.expect("a reader");
    match reader.read(None).await.expect("a read") {
        Update::Snapshot(snapshot) => snapshot,
        Update::Delta(_) => panic!("a first read is a snapshot"),
    }
}

#[tokio::test]
async fn what_is_written_comes_back() {
    let (_, pool, writer) = index().await;
    writer.apply(block(9).block, block(10), heads(20), 256, &batch(10, 3)).await.expect("applied");
    let ids = [instance(3).id].into();
    assert_eq!(writer.instances(&ids).await.expect("instances"), [instance(3)]);
    assert_eq!(writer.leases(&ids).await.expect("leases"), [(instance(3).id, instance(3).lease)]);
    assert_eq!(writer.services(&[instance(3).service].into()).await.expect("services"), batch(10, 3).services);
    let namespace = NamespaceId(B256::repeat_byte(0xaa));
    assert_eq!(writer.namespaces(&[namespace].into()).await.expect("namespaces"), batch(10, 3).namespaces);
    let touched = writer.touched_above(9).await.expect("touched");
    assert_eq!(touched.instances, ids);
    let history = writer.history(&touched, 10).await.expect("history");
    assert_eq!(history.instances, [event(10, 1, 3)], "the newest of the two");
    assert_eq!(history.rosters, [event(10, 1, 3)]);
    assert_eq!(history.heartbeats, batch(10, 3).heartbeats);
    assert!(history.namespaces.is_empty(), "the event is the instance's");
    assert_eq!(writer.known_block(15).await.expect("known"), Some(block(10).block));
    let checkpoint = ingest::checkpoint(&pool).await.expect("checkpoint").expect("one");
    assert_eq!((checkpoint.head, checkpoint.head_time), (block(10).block, 1_010));
    assert_eq!(checkpoint.confirmations, 0, "the tip is block 20");
}

#[tokio::test]
async fn a_batch_that_does_not_fit_the_head_leaves_nothing() {
    let (_, pool, writer) = index().await;
    let wrong = writer.apply(block(10).block, block(11), heads(20), 256, &batch(11, 1)).await;
    assert!(matches!(wrong, Err(StoreError::Fenced { .. })), "{wrong:?}");
    // One that fails in the middle leaves nothing either: two events in one place.
    let mut twice = batch(10, 1);
    twice.events.push(event(10, 0, 1));
    let failed = writer.apply(block(9).block, block(10), heads(20), 256, &twice).await;
    assert!(matches!(failed, Err(StoreError::Database(_))), "{failed:?}");
    assert!(seqs(&pool).await.is_empty());
    let head = ingest::checkpoint(&pool).await.expect("checkpoint").expect("one").head;
    assert_eq!(head, block(9).block);
}

#[tokio::test]
async fn a_writer_that_was_replaced_can_do_nothing() {
    let (_, pool, old) = index().await;
    let (new, _) = Writer::take_over(&pool).await.expect("the new writer");
    assert!(matches!(
        old.apply(block(9).block, block(10), heads(20), 256, &batch(10, 1)).await,
        Err(StoreError::Fenced { .. })
    ));
    assert!(matches!(old.confirm(block(9).block, heads(9)).await, Err(StoreError::Fenced { .. })));
    old.set_problem(Some("not mine to say")).await.expect("does nothing");
    old.note_headers_hash().await.expect("does nothing");
    assert!(!ingest::checkpoint(&pool).await.expect("checkpoint").expect("one").headers_hash);
    assert_eq!(ingest::checkpoint(&pool).await.expect("checkpoint").expect("one").problem, None);
    new.apply(block(9).block, block(10), heads(10), 256, &batch(10, 1)).await.expect("applied");
    new.set_problem(Some("unwell")).await.expect("noted");
    new.confirm(block(10).block, heads(10)).await.expect("confirmed");
    let checkpoint = ingest::checkpoint(&pool).await.expect("checkpoint").expect("one");
    assert_eq!((checkpoint.confirmations, checkpoint.problem), (2, None), "by the batch, and by the look");
}

#[tokio::test]
async fn a_reorg_moves_events_aside_and_twice_is_no_trouble() {
    let (_, pool, writer) = index().await;
    for _ in 0..2 {
        writer.apply(block(9).block, block(10), heads(20), 256, &batch(10, 1)).await.expect("applied");
        let touched = writer.touched_above(9).await.expect("touched");
        let reorg = Reorg {
            ancestor: block(9),
            found_at: B256::repeat_byte(9),
            touched,
            namespaces: Vec::new(),
            services: Vec::new(),
            instances: Vec::new(),
            heartbeats: Vec::new(),
            grants: Vec::new(),
        };
        writer.reorg(block(10).block, heads(20), &reorg).await.expect("taken back");
    }
    for (table, rows) in [
        ("SELECT count(*) FROM event", 0),
        ("SELECT count(*) FROM event_orphan", 2),
        ("SELECT count(*) FROM heartbeat", 0),
        ("SELECT count(*) FROM instance", 0),
        ("SELECT count(*) FROM live", 0),
        ("SELECT count(*) FROM service", 0),
    ] {
        let count: i64 = sqlx::query_scalar(table).fetch_one(&pool).await.expect(table);
        assert_eq!(count, rows, "{table}");
    }
    let seqs = seqs(&pool).await;
    assert!(seqs.iter().map(|(seq, _)| *seq).eq(1..=8), "without gaps: {seqs:?}");
    assert_eq!(seqs.iter().filter(|(_, kind)| kind == "reorg").count(), 2);
    let head = ingest::checkpoint(&pool).await.expect("checkpoint").expect("one").head;
    assert_eq!(head, block(9).block);
}

#[tokio::test]
async fn old_blocks_and_changes_are_pruned() {
    let (_, pool, writer) = index().await;
    sqlx::query("UPDATE checkpoint SET change_seq = $1").bind(CHANGES_KEPT + 5).execute(&pool).await.expect("moved");
    sqlx::query("INSERT INTO changes SELECT n, 'instance', '' FROM generate_series(1, 10) n")
        .execute(&pool)
        .await
        .expect("changes");
    let mut parent = block(9).block;
    for number in 10..=64 {
        let batch = Batch { blocks: vec![block(number)], ..Batch::default() };
        let heads = Heads { latest: 64, safe: 64, finalized: number - 2 };
        writer.apply(parent, block(number), heads, 8, &batch).await.expect("applied");
        parent = block(number).block;
    }
    let kept: Vec<u64> = writer.blocks().await.expect("blocks").iter().map(|block| block.number).collect();
    assert!(kept.iter().copied().eq(56..=64), "{kept:?}");
    assert!(seqs(&pool).await.into_iter().map(|(seq, _)| seq).eq(6..=10));
    assert_eq!(writer.touched_above(0).await.expect("touched"), Touched::default());
}

#[tokio::test]
async fn a_reader_may_read_and_nothing_else() {
    let (url, pool, _) = index().await;
    let (other_url, other, _) = index().await;
    // Two databases of one server at once, each by two at once.
    let role = "reader_of_tests";
    let (a, b, c, d) = futures::join!(
        schema::ensure_reader(&pool, role),
        schema::ensure_reader(&other, role),
        schema::ensure_reader(&pool, role),
        schema::ensure_reader(&other, role),
    );
    for made in [a, b, c, d] {
        made.expect("a reader");
    }
    for bad in ["", "Reader", "x; DROP TABLE event", "1a", &"x".repeat(64)] {
        assert!(matches!(schema::ensure_reader(&pool, bad).await, Err(StoreError::InvalidRole(_))), "{bad:?}");
    }
    for url in [url, other_url] {
        let reader = schema::connect(&url.replace("rollcall@", &format!("{role}@"))).await.expect("a connection");
        assert!(ingest::checkpoint(&reader).await.expect("may read").is_some());
        let refused = Writer::take_over(&reader).await.expect_err("may not write");
        assert!(refused.is_permanent(), "{refused}");
        // Nor may anybody through a read-only connection.
        let reader = schema::connect_read_only(&url).await.expect("a connection");
        assert!(Writer::take_over(&reader).await.is_err());
    }
}

#[tokio::test]
async fn several_may_migrate_at_once() {
    let url = url().await;
    let (a, b) = futures::join!(schema::ensure_database(&url), schema::ensure_database(&url));
    a.and(b).expect("a database");
    let pool = schema::connect(&url).await.expect("a connection");
    let (a, b, c) = futures::join!(schema::migrate(&pool), schema::migrate(&pool), schema::migrate(&pool));
    a.and(b).and(c).expect("a schema");
    assert!(matches!(Writer::take_over(&pool).await, Err(StoreError::NoIndex)));
}

#[tokio::test]
async fn a_schema_that_grows_under_a_connection_is_read_at_the_second_try() {
    let (url, pool, _writer) = index().await;
    let reader = Reader::connect(&url).await.expect("a reader");
    let before = reader.read(None).await.expect("a read");
    ingest::checkpoint(&pool).await.expect("a read");
    for table in ["checkpoint", "namespace", "service", "instance", "live"] {
        let grow = format!("ALTER TABLE {table} ADD COLUMN new_here integer");
        sqlx::query(sqlx::AssertSqlSafe(grow)).execute(&pool).await.expect("a new column");
    }
    // Postgres refuses to run what was prepared for the old columns: at most once.
    let _ = reader.read(None).await;
    for _ in 0..3 {
        assert_eq!(reader.read(None).await.expect("a read"), before);
    }
    ingest::checkpoint(&pool).await.expect("a read").expect("a checkpoint");
}
