//! The index says of every scenario what the contract itself said.

use anvil_fixtures::Scenario;
use anyhow::Result;
use e2e::World;

async fn check(scenario: Scenario) -> Result<()> {
    let world = World::load(scenario).await?;
    let expected = scenario.expected()?;
    assert_eq!(world.chain.head().await?.hash, expected.head_hash, "the state is the one that was recorded");
    assert!(!expected.instances.is_empty());
    for (id, expected) in &expected.instances {
        let (status, one) = world.get(&format!("/v1/instances/{id}")).await?;
        assert_eq!(status, 200, "{id}: {one}");
        let instance = &one["instance"];
        let status = domain::Status::from_u8(expected.status).expect("a status").as_str();
        assert_eq!(instance["status"], status, "{one}");
        assert_eq!(instance["owner"], expected.owner.to_string());
        assert_eq!(instance["ttl_s"], expected.ttl);
        assert_eq!(instance["epoch"], expected.epoch);
        assert_eq!(instance["record_hash"], expected.record_hash.to_string());
        assert_eq!(e2e::wait::unix_seconds(&instance["last_heartbeat"])?, expected.last_heartbeat);
        assert_eq!(
            e2e::wait::unix_seconds(&instance["expires_at"])?,
            expected.last_heartbeat + u64::from(expected.ttl)
        );
    }
    Ok(())
}

#[tokio::test]
async fn one_service() -> Result<()> {
    check(Scenario::OneService).await
}

#[tokio::test]
async fn fleet() -> Result<()> {
    check(Scenario::Fleet).await
}

#[tokio::test]
async fn reorg() -> Result<()> {
    check(Scenario::Reorg).await
}

#[tokio::test]
async fn hostile() -> Result<()> {
    check(Scenario::Hostile).await
}

#[tokio::test]
async fn governance() -> Result<()> {
    check(Scenario::Governance).await
}
