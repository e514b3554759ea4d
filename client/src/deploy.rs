//! Puts the two contracts on a chain, once.
//!
//! Where the canonical CREATE2 deployer is there, the addresses follow from the code alone: they are the same on every
//! chain, and whoever deploys second finds the contracts there. Elsewhere they are found only by who knows where they are.

use std::time::Duration;

use alloy::{
    eips::BlockId,
    primitives::{Address, B256, Bytes, TxKind},
    providers::Provider,
    rpc::types::{Filter, TransactionReceipt},
};
pub use bindings::canonical;
use bindings::{
    ServiceRegistry,
    canonical::{CREATE2_DEPLOYER, CREATE2_DEPLOYER_CODE},
};

use crate::{chain::Chain, endorse::Endorsements, error::ChainError, keys::Key, registry::Registry, send::Sender};

/// Where the two contracts are.
#[derive(Debug, Clone)]
pub struct Deployment {
    /// The registry.
    pub registry: Registry,
    /// The block of its deployment; `None` where the node cannot tell.
    pub deploy_block: Option<u64>,
    /// The deployment's transaction; `None` if the registry was there already.
    pub tx: Option<B256>,
    /// The endorsements of its instances.
    pub endorsements: Endorsements,
    /// The transaction that deployed these; `None` if they were there already.
    pub endorsements_tx: Option<B256>,
}

/// Where contracts are that were deployed plainly, as far as is known.
#[derive(Debug, Clone, Copy, Default)]
pub struct Known {
    /// A registry.
    pub registry: Option<Address>,
    /// Endorsements.
    pub endorsements: Option<Address>,
}

/// Finds the registry at its canonical address, if it is there.
///
/// # Errors
/// [`ChainError::OtherContract`], or as [`Chain::connect`].
pub async fn find(chain: &Chain) -> Result<Option<Registry>, ChainError> {
    there(Registry::at(chain.clone(), canonical::registry()).await)
}

/// Finds a registry's endorsements at their canonical address, if they are there.
///
/// # Errors
/// [`ChainError::OtherEndorsements`], or as [`Chain::connect`].
pub async fn find_endorsements(registry: &Registry) -> Result<Option<Endorsements>, ChainError> {
    there(Endorsements::at(registry.clone(), canonical::endorsements(registry.address())).await)
}

/// Deploys each of the two contracts unless it is at its canonical address, or where it is known to be, and checks their
/// code. What is not known to be there is deployed again on a chain without the CREATE2 deployer.
///
/// # Errors
/// [`ChainError`]s of the transactions; [`ChainError::OtherContract`] or [`ChainError::OtherEndorsements`] if the chain
/// made something else of the code.
pub async fn deploy(chain: &Chain, key: &Key, patience: Duration, known: Known) -> Result<Deployment, ChainError> {
    let sender = Sender::new(chain.clone(), key, patience);
    let found = match (find(chain).await?, known.registry) {
        (None, Some(address)) => known_there(Registry::at(chain.clone(), address).await)?,
        (found, _) => found,
    };
    let (registry, deploy_block, tx) = match found {
        Some(registry) => {
            let deploy_block = deploy_block(&registry).await;
            (registry, deploy_block, None)
        }
        None => {
            let (address, receipt) = create(chain, &sender, &ServiceRegistry::BYTECODE).await?;
            let registry = Registry::at(chain.clone(), address).await?;
            (registry, receipt.block_number, Some(receipt.transaction_hash))
        }
    };
    let found = match (find_endorsements(&registry).await?, known.endorsements) {
        (None, Some(address)) => known_there(Endorsements::at(registry.clone(), address).await)?,
        (found, _) => found,
    };
    let (endorsements, endorsements_tx) = match found {
        Some(endorsements) => (endorsements, None),
        None => {
            let (address, receipt) = create(chain, &sender, &canonical::endorsements_code(registry.address())).await?;
            (Endorsements::at(registry.clone(), address).await?, Some(receipt.transaction_hash))
        }
    };
    Ok(Deployment { registry, deploy_block, tx, endorsements, endorsements_tx })
}

/// The settings may still name the contract of another version.
fn known_there<T>(found: Result<T, ChainError>) -> Result<Option<T>, ChainError> {
    match found {
        Err(error @ (ChainError::OtherContract { .. } | ChainError::OtherEndorsements { .. })) => {
            tracing::warn!("{error}");
            Ok(None)
        }
        found => there(found),
    }
}

fn there<T>(found: Result<T, ChainError>) -> Result<Option<T>, ChainError> {
    match found {
        Ok(contract) => Ok(Some(contract)),
        Err(ChainError::NoContract { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Through the CREATE2 deployer where there is one.
async fn create(chain: &Chain, sender: &Sender, code: &[u8]) -> Result<(Address, TransactionReceipt), ChainError> {
    let deployer = chain.code(CREATE2_DEPLOYER).await?;
    if **deployer == CREATE2_DEPLOYER_CODE {
        let input = [B256::ZERO.as_slice(), code].concat();
        let receipt = sender.send(TxKind::Call(CREATE2_DEPLOYER), input.into(), None).await?;
        return Ok((CREATE2_DEPLOYER.create2_from_code(B256::ZERO, code), receipt));
    }
    let what =
        if deployer.is_empty() { "no CREATE2 deployer" } else { "another contract where the CREATE2 deployer is" };
    tracing::warn!(
        "the chain has {what}: the address is one of this chain alone, so write it down (settings contract, endorsements). \
         Whoever deploys without it deploys another"
    );
    let receipt = sender.send(TxKind::Create, Bytes::copy_from_slice(code), None).await?;
    let address = receipt
        .contract_address
        .ok_or_else(|| ChainError::Unexpected("a deployment's receipt without an address".to_owned()))?;
    Ok((address, receipt))
}

/// The block at which the registry's code appears; `None` where the node cannot tell, since many keep the state of the
/// newest blocks alone. A block that is too high would lose logs, so a find is believed only if the node says that the
/// code is there, that it was not there one block before, and has no earlier log of it.
pub async fn deploy_block(registry: &Registry) -> Option<u64> {
    let chain = registry.chain();
    let has_code = async |number: u64| {
        let code = chain.provider().get_code_at(registry.address()).block_id(BlockId::number(number)).await;
        code.ok().map(|code| !code.is_empty())
    };
    let (mut without, mut with) = (0, chain.head().await.ok()?.block.number);
    if has_code(0).await? || !has_code(with).await? {
        return None;
    }
    while without + 1 < with {
        let middle = without + (with - without) / 2;
        if has_code(middle).await? { with = middle } else { without = middle }
    }
    let before = Filter::new().address(registry.address()).from_block(0).to_block(without);
    // A node that caps the range says nothing about this one.
    let earlier = chain.provider().get_logs(&before).await.is_ok_and(|logs| !logs.is_empty());
    (!earlier).then_some(with)
}
