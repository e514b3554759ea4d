//! Is this node's chain the one that the database mirrors, and is our contract on it?
//!
//! Asked at each start and before anything is taken back: a chain that somebody started anew under us must not empty
//! the index.

use bindings::canonical;
use domain::{Address, BlockRef};
use store::rows::{BlockRow, Checkpoint, Origin};

use crate::{IndexerError, error::RpcFailure, source::Source};

/// Compares the node's chain with what the database mirrors.
///
/// # Errors
/// [`IndexerError::WrongOrigin`], [`IndexerError::NoContract`] and [`IndexerError::Config`], which are fatal;
/// [`IndexerError::Behind`].
pub(crate) async fn check(source: &Source, stored: &Origin) -> Result<(), IndexerError> {
    let contract = source.contract();
    let settings = || "the settings say".to_owned();
    compare(("contract", "contract address", "contract"), stored.contract, contract, settings())?;
    let named = |address: Option<Address>| address.map_or("none".to_owned(), |address| address.to_string());
    let endorsements = (named(stored.endorsements), named(source.endorsements()));
    compare(("contract", "endorsements address", "endorsements"), endorsements.0, endorsements.1, settings())?;
    let by = format!("{source} says");
    compare(("chain", "chain id", "rpc_url"), stored.chain_id, source.chain_id().await?, by.clone())?;
    compare(("chain", "genesis hash", "rpc_url"), stored.genesis_hash, genesis(source).await?, by.clone())?;

    let head = source.latest().await?.block.number;
    let deploy = stored.deploy_block;
    let Some(block) = source.block(deploy.number).await? else {
        return Err(IndexerError::Behind { node: source.to_string(), head, deploy_block: deploy.number });
    };
    compare(("chain", "deploy block's hash", "rpc_url"), deploy.hash, block.block.hash, by.clone())?;
    match source.code_hash(head).await? {
        Some(code) => compare(("contract", "contract's code hash", "contract"), stored.code_hash, code, by)?,
        None => return no_contract(source, source.contract(), stored.chain_id, head),
    }
    check_endorsements(source, stored.chain_id, head).await
}

/// A node whose first block does not hash is believed, or outvoted: it may be one of a chain with other headers. Not if the
/// chain's first block was shown to hash.
///
/// # Errors
/// [`IndexerError::Lied`].
pub(crate) fn headers(source: &Source, stored: &Checkpoint) -> Result<(), IndexerError> {
    if source.is_foreign() && stored.headers_hash {
        let what = "its first block does not hash to the hash that it gives, and the chain's does".to_owned();
        return Err(IndexerError::Lied { node: source.to_string(), what });
    }
    if source.is_foreign() {
        tracing::warn!(
            node = %source,
            "the headers of this chain do not hash as Ethereum's: nodes are compared with each other, and one alone is believed"
        );
    }
    Ok(())
}

/// The endorsements must be those of our registry: the epochs in them are those of its instances.
async fn check_endorsements(source: &Source, chain_id: u64, head: u64) -> Result<(), IndexerError> {
    let Some(endorsements) = source.endorsements() else { return Ok(()) };
    if source.code(endorsements, head).await?.is_empty() {
        // Anyone may put the right code there later, and nobody another one.
        if endorsements == canonical::endorsements(source.contract()) {
            return Ok(());
        }
        return no_contract(source, endorsements, chain_id, head);
    }
    let ours = source.contract();
    let reason = match source.registry_of(endorsements, head).await? {
        Some(registry) if registry == ours => return Ok(()),
        Some(other) => {
            format!("the contract at {endorsements} endorses instances of the registry {other}, not of {ours}")
        }
        None => {
            format!("the contract at {endorsements} does not say whose instances it endorses: it is another contract")
        }
    };
    let reason = format!("{reason}. Give the address of our registry's endorsements, or leave the setting out");
    Err(IndexerError::Config { setting: "endorsements", reason })
}

/// What a new index of this contract mirrors, and the block before the first one to apply. `deploy_block` is the
/// setting.
///
/// # Errors
/// [`IndexerError::NoContract`], [`IndexerError::WrongDeployBlock`] and [`IndexerError::DeployBlockUnknown`], which are
/// fatal; [`IndexerError::Behind`].
pub(crate) async fn found(source: &Source, deploy_block: Option<u64>) -> Result<(Origin, BlockRow), IndexerError> {
    let (chain_id, genesis_hash) = (source.chain_id().await?, genesis(source).await?);
    let head = source.latest().await?.block.number;
    if let Some(deploy_block) = deploy_block.filter(|n| *n > head) {
        return Err(IndexerError::Behind { node: source.to_string(), head, deploy_block });
    }
    let Some(code_hash) = source.code_hash(head).await? else {
        return no_contract(source, source.contract(), chain_id, head);
    };
    check_endorsements(source, chain_id, head).await?;
    let number = match deploy_block {
        Some(given) => confirm_deploy_block(source, given).await?,
        None => find_deploy_block(source, head).await?,
    };
    let deploy = known(source, number).await?;
    let start = match number.checked_sub(1) {
        Some(before) => known(source, before).await?,
        // A contract of the genesis block: there are no logs in it.
        None => deploy,
    };
    if number > 0 && deploy.parent_hash != start.block.hash {
        return Err(source.incoherent(format!("block {} is not the parent of {}", start.block, deploy.block)));
    }
    let (contract, endorsements) = (source.contract(), source.endorsements());
    Ok((Origin { chain_id, genesis_hash, contract, code_hash, endorsements, deploy_block: deploy.block }, start))
}

/// The block before the first one to apply, of an index that exists.
pub(crate) async fn start(source: &Source, deploy: BlockRef) -> Result<BlockRow, IndexerError> {
    known(source, deploy.number.saturating_sub(1)).await
}

async fn genesis(source: &Source) -> Result<domain::B256, IndexerError> {
    Ok(known(source, 0).await?.block.hash)
}

async fn known(source: &Source, number: u64) -> Result<BlockRow, IndexerError> {
    source.block(number).await?.ok_or_else(|| source.incoherent(format!("it has no block {number}")))
}

/// A node that does not answer about old states cannot contradict the setting; a wrong one is found by the first event
/// that does not fit.
async fn confirm_deploy_block(source: &Source, given: u64) -> Result<u64, IndexerError> {
    let wrong = |reason| IndexerError::WrongDeployBlock { given, contract: source.contract(), reason };
    match source.code_hash(given).await {
        Ok(None) => return Err(wrong("it was deployed later")),
        Ok(Some(_)) | Err(IndexerError::Rpc { failure: RpcFailure::Refused, .. }) => {}
        Err(e) => return Err(e),
    }
    let Some(before) = given.checked_sub(1) else { return Ok(given) };
    match source.code_hash(before).await {
        Ok(Some(_)) => Err(wrong("it was deployed earlier")),
        Ok(None) | Err(IndexerError::Rpc { failure: RpcFailure::Refused, .. }) => Ok(given),
        Err(e) => Err(e),
    }
}

async fn find_deploy_block(source: &Source, head: u64) -> Result<u64, IndexerError> {
    let (mut low, mut high) = (0, head);
    while low < high {
        let middle = low.midpoint(high);
        match source.code_hash(middle).await {
            Ok(Some(_)) => high = middle,
            Ok(None) => low = middle + 1,
            Err(IndexerError::Rpc { failure: RpcFailure::Refused, reason, .. }) => {
                // Unless the block was taken back meanwhile.
                known(source, middle).await?;
                return Err(IndexerError::DeployBlockUnknown { reason });
            }
            Err(e) => return Err(e),
        }
    }
    Ok(low)
}

fn no_contract<T>(source: &Source, contract: Address, chain_id: u64, block: u64) -> Result<T, IndexerError> {
    Err(IndexerError::NoContract { contract, chain_id, block, node: source.to_string() })
}

/// `names`: what is wrong then, which value differs, which setting to change.
fn compare<T: PartialEq + ToString>(
    (of, what, setting): (&'static str, &'static str, &'static str),
    stored: T,
    found: T,
    by: String,
) -> Result<(), IndexerError> {
    if stored == found {
        return Ok(());
    }
    Err(IndexerError::WrongOrigin { of, what, stored: stored.to_string(), found: found.to_string(), by, setting })
}
