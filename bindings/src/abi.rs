//! What `sol!` makes of the contract's ABI and bytecode.
#![expect(
    missing_docs,
    reason = "the ABI has no words; they are in contracts/src/interfaces"
)]

alloy::sol!(
    #[sol(rpc, all_derives)]
    ServiceRegistry,
    "../contracts/abi/ServiceRegistry.json"
);
