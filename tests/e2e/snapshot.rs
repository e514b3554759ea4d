//! A gateway that starts while the database is away serves what is on disk, and says so.

use std::time::Duration;

use anyhow::{Result, ensure};
use e2e::{World, eventually, world::OWNER};

#[tokio::test]
async fn a_gateway_that_starts_without_its_database_serves_what_it_knew() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("snapshot");
    let mut world = World::with_own_postgres().await?;
    world.register("payments", "a1").await?;
    world.register("payments", "a2").await?;
    let path = format!("/v1/namespaces/{OWNER}/services/payments/instances");
    world.take_gateway()?.stop().await?;

    // Without one, there is nothing to answer with.
    world.snapshot = Some(file.clone());
    world.postgres()?.stop_server().await?;
    world.start_gateway().await?;
    let (status, problem) = world.get(&path).await?;
    ensure!((status, &problem["type"]) == (503, &"urn:rollcall:error:not-ready".into()), "{status}: {problem}");
    world.postgres()?.start_server().await?;
    world.synced().await?;
    let (_, before) = world.get(&path).await?;
    ensure!(before["mode"] == "normal" && before["matched"] == 2, "{before}");

    // A stop writes the file; ten minutes later there is no database.
    world.take_gateway()?.stop().await?;
    ensure!(file.is_file(), "no file after a stop");
    world.postgres()?.stop_server().await?;
    world.clock.advance(Duration::from_secs(600));
    world.start_gateway().await?;
    let stale = eventually("what is on disk", async || {
        world.get(&path).await.ok().filter(|(status, _)| *status == 200).map(|(_, body)| body)
    })
    .await?;
    ensure!(stale["mode"] == "stale", "{stale}");
    ensure!(stale["instances"] == before["instances"], "{stale} is not {before}");
    let response = world.response(&path).await?;
    let age: u64 = response.headers()["x-registry-head-age"].to_str()?.parse()?;
    ensure!((600..660).contains(&age), "{age} s");
    ensure!(world.get("/readyz").await?.0 == 503);
    ensure!(world.get("/livez").await?.0 == 200);
    let id = before["instances"][0]["id"].as_str().unwrap_or_default();
    let (status, problem) = world.get(&format!("/v1/instances/{id}/history")).await?;
    ensure!((status, &problem["type"]) == (503, &"urn:rollcall:error:database-away".into()), "{status}: {problem}");

    // A stop without the database keeps the file.
    let bytes = std::fs::read(&file)?;
    world.take_gateway()?.stop().await?;
    ensure!(std::fs::read(&file)? == bytes, "the old file is better than none");
    world.start_gateway().await?;
    eventually("what is on disk", async || world.get(&path).await.ok().filter(|(status, _)| *status == 200)).await?;

    // The database is back: its truth counts.
    world.postgres()?.start_server().await?;
    world.synced().await?;
    world.register("payments", "a3").await?;
    eventually("mode normal", async || {
        let (_, body) = world.get(&path).await.ok()?;
        (body["mode"] == "normal" && body["matched"] == 3).then_some(())
    })
    .await?;
    ensure!(world.get("/readyz").await?.0 == 200);
    Ok(())
}

#[tokio::test]
async fn a_file_that_is_broken_or_of_another_chain_harms_nobody() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("snapshot");
    let mut world = World::with_own_postgres().await?;
    world.register("payments", "a1").await?;
    world.take_gateway()?.stop().await?;
    world.snapshot = Some(file.clone());
    std::fs::write(&file, b"rollcall-gateway\x01\0\0\0 and then nothing of use")?;
    world.postgres()?.stop_server().await?;
    world.start_gateway().await?;
    // It has looked at the file when the first attempt to read the database has failed.
    eventually("a fault of the database", async || {
        let (status, body) = world.get("/readyz").await.ok()?;
        let detail = body["detail"].as_str()?;
        (status == 503 && detail.contains("does not answer")).then_some(())
    })
    .await?;
    let path = format!("/v1/namespaces/{OWNER}/services/payments/instances");
    ensure!(world.get(&path).await?.0 == 503);
    world.postgres()?.start_server().await?;
    world.synced().await?;
    ensure!(world.live("payments").await? == ["a1"]);
    world.take_gateway()?.stop().await?;

    // The file is whole again, and of this chain; a gateway on the index of another one drops it for the truth.
    let mut other = World::start_at(anvil_fixtures::GENESIS_TIME + 1_000).await?;
    other.register("billing", "b1").await?;
    other.take_gateway()?.stop().await?;
    other.snapshot = Some(file.clone());
    other.start_gateway().await?;
    other.synced().await?;
    ensure!(other.live("billing").await? == ["b1"]);
    ensure!(other.get(&path).await?.0 == 404, "nothing of the other chain");
    other.take_gateway()?.stop().await?;

    world.postgres()?.stop_server().await?;
    world.start_gateway().await?;
    eventually("the other chain's truth", async || {
        world.get(&format!("/v1/namespaces/{OWNER}/services/billing/instances")).await.ok().filter(|(s, _)| *s == 200)
    })
    .await?;
    world.postgres()?.start_server().await?;
    world.synced().await?;
    ensure!(world.live("payments").await? == ["a1"]);
    ensure!(world.get(&format!("/v1/namespaces/{OWNER}/services/billing/instances")).await?.0 == 404);
    Ok(())
}
