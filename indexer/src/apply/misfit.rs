//! What does not fit.

use domain::{Address, B256, InstanceId, NamespaceId, ServiceKey, Status};

/// An event that does not fit to the state: logs before it are missing, or the node invents some.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Misfit {
    /// It is about an instance that never registered.
    #[error("{kind} of instance {id}, which never registered: logs before it are missing")]
    UnknownInstance {
        /// The event.
        kind: &'static str,
        /// The instance.
        id: InstanceId,
    },
    /// It is about an instance that is not in the roster, or that enters it twice.
    #[error("{kind} of instance {id}, which is {}: logs before it are missing", status.as_str())]
    WrongStatus {
        /// The event.
        kind: &'static str,
        /// The instance.
        id: InstanceId,
        /// What it is.
        status: Status,
    },
    /// It is not the next one of its service.
    #[error("{kind} has sequence {found} of service {service}, expected {expected}: logs are missing")]
    Sequence {
        /// The event.
        kind: &'static str,
        /// The service.
        service: ServiceKey,
        /// What should have come.
        expected: u64,
        /// What came.
        found: u64,
    },
    /// It replaces another record than the one that we have.
    #[error("{kind} of instance {id} replaces the record {found}, but we have {expected}: logs before it are missing")]
    RecordHash {
        /// The event.
        kind: &'static str,
        /// The instance.
        id: InstanceId,
        /// The record hash that we have.
        expected: B256,
        /// The one that the event replaces.
        found: B256,
    },
    /// It does not leave the service's count as it must.
    #[error("{kind} leaves service {service} with {found} instances, expected {expected}: logs are missing")]
    Count {
        /// The event.
        kind: &'static str,
        /// The service.
        service: ServiceKey,
        /// What should have come.
        expected: u64,
        /// What came.
        found: u64,
    },
    /// It is of another epoch than the one that we have.
    #[error("{kind} of {subject} has epoch {found}, expected {expected}: logs before it are missing")]
    Epoch {
        /// The event.
        kind: &'static str,
        /// The instance or the namespace.
        subject: B256,
        /// What should have come.
        expected: u32,
        /// What came.
        found: u32,
    },
    /// It renews a lease by a heartbeat that is not after the last one.
    #[error("{kind} of instance {id} at {found}, which had one at {last}: logs are missing")]
    Heartbeat {
        /// The event.
        kind: &'static str,
        /// The instance.
        id: InstanceId,
        /// The last heartbeat that we have.
        last: u64,
        /// The one that the event says.
        found: u64,
    },
    /// It claims a namespace that has an owner.
    #[error("{kind} of namespace {namespace}, which {owner} has claimed before: the node invents logs")]
    Claimed {
        /// The event.
        kind: &'static str,
        /// The namespace.
        namespace: NamespaceId,
        /// Who owns it.
        owner: Address,
    },
    /// It is about a namespace that nobody claimed.
    #[error("{kind} of namespace {namespace}, which nobody claimed: logs before it are missing")]
    Unclaimed {
        /// The event.
        kind: &'static str,
        /// The namespace.
        namespace: NamespaceId,
    },
    /// It is by another owner of the namespace than the one that we have.
    #[error("{kind} of namespace {namespace} by {found}, but {expected} owns it: logs before it are missing")]
    NamespaceOwner {
        /// The event.
        kind: &'static str,
        /// The namespace.
        namespace: NamespaceId,
        /// The owner that we have.
        expected: Address,
        /// The one that the event names.
        found: Address,
    },
    /// It withdraws what was not given, or was withdrawn before.
    #[error("{kind} of what {endorser} says of instance {id}, which has said nothing: logs before it are missing")]
    NotEndorsed {
        /// The event.
        kind: &'static str,
        /// The instance.
        id: InstanceId,
        /// Who.
        endorser: Address,
    },
}
