//! What an owner publishes about an instance.

use alloy_primitives::{Address, B256, Bytes, keccak256};
use alloy_sol_types::SolValue;

use crate::ids::{InstanceId, NamespaceId, ServiceKey};

/// The record of an instance. Endpoints and metadata are arbitrary bytes: nothing promises that they are text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// The namespace that governs the service.
    pub namespace: NamespaceId,
    /// The service's name.
    pub name: String,
    /// The instance's label: unique per registrant and service.
    pub label: String,
    /// The account that registered; part of the id, whoever owns the instance later.
    pub registrant: Address,
    /// The version that this instance runs.
    pub version: String,
    /// The addresses that it serves, 1 to 16 of 1 to 256 bytes.
    pub endpoints: Vec<Bytes>,
    /// Free metadata, at most 4,096 bytes; by convention a JSON object.
    pub metadata: Bytes,
}

impl Record {
    /// The service that this record belongs to.
    pub fn service(&self) -> ServiceKey {
        ServiceKey::new(self.namespace, &self.name)
    }

    /// The instance that this record describes.
    pub fn id(&self) -> InstanceId {
        InstanceId::new(self.service(), self.registrant, &self.label)
    }

    /// Slot B after this record replaces the one with hash `prev`: commits to the record and to its history.
    pub fn hash(&self, prev: B256) -> B256 {
        record_hash(prev, &self.version, &self.endpoints, &self.metadata)
    }
}

/// `keccak(abi.encode(prev, keccak(abi.encode(version, endpoints, metadata))))`; the id binds all the rest.
pub fn record_hash(prev: B256, version: &str, endpoints: &[Bytes], metadata: &Bytes) -> B256 {
    let body = keccak256((version, endpoints, metadata).abi_encode_params());
    keccak256((prev, body).abi_encode())
}
