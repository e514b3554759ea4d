//! The contracts' storage, as the index says that it is, and its root. Pure.
//!
//! Every word of both contracts is a function of their logs. So whoever has the index can build the whole storage trie,
//! and one hash tells whether it is the chain's.

use std::collections::BTreeMap;

use alloy::primitives::keccak256;
use alloy_trie::Nibbles;
use domain::{
    B256, InstanceId, ServiceKey,
    layout::{self, words},
};
use store::rows::{Grant, InstanceRow, NamespaceRow, ServiceRow};

use crate::apply::State;

pub mod trie;

/// The words of both contracts that are not zero, by their slots.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Storage {
    /// Those of the registry.
    pub registry: BTreeMap<B256, Word>,
    /// Those of the endorsements.
    pub endorsements: BTreeMap<B256, Word>,
}

/// One word, and what it is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Word {
    /// The word.
    pub word: B256,
    /// Whose it is.
    pub subject: Subject,
}

/// What a word is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Subject {
    /// The lease of an instance.
    Lease(InstanceId),
    /// The record hash of an instance.
    RecordHash(InstanceId),
    /// What is granted or said of an instance.
    Instance(InstanceId),
    /// The roster of a service.
    Roster(ServiceKey),
    /// A namespace, or what is granted in it.
    Namespace(domain::NamespaceId),
    /// What an owner lets an operator do.
    Operator(domain::Address),
}

impl Storage {
    /// All that a state says. It must be the whole state: what is left out is taken for zero.
    pub fn of(state: &State) -> Self {
        let mut storage = Self::default();
        state.namespaces.values().for_each(|row| storage.put_namespace(row));
        state.services.values().for_each(|row| storage.put_service(row));
        state.instances.values().for_each(|row| storage.put_instance(row));
        state.grants.values().for_each(|row| storage.put_grant(&row.grant));
        storage
    }

    /// Those of another part of the state, too.
    pub(crate) fn extend(&mut self, other: Self) {
        self.registry.extend(other.registry);
        self.endorsements.extend(other.endorsements);
    }

    fn put_namespace(&mut self, row: &NamespaceRow) {
        let word = words::namespace(row.owner, row.open, row.epoch);
        self.put(layout::namespace(row.id), word, Subject::Namespace(row.id));
    }

    fn put_service(&mut self, row: &ServiceRow) {
        self.put(layout::service(row.key), words::roster(row.count, row.sequence), Subject::Roster(row.key));
    }

    fn put_instance(&mut self, row: &InstanceRow) {
        let slot = layout::instance(row.id);
        self.put(slot, words::lease(&row.lease), Subject::Lease(row.id));
        self.put(layout::next(slot), row.record_hash, Subject::RecordHash(row.id));
    }

    fn put_grant(&mut self, grant: &Grant) {
        let (word, subject) = match *grant {
            Grant::NamespaceProposal { namespace, account, .. } => {
                (words::proposal(account), Subject::Namespace(namespace))
            }
            Grant::Registrar { namespace, expires_at, .. } => {
                (words::grant(domain::Permissions::NONE, expires_at), Subject::Namespace(namespace))
            }
            Grant::Proposal { instance, account, .. } => (words::proposal(account), Subject::Instance(instance)),
            Grant::Operator { owner, permissions, expires_at, .. } => {
                (words::grant(permissions, expires_at), Subject::Operator(owner))
            }
            Grant::InstanceOperator { instance, permissions, expires_at, .. } => {
                (words::grant(permissions, expires_at), Subject::Instance(instance))
            }
            Grant::Endorsement { instance, expires_at, digest, withdrawn, .. } => {
                let (slot, subject) = (grant.slot(), Subject::Instance(instance));
                let first = Word { word: words::endorsement(expires_at, withdrawn), subject };
                self.endorsements.insert(slot, first);
                self.endorsements.insert(layout::next(slot), Word { word: digest, subject });
                return;
            }
        };
        self.put(grant.slot(), word, subject);
    }

    fn put(&mut self, slot: B256, word: B256, subject: Subject) {
        self.registry.insert(slot, Word { word, subject });
    }
}

/// The root of the storage trie of a contract that holds these words, and words of zero at these keys.
pub fn root(words: &BTreeMap<B256, Word>, zeros: &[B256]) -> B256 {
    let words = words.iter().map(|(slot, word)| (keccak256(slot), word.word));
    let keyed: BTreeMap<B256, B256> = zeros.iter().map(|key| (*key, B256::ZERO)).chain(words).collect();
    trie::root(keyed.into_iter().map(|(key, word)| (Nibbles::unpack(key), word)))
}

impl std::fmt::Display for Subject {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Lease(id) => write!(f, "the lease of the instance {id}"),
            Self::RecordHash(id) => write!(f, "the record hash of the instance {id}"),
            Self::Instance(id) => write!(f, "what is granted or said of the instance {id}"),
            Self::Roster(key) => write!(f, "the roster of the service {key}"),
            Self::Namespace(id) => write!(f, "the namespace {id}, or what is granted in it"),
            Self::Operator(owner) => write!(f, "what {owner} lets an operator do"),
        }
    }
}
