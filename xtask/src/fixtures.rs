//! anvil-fixtures/states/: the chain that each scenario leaves behind, and what the contract says of it.

use std::path::Path;

use anyhow::{Context, Result};
use anvil_fixtures::{Chain, Expected, GENESIS_TIME, Scenario};
use tools::{Anvil, AnvilConfig, Tools};

use crate::write;

/// Plays every scenario on an Anvil of its own.
pub fn remake(tools: &Tools, root: &Path) -> Result<()> {
    tokio::runtime::Runtime::new()?.block_on(async {
        for scenario in Scenario::ALL {
            remake_one(tools, root, scenario).await.with_context(|| format!("scenario {scenario}"))?;
        }
        Ok(())
    })
}

async fn remake_one(tools: &Tools, root: &Path, scenario: Scenario) -> Result<()> {
    let config = AnvilConfig { timestamp: Some(GENESIS_TIME), ..AnvilConfig::default() };
    let anvil = Anvil::spawn(tools, config).await?;
    let chain = Chain::connect(&anvil.rpc_url())?;
    let ids = scenario.play(&chain).await?;
    let mut expected = serde_json::to_string_pretty(&Expected::ask(&chain, &ids).await?)?;
    expected.push('\n');
    let state = chain.dump().await?;
    anvil.stop().await?;
    write(root, &format!("anvil-fixtures/states/{scenario}.json"), expected.as_bytes())?;
    write(root, &format!("anvil-fixtures/states/{scenario}.gz"), &state)
}
