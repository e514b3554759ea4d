//! Every word of the contracts' storage against the index.
//!
//! This is what a comparison of the storage roots says, on a chain whose roots are standard. Anvil's are not: words that
//! transactions have read, and that are zero, are leaves of its tries too.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::Read,
};

use alloy::primitives::{Address, B256, U256};
use anvil_fixtures::Chain;
use anyhow::{Context, Result, ensure};
use flate2::read::GzDecoder;
use indexer::storage::{Storage, Word};
use serde_json::Value;

/// Whether the contracts have the words that follow from the rows of the index, and no others.
pub async fn are(chain: &Chain, storage: &Storage) -> Result<()> {
    let mut json = String::new();
    GzDecoder::new(&chain.dump().await?[..]).read_to_string(&mut json)?;
    let state: Value = serde_json::from_str(&json)?;
    let accounts: BTreeMap<Address, Value> = serde_json::from_value(state["accounts"].clone())?;
    for (contract, ours) in [(chain.registry(), &storage.registry), (chain.endorsements(), &storage.endorsements)] {
        let account = accounts.get(&contract).with_context(|| format!("{contract} is not there"))?;
        let theirs: BTreeMap<U256, U256> = serde_json::from_value(account["storage"].clone())?;
        let theirs = theirs.into_iter().map(|(slot, word)| (B256::from(slot), B256::from(word)));
        same(contract, ours, &theirs.filter(|(_, word)| *word != B256::ZERO).collect())?;
    }
    Ok(())
}

fn same(contract: Address, ours: &BTreeMap<B256, Word>, theirs: &BTreeMap<B256, B256>) -> Result<()> {
    let slots: BTreeSet<&B256> = ours.keys().chain(theirs.keys()).collect();
    for slot in slots {
        let (ours, theirs) = (ours.get(slot), theirs.get(slot));
        ensure!(ours.map(|word| &word.word) == theirs, "the word {slot} of {contract} is {theirs:?}, not {ours:?}");
    }
    Ok(())
}
