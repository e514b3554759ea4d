//! What a log of the contracts says.

use domain::{Address, B256, Bytes, InstanceId, NamespaceId, Permissions, Record, ServiceKey, Status, Topic, layout};

/// A log of the registry, or of its endorsements, in domain types. Each event carries all the state that it sets, but
/// `Withdrawn`, which leaves the expiry and the digest of what it withdraws. Times are seconds of chain time, ttls are
/// seconds.
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
    /// An account was proposed as a namespace's next owner, or nobody is any more.
    NamespaceOwnerProposed {
        /// The namespace.
        namespace: NamespaceId,
        /// Its epoch: all is void in the next.
        epoch: u32,
        /// Who may accept; the zero address if nobody.
        account: Address,
    },
    /// A namespace was transferred, and is closed now.
    NamespaceOwnerChanged {
        /// The namespace.
        namespace: NamespaceId,
        /// Who owns it now.
        owner: Address,
        /// Its epoch after this event.
        epoch: u32,
    },
    /// A namespace was opened to all, or closed.
    NamespaceOpenSet {
        /// The namespace.
        namespace: NamespaceId,
        /// Who owns it.
        owner: Address,
        /// Whether anyone may register in it.
        open: bool,
        /// Its epoch, unchanged.
        epoch: u32,
    },
    /// An account was admitted to register in a namespace, or is admitted no more.
    RegistrarSet {
        /// The namespace.
        namespace: NamespaceId,
        /// Its epoch: all is void in the next.
        epoch: u32,
        /// Who.
        registrar: Address,
        /// Until when; 0 if it is admitted no more.
        expires_at: u64,
    },
    /// The leases of several instances were renewed by heartbeats that were signed and then relayed.
    SignedHeartbeatBatch {
        /// Instances and their last heartbeats now, in the order given; one may be here twice, the later time later.
        beats: Vec<(InstanceId, u64)>,
    },
    /// An account was proposed as an instance's next owner, or nobody is any more.
    OwnerProposed {
        /// The instance.
        id: InstanceId,
        /// Its epoch: all is void in the next.
        epoch: u32,
        /// Who may accept; the zero address if nobody.
        account: Address,
    },
    /// An instance was transferred.
    OwnerChanged {
        /// The instance.
        id: InstanceId,
        /// Its service.
        service: ServiceKey,
        /// Who owns it now.
        owner: Address,
        /// Its epoch after this event.
        epoch: u32,
        /// The service's sequence after this event.
        sequence: u64,
    },
    /// An owner said what an operator may do for all of the owner's instances.
    OperatorSet {
        /// The owner.
        owner: Address,
        /// The operator.
        operator: Address,
        /// What it may do; nothing if the grant was withdrawn.
        permissions: Permissions,
        /// Until when.
        expires_at: u64,
    },
    /// An owner said what an operator may do for one instance.
    InstanceOperatorSet {
        /// The instance.
        id: InstanceId,
        /// Its epoch: all is void in the next.
        epoch: u32,
        /// The operator.
        operator: Address,
        /// What it may do; nothing if the grant was withdrawn.
        permissions: Permissions,
        /// Until when.
        expires_at: u64,
    },
    /// The authority suspended, reinstated or revoked an instance.
    StatusSet {
        /// The instance.
        id: InstanceId,
        /// The service that it is, or was, listed under.
        service: ServiceKey,
        /// Who owns the namespace.
        authority: Address,
        /// `Active`, `Suspended` or `Revoked`.
        status: Status,
        /// Its epoch after this event.
        epoch: u32,
        /// The service's sequence after this event.
        sequence: u64,
        /// The service's count after this event.
        count: u64,
        /// Why: at most 256 arbitrary bytes.
        reason: Bytes,
    },
    /// An instance left its service because its lease had expired long ago.
    Reaped {
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
    /// An instance was endorsed, or an endorsement was replaced.
    Endorsed {
        /// The instance.
        id: InstanceId,
        /// Who endorsed it.
        endorser: Address,
        /// What about.
        topic: Topic,
        /// Its epoch: all is void in the next.
        epoch: u32,
        /// Until when.
        expires_at: u64,
        /// What it says or points to; never zero.
        digest: B256,
    },
    /// An endorsement was withdrawn.
    Withdrawn {
        /// The instance.
        id: InstanceId,
        /// Who had endorsed it.
        endorser: Address,
        /// What about.
        topic: Topic,
        /// Its epoch.
        epoch: u32,
    },
}

impl Event {
    /// The event's name in the ABI.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::NamespaceClaimed { .. } => "NamespaceClaimed",
            Self::NamespaceOwnerProposed { .. } => "NamespaceOwnerProposed",
            Self::NamespaceOwnerChanged { .. } => "NamespaceOwnerChanged",
            Self::NamespaceOpenSet { .. } => "NamespaceOpenSet",
            Self::RegistrarSet { .. } => "RegistrarSet",
            Self::Registered { .. } => "Registered",
            Self::Updated { .. } => "Updated",
            Self::Deregistered { .. } => "Deregistered",
            Self::Heartbeat { .. } => "Heartbeat",
            Self::HeartbeatBatch { .. } => "HeartbeatBatch",
            Self::SignedHeartbeatBatch { .. } => "SignedHeartbeatBatch",
            Self::OwnerProposed { .. } => "OwnerProposed",
            Self::OwnerChanged { .. } => "OwnerChanged",
            Self::OperatorSet { .. } => "OperatorSet",
            Self::InstanceOperatorSet { .. } => "InstanceOperatorSet",
            Self::StatusSet { .. } => "StatusSet",
            Self::Reaped { .. } => "Reaped",
            Self::Endorsed { .. } => "Endorsed",
            Self::Withdrawn { .. } => "Withdrawn",
        }
    }

    /// The instance that the event is about, where it is about just one.
    pub fn instance(&self) -> Option<InstanceId> {
        match self {
            Self::Registered { id, .. }
            | Self::Updated { id, .. }
            | Self::Deregistered { id, .. }
            | Self::Heartbeat { id, .. }
            | Self::OwnerProposed { id, .. }
            | Self::OwnerChanged { id, .. }
            | Self::InstanceOperatorSet { id, .. }
            | Self::StatusSet { id, .. }
            | Self::Reaped { id, .. }
            | Self::Endorsed { id, .. }
            | Self::Withdrawn { id, .. } => Some(*id),
            Self::NamespaceClaimed { .. }
            | Self::NamespaceOwnerProposed { .. }
            | Self::NamespaceOwnerChanged { .. }
            | Self::NamespaceOpenSet { .. }
            | Self::RegistrarSet { .. }
            | Self::HeartbeatBatch { .. }
            | Self::SignedHeartbeatBatch { .. }
            | Self::OperatorSet { .. } => None,
        }
    }

    /// The service whose roster the event changes, if it changes one.
    pub fn service(&self) -> Option<ServiceKey> {
        match self {
            Self::Registered { service, .. }
            | Self::Updated { service, .. }
            | Self::Deregistered { service, .. }
            | Self::OwnerChanged { service, .. }
            | Self::StatusSet { service, .. }
            | Self::Reaped { service, .. } => Some(*service),
            Self::NamespaceClaimed { .. }
            | Self::NamespaceOwnerProposed { .. }
            | Self::NamespaceOwnerChanged { .. }
            | Self::NamespaceOpenSet { .. }
            | Self::RegistrarSet { .. }
            | Self::Heartbeat { .. }
            | Self::HeartbeatBatch { .. }
            | Self::SignedHeartbeatBatch { .. }
            | Self::OwnerProposed { .. }
            | Self::OperatorSet { .. }
            | Self::InstanceOperatorSet { .. }
            | Self::Endorsed { .. }
            | Self::Withdrawn { .. } => None,
        }
    }

    /// The namespace that the event names, if it names one.
    pub fn namespace(&self) -> Option<NamespaceId> {
        match self {
            Self::NamespaceClaimed { namespace, .. }
            | Self::NamespaceOwnerProposed { namespace, .. }
            | Self::NamespaceOwnerChanged { namespace, .. }
            | Self::NamespaceOpenSet { namespace, .. }
            | Self::RegistrarSet { namespace, .. } => Some(*namespace),
            Self::Registered { record, .. } => Some(record.namespace),
            Self::Updated { .. }
            | Self::Deregistered { .. }
            | Self::Heartbeat { .. }
            | Self::HeartbeatBatch { .. }
            | Self::SignedHeartbeatBatch { .. }
            | Self::OwnerProposed { .. }
            | Self::OwnerChanged { .. }
            | Self::OperatorSet { .. }
            | Self::InstanceOperatorSet { .. }
            | Self::StatusSet { .. }
            | Self::Reaped { .. }
            | Self::Endorsed { .. }
            | Self::Withdrawn { .. } => None,
        }
    }

    /// The storage slot of the proposal, the grant or the endorsement that the event sets, if it sets one.
    pub fn slot(&self) -> Option<B256> {
        match self {
            Self::NamespaceOwnerProposed { namespace, epoch, .. } => {
                Some(layout::namespace_proposal(*namespace, *epoch))
            }
            Self::RegistrarSet { namespace, epoch, registrar, .. } => {
                Some(layout::registrar(*namespace, *epoch, *registrar))
            }
            Self::OwnerProposed { id, epoch, .. } => Some(layout::proposal(*id, *epoch)),
            Self::OperatorSet { owner, operator, .. } => Some(layout::operator(*owner, *operator)),
            Self::InstanceOperatorSet { id, epoch, operator, .. } => {
                Some(layout::instance_operator(*id, *epoch, *operator))
            }
            Self::Endorsed { id, endorser, topic, epoch, .. } | Self::Withdrawn { id, endorser, topic, epoch } => {
                Some(layout::endorsement(*id, *epoch, *endorser, *topic))
            }
            Self::NamespaceClaimed { .. }
            | Self::NamespaceOwnerChanged { .. }
            | Self::NamespaceOpenSet { .. }
            | Self::Registered { .. }
            | Self::Updated { .. }
            | Self::Deregistered { .. }
            | Self::Heartbeat { .. }
            | Self::HeartbeatBatch { .. }
            | Self::SignedHeartbeatBatch { .. }
            | Self::OwnerChanged { .. }
            | Self::StatusSet { .. }
            | Self::Reaped { .. } => None,
        }
    }
}
