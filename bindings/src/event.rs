//! What a log of the contract says.

use domain::{Address, B256, Bytes, InstanceId, NamespaceId, Record, ServiceKey};

/// A log of the contract in domain types. Each event carries all the state that it sets. Times are seconds of chain
/// time, ttls are seconds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A namespace got its owner.
    NamespaceClaimed {
        /// The namespace.
        namespace: NamespaceId,
        /// Who owns it now.
        owner: Address,
        /// What was claimed.
        label: String,
    },
    /// An instance entered the roster of its service.
    Registered {
        /// The instance: always the id that follows from `record`.
        id: InstanceId,
        /// The service: always the key that follows from `record`.
        service: ServiceKey,
        /// What it publishes; the registrant is its owner now.
        record: Record,
        /// The length of its lease.
        ttl: u32,
        /// When its lease began.
        time: u64,
        /// Its epoch.
        epoch: u32,
        /// The service's sequence after this event.
        sequence: u64,
        /// The service's count after this event.
        count: u64,
        /// The record hash before; zero if there was none.
        prev_record_hash: B256,
    },
    /// An instance's record was replaced.
    Updated {
        /// The instance.
        id: InstanceId,
        /// Its service.
        service: ServiceKey,
        /// The new version.
        version: String,
        /// The new endpoints; arbitrary bytes.
        endpoints: Vec<Bytes>,
        /// The new metadata; arbitrary bytes.
        metadata: Bytes,
        /// The ttl, changed or not.
        ttl: u32,
        /// The service's sequence after this event.
        sequence: u64,
        /// The record hash that was replaced.
        prev_record_hash: B256,
    },
    /// An instance left its service because its owner said so.
    Deregistered {
        /// The instance.
        id: InstanceId,
        /// Its service.
        service: ServiceKey,
        /// Its epoch after this event.
        epoch: u32,
        /// The service's sequence after this event.
        sequence: u64,
        /// The service's count after this event.
        count: u64,
    },
    /// An instance's lease was renewed.
    Heartbeat {
        /// The instance.
        id: InstanceId,
        /// Its last heartbeat now.
        time: u64,
    },
    /// The leases of several instances were renewed in one call.
    HeartbeatBatch {
        /// Their last heartbeat now.
        time: u64,
        /// The instances, in the order given; one may be here more than once.
        ids: Vec<InstanceId>,
    },
}

impl Event {
    /// The event's name in the ABI.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::NamespaceClaimed { .. } => "NamespaceClaimed",
            Self::Registered { .. } => "Registered",
            Self::Updated { .. } => "Updated",
            Self::Deregistered { .. } => "Deregistered",
            Self::Heartbeat { .. } => "Heartbeat",
            Self::HeartbeatBatch { .. } => "HeartbeatBatch",
        }
    }

    /// The instance that the event is about, where it is about just one.
    pub fn instance(&self) -> Option<InstanceId> {
        match self {
            Self::NamespaceClaimed { .. } | Self::HeartbeatBatch { .. } => None,
            Self::Registered { id, .. }
            | Self::Updated { id, .. }
            | Self::Deregistered { id, .. }
            | Self::Heartbeat { id, .. } => Some(*id),
        }
    }

    /// The service whose roster the event changes, if it changes one.
    pub fn service(&self) -> Option<ServiceKey> {
        match self {
            Self::NamespaceClaimed { .. } | Self::Heartbeat { .. } | Self::HeartbeatBatch { .. } => None,
            Self::Registered { service, .. } | Self::Updated { service, .. } | Self::Deregistered { service, .. } => {
                Some(*service)
            }
        }
    }

    /// The namespace that the event names, if it names one.
    pub fn namespace(&self) -> Option<NamespaceId> {
        match self {
            Self::NamespaceClaimed { namespace, .. } => Some(*namespace),
            Self::Registered { record, .. } => Some(record.namespace),
            Self::Updated { .. } | Self::Deregistered { .. } | Self::Heartbeat { .. } | Self::HeartbeatBatch { .. } => {
                None
            }
        }
    }
}
