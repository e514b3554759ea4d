//! The committed states load, and the chain in them says what was recorded beside them.

use anvil_fixtures::{Chain, Expected, GENESIS_TIME, Scenario};
use anyhow::Result;
use domain::InstanceId;
use tools::{Anvil, AnvilConfig, Tools};

#[tokio::test]
async fn a_loaded_state_says_what_was_recorded() -> Result<()> {
    let tools = Tools::ensure()?;
    for scenario in Scenario::ALL {
        let config = AnvilConfig { timestamp: Some(GENESIS_TIME), ..AnvilConfig::default() };
        let anvil = Anvil::spawn(&tools, config).await?;
        let chain = Chain::connect(&anvil.rpc_url())?;
        chain.load(scenario.state()).await?;
        let expected = scenario.expected()?;
        assert!(!expected.instances.is_empty(), "{scenario}");
        let ids: Vec<InstanceId> = expected.instances.keys().copied().collect();
        assert_eq!(Expected::ask(&chain, &ids).await?, expected, "{scenario}");
        anvil.stop().await?;
    }
    Ok(())
}
