//! What is in the words: each of these puts the fields of one where the contract has them.

use alloy_primitives::{Address, B256, U256};

use crate::{lease::Lease, permissions::Permissions};

/// Slot A of an instance.
pub fn lease(lease: &Lease) -> B256 {
    word([
        (account(lease.owner), 0),
        (U256::from(lease.last_heartbeat), 160),
        (U256::from(lease.ttl), 200),
        (U256::from(lease.status as u8), 224),
        (U256::from(lease.epoch), 232),
    ])
}

/// The roster of a service.
pub fn roster(count: u64, sequence: u64) -> B256 {
    word([(U256::from(count), 0), (U256::from(sequence), 64)])
}

/// A namespace.
pub fn namespace(owner: Address, open: bool, epoch: u32) -> B256 {
    word([(account(owner), 0), (U256::from(open), 160), (U256::from(epoch), 168)])
}

/// Who was proposed as the next owner of an instance or a namespace; the zero address if nobody is any more.
pub fn proposal(proposed: Address) -> B256 {
    word([(account(proposed), 0), (U256::from(true), 160)])
}

/// What an operator may do, or, with no permissions, until when a registrar is admitted.
pub fn grant(permissions: Permissions, expires_at: u64) -> B256 {
    word([(U256::from(expires_at), 0), (U256::from(permissions.bits()), 40), (U256::from(true), 48)])
}

/// The first word of an endorsement; the second is its digest.
pub fn endorsement(expires_at: u64, withdrawn: bool) -> B256 {
    word([(U256::from(expires_at), 0), (U256::from(withdrawn), 40)])
}

fn account(account: Address) -> U256 {
    U256::from_be_slice(account.as_slice())
}

fn word<const N: usize>(fields: [(U256, usize); N]) -> B256 {
    fields.into_iter().fold(U256::ZERO, |word, (field, place)| word | field << place).into()
}
