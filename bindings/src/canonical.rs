//! Where the contracts are on every chain that has the CREATE2 deployer: the addresses follow from the code alone.

use alloy::primitives::{Address, B256, address, hex};

use crate::{Endorsements, ServiceRegistry};

/// The deployer that chains have in common: salt (32 bytes, ours is 0) and init code in, CREATE2 out.
pub const CREATE2_DEPLOYER: Address = address!("4e59b44847b379578588920cA78FbF26c0B4956C");

/// The deployer's code, wherever it is.
pub const CREATE2_DEPLOYER_CODE: [u8; 69] = hex!(
    "7fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffe03601600081602082378035828234f58015156039578182fd5b80"
    "82525050506014600cf3"
);

/// The registry's address.
pub fn registry() -> Address {
    CREATE2_DEPLOYER.create2_from_code(B256::ZERO, &ServiceRegistry::BYTECODE)
}

/// The address of a registry's endorsements. Nothing else can ever be there.
pub fn endorsements(registry: Address) -> Address {
    CREATE2_DEPLOYER.create2_from_code(B256::ZERO, endorsements_code(registry))
}

/// The init code of a registry's endorsements.
pub fn endorsements_code(registry: Address) -> Vec<u8> {
    [&Endorsements::BYTECODE[..], registry.into_word().as_slice()].concat()
}
