//! An index that is built beside takes the place of the one in use.

use std::sync::{Arc, atomic::AtomicBool};

use store::{
    audit::Audit,
    reindex::{NotYet, Reindex, Swap},
    rows::Checkpoint,
    schema::Place,
};

use super::*;

/// Brings into the schema what a later migration might: partitions by functions, a view, a type, a sequence.
const LATER: &str = "
    CREATE TYPE mood AS ENUM ('well', 'unwell');
    CREATE TABLE beat (day bigint NOT NULL, mood mood, nr bigserial, PRIMARY KEY (day)) PARTITION BY RANGE (day);
    CREATE FUNCTION beat_day(day bigint) RETURNS void LANGUAGE plpgsql AS $$ BEGIN
        IF to_regclass('beat_' || day) IS NULL THEN
            EXECUTE format('CREATE TABLE %I PARTITION OF beat FOR VALUES FROM (%s) TO (%s)', 'beat_' || day, day, day + 1);
        END IF;
        INSERT INTO beat (day, mood) VALUES (day, 'well');
    END $$;
    CREATE VIEW beat_all AS SELECT day FROM beat";

async fn run(pool: &PgPool, sql: &'static str) {
    sqlx::raw_sql(sql).execute(pool).await.expect(sql);
}

async fn number(pool: &PgPool, sql: &'static str) -> i64 {
    sqlx::query_scalar(sql).fetch_one(pool).await.expect(sql)
}

async fn checkpoint(pool: &PgPool) -> Checkpoint {
    ingest::checkpoint(pool).await.expect("a read").expect("a checkpoint")
}

/// The right to build, and an index beside, whose head is block 9.
async fn beside(url: &str, live: &PgPool) -> (Reindex, PgPool, Writer) {
    let mut reindex = right(live).await;
    reindex.prepare(false).await.expect("a schema");
    let pool = schema::connect_to(url, Place::Beside).await.expect("a connection");
    schema::migrate(&pool).await.expect("tables");
    let origin = checkpoint(live).await.origin;
    ingest::init(&pool, &origin, &block(9), heads(20)).await.expect("an index");
    let (writer, _) = Writer::take_over(&pool).await.expect("the writer");
    (reindex, pool, writer)
}

async fn apply(writer: &Writer, number: u64, tip: u64, n: u8) {
    writer.apply(block(number - 1).block, block(number), heads(tip), 256, &batch(number, n)).await.expect("applied");
}

#[tokio::test]
async fn the_new_index_is_in_use_at_once_and_both_writers_are_fenced() {
    let (url, pool, writer) = index().await;
    let reader = Reader::connect(&url).await.expect("a reader");
    apply(&writer, 10, 10, 1).await;
    writer.note_headers_hash().await.expect("noted");
    run(&pool, "UPDATE instance SET version = 'damaged'; UPDATE checkpoint SET change_seq = change_seq + 100").await;
    let Update::Snapshot(before) = reader.read(None).await.expect("a read") else { panic!("not the first") };

    let (mut reindex, new, builder) = beside(&url, &pool).await;
    assert_eq!(number(&new, "SELECT count(*) FROM event").await, 0, "nothing of the one in use is seen");
    apply(&builder, 10, 10, 1).await;
    let epochs = [checkpoint(&pool).await.writer_epoch, checkpoint(&new).await.writer_epoch];
    assert_eq!(reindex.swap(None).await.expect("a swap"), Swap::Done(block(10).block));

    let known = before.checkpoint.clone();
    let Update::Snapshot(after) = reader.read(Some(&known)).await.expect("a read") else { panic!("all of it is new") };
    assert_eq!(after.instances, [instance(1)]);
    assert_ne!(before.instances, after.instances);
    let now = checkpoint(&pool).await;
    assert!(epochs.iter().all(|epoch| now.writer_epoch > *epoch), "{epochs:?} {now:?}");
    assert!(now.change_seq > known.change_seq && now.confirmations > known.confirmations, "{now:?}");
    assert_eq!(seqs(&pool).await, [(now.change_seq, "reorg".to_owned())]);
    assert!(now.headers_hash, "what was proved of the chain stays proved");

    let late = writer.apply(block(10).block, block(11), heads(11), 256, &batch(11, 2)).await;
    assert!(matches!(late, Err(StoreError::Fenced { .. })), "{late:?}");
    assert!(builder.apply(block(10).block, block(11), heads(11), 256, &batch(11, 2)).await.is_err());
    let (writer, checkpoint) = Writer::take_over(&pool).await.expect("goes on");
    assert_eq!(checkpoint.head, block(10).block);
    apply(&writer, 11, 11, 2).await;
    assert_eq!(snapshot(&url).await.instances, [instance(1), instance(2)]);

    assert_eq!(number(&pool, "SELECT count(*) FROM rollcall_old.event").await, 2);
    reindex.drop_old().await.expect("dropped");
    assert_eq!(number(&pool, "SELECT count(*) FROM pg_namespace WHERE nspname LIKE 'rollcall%'").await, 0);
    schema::migrate(&pool).await.expect("nothing to do");
    // And once more, from the same connections.
    drop((reindex, new));
    let (mut reindex, _new, builder) = beside(&url, &pool).await;
    apply(&builder, 10, 11, 1).await;
    apply(&builder, 11, 11, 2).await;
    assert_eq!(reindex.swap(None).await.expect("a swap"), Swap::Done(block(11).block));
    assert_eq!(reader.read(None).await.map(|_| ()).ok(), Some(()));
}

/// The right to build, once the server has heard that the connection of whoever had it is gone.
async fn right(live: &PgPool) -> Reindex {
    loop {
        match Reindex::begin(live).await {
            Ok(right) => return right,
            Err(error) => assert!(matches!(error, StoreError::Reindexing), "{error}"),
        }
    }
}

#[tokio::test]
async fn all_that_belongs_to_the_index_moves_and_nothing_else() {
    let (url, pool, _writer) = index().await;
    let (mut reindex, new, builder) = beside(&url, &pool).await;
    run(&pool, "CREATE TABLE other (n integer); INSERT INTO other VALUES (7); CREATE VIEW others AS TABLE other").await;
    run(&pool, LATER).await;
    run(&new, LATER).await;
    // A day that the new index does not have, one that both have, and one that the old one does not have.
    run(&pool, "SELECT beat_day(1), beat_day(2)").await;
    run(&new, "SELECT beat_day(2), beat_day(3)").await;
    builder.confirm(block(9).block, heads(9)).await.expect("at the tip");
    assert_eq!(reindex.swap(None).await.expect("a swap"), Swap::Done(block(9).block));

    let tables = "SELECT string_agg(relname, ' ' ORDER BY relname) FROM pg_class
                  WHERE relnamespace = $1::regnamespace AND relname LIKE ANY (ARRAY['beat%', 'other%']) AND relkind NOT IN ('i', 'I')";
    for (place, expected) in [
        ("public", "beat beat_2 beat_3 beat_all beat_nr_seq other others"),
        ("rollcall_old", "beat beat_1 beat_2 beat_all beat_nr_seq"),
    ] {
        let found: String = sqlx::query_scalar(tables).bind(place).fetch_one(&pool).await.expect("tables");
        assert_eq!(found, expected, "{place}");
    }
    run(&pool, "SELECT beat_day(1)").await;
    assert_eq!(number(&pool, "SELECT sum(day)::bigint FROM beat_all").await, 6);
    reindex.drop_old().await.expect("dropped");
    run(&pool, "SELECT beat_day(4)").await;
    assert_eq!(number(&pool, "SELECT sum(day)::bigint FROM beat_all").await, 10);
    assert_eq!(number(&pool, "SELECT n::bigint FROM others").await, 7);
    assert_eq!(number(&pool, "SELECT count(*) FROM beat WHERE mood = 'well'").await, 4);
}

#[tokio::test]
async fn who_could_read_the_old_tables_reads_the_new_ones() {
    let (url, pool, _writer) = index().await;
    let role = "reader_of_reindex";
    schema::ensure_reader(&pool, role).await.expect("a reader");
    run(&pool, "GRANT INSERT ON event_orphan TO PUBLIC; GRANT UPDATE ON live TO reader_of_reindex WITH GRANT OPTION")
        .await;
    let as_reader = schema::connect(&url.replace("rollcall@", &format!("{role}@"))).await.expect("a connection");
    checkpoint(&as_reader).await;
    let grants = "SELECT count(*) FROM (SELECT relname, aclexplode(relacl) FROM pg_class
                  WHERE relnamespace = 'public'::regnamespace AND relkind = 'r') AS grants";
    let before = number(&pool, grants).await;
    let (mut reindex, _new, builder) = beside(&url, &pool).await;
    builder.confirm(block(9).block, heads(9)).await.expect("at the tip");
    reindex.swap(None).await.expect("a swap");
    assert_eq!(number(&pool, grants).await, before);
    assert_eq!(number(&as_reader, "SELECT count(*) FROM event").await, 0);
    checkpoint(&as_reader).await;
    let refused = Writer::take_over(&as_reader).await.expect_err("may not write");
    assert!(refused.is_permanent(), "{refused}");
}

#[tokio::test]
async fn readers_never_go_back() {
    let (url, pool, writer) = index().await;
    apply(&writer, 10, 11, 1).await;
    apply(&writer, 11, 11, 2).await;
    let (mut reindex, _new, builder) = beside(&url, &pool).await;
    assert_eq!(reindex.swap(None).await.expect("a look"), Swap::NotYet(NotYet::Filling));
    apply(&builder, 10, 10, 1).await;
    let behind = NotYet::Behind { live: block(11).block, beside: block(10).block };
    assert_eq!(reindex.swap(None).await.expect("a look"), Swap::NotYet(behind));
    // Not even if the one in use was stuck at another place before.
    let elsewhere = Checkpoint { head: block(10).block, ..checkpoint(&pool).await };
    assert_eq!(reindex.swap(Some(&elsewhere)).await.expect("a look"), Swap::NotYet(behind));
    run(
        &pool,
        "UPDATE checkpoint SET head_hash = '\\x3333333333333333333333333333333333333333333333333333333333333333'",
    )
    .await;
    apply(&builder, 11, 11, 2).await;
    let live = checkpoint(&pool).await;
    let branch = NotYet::OtherBranch { live: live.head };
    assert_eq!(reindex.swap(None).await.expect("a look"), Swap::NotYet(branch));
    // Wedged there, it is not waited for.
    assert_eq!(reindex.swap(Some(&live)).await.expect("a swap"), Swap::Done(block(11).block));
}

#[tokio::test]
async fn a_read_is_of_one_index_and_who_reads_for_long_is_left_alone() {
    let (url, pool, _writer) = index().await;
    let (mut reindex, _new, builder) = beside(&url, &pool).await;
    builder.confirm(block(9).block, heads(9)).await.expect("at the tip");
    let audit = Audit::begin(&pool).await.expect("a long read");
    assert_eq!(reindex.swap(None).await.expect("a look"), Swap::NotYet(NotYet::InUse));
    drop(audit);
    assert_eq!(reindex.swap(None).await.expect("a swap"), Swap::Done(block(9).block));
}

#[tokio::test]
async fn what_reorgs_took_out_is_taken_over() {
    let (url, pool, _writer) = index().await;
    let orphan = "INSERT INTO event_orphan (block_number, log_index, block_hash, tx_hash, kind, topics, data, contract,
                                            orphaned_by) VALUES (5, 1, '\\x05', '', 'Registered', '', '', '', '')";
    run(&pool, orphan).await;
    let (mut reindex, new, builder) = beside(&url, &pool).await;
    run(&new, orphan).await;
    run(
        &pool,
        "INSERT INTO event_orphan SELECT 6, 1, '\\x06', tx_hash, kind, instance_id, namespace_id, topics, data,
                       orphaned_by, contract, slot FROM event_orphan",
    )
    .await;
    builder.confirm(block(9).block, heads(9)).await.expect("at the tip");
    reindex.swap(None).await.expect("a swap");
    assert_eq!(number(&pool, "SELECT sum(block_number)::bigint FROM event_orphan").await, 11);
}

#[tokio::test]
async fn one_builds_at_a_time_and_a_half_built_index_stays_unless_it_is_unwanted() {
    let (url, pool, _writer) = index().await;
    let (reindex, new, builder) = beside(&url, &pool).await;
    apply(&builder, 10, 20, 1).await;
    let second = Reindex::begin(&pool).await.expect_err("one at a time");
    assert!(matches!(second, StoreError::Reindexing), "{second}");
    drop(reindex);
    let mut again = right(&pool).await;
    again.prepare(false).await.expect("kept");
    assert_eq!(again.beside().await.expect("a read").expect("an index").head, block(10).block);
    again.prepare(true).await.expect("thrown away");
    assert_eq!(again.beside().await.expect("a read"), None);
    assert_eq!(again.swap(None).await.expect("a look"), Swap::NotYet(NotYet::Filling));
    drop(new);
    let empty = url.clone() + "_empty";
    schema::ensure_database(&empty).await.expect("a database");
    let pool = schema::connect(&empty).await.expect("a connection");
    schema::migrate(&pool).await.expect("a schema");
    assert!(matches!(Reindex::begin(&pool).await, Err(StoreError::NoIndex)));
}

#[tokio::test]
async fn an_index_of_another_contract_or_version_or_with_strangers_on_it_is_not_replaced() {
    let (url, pool, _writer) = index().await;
    let (mut reindex, new, builder) = beside(&url, &pool).await;
    builder.confirm(block(9).block, heads(9)).await.expect("at the tip");
    reindex.check().await.expect("all is well");
    for (wrong, right, says) in [
        ("UPDATE checkpoint SET chain_id = 1", "UPDATE checkpoint SET chain_id = 31337", "chain id"),
        (
            "UPDATE checkpoint SET endorsements = NULL",
            "UPDATE checkpoint SET endorsements = decode(repeat('ee', 20), 'hex')",
            "endorsements",
        ),
        ("UPDATE _sqlx_migrations SET checksum = '' WHERE version = 2", "", "another version"),
    ] {
        let checksum: Vec<u8> = sqlx::query_scalar("SELECT checksum FROM _sqlx_migrations WHERE version = 2")
            .fetch_one(&new)
            .await
            .expect("one");
        run(&new, wrong).await;
        for error in [reindex.check().await.expect_err(says), reindex.swap(None).await.expect_err(says)] {
            assert!(matches!(error, StoreError::NoSuccessor(_)) && error.to_string().contains(says), "{error}");
        }
        run(&new, right).await;
        let restored = sqlx::query("UPDATE _sqlx_migrations SET checksum = $1 WHERE version = 2").bind(checksum);
        restored.execute(&new).await.expect("restored");
    }
    for (wrong, right, says) in [
        ("CREATE VIEW mine AS SELECT label FROM instance", "DROP VIEW mine", "mine"),
        ("CREATE TABLE my_notes (id bytea REFERENCES instance, note text)", "DROP TABLE my_notes", "my_notes"),
    ] {
        run(&pool, wrong).await;
        let error = reindex.swap(None).await.expect_err(says);
        assert!(matches!(error, StoreError::NoSuccessor(_)) && error.to_string().contains(says), "{error}");
        run(&pool, right).await;
    }
    assert_eq!(reindex.swap(None).await.expect("a swap"), Swap::Done(block(9).block));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_read_sees_the_new_index_as_it_was_before_it_was_in_use() {
    let (url, pool, writer) = index().await;
    apply(&writer, 10, 10, 1).await;
    let stop = Arc::new(AtomicBool::new(false));
    let reads = (0..4).map(|_| {
        let (url, stop) = (url.clone(), stop.clone());
        tokio::spawn(async move {
            let reader = Reader::connect(&url).await.expect("a reader");
            let (mut place, mut reads) = ((0, 0, 0), 0);
            while !stop.load(Ordering::Relaxed) {
                let Update::Snapshot(found) = reader.read(None).await.expect("a read") else { panic!("not asked for") };
                let now = &found.checkpoint;
                let next = (now.writer_epoch, now.change_seq, now.confirmations);
                assert!(next >= place && found.instances.len() == 1, "{next:?} after {place:?}: {found:?}");
                (place, reads) = (next, reads + 1);
            }
            reads
        })
    });
    let reads: Vec<_> = reads.collect();
    for _ in 0..4 {
        let (mut reindex, new, builder) = beside(&url, &pool).await;
        apply(&builder, 10, 10, 1).await;
        // Never in step: each index counts its own.
        while let Swap::NotYet(not_yet) = reindex.swap(None).await.expect("a swap") {
            assert_eq!(not_yet, NotYet::InUse);
        }
        new.close().await;
    }
    stop.store(true, Ordering::Relaxed);
    for task in reads {
        assert!(task.await.expect("no read failed") > 4);
    }
}
