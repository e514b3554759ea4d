//! Heartbeats of days gone by go, and are in nobody's way.

use std::time::Duration;

use domain::{Clock, SystemClock};
use store::ingest::OldPlace;

use super::*;

/// Up to which block all is settled, in the table that is thinned out here.
const SETTLED: u64 = 1_000;

async fn rows(pool: &PgPool, sql: &'static str) -> Vec<(Vec<u8>, i64, i64)> {
    sqlx::query_as(sql).fetch_all(pool).await.expect(sql)
}

#[tokio::test]
async fn who_reads_heartbeats_is_not_waited_for() {
    let (_, pool, writer) = index().await;
    writer.apply(block(9).block, block(10), heads(10), 256, &batch(10, 1)).await.expect("applied");
    let clock = SystemClock::new();
    let before = clock.monotonic();
    // All of them, or the day that is to go.
    for lock in ["LOCK TABLE heartbeat IN ACCESS SHARE MODE", "LOCK TABLE heartbeat_1970_01_01 IN ACCESS SHARE MODE"] {
        let mut reader = pool.begin().await.expect("a reader");
        sqlx::query(lock).execute(&mut *reader).await.expect(lock);
        for _ in 0..5 {
            assert_eq!(writer.drop_heartbeats(block(10).block, 1, 10).await.expect("an answer"), None, "{lock}");
            writer.confirm(block(10).block, heads(10)).await.expect("confirmed");
        }
    }
    // It was 1.5 s each time.
    let took = clock.monotonic().saturating_sub(before);
    assert!(took < Duration::from_secs(10), "{took:?}");
    writer.apply(block(10).block, block(11), heads(11), 256, &batch(11, 2)).await.expect("applied");
    // One who reads another day is in nobody's way.
    sqlx::query("SELECT heartbeat_days('{100}')").execute(&pool).await.expect("a day");
    let mut vacuum = pool.begin().await.expect("a connection");
    let lock = "LOCK TABLE heartbeat_1970_04_11 IN SHARE UPDATE EXCLUSIVE MODE";
    sqlx::query(lock).execute(&mut *vacuum).await.expect(lock);
    assert_eq!(writer.drop_heartbeats(block(11).block, 1, 10).await.expect("dropped"), Some(1));
    vacuum.rollback().await.expect("the end");
    let old = rows(&pool, "SELECT instance_id, block_number, log_index FROM heartbeat_old ORDER BY 1").await;
    let kept = |n: u8, number| (vec![n; 32], number, 1);
    assert_eq!(old, [kept(1, 10), kept(2, 11)]);
}

#[tokio::test]
async fn a_large_table_of_old_heartbeats_is_thinned_out_page_by_page() {
    let (_, pool, writer) = index().await;
    let head = block(9).block;
    // Of 1,500 instances eight rows each: the last two are not settled, the last one is of a later day.
    sqlx::query(
        "INSERT INTO heartbeat_old (instance_id, block_number, log_index, time)
         SELECT sha256(n::text::bytea), block, n, CASE block WHEN 1400 THEN 86400 ELSE block END
         FROM generate_series(1, 1500) n,
              unnest('{1, 2, 300, 400, 999, 1000, 1001, 1400}'::bigint[]) block",
    )
    .execute(&pool)
    .await
    .expect("rows");
    assert_eq!(writer.drop_heartbeats(head, 1, SETTLED).await.expect("nothing to drop"), Some(1));
    let (mut pages, mut place) = (0, Some(OldPlace::default()));
    while let Some(after) = place {
        place = writer.thin_heartbeats(head, &after).await.expect("a page");
        pages += 1;
        let others = writer.thin_heartbeats(block(10).block, &after).await;
        assert!(matches!(others, Err(StoreError::Fenced { .. })), "{others:?}");
    }
    assert_eq!(pages, 7, "six full ones, and the end");
    let kept = rows(&pool, "SELECT instance_id, block_number, log_index FROM heartbeat_old ORDER BY 3, 2").await;
    let blocks: Vec<i64> = kept.iter().map(|(_, block, _)| *block).collect();
    assert_eq!(blocks, [1000, 1001, 1400].repeat(1_500), "the newest that is settled, and all that is not");
    // Once more: there is nothing to thin out any more.
    let mut place = OldPlace::default();
    while let Some(next) = writer.thin_heartbeats(head, &place).await.expect("a page") {
        place = next;
    }
    let again = rows(&pool, "SELECT instance_id, block_number, log_index FROM heartbeat_old ORDER BY 3, 2").await;
    assert_eq!(again, kept);
}

#[tokio::test]
async fn what_a_reorg_may_have_to_bring_back_is_not_thinned_out() {
    let (_, pool, writer) = index().await;
    let head = block(9).block;
    sqlx::query("INSERT INTO heartbeat_old SELECT '\\x01', n, 0, n FROM generate_series(1, 9) n")
        .execute(&pool)
        .await
        .expect("rows");
    writer.drop_heartbeats(head, 1, 9).await.expect("nothing to drop");
    // A reorg below what was settled came in between: so much is not settled any more.
    sqlx::query("UPDATE upkeep SET thinned_to = 5").execute(&pool).await.expect("taken back");
    writer.thin_heartbeats(head, &OldPlace::default()).await.expect("a page").expect("there are some");
    let kept = rows(&pool, "SELECT instance_id, block_number, log_index FROM heartbeat_old ORDER BY 2").await;
    assert!(kept.iter().map(|(_, block, _)| *block).eq(5..=9), "{kept:?}");
}
