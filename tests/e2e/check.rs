//! `indexer check`: whatever is changed in the database is found.

use anvil_fixtures::{Scenario, chain::ACCOUNTS};
use anyhow::{Context, Result, ensure};
use bindings::ServiceRegistry::heartbeatCall;
use domain::{InstanceId, Namespace, ServiceKey};
use e2e::World;
use faulty_rpc::{Fault, FaultyRpc};
use indexer::check::{Report, check};
use serde_json::json;
use sqlx::{AssertSqlSafe, Connection, PgConnection, Row};
use store::rows::DAY;

async fn report(world: &World) -> Result<Report, indexer::IndexerError> {
    check(&world.indexer_config(), |_| {}).await
}

/// A world whose index nobody writes to any more.
async fn indexed() -> Result<World> {
    let mut world = World::play(Scenario::Governance).await?;
    world.take_indexer()?.stop().await?;
    Ok(world)
}

/// The same with every kind of row in it: some days are over, and the heartbeats of most are gone.
async fn aged() -> Result<World> {
    let mut world = indexed().await?;
    let namespace = Namespace::Label("acme".into()).id();
    let id = InstanceId::new(ServiceKey::new(namespace, "payments"), ACCOUNTS[2], "plain");
    world.chain.mine_after(2 * DAY).await?;
    world.chain.send(ACCOUNTS[2], &heartbeatCall { id: id.0 }).await?;
    let today = world.chain.time().await? / DAY;
    world.chain.raw("anvil_mine", json!([80, 1])).await?;
    world.keep_heartbeats = 1;
    world.start_indexer();
    world.kept_up(today).await?;
    world.take_indexer()?.stop().await?;
    Ok(world)
}

#[tokio::test]
async fn an_index_that_is_right_agrees_at_the_head_and_at_a_finalized_block() -> Result<()> {
    let mut world = indexed().await?;
    let young = report(&world).await?;
    ensure!(young.agrees() && !young.finalized && young.at == young.head, "{young:?}");
    ensure!(young.events > 30 && young.instances > 5 && young.endorsements.is_some(), "{young:?}");
    // Anvil calls a block finalized that is 64 blocks old: here one in the middle of it all.
    for _ in 0..40 {
        world.chain.mine_after(1).await?;
    }
    world.start_indexer();
    world.synced().await?;
    let old = report(&world).await?;
    ensure!(old.agrees() && old.finalized && old.at.number < young.head.number, "{old:?}");
    ensure!(old.registry.index != young.registry.index, "another moment, another root");
    Ok(())
}

/// It says so in other words each time, and means the range.
#[tokio::test]
async fn a_node_that_gives_few_blocks_at_once_serves_as_well() -> Result<()> {
    let world = indexed().await?;
    let faulty = FaultyRpc::start(world.rpc_url(), &world.rpc_url().replacen("http", "ws", 1)).await?;
    let config = indexer::Config { rpc_urls: vec![faulty.url()], ..world.indexer_config() };
    for most in [7, 1] {
        faulty.set(Fault::RangeTooLarge(most));
        let before = faulty.asked("eth_getLogs");
        let found = check(&config, |_| {}).await?;
        ensure!(found.agrees() && found.events == report(&world).await?.events, "{most}: {found:?}");
        ensure!(faulty.asked("eth_getLogs") - before > found.head.number / most, "{most}: it is asked for few");
    }
    let mut db = PgConnection::connect(&world.database_url).await?;
    let gone: i64 = sqlx::query_scalar(
        "DELETE FROM event WHERE block_number = (SELECT max(block_number) FROM event WHERE kind = 'Heartbeat') RETURNING block_number",
    )
    .fetch_one(&mut db)
    .await?;
    let found = check(&config, |_| {}).await?;
    let what = &found.differences.first().context("a difference")?.what;
    ensure!(what.ends_with("is missing") && what.contains(&format!("at block {gone}, ")), "{found:?}");
    // Not for ever: a node that gives no logs at all is not asked in vain again and again.
    faulty.set(Fault::RangeTooLarge(0));
    let error = check(&config, |_| {}).await.expect_err("no logs");
    ensure!(matches!(error, indexer::IndexerError::Rpc { method: "eth_getLogs", .. }), "{error}");
    Ok(())
}

/// The columns of an audit: what else there is says how the indexer feels, or what gateways have to read.
const COLUMNS: &str = "SELECT c.table_name::text, c.column_name::text, c.udt_name::text
    FROM information_schema.columns c JOIN information_schema.tables t USING (table_schema, table_name)
    WHERE table_schema = 'public' AND table_type = 'BASE TABLE'
      AND table_name NOT IN ('changes', 'event_orphan', 'upkeep', '_sqlx_migrations')
      AND NOT EXISTS (SELECT FROM pg_inherits WHERE inhrelid = table_name::regclass)
      AND (table_name <> 'checkpoint' OR column_name IN
          ('chain_id', 'genesis_hash', 'contract', 'code_hash', 'endorsements', 'deploy_block', 'deploy_hash',
           'next_block', 'head_hash', 'head_time'))
    ORDER BY 1, 2";

/// Another value than the one that is there.
fn another(column: &str, kind: &str) -> Result<String> {
    Ok(match kind {
        "int2" if column == "status" => format!("{column} % 5 + 1"),
        "int2" => format!("({column} + 1) % 8"),
        "int4" | "int8" => format!("{column} + 1"),
        "date" => format!("{column} + 1"),
        "text" => format!("coalesce({column}, '') || 'x'"),
        "bool" => format!("NOT {column}"),
        "bytea" => format!(
            "CASE WHEN length({column}) > 0 THEN set_byte({column}, 0, get_byte({column}, 0) # 1) ELSE '\\x01'::bytea END"
        ),
        "_bytea" => format!("array_append({column}, '\\x00'::bytea)"),
        other => anyhow::bail!("a column of type {other}"),
    })
}

#[tokio::test]
async fn one_changed_field_of_any_row_is_found() -> Result<()> {
    let world = aged().await?;
    let mut db = PgConnection::connect(&world.database_url).await?;
    ensure!(report(&world).await?.agrees());
    let columns = sqlx::query(COLUMNS).fetch_all(&mut db).await?;
    ensure!(columns.len() > 90, "{} columns", columns.len());
    for row in columns {
        let (table, column, kind): (String, String, String) = (row.get(0), row.get(1), row.get(2));
        let (value, quoted) = (another(&column, &kind)?, format!("\"{column}\""));
        let of = format!("{table}.{column}");
        // Of the genesis block, before the first event, nothing is in the index but its hash.
        let last = if table == "block" { "number" } else { "ctid" };
        let place: String = sqlx::query_scalar(AssertSqlSafe(format!(
            "SELECT format('tableoid = %s AND ctid = %L', tableoid, ctid) FROM {table} WHERE {quoted} IS NOT NULL ORDER BY {last} DESC LIMIT 1"
        )))
        .fetch_optional(&mut db)
        .await?
        .with_context(|| format!("no row with {of}"))?;
        for sql in [
            format!("CREATE TEMP TABLE was AS SELECT * FROM {table}"),
            format!("UPDATE {table} SET {quoted} = {value} WHERE {place}"),
        ] {
            sqlx::query(AssertSqlSafe(sql)).execute(&mut db).await.with_context(|| of.clone())?;
        }
        match report(&world).await {
            Ok(report) => ensure!(!report.agrees(), "{of} is not found: {report:?}"),
            // Of the checkpoint: then it is another index.
            Err(error) => ensure!(table == "checkpoint" || error.to_string().contains(&table), "{of}: {error}"),
        }
        for sql in
            [format!("DELETE FROM {table}"), format!("INSERT INTO {table} SELECT * FROM was"), "DROP TABLE was".into()]
        {
            sqlx::query(AssertSqlSafe(sql)).execute(&mut db).await?;
        }
    }
    ensure!(report(&world).await?.agrees());
    Ok(())
}

#[tokio::test]
async fn a_row_that_is_deleted_or_made_up_is_found() -> Result<()> {
    let world = aged().await?;
    let mut db = PgConnection::connect(&world.database_url).await?;
    let events: i64 = sqlx::query_scalar("SELECT count(*) FROM event").fetch_one(&mut db).await?;
    for n in 0..events {
        sqlx::query("CREATE TEMP TABLE was AS SELECT * FROM event ORDER BY block_number, log_index LIMIT 1 OFFSET $1")
            .bind(n)
            .execute(&mut db)
            .await?;
        let gone = "DELETE FROM event USING was WHERE (event.block_number, event.log_index) = (was.block_number, was.log_index)";
        sqlx::query(gone).execute(&mut db).await?;
        let found = report(&world).await?;
        ensure!(!found.agrees(), "the deletion of event {n} is not found");
        ensure!(found.differences[0].what.ends_with("is missing"), "{found:?}");
        ensure!(found.registry.index != found.registry.chain || found.differences.len() > 1 || n > 0, "{found:?}");
        // The same event once more, in a block after it.
        for sql in [
            "INSERT INTO event SELECT * FROM was",
            "INSERT INTO event SELECT * FROM was ON CONFLICT DO NOTHING",
            "UPDATE was SET block_number = block_number + 1, log_index = 77",
            "INSERT INTO event SELECT * FROM was",
        ] {
            sqlx::query(sql).execute(&mut db).await?;
        }
        let found = report(&world).await?;
        ensure!(
            found
                .differences
                .iter()
                .any(|one| one.what.contains("not on the chain") || one.what.contains("above the head")),
            "{n}: {found:?}"
        );
        for sql in ["DELETE FROM event WHERE log_index = 77", "DROP TABLE was"] {
            sqlx::query(sql).execute(&mut db).await?;
        }
    }
    let tables = ["heartbeat", "namespace", "service", "instance", "live", "operator", "endorsement", "registrar"];
    for table in tables.into_iter().chain(["uptime", "uptime_lease", "heartbeat_old"]) {
        for sql in [
            format!("CREATE TEMP TABLE was AS SELECT * FROM {table}"),
            // The newest of its instance: another one may go at any time.
            match table {
                "heartbeat_old" => {
                    format!("DELETE FROM {table} WHERE instance_id NOT IN (SELECT instance_id FROM heartbeat)")
                }
                _ => format!("DELETE FROM {table} WHERE ctid = (SELECT max(ctid) FROM {table})"),
            },
        ] {
            sqlx::query(AssertSqlSafe(sql)).execute(&mut db).await?;
        }
        let found = report(&world).await;
        ensure!(!found.is_ok_and(|report| report.agrees()), "a row of {table} less is not found");
        for sql in [format!("INSERT INTO {table} SELECT * FROM was ON CONFLICT DO NOTHING"), "DROP TABLE was".into()] {
            sqlx::query(AssertSqlSafe(sql)).execute(&mut db).await?;
        }
    }
    ensure!(report(&world).await?.agrees());
    Ok(())
}
