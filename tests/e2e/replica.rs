//! A gateway on a streaming replica, where nobody can listen: the poll does it alone.

use std::time::Duration;

use anyhow::{Result, ensure};
use e2e::{World, database, replica::Replicated, world::OWNER};
use sqlx::{Connection, PgConnection};

#[tokio::test]
async fn a_gateway_on_a_read_replica_polls() -> Result<()> {
    let replicated = Replicated::start().await?;
    let mut world = World::start().await?;
    world.take_gateway()?.stop().await?;
    world.take_indexer()?.stop().await?;
    world.database_url = database::create_on(&replicated.primary_url("postgres")).await?;
    world.start_indexer();
    let (_, name) = world.database_url.rsplit_once('/').expect("a URL");
    let database_url = replicated.replica_url(name);
    let reader = database::reader(&database_url)?;
    world.start_gateway_with(gateway::Config { database_url: reader, ..world.gateway_config()? }).await?;
    world.synced().await?;

    let id = world.register("payments", "a1").await?;
    world.register("payments", "a2").await?;
    ensure!(world.live("payments").await?.len() == 2);
    let registered = world.chain.time().await?;
    world.chain.mine_at(registered + 25).await?;
    world.heartbeat(id).await?;
    world.chain.mine_at(registered + 31).await?;
    world.synced().await?;
    world.clock.advance(Duration::from_millis(1));
    ensure!(world.live("payments").await? == ["a1"]);
    let (_, body) = world.get(&format!("/v1/namespaces/{OWNER}/services/payments/instances")).await?;
    ensure!(body["mode"] == "normal", "{body}");

    let mut db = PgConnection::connect(&database_url).await?;
    let is_replica: bool = sqlx::query_scalar("SELECT pg_is_in_recovery()").fetch_one(&mut db).await?;
    let listen = sqlx::query("LISTEN rollcall_changes").execute(&mut db).await;
    ensure!(is_replica && listen.is_err(), "this is no replica: {listen:?}");
    let readers = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'rollcall-gateway'";
    let readers: i64 = sqlx::query_scalar(readers).fetch_one(&mut db).await?;
    ensure!(readers > 0, "the gateway reads from somewhere else");
    drop(db);
    world.take_gateway()?.stop().await?;
    world.take_indexer()?.stop().await?;
    replicated.stop().await
}
