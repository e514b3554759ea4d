//! anvil-fixtures/states/: the chain that each scenario leaves behind, and what the contract says of it.

use std::path::Path;

use anvil_fixtures::{Chain, Expected, GENESIS_TIME, Scenario};
use anyhow::{Context, Result};
use flate2::{Compression, read::GzDecoder, write::GzEncoder};
use serde_json::{Value, json};
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
    let state = canonical(&chain.dump().await?)?;
    anvil.stop().await?;
    write(root, &format!("anvil-fixtures/states/{scenario}.json"), expected.as_bytes())?;
    write(root, &format!("anvil-fixtures/states/{scenario}.gz"), &state)
}

/// Anvil writes blocks and transactions in a random order, and transactions with their traces: the same chain gives
/// other bytes each time. Sorted and without traces it gives the same, and fewer.
fn canonical(dump: &[u8]) -> Result<Vec<u8>> {
    let mut state: Value = serde_json::from_reader(GzDecoder::new(dump)).context("Anvil's dump")?;
    let blocks = state["blocks"].as_array_mut().context("no blocks in Anvil's dump")?;
    blocks.sort_by_key(|block| hex(&block["header"]["number"]));
    let transactions = state["transactions"].as_array_mut().context("no transactions in Anvil's dump")?;
    for transaction in transactions.iter_mut() {
        transaction["info"]["traces"] = json!([]);
    }
    transactions.sort_by_key(|t| {
        (t["block_number"].as_u64(), t["info"]["transaction_index"].as_u64(), t["info"]["transaction_hash"].to_string())
    });
    let mut out = GzEncoder::new(Vec::new(), Compression::best());
    serde_json::to_writer(&mut out, &state)?;
    Ok(out.finish()?)
}

fn hex(number: &Value) -> Option<u64> {
    u64::from_str_radix(number.as_str()?.trim_start_matches("0x"), 16).ok()
}
