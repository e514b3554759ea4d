//! The textbook contract: `contracts/test/baseline/TextbookRegistry.sol`.

use alloy::{
    primitives::{B256, U256, keccak256},
    sol_types::SolValue,
};
use anyhow::Result;

use super::{
    chain::Chain,
    registry::{ENDPOINTS, METADATA},
};

mod abi {
    alloy::sol!(TextbookRegistry, "abi/TextbookRegistry.json");
}
use abi::TextbookRegistry as Abi;

pub struct Figures {
    pub heartbeat: u64,
    pub register_first: u64,
    pub register_next: u64,
    pub update: u64,
    pub deregister: u64,
    pub runtime_bytes: u64,
}

/// The second registration is of another version, since its id has no label. Its update writes other endpoints.
pub async fn measure(chain: &Chain) -> Result<Figures> {
    let registry = chain.deploy(&Abi::BYTECODE).await?;
    let owner = chain.accounts[0];
    let endpoints: Vec<String> = ENDPOINTS.iter().map(|&uri| uri.to_owned()).collect();
    let register = |version: &str| Abi::registerServiceCall {
        name: "payments".to_owned(),
        version: version.to_owned(),
        endpoints: endpoints.clone(),
        metadata: METADATA.to_owned(),
        ttl: U256::from(60),
    };
    let register_first = chain.gas(owner, registry, &register("1.2.0")).await?;
    let register_next = chain.gas(owner, registry, &register("1.2.1")).await?;
    let id: B256 = keccak256(("payments".to_owned(), "1.2.0".to_owned(), owner).abi_encode_packed());
    chain.wait(30).await?;
    let heartbeat = chain.gas(owner, registry, &Abi::heartbeatCall { id }).await?;
    let change = Abi::updateServiceCall {
        id,
        version: "1.2.1".to_owned(),
        endpoints: endpoints.iter().map(|uri| uri.replace("pay-0", "pay-1")).collect(),
        metadata: METADATA.replace("\"a\"", "\"b\""),
    };
    chain.wait(30).await?;
    let update = chain.gas(owner, registry, &change).await?;
    let deregister = chain.gas(owner, registry, &Abi::deregisterServiceCall { id }).await?;
    let runtime_bytes = chain.code_len(registry).await?;
    Ok(Figures { heartbeat, register_first, register_next, update, deregister, runtime_bytes })
}
