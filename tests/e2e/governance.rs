//! Suspended, reinstated, revoked, transferred, reaped; operators and endorsements: what consumers see of it.

use alloy::primitives::{Bytes, aliases::U40};
use anvil_fixtures::{
    chain::ACCOUNTS,
    governance::{endorse, key, path},
};
use anyhow::Result;
use bindings::{
    Endorsements::withdrawCall,
    ServiceRegistry::{
        acceptOwnerCall, proposeOwnerCall, reapCall, setInstanceOperatorCall, setOperatorCall, setRegistrarCall,
        setStatusCall,
    },
};
use domain::{InstanceId, Permissions, Status, Topic};
use e2e::{World, world::OWNER};
use serde_json::{Value, json};

/// Neither owns anything at first.
const OTHER: domain::Address = ACCOUNTS[2];
const STRANGER: domain::Address = ACCOUNTS[3];

/// The chain's year 2096.
const FAR: u64 = 4_000_000_000;

/// OWNER owns its personal namespace, and so is the authority over its own instances.
async fn set_status(world: &World, label: &str, status: Status, reason: &'static [u8]) -> Result<()> {
    let path = path(world.namespace(), OWNER, label);
    let call = setStatusCall { path, status: status as u8, reason: Bytes::from_static(reason) };
    world.chain.send(OWNER, &call).await?;
    world.synced().await
}

async fn show(world: &World, id: InstanceId) -> Result<Value> {
    let (status, body) = world.get(&format!("/v1/instances/{id}")).await?;
    anyhow::ensure!(status == 200, "{body}");
    Ok(body)
}

#[tokio::test]
async fn what_the_authority_says_is_seen_and_decides_who_is_discovered() -> Result<()> {
    let world = World::start().await?;
    let id = world.register("payments", "a1").await?;
    world.register("payments", "a2").await?;
    assert_eq!(show(&world, id).await?["instance"]["reason"], Value::Null);

    set_status(&world, "a1", Status::Suspended, b"key leaked\x1b[31m\xff").await?;
    assert_eq!(world.live("payments").await?, ["a2"]);
    let suspended = show(&world, id).await?;
    assert_eq!(suspended["instance"]["status"], "suspended");
    assert_eq!(suspended["instance"]["live"], false);
    assert_eq!(suspended["instance"]["reason"], "key leaked\\u{1b}[31m\u{fffd}");
    let all = format!("/v1/namespaces/{OWNER}/services/payments/instances?health=all");
    assert_eq!(world.labels(&all).await?.len(), 2, "still listed");
    assert!(!world.is_live_on_chain(id).await?);

    set_status(&world, "a1", Status::Active, b"").await?;
    assert_eq!(world.live("payments").await?.len(), 2);
    assert_eq!(show(&world, id).await?["instance"]["reason"], "");

    set_status(&world, "a1", Status::Revoked, b"for ever").await?;
    assert_eq!(world.live("payments").await?, ["a2"]);
    assert_eq!(world.labels(&all).await?, ["a2"]);
    let revoked = show(&world, id).await?;
    assert_eq!(revoked["instance"]["status"], "revoked");
    assert_eq!(revoked["instance"]["epoch"], 1);
    Ok(())
}

#[tokio::test]
async fn a_transfer_ends_what_was_granted_and_endorsed() -> Result<()> {
    let world = World::with_endorsements().await?;
    let id = world.register("payments", "a1").await?;
    let all = Permissions::ALL.bits();
    let far = U40::from(FAR);
    world.chain.send(OWNER, &setOperatorCall { operator: OTHER, permissions: all, expiry: far }).await?;
    let heartbeat = Permissions::HEARTBEAT.bits();
    let call = setInstanceOperatorCall { id: id.0, operator: STRANGER, permissions: heartbeat, expiry: far };
    world.chain.send(OWNER, &call).await?;
    world.chain.endorse(STRANGER, &endorse(id, "audit")?).await?;
    world.chain.endorse(OTHER, &endorse(id, "region:eu")?).await?;
    world.chain.send(OWNER, &proposeOwnerCall { id: id.0, account: OTHER }).await?;
    world.synced().await?;

    let body = show(&world, id).await?;
    assert_eq!(body["proposed_owner"], OTHER.to_string());
    let operator = |account: domain::Address, permissions: Value, scope: &str| {
        json!({
            "account": account.to_string(), "permissions": permissions, "expires_at": "2096-10-02T07:06:40Z",
            "scope": scope,
        })
    };
    let everything = json!(["heartbeat", "update", "deregister"]);
    let expected = json!([operator(STRANGER, json!(["heartbeat"]), "instance"), operator(OTHER, everything, "owner")]);
    assert_eq!((&body["operators"], &body["operators_total"]), (&expected, &json!(2)));
    assert_eq!(body["endorsements_total"], 2);
    assert_eq!(body["endorsements"][0]["topic"], "region:eu", "the newest first");
    assert_eq!(body["endorsements"][1]["endorser"], STRANGER.to_string());

    let topic: Topic = "region:eu".parse()?;
    world.chain.endorse(OTHER, &withdrawCall { id: id.0, topic: topic.0 }).await?;
    world.synced().await?;
    let body = show(&world, id).await?;
    assert_eq!((&body["endorsements_total"], &body["endorsements"][0]["topic"]), (&json!(1), &json!("audit")));

    world.chain.send(OTHER, &acceptOwnerCall { key: key(world.namespace(), OWNER, "a1") }).await?;
    world.synced().await?;
    let body = show(&world, id).await?;
    assert_eq!(body["instance"]["owner"], OTHER.to_string());
    assert_eq!(body["instance"]["registrant"], OWNER.to_string());
    assert_eq!(body["instance"]["epoch"], 1);
    assert_eq!(body["proposed_owner"], Value::Null);
    assert_eq!((&body["operators"], &body["endorsements"]), (&json!([]), &json!([])));
    assert_eq!(world.live("payments").await?, ["a1"]);

    // A reorg brings it all back.
    world.chain.reorg(1).await?;
    world.synced().await?;
    let body = show(&world, id).await?;
    assert_eq!(body["instance"]["owner"], OWNER.to_string());
    assert_eq!((&body["operators"], &body["endorsements_total"]), (&expected, &json!(1)));
    Ok(())
}

#[tokio::test]
async fn who_was_silent_for_long_is_reaped_and_may_come_back() -> Result<()> {
    let world = World::start().await?;
    let id = world.register("payments", "a1").await?;
    world.chain.mine_after(7 * 86_400 + 60).await?;
    world.chain.send(STRANGER, &reapCall { keys: vec![key(world.namespace(), OWNER, "a1")] }).await?;
    world.synced().await?;
    let all = format!("/v1/namespaces/{OWNER}/services/payments/instances?health=all");
    assert!(world.labels(&all).await?.is_empty());
    assert_eq!(show(&world, id).await?["instance"]["status"], "reaped");
    assert_eq!(world.register("payments", "a1").await?, id);
    assert_eq!(world.live("payments").await?, ["a1"]);
    assert_eq!(show(&world, id).await?["instance"]["epoch"], 1);
    Ok(())
}

#[tokio::test]
async fn a_namespace_shows_whom_it_admits() -> Result<()> {
    let world = World::start().await?;
    let path = format!("/v1/namespaces/{OWNER}");
    let (_, before) = world.get(&path).await?;
    assert_eq!((&before["open"], &before["registrars_total"]), (&json!(false), &json!(0)));
    let namespace = world.namespace().0;
    let call = setRegistrarCall { namespaceId: namespace, registrar: OTHER, expiry: U40::from(FAR) };
    world.chain.send(OWNER, &call).await?;
    world.synced().await?;
    let (_, after) = world.get(&path).await?;
    assert_eq!(after["owner"], OWNER.to_string());
    assert_eq!(
        (&after["registrars"][0]["account"], &after["registrars_total"]),
        (&json!(OTHER.to_string()), &json!(1))
    );
    Ok(())
}
