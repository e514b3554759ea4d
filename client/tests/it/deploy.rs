//! Deployed once, found again.

use alloy::providers::Provider;
use client::{
    ChainError, Endorsements, Registry,
    deploy::{self, Known},
};
use domain::Address;
use tools::AnvilConfig;

use crate::world::{PATIENCE, World, chain, key};

#[tokio::test]
async fn the_second_deployment_finds_the_first() {
    let (_anvil, chain) = chain(AnvilConfig::default()).await;
    assert!(deploy::find(&chain).await.expect("an answer").is_none());
    let first = deploy::deploy(&chain, &key(0), PATIENCE, Known::default()).await.expect("deployed");
    assert_eq!(first.registry.address(), deploy::canonical::registry());
    assert_eq!(first.endorsements.address(), deploy::canonical::endorsements(first.registry.address()));
    assert!(first.tx.is_some() && first.endorsements_tx.is_some());

    // Blocks after it, so that the search has something to search.
    for _ in 0..5 {
        chain.provider().raw_request::<_, serde_json::Value>("evm_mine".into(), ()).await.expect("mined");
    }
    let second = deploy::deploy(&chain, &key(1), PATIENCE, Known::default()).await.expect("found");
    assert_eq!(second.registry.address(), first.registry.address());
    assert_eq!(second.endorsements.address(), first.endorsements.address());
    assert_eq!((second.tx, second.endorsements_tx), (None, None));
    assert_eq!(second.deploy_block, first.deploy_block);
}

#[tokio::test]
async fn without_the_create2_deployer_it_is_created_plainly() {
    let (_anvil, chain) = chain(AnvilConfig::default()).await;
    let none = (deploy::canonical::CREATE2_DEPLOYER, "0x");
    chain.provider().raw_request::<_, serde_json::Value>("anvil_setCode".into(), none).await.expect("no code");
    let deployment = deploy::deploy(&chain, &key(0), PATIENCE, Known::default()).await.expect("deployed");
    assert_ne!(deployment.registry.address(), deploy::canonical::registry());
    assert_eq!(deployment.endorsements.registry().address(), deployment.registry.address());

    // Who knows where it is finds it, and deploys only what is missing.
    let known = Known { registry: Some(deployment.registry.address()), endorsements: None };
    let more = deploy::deploy(&chain, &key(0), PATIENCE, known).await.expect("found");
    assert_eq!((more.registry.address(), more.tx), (deployment.registry.address(), None));
    assert!(more.endorsements_tx.is_some());
    let known = Known { endorsements: Some(more.endorsements.address()), ..known };
    let all = deploy::deploy(&chain, &key(0), PATIENCE, known).await.expect("found");
    assert_eq!((all.tx, all.endorsements_tx), (None, None));
    // What one knows may be the address of another contract.
    let known = Known { registry: Some(all.endorsements.address()), endorsements: None };
    let other = deploy::deploy(&chain, &key(0), PATIENCE, known).await.expect("deployed");
    assert!(other.tx.is_some());
}

#[tokio::test]
async fn another_contract_in_the_place_of_the_create2_deployer_gets_no_transaction() {
    let (_anvil, chain) = chain(AnvilConfig::default()).await;
    let other = (deploy::canonical::CREATE2_DEPLOYER, "0x6000");
    chain.provider().raw_request::<_, serde_json::Value>("anvil_setCode".into(), other).await.expect("other code");
    let deployment = deploy::deploy(&chain, &key(0), PATIENCE, Known::default()).await.expect("deployed");
    assert_ne!(deployment.registry.address(), deploy::canonical::registry());
}

#[tokio::test]
async fn what_is_no_registry_is_not_taken_for_one() {
    let world = World::start().await;
    let nothing = Registry::at(world.chain.clone(), Address::repeat_byte(0x11)).await;
    assert!(matches!(nothing, Err(ChainError::NoContract { chain_id: 31337, .. })));
    let other = Registry::at(world.chain.clone(), deploy::canonical::CREATE2_DEPLOYER).await;
    assert!(matches!(other, Err(ChainError::OtherContract { .. })));
    let other = Endorsements::at(world.registry.clone(), world.registry.address()).await;
    assert!(matches!(other, Err(ChainError::OtherEndorsements { .. })));
}

/// Somebody may have deployed only the registry, by other means.
#[tokio::test]
async fn what_is_missing_alone_is_deployed() {
    let world = World::start().await;
    let none = (world.endorsements.address(), "0x");
    world.chain.provider().raw_request::<_, serde_json::Value>("anvil_setCode".into(), none).await.expect("no code");
    let provider = world.chain.provider();
    let zero = (world.endorsements.address(), "0x0");
    provider.raw_request::<_, serde_json::Value>("anvil_setNonce".into(), zero).await.expect("no nonce");
    assert!(deploy::find_endorsements(&world.registry).await.expect("an answer").is_none());
    let again = deploy::deploy(&world.chain, &key(0), PATIENCE, Known::default()).await.expect("deployed");
    assert!(again.tx.is_none() && again.endorsements_tx.is_some());
}
