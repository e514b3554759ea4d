//! What happened to an instance.

use domain::{Address, B256, Bytes};
use store::{
    StoreError,
    ingest::{Batch, RollUp},
    query::history::{HistoryReader, Page, Place, Wanted},
    rows::{DAY, EventRow, HeartbeatRow, UptimeRow},
    schema,
};

use super::{block, event, heads, index, instance, url};

fn wanted() -> Wanted {
    Wanted {
        instance: instance(3).id,
        newest_first: true,
        after: None,
        limit: 100,
        of_record: vec!["Registered", "Updated", "StatusSet"],
        said: vec!["Endorsed", "Withdrawn"],
        heartbeats: true,
    }
}

fn of(kind: &str, number: u64, log_index: u64) -> EventRow {
    EventRow { kind: kind.into(), ..event(number, log_index, 3) }
}

fn said(kind: &str, number: u64, log_index: u64) -> EventRow {
    EventRow {
        slot: Some(B256::left_padding_from(&(number * 100 + log_index).to_be_bytes())),
        contract: Address::repeat_byte(0xee),
        namespace: None,
        ..of(kind, number, log_index)
    }
}

fn places(page: &Page) -> Vec<(u64, u64, &str)> {
    page.rows.iter().map(|row| (row.block.number, row.log_index, row.kind.as_str())).collect()
}

/// Three blocks: registered, endorsed, renewed alone and with others; and another instance meanwhile.
async fn history() -> (String, sqlx::PgPool, store::ingest::Writer) {
    let (url, pool, writer) = index().await;
    let beat =
        |number, log_index, time| HeartbeatRow { instance: instance(3).id, block_number: number, log_index, time };
    let batches = [
        (10, vec![of("Registered", 10, 0), event(10, 1, 4)], vec![]),
        (
            11,
            vec![
                said("Endorsed", 11, 0),
                of("Heartbeat", 11, 1),
                EventRow {
                    instance: None,
                    namespace: None,
                    data: vec![7; 9_000].into(),
                    ..of("HeartbeatBatch", 11, 5)
                },
            ],
            vec![beat(11, 1, 1_011), beat(11, 5, 1_005)],
        ),
        (12, vec![EventRow { time: Some(77), ..of("StatusSet", 12, 0) }, said("Withdrawn", 12, 3)], vec![]),
    ];
    for (number, events, heartbeats) in batches {
        let blocks = vec![block(number)];
        let batch = Batch { blocks, events, heartbeats, ..Batch::default() };
        writer.apply(block(number - 1).block, block(number), heads(20), 256, &batch).await.expect("applied");
    }
    (url, pool, writer)
}

#[tokio::test]
async fn a_history_is_in_order_whole_and_of_one_instance() {
    let (url, _, _writer) = history().await;
    let reader = HistoryReader::new(&url).expect("a URL");
    let all = reader.events(&wanted()).await.expect("a page");
    let mut expected = vec![
        (12, 3, "Withdrawn"),
        (12, 0, "StatusSet"),
        (11, 5, "HeartbeatBatch"),
        (11, 1, "Heartbeat"),
        (11, 0, "Endorsed"),
        (10, 0, "Registered"),
    ];
    assert_eq!(places(&all), expected);
    assert!(!all.more);
    assert_eq!(all.checkpoint.head, block(12).block);

    // Each with what it is known by, and nothing of the log of a batch, which is about others too.
    let [withdrawn, status, batch, alone, endorsed, registered] = &all.rows[..] else { panic!("six") };
    assert_eq!(withdrawn.contract, Address::repeat_byte(0xee));
    assert_eq!((status.time, registered.time, endorsed.time), (Some(77), Some(1_010), Some(1_011)), "of its block");
    assert_eq!((batch.heartbeat, &batch.log), (Some(1_005), &None));
    let log = Some((vec![B256::repeat_byte(1), B256::repeat_byte(2)], Bytes::from_static(b"\0\xff")));
    assert_eq!((alone.heartbeat, &alone.log), (Some(1_011), &log));
    assert_eq!((registered.heartbeat, registered.block), (None, block(10).block));

    let oldest_first = reader.events(&Wanted { newest_first: false, ..wanted() }).await.expect("a page");
    expected.reverse();
    assert_eq!(places(&oldest_first), expected);
    let some = Wanted { of_record: vec!["Registered"], said: vec!["Withdrawn"], heartbeats: false, ..wanted() };
    let some = reader.events(&some).await.expect("a page");
    assert_eq!(places(&some), [(12, 3, "Withdrawn"), (10, 0, "Registered")]);
    let nobody = reader.events(&Wanted { instance: instance(9).id, ..wanted() }).await.expect("a page");
    assert!(nobody.rows.is_empty() && !nobody.more);
}

#[tokio::test]
async fn pages_have_every_event_once_though_more_come_meanwhile() {
    let (url, _, writer) = history().await;
    let reader = HistoryReader::new(&url).expect("a URL");
    for newest_first in [true, false] {
        let mut next = Wanted { newest_first, limit: 2, ..wanted() };
        let (mut seen, mut number) = (Vec::new(), 12);
        loop {
            let page = reader.events(&next).await.expect("a page");
            seen.extend(page.rows.iter().map(|row| Place { block: row.block.number, log_index: row.log_index }));
            if newest_first {
                number += 1;
                let batch =
                    Batch { blocks: vec![block(number)], events: vec![of("Updated", number, 0)], ..Batch::default() };
                let applied = writer.apply(block(number - 1).block, block(number), heads(20), 256, &batch);
                applied.await.expect("applied");
            }
            if !page.more {
                break;
            }
            next.after = seen.last().copied();
        }
        let mut sorted = seen.clone();
        sorted.sort();
        if newest_first {
            sorted.reverse();
            assert_eq!(seen.len(), 6, "what came meanwhile is newer than the first page");
        } else {
            assert_eq!(seen.len(), 9, "the same six, and three more");
        }
        assert_eq!(seen, sorted);
        let expected = seen.len();
        seen.dedup();
        assert_eq!(seen.len(), expected);
    }
}

#[tokio::test]
async fn uptimes_are_those_of_the_days_asked_for() {
    let (url, _, writer) = history().await;
    let reader = HistoryReader::new(&url).expect("a URL");
    let row = |n, day, seconds_up| UptimeRow { day, instance: instance(n).id, seconds_up, heartbeats: u64::from(n) };
    let roll_up = RollUp {
        rows: vec![row(3, 100, 1), row(4, 100, 2), row(3, 102, 86_400), row(3, 103, 4)],
        leases: vec![],
        day: 104,
        block: 12,
    };
    writer.roll_up(block(12).block, &roll_up).await.expect("rolled up");
    let uptimes = reader.uptimes(instance(3).id, |_| 100..=102).await.expect("uptimes");
    assert_eq!(uptimes.rows, [row(3, 100, 1), row(3, 102, 86_400)]);
    assert_eq!((uptimes.upkeep.uptime_day, uptimes.checkpoint.head), (104, block(12).block));
    let none = reader.uptimes(instance(3).id, |kept| kept.uptime_day..=1_000_000).await.expect("uptimes");
    assert!(none.rows.is_empty());
    assert!(matches!(reader.uptimes(instance(3).id, |_| 0..=u64::MAX).await, Err(StoreError::TooLarge { .. })));
}

#[tokio::test]
async fn heartbeats_of_days_that_went_are_there_as_far_as_they_are_kept() {
    let (url, _, writer) = history().await;
    let reader = HistoryReader::new(&url).expect("a URL");
    let from = 1_011 / DAY + 1;
    let dropped = writer.drop_heartbeats(block(12).block, from, 20).await.expect("dropped");
    assert_eq!(dropped, Some(from));
    let page = reader.events(&wanted()).await.expect("a page");
    let beats: Vec<_> = page.rows.iter().filter(|row| row.heartbeat.is_some()).map(|row| row.log_index).collect();
    assert_eq!(beats, [5], "the newest");
    assert_eq!(page.upkeep.heartbeats_from, from);
}

#[tokio::test]
async fn a_database_without_an_index_says_so_and_none_at_all_fails_soon() {
    let url = url().await;
    schema::ensure_database(&url).await.expect("a database");
    let reader = HistoryReader::new(&url).expect("a URL");
    assert!(matches!(reader.events(&wanted()).await, Err(StoreError::NoIndex)));
    // Nobody listens there.
    let away = HistoryReader::new("postgres://rollcall@127.0.0.1:1/rollcall").expect("a URL");
    assert!(matches!(away.events(&wanted()).await, Err(StoreError::Database(_))));
    assert!(HistoryReader::new("no URL").is_err());
}

#[tokio::test]
async fn a_schema_that_grows_is_read_at_the_second_try() {
    let (url, pool, _writer) = history().await;
    let reader = HistoryReader::new(&url).expect("a URL");
    let before = reader.events(&wanted()).await.expect("a page");
    for grow in ["ALTER TABLE checkpoint ADD COLUMN new_here integer", "ALTER TABLE upkeep ADD COLUMN new_here integer"]
    {
        sqlx::query(grow).execute(&pool).await.expect("a new column");
    }
    // Postgres refuses to run what was prepared for the old columns: at most once.
    let _ = reader.events(&wanted()).await;
    for _ in 0..3 {
        assert_eq!(reader.events(&wanted()).await.expect("a page"), before);
    }
}
