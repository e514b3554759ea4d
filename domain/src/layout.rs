//! Where the contracts keep their words, and what is in them ([`words`]): the storage layout of
//! `contracts/src/registry/Layout.sol` and of `contracts/src/Endorsements.sol`.

use alloy_primitives::{Address, B256, U256, keccak256};

use crate::{
    ids::{InstanceId, NamespaceId, ServiceKey},
    topic::Topic,
};

pub mod words;

/// The place of a key in the mapping at a place: `keccak256(abi.encode(key, place))`.
fn slot(key: B256, place: B256) -> B256 {
    keccak256([key.0, place.0].concat())
}

fn number(n: u32) -> B256 {
    B256::from(U256::from(n))
}

/// The slot after this one: of an instance's lease, its record hash; of an endorsement, its digest.
pub fn next(slot: B256) -> B256 {
    U256::from_be_bytes(slot.0).wrapping_add(U256::from(1)).into()
}

/// Slot A of an instance: its lease. Slot B, its record hash, is the [`next`] one.
pub fn instance(id: InstanceId) -> B256 {
    slot(id.0, number(0))
}

/// The roster of a service.
pub fn service(key: ServiceKey) -> B256 {
    slot(key.0, number(1))
}

/// The owner of a namespace, whether it is open, and its epoch.
pub fn namespace(id: NamespaceId) -> B256 {
    slot(id.0, number(2))
}

/// Who was proposed as the next owner of a namespace.
pub fn namespace_proposal(id: NamespaceId, epoch: u32) -> B256 {
    slot(number(epoch), slot(id.0, number(3)))
}

/// Until when an account is admitted to a namespace.
pub fn registrar(id: NamespaceId, epoch: u32, registrar: Address) -> B256 {
    slot(registrar.into_word(), slot(number(epoch), slot(id.0, number(4))))
}

/// Who was proposed as the next owner of an instance.
pub fn proposal(id: InstanceId, epoch: u32) -> B256 {
    slot(number(epoch), slot(id.0, number(5)))
}

/// What an operator may do for all instances of an owner.
pub fn operator(owner: Address, operator: Address) -> B256 {
    slot(operator.into_word(), slot(owner.into_word(), number(6)))
}

/// What an operator may do for one instance.
pub fn instance_operator(id: InstanceId, epoch: u32, operator: Address) -> B256 {
    slot(operator.into_word(), slot(number(epoch), slot(id.0, number(7))))
}

/// The first word of an endorsement, in the contract `Endorsements`; its digest is in the [`next`] slot.
pub fn endorsement(id: InstanceId, epoch: u32, endorser: Address, topic: Topic) -> B256 {
    let key = keccak256([id.0.0, number(epoch).0, endorser.into_word().0, topic.0.0].concat());
    slot(key, number(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_words_are_in_one_place() {
        let (id, account) = (B256::repeat_byte(7), Address::repeat_byte(7));
        let (instance_id, namespace_id, topic) = (InstanceId(id), NamespaceId(id), Topic(id));
        let mut all = vec![instance(instance_id), service(ServiceKey(id)), namespace(namespace_id)];
        all.push(operator(account, account));
        for epoch in [0, 1] {
            all.extend([
                namespace_proposal(namespace_id, epoch),
                registrar(namespace_id, epoch, account),
                proposal(instance_id, epoch),
                instance_operator(instance_id, epoch, account),
                endorsement(instance_id, epoch, account, topic),
            ]);
        }
        let count = all.len();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), count);
    }
}
