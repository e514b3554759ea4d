// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title IRegistryTypes
/// @notice The words of the registry: what its functions take, and what its storage holds.
interface IRegistryTypes {
    /// @notice What an instance is now. `Active` and `Suspended` are the listed statuses, those that a roster counts.
    /// No status says that a lease has expired: that follows from the time, without a transaction.
    enum Status {
        /// Never registered.
        None,
        /// Listed, and live while its lease runs.
        Active,
        /// Listed, but not live: the authority of the namespace said so. Only the authority can end it, so an owner
        /// cannot leave a suspension by leaving the service.
        Suspended,
        /// Left its service because its owner said so.
        Deregistered,
        /// Struck off by the authority of the namespace, for ever: no call changes the instance any more.
        Revoked,
        /// Struck off because its lease had expired long ago.
        Reaped
    }

    /// @notice Which text an `InvalidText` error speaks of.
    enum Field {
        /// The name of a service.
        Name,
        /// The label of an instance.
        Label,
        /// The version of an instance.
        Version,
        /// The label of a namespace.
        Namespace
    }

    /// @notice Slot A of an instance, one storage word: all that a heartbeat touches.
    struct Lease {
        /// Who may change the instance. Bits 0–159.
        address owner;
        /// Time of the last heartbeat, or of the registration, in seconds. Bits 160–199.
        uint40 lastHeartbeat;
        /// For how many seconds after the last heartbeat the instance is live. Bits 200–223.
        uint24 ttl;
        /// What the instance is now. Bits 224–231.
        Status status;
        /// Goes up when the instance is transferred, deregistered, revoked or reaped. What was granted in an epoch, or
        /// signed for it, is void in the next. Bits 232–255.
        uint24 epoch;
    }

    /// @notice What the registry knows of a service, one storage word. N distinct listed instances together with
    /// `count == N` prove that an answer omits nothing.
    struct Roster {
        /// How many instances are listed now. Bits 0–63.
        uint64 count;
        /// How many changes this service has had, heartbeats aside. It has no gaps. Bits 64–127.
        uint64 sequence;
    }

    /// @notice Who governs a namespace, one storage word.
    struct Namespace {
        /// The authority over its instances. Bits 0–159.
        address owner;
        /// Whether anyone may register in it. Bits 160–167.
        bool open;
        /// Goes up when it is transferred. Registrars and proposals of an epoch are void in the next. Bits 168–191.
        uint24 epoch;
    }

    /// @notice Who was proposed as the next owner, one storage word.
    struct Proposal {
        /// Who may accept; the zero address if the proposal was taken back. Bits 0–159.
        address account;
        /// Whether there ever was a proposal: it keeps the word from becoming zero. Bits 160–167.
        bool made;
    }

    /// @notice What one account may do for another, one storage word. It holds while `now <= expiry`.
    struct Grant {
        /// Until when, in seconds. Bits 0–39.
        uint40 expiry;
        /// A sum of `Permissions`; 0 if the grant was withdrawn, and of a registrar always. Bits 40–47.
        uint8 permissions;
        /// Whether there ever was a grant: it keeps the word from becoming zero. Bits 48–55.
        bool made;
    }

    /// @notice One registration of a service.
    struct Registration {
        /// `bytes32(uint160(account))`, or `keccak256(bytes(label))` of a claimed label.
        bytes32 namespaceId;
        /// Name of the service in its namespace: 1–63 characters of `[a-z0-9._-]`, the first a letter or digit.
        string name;
        /// Name of the instance among its registrant's of the same service; as a name.
        string label;
        /// What this instance runs: 1–63 characters of `[a-zA-Z0-9._+-]`, the first a letter or digit.
        string version;
        /// Where it answers: 1–16 endpoints of 1–256 arbitrary bytes.
        bytes[] endpoints;
        /// At most 4,096 arbitrary bytes.
        bytes metadata;
        /// Length of the lease in seconds: from 5 seconds to 30 days.
        uint24 ttl;
    }

    /// @notice The preimage of an instance's id: `id = keccak256(abi.encode(service, registrant, labelHash))`.
    struct InstanceKey {
        /// `keccak256(abi.encode(namespaceId, keccak256(bytes(name))))`.
        bytes32 service;
        /// Who registered the instance. It is in the id, so nobody can take another's id.
        address registrant;
        /// `keccak256(bytes(label))`.
        bytes32 labelHash;
    }

    /// @notice The preimage of an instance's id down to its namespace: it proves who the authority is.
    struct InstancePath {
        /// The namespace whose owner is the authority.
        bytes32 namespaceId;
        /// `keccak256(bytes(name))` of the service.
        bytes32 nameHash;
        /// Who registered the instance.
        address registrant;
        /// `keccak256(bytes(label))`.
        bytes32 labelHash;
    }

    /// @notice A heartbeat that another than its signer may send.
    struct SignedHeartbeat {
        /// The instance.
        bytes32 id;
        /// The `lastHeartbeat` that it sets: after the one before, and not in the future.
        uint40 time;
        /// Until when it may be sent, in seconds.
        uint40 deadline;
        /// Over `Heartbeat(bytes32 id,uint24 epoch,uint40 time,uint40 deadline)`, by the owner or an operator.
        bytes signature;
    }

    /// @notice A new record for a listed instance.
    struct RecordUpdate {
        /// Which instance.
        InstanceKey key;
        /// The record hash that this update replaces.
        bytes32 prevRecordHash;
        /// As in a registration.
        string version;
        /// As in a registration.
        bytes[] endpoints;
        /// As in a registration.
        bytes metadata;
        /// As in a registration.
        uint24 ttl;
    }
}
