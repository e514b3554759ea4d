//! What `sol!` makes of the contract's ABI and bytecode.
#![expect(missing_docs, reason = "made by `sol!`; the words are in contracts/src/interfaces")]
#![expect(clippy::too_many_arguments, reason = "made by `sol!`, one argument for each field of an event")]

alloy::sol!(
    #[sol(rpc, all_derives)]
    ServiceRegistry,
    "../contracts/abi/ServiceRegistry.json"
);

alloy::sol!(
    #[sol(rpc, all_derives)]
    Endorsements,
    "../contracts/abi/Endorsements.json"
);
