//! Proposals, grants and endorsements: one row for each slot of the contracts' storage that holds one.

use alloy_primitives::{Address, B256};
use domain::{InstanceId, NamespaceId, Permissions, Topic, layout};

/// What one account says of another, or of an instance, in one slot of a contract's storage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GrantRow {
    /// What it says.
    pub grant: Grant,
    /// Height of the block that says so.
    pub block_number: u64,
    /// Index of the log that says so.
    pub log_index: u64,
}

/// The kinds of slots, each in a table of its own. Times are seconds of chain time; what was said in an epoch is void
/// in the next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Grant {
    /// Who was proposed as the next owner of a namespace.
    NamespaceProposal {
        /// The namespace.
        namespace: NamespaceId,
        /// Its epoch.
        epoch: u32,
        /// Who may accept; the zero address if nobody.
        account: Address,
    },
    /// Who is admitted to register in a namespace.
    Registrar {
        /// The namespace.
        namespace: NamespaceId,
        /// Its epoch.
        epoch: u32,
        /// Who.
        registrar: Address,
        /// Until when; 0 if dismissed.
        expires_at: u64,
    },
    /// Who was proposed as the next owner of an instance.
    Proposal {
        /// The instance.
        instance: InstanceId,
        /// Its epoch.
        epoch: u32,
        /// Who may accept; the zero address if nobody.
        account: Address,
    },
    /// What an operator may do for all of an owner's instances.
    Operator {
        /// The owner.
        owner: Address,
        /// The operator.
        operator: Address,
        /// What it may do; nothing if withdrawn.
        permissions: Permissions,
        /// Until when.
        expires_at: u64,
    },
    /// What an operator may do for one instance.
    InstanceOperator {
        /// The instance.
        instance: InstanceId,
        /// Its epoch.
        epoch: u32,
        /// The operator.
        operator: Address,
        /// What it may do; nothing if withdrawn.
        permissions: Permissions,
        /// Until when.
        expires_at: u64,
    },
    /// What somebody says of an instance.
    Endorsement {
        /// The instance.
        instance: InstanceId,
        /// Its epoch.
        epoch: u32,
        /// Who says it.
        endorser: Address,
        /// What about.
        topic: Topic,
        /// Until when.
        expires_at: u64,
        /// What it says or points to.
        digest: B256,
        /// Whether it was withdrawn.
        withdrawn: bool,
    },
}

impl Grant {
    /// Where the contract keeps it.
    pub fn slot(&self) -> B256 {
        match *self {
            Self::NamespaceProposal { namespace, epoch, .. } => layout::namespace_proposal(namespace, epoch),
            Self::Registrar { namespace, epoch, registrar, .. } => layout::registrar(namespace, epoch, registrar),
            Self::Proposal { instance, epoch, .. } => layout::proposal(instance, epoch),
            Self::Operator { owner, operator, .. } => layout::operator(owner, operator),
            Self::InstanceOperator { instance, epoch, operator, .. } => {
                layout::instance_operator(instance, epoch, operator)
            }
            Self::Endorsement { instance, epoch, endorser, topic, .. } => {
                layout::endorsement(instance, epoch, endorser, topic)
            }
        }
    }
}
