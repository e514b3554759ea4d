//! What ever happened to an instance, through reorgs and days.

use anvil_fixtures::Scenario;
use anyhow::{Context, Result, ensure};
use domain::InstanceId;
use e2e::World;
use serde_json::Value;

const DAY: u64 = 86_400;

async fn history(world: &World, id: InstanceId, query: &str) -> Result<Vec<Value>> {
    let path = format!("/v1/instances/{id}/history{query}");
    let (status, body) = world.get(&path).await?;
    ensure!(status == 200, "{path}: {status}: {body}");
    Ok(body["events"].as_array().context("events")?.clone())
}

fn kinds(events: &[Value]) -> Vec<&str> {
    events.iter().filter_map(|entry| entry["event"]["kind"].as_str()).collect()
}

#[tokio::test]
async fn a_history_has_all_that_happened_and_says_how_final_it_is() -> Result<()> {
    let world = World::start().await?;
    let id = world.register("payments", "a1").await?;
    world.heartbeat(id).await?;
    let other = world.register("payments", "a2").await?;
    let events = history(&world, id, "?kind=registered&kind=heartbeat").await?;
    ensure!(kinds(&events) == ["heartbeat", "registered"], "{events:?}");
    ensure!(events.iter().all(|entry| entry["finality"] == "latest"), "{events:?}");
    // What the log says of the record hash is what the instance has.
    let (_, now) = world.get(&format!("/v1/instances/{id}")).await?;
    ensure!(events[1]["event"]["published"]["record_hash"] == now["instance"]["record_hash"], "{now}");
    ensure!(events[0]["event"]["last_heartbeat"] == now["instance"]["last_heartbeat"], "{now}");
    ensure!(kinds(&history(&world, other, "").await?) == ["registered"]);

    for _ in 0..40 {
        world.chain.mine_after(1).await?;
    }
    world.synced().await?;
    ensure!(history(&world, id, "").await?[0]["finality"] == "safe");
    for _ in 0..40 {
        world.chain.mine_after(1).await?;
    }
    world.synced().await?;
    ensure!(history(&world, id, "").await?[0]["finality"] == "finalized");
    Ok(())
}

#[tokio::test]
async fn a_reorg_takes_back_what_it_undoes() -> Result<()> {
    let world = World::start().await?;
    let id = world.register("payments", "a1").await?;
    for _ in 0..3 {
        world.chain.mine_after(1).await?;
    }
    world.heartbeat(id).await?;
    ensure!(history(&world, id, "?kind=heartbeat").await?.len() == 1);
    world.chain.reorg(2).await?;
    world.synced().await?;
    ensure!(history(&world, id, "?kind=heartbeat").await?.is_empty());
    ensure!(kinds(&history(&world, id, "").await?) == ["registered"]);
    Ok(())
}

#[tokio::test]
async fn every_instance_of_a_governed_chain_has_a_history_that_begins_with_its_registration() -> Result<()> {
    let world = World::load(Scenario::Governance).await?;
    let (_, services) = world.get("/v1/services").await?;
    let (mut seen, mut instances) = (std::collections::BTreeSet::new(), 0);
    for service in services["services"].as_array().context("services")? {
        let (namespace, name) = (service["namespace"].as_str(), service["name"].as_str());
        let (namespace, name) = (namespace.context("a namespace")?, name.context("a name")?);
        let (_, body) = world.get(&format!("/v1/namespaces/{namespace}/services/{name}/instances?health=all")).await?;
        for instance in body["instances"].as_array().context("instances")? {
            instances += 1;
            let id = instance["id"].as_str().context("an id")?.parse()?;
            let events = history(&world, id, "?order=asc&limit=200").await?;
            ensure!(kinds(&events)[0] == "registered", "{events:?}");
            ensure!(events[0]["event"]["label"] == instance["label"], "{events:?}");
            seen.extend(kinds(&events).into_iter().map(str::to_owned));
            // Whoever owns it last is its owner.
            let last = events.iter().rev().find_map(|entry| entry["event"]["owner"].as_str());
            ensure!(last.is_none_or(|owner| instance["owner"] == owner), "{instance}: {events:?}");
        }
    }
    ensure!(instances > 0 && seen.contains("status_set") && seen.contains("endorsed"), "{instances}: {seen:?}");
    Ok(())
}

#[tokio::test]
async fn uptimes_are_there_once_a_day_is_over_and_final() -> Result<()> {
    let world = World::start().await?;
    let id = world.register("payments", "a1").await?;
    let began = world.chain.time().await?;
    // The next day, and then as many blocks as finality takes.
    world.chain.mine_after(DAY).await?;
    for _ in 0..70 {
        world.chain.mine_after(1).await?;
    }
    world.kept_up(began / DAY + 1).await?;
    let (status, body) = world.get(&format!("/v1/instances/{id}/uptime")).await?;
    ensure!(status == 200, "{status}: {body}");
    let days = body["days"].as_array().context("days")?;
    let last = days.last().context("a day")?;
    // Registered once, and never renewed: one ttl, the second of the registration and the last one included.
    ensure!(last["seconds_up"] == 31 && last["heartbeats"] == 0, "{body}");
    ensure!(days.len() == 30 && days[..29].iter().all(|day| day["seconds_up"] == 0), "{body}");
    Ok(())
}
