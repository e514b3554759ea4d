//! The contracts' own errors with their evidence, in words that say what to do.
//!
//! - `decode`: the data of a revert in, a [`Refusal`] out
//! - `words`: those whose words depend on the evidence

mod decode;
mod words;

#[cfg(test)]
mod tests;

use alloy::primitives::U256;
use domain::{Address, B256, InstanceId, Permissions, Status};

pub(crate) use self::decode::decode;

/// A contract said no. Each error carries the contract's evidence. Times are seconds of chain time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// The label was claimed before.
    #[error("the namespace {namespace} belongs to {owner}: choose another one, or use that account's key")]
    NamespaceTaken {
        /// The namespace, by its label where that is known.
        namespace: String,
        /// Who owns it.
        owner: Address,
    },
    /// The caller may not register in this namespace.
    #[error("{}", words::namespace_closed(.namespace, *.caller, *.owner))]
    NamespaceClosed {
        /// The namespace, by its label where that is known.
        namespace: String,
        /// Who asked.
        caller: Address,
        /// Who owns it, if anybody does.
        owner: Option<Address>,
    },
    /// Only the authority may do this.
    #[error("{}", words::not_namespace_owner(.namespace, *.caller, *.owner))]
    NotNamespaceOwner {
        /// The namespace, by its label where that is known.
        namespace: String,
        /// Who asked.
        caller: Address,
        /// Who owns it, if anybody does.
        owner: Option<Address>,
    },
    /// An account's own namespace stays its own.
    #[error("{namespace} is an account's own namespace, which cannot be transferred: claim a label, and transfer that")]
    PersonalNamespace {
        /// The namespace.
        namespace: String,
    },
    /// The caller was not proposed as the next owner.
    #[error("{}", words::not_proposed(.subject, *.caller, *.proposed))]
    NotProposed {
        /// The namespace by its label, or the id of the instance or the namespace.
        subject: String,
        /// Who asked.
        caller: Address,
        /// Who was proposed, if anybody is.
        proposed: Option<Address>,
    },
    /// The instance is listed already, or was revoked.
    #[error("{}", words::already_registered(.id, *.status))]
    AlreadyRegistered {
        /// The instance.
        id: InstanceId,
        /// What it is.
        status: Option<Status>,
    },
    /// The instance is not there.
    #[error("{}", words::not_listed(.id, *.status))]
    NotListed {
        /// The instance.
        id: InstanceId,
        /// What it is; `None` if it never was, or if the contract did not say.
        status: Option<Status>,
    },
    /// Somebody else's instance.
    #[error(
        "the instance {id} belongs to {owner}, not to {caller}: only its owner's key can do this (and nobody can register \
         again what left its service after a transfer: choose another label)"
    )]
    NotOwner {
        /// The instance.
        id: InstanceId,
        /// Who asked.
        caller: Address,
        /// Whose it is.
        owner: Address,
    },
    /// Neither the owner nor an operator who may do this.
    #[error(
        "the instance {id} belongs to {owner}, and {caller} may not do this: use the owner's key, or let the owner \
         allow it (rollcall operator set {caller} --allow {permissions})"
    )]
    NotPermitted {
        /// The instance.
        id: InstanceId,
        /// Who asked.
        caller: Address,
        /// Whose it is.
        owner: Address,
        /// What an operator needs.
        permissions: Permissions,
    },
    /// The authority suspended the instance.
    #[error("the instance {id} is suspended: only the authority of its namespace can end that (rollcall reinstate)")]
    InstanceSuspended {
        /// The instance.
        id: InstanceId,
    },
    /// There is no way from this status to that one.
    #[error("{}", words::invalid_transition(.id, *.from, *.to))]
    InvalidTransition {
        /// The instance.
        id: InstanceId,
        /// What it is; `None` if it never was.
        from: Option<Status>,
        /// What was asked for.
        to: Option<Status>,
    },
    /// The record changed since the update was written.
    #[error("the record of {id} was changed by another update (it is {current} now, not {given}): try again")]
    RecordChanged {
        /// The instance.
        id: InstanceId,
        /// The record hash of the contract.
        current: B256,
        /// The one that the update was to replace.
        given: B256,
    },
    /// A grant or an endorsement that ends before it begins.
    #[error("it would end at {} and it is {} already: choose a later end", words::time(*.expiry), words::time(*.now))]
    ExpiryPassed {
        /// When it was to end.
        expiry: u64,
        /// The time of the chain.
        now: u64,
    },
    /// What was signed is too old.
    #[error("it could be sent until {} and it is {} already: have it signed anew", words::time(*.deadline), words::time(*.now))]
    DeadlinePassed {
        /// Until when it could be sent.
        deadline: u64,
        /// The time of the chain.
        now: u64,
    },
    /// Not signed by one who may, for the instance as it is now.
    #[error(
        "the signature is not one by {account}, nor by an operator of it who may do this, for the instance {id} as it \
         is now: have it signed anew"
    )]
    InvalidSignature {
        /// The instance.
        id: InstanceId,
        /// Who should have signed.
        account: Address,
        /// What should have been signed.
        digest: B256,
    },
    /// Of a batch, nothing could be renewed.
    #[error(
        "none of the {size} instances could be renewed: each is gone, or belongs to another account that does not let \
         this one"
    )]
    NothingRenewed {
        /// How many there were.
        size: U256,
    },
    /// Of a batch of signed heartbeats, nothing could be renewed. The contract skips all of such a batch.
    #[error(
        "none of the {size} signed heartbeats renews a lease: each is past its deadline, not after the last heartbeat, of \
         a time to come, of an instance that is gone, or not signed by one who may"
    )]
    NothingRelayed {
        /// How many there were.
        size: usize,
    },
    /// Of a batch, nothing could be reaped.
    #[error(
        "none of the {size} instances can be reaped: only active ones can, whose lease expired more than {} days ago", 
        .grace / U256::from(86_400)
    )]
    NothingReaped {
        /// How many there were.
        size: U256,
        /// How long a lease must have been expired, in seconds.
        grace: U256,
    },
    /// An instance or a namespace that has been transferred or ended as often as can be.
    #[error("{subject} is in its last epoch: it can be neither transferred nor ended any more")]
    EpochsExhausted {
        /// The instance or the namespace.
        subject: String,
    },
    /// A batch with contracts' signatures, and too little gas to ask for them.
    #[error("{left} gas were left, and to ask a contract for its signature takes {needed}: send it with more gas")]
    GasTooLow {
        /// How much was left.
        left: U256,
        /// How much must be.
        needed: U256,
    },
    /// An endorsement that was meant for another epoch.
    #[error(
        "the instance {id} is in epoch {current} now, not {given}: it changed hands or left its service meanwhile; look \
         at it again"
    )]
    EpochChanged {
        /// The instance.
        id: InstanceId,
        /// The epoch that it is in.
        current: u32,
        /// The epoch that was looked at.
        given: u32,
    },
    /// An owner's praise of itself.
    #[error("the instance {id} belongs to {owner}, and an owner cannot endorse its own: use another account's key")]
    OwnEndorsement {
        /// The instance.
        id: InstanceId,
        /// Whose it is.
        owner: Address,
    },
    /// There is nothing to withdraw.
    #[error(
        "{endorser} says nothing about {topic} of {id} that it could withdraw: it never did since the instance has \
         its owner, or withdrew it"
    )]
    NotEndorsed {
        /// The instance.
        id: InstanceId,
        /// Who asked.
        endorser: Address,
        /// About what.
        topic: String,
    },
    /// A rule of the contract that is checked before anything is sent, and was broken all the same.
    #[error("the contract refuses the input: {0}")]
    Input(String),
    /// A revert that is none of the contracts' errors.
    #[error("the transaction reverts: {0}")]
    Other(String),
}
