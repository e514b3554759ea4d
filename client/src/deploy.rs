//! Puts the registry on a chain, once.
//!
//! Where the canonical CREATE2 deployer is there, the address follows from the code alone: it is the same on every
//! chain, and whoever deploys second finds it there.

use std::time::Duration;

use alloy::{
    eips::BlockId,
    primitives::{Address, B256, Bytes, TxKind, address},
    providers::Provider,
    rpc::types::Filter,
};
use bindings::ServiceRegistry;

use crate::{chain::Chain, error::ChainError, keys::Key, registry::Registry, send::Sender};

/// The deployer that chains have in common: salt (32 bytes) and init code in, CREATE2 out.
pub const CREATE2_DEPLOYER: Address = address!("4e59b44847b379578588920cA78FbF26c0B4956C");

/// Where the registry is.
#[derive(Debug, Clone)]
pub struct Deployment {
    /// The registry.
    pub registry: Registry,
    /// The block of its deployment; `None` where the node cannot tell.
    pub deploy_block: Option<u64>,
    /// The deployment's transaction; `None` if the registry was there already.
    pub tx: Option<B256>,
}

/// The registry's address on every chain that has the CREATE2 deployer.
pub fn canonical_address() -> Address {
    CREATE2_DEPLOYER.create2_from_code(B256::ZERO, &ServiceRegistry::BYTECODE)
}

/// Finds the registry at its canonical address, if it is there.
///
/// # Errors
/// [`ChainError::OtherContract`], or as [`Chain::connect`].
pub async fn find(chain: &Chain) -> Result<Option<Registry>, ChainError> {
    match Registry::at(chain.clone(), canonical_address()).await {
        Ok(registry) => Ok(Some(registry)),
        Err(ChainError::NoContract { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Deploys the registry unless it is at its canonical address, and checks its code. On a chain without the CREATE2
/// deployer, each call deploys a new one.
///
/// # Errors
/// [`ChainError`]s of the transaction; [`ChainError::OtherContract`] if the chain made something else of the code.
pub async fn deploy(chain: &Chain, key: &Key, patience: Duration) -> Result<Deployment, ChainError> {
    if let Some(registry) = find(chain).await? {
        let deploy_block = deploy_block(&registry).await;
        return Ok(Deployment { registry, deploy_block, tx: None });
    }
    let sender = Sender::new(chain.clone(), key, patience);
    let has_deployer = !chain.code(CREATE2_DEPLOYER).await?.is_empty();
    let (to, input) = if has_deployer {
        let input = [B256::ZERO.as_slice(), &ServiceRegistry::BYTECODE].concat();
        (TxKind::Call(CREATE2_DEPLOYER), Bytes::from(input))
    } else {
        (TxKind::Create, ServiceRegistry::BYTECODE.clone())
    };
    let receipt = sender.send(to, input, None).await?;
    let address = match to {
        TxKind::Call(_) => canonical_address(),
        TxKind::Create => receipt
            .contract_address
            .ok_or_else(|| ChainError::Unexpected("a deployment's receipt without an address".to_owned()))?,
    };
    let deploy_block = receipt.block_number;
    let registry = Registry::at(chain.clone(), address).await?;
    Ok(Deployment { registry, deploy_block, tx: Some(receipt.transaction_hash) })
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
