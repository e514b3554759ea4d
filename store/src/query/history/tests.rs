use sqlx::{AssertSqlSafe, Row};
use tools::{TestPostgres, Tools};

use super::*;
use crate::schema;

const OF_RECORD: [&str; 3] = ["Registered", "Updated", "StatusSet"];
const SAID: [&str; 3] = ["Endorsed", "Withdrawn", "OwnerProposed"];

fn wanted(newest_first: bool) -> Wanted {
    Wanted {
        instance: InstanceId(B256::with_last_byte(7)),
        newest_first,
        after: None,
        limit: 100,
        of_record: OF_RECORD.into(),
        said: SAID.into(),
        heartbeats: true,
    }
}

/// 300,000 events of 256 instances: most are heartbeats; of one instance, tens of thousands are endorsements. Heartbeats
/// of 20 days are kept, and of 10 days gone by.
async fn filled() -> (TestPostgres, PgPool) {
    let postgres = TestPostgres::start(&Tools::ensure().expect("the tools")).await.expect("Postgres");
    let pool = schema::connect(&postgres.url("postgres")).await.expect("a connection");
    schema::migrate(&pool).await.expect("a schema");
    for sql in [
        "INSERT INTO event (block_number, log_index, block_hash, tx_hash, kind, instance_id, topics, data, contract, slot)
         SELECT n / 4, n % 4, '', '', kind, CASE WHEN kind <> 'HeartbeatBatch' THEN lpad('', 31, chr(1))::bytea || id END,
                '', '', '', CASE WHEN kind = 'Endorsed' THEN decode(lpad(to_hex(n), 64, '0'), 'hex') END
         FROM (SELECT n, decode(lpad(to_hex(CASE WHEN n % 6 = 0 THEN 7 ELSE n % 256 END), 2, '0'), 'hex') AS id,
                      CASE WHEN n % 6 = 0 THEN 'Endorsed' WHEN n % 101 = 1 THEN 'Updated'
                           WHEN n % 101 = 3 THEN 'HeartbeatBatch' ELSE 'Heartbeat' END AS kind
               FROM generate_series(1, 300000) AS n) AS made",
        "UPDATE event SET instance_id = decode(repeat('00', 31), 'hex') || substr(instance_id, 32)
         WHERE instance_id IS NOT NULL",
        "SELECT heartbeat_days(array_agg(day)) FROM generate_series(10, 30) AS day",
        "INSERT INTO heartbeat SELECT instance_id, block_number, log_index, 10 * 86400 + block_number * 20
         FROM event WHERE kind = 'Heartbeat'",
        "INSERT INTO heartbeat_old SELECT instance_id, block_number, log_index, block_number * 10
         FROM event WHERE kind = 'Updated'",
        "INSERT INTO uptime SELECT decode(lpad(to_hex(id), 64, '0'), 'hex'), date '1970-01-01' + day, 1, 1
         FROM generate_series(0, 255) AS id, generate_series(0, 500) AS day",
        "VACUUM ANALYZE",
    ] {
        sqlx::raw_sql(sql).execute(&pool).await.expect(sql);
    }
    (postgres, pool)
}

async fn plan(pool: &PgPool, sql: &str, wanted: &Wanted) -> String {
    let explain = AssertSqlSafe(format!("EXPLAIN (ANALYZE, BUFFERS OFF, TIMING OFF) {sql}"));
    let rows = bound(explain, wanted).expect("numbers that fit").fetch_all(pool).await.expect("a plan");
    rows.iter().map(|row| row.get::<String, _>(0)).collect::<Vec<_>>().join("\n")
}

/// `block` aside, which has the last few hundred.
fn reads_no_table(plan: &str) -> bool {
    !plan.replace("Seq Scan on block", "").contains("Seq Scan")
}

#[tokio::test]
async fn a_page_reads_as_many_rows_as_it_has_however_many_there_are() {
    let (_postgres, pool) = filled().await;
    for (newest_first, sql) in [(true, NEWEST_FIRST), (false, OLDEST_FIRST)] {
        for after in [None, Some(Place { block: 40_000, log_index: 1 })] {
            let wanted = Wanted { after, ..wanted(newest_first) };
            let plan = plan(&pool, sql, &wanted).await;
            assert!(reads_no_table(&plan), "{plan}");
            assert!(plan.contains("event_said_of") && plan.contains("event_of_record"), "{plan}");
            // No step reads more than a page of each kind, and one row to tell that there are more.
            let rows = |line: &str| line.split("(actual rows=").nth(1)?.split_whitespace().next()?.parse::<f64>().ok();
            let most = plan.lines().filter_map(rows).fold(0.0, f64::max);
            assert!((101.0..=303.0).contains(&most), "{most}: {plan}");
        }
    }
    // One kind of which there is none, among tens of thousands of another.
    let none = Wanted { said: vec!["Withdrawn"], of_record: vec![], heartbeats: false, ..wanted(true) };
    let plan = plan(&pool, NEWEST_FIRST, &none).await;
    assert!(reads_no_table(&plan) && !plan.contains("Rows Removed"), "{plan}");
}
