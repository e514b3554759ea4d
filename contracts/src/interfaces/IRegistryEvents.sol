// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IRegistryTypes} from "./IRegistryTypes.sol";

/// @title IRegistryEvents
/// @notice All that the registry logs. Each event carries what it sets, so that the logs alone rebuild the storage.
interface IRegistryEvents is IRegistryTypes {
    /// @notice A namespace got its owner.
    /// @param namespaceId `keccak256(bytes(label))`.
    /// @param owner Who owns it now.
    /// @param label What was claimed.
    event NamespaceClaimed(bytes32 indexed namespaceId, address indexed owner, string label);

    /// @notice An account was proposed as a namespace's next owner, or, if it is the zero address, nobody is any more.
    /// @param namespaceId The namespace.
    /// @param epoch The namespace's epoch: the proposal is void in the next.
    /// @param account Who may accept.
    event NamespaceOwnerProposed(bytes32 indexed namespaceId, uint24 epoch, address indexed account);

    /// @notice A namespace was transferred. It is closed now.
    /// @param namespaceId The namespace.
    /// @param owner Who owns it now.
    /// @param epoch The namespace's epoch after this event.
    event NamespaceOwnerChanged(bytes32 indexed namespaceId, address indexed owner, uint24 epoch);

    /// @notice A namespace was opened to all, or closed. Its word is now `(owner, open, epoch)`.
    /// @param namespaceId The namespace.
    /// @param owner Who owns it.
    /// @param open Whether anyone may register in it.
    /// @param epoch The namespace's epoch, unchanged by this event.
    event NamespaceOpenSet(bytes32 indexed namespaceId, address indexed owner, bool open, uint24 epoch);

    /// @notice An account was admitted to register in a namespace, or is admitted no more.
    /// @param namespaceId The namespace.
    /// @param epoch The namespace's epoch: the admission is void in the next.
    /// @param registrar Who.
    /// @param expiry Until when, in seconds; 0 if it is admitted no more.
    event RegistrarSet(bytes32 indexed namespaceId, uint24 epoch, address indexed registrar, uint40 expiry);

    /// @notice An instance entered the roster of its service. Its lease is now
    /// `(owner, time, registration.ttl, Active, epoch)` and its record hash
    /// `keccak256(abi.encode(prevRecordHash, keccak256(abi.encode(version, endpoints, metadata))))`.
    /// @param id The instance.
    /// @param service The service that it is listed under.
    /// @param owner Who owns it: its registrant.
    /// @param registration All that was registered.
    /// @param time When its lease began.
    /// @param epoch Its epoch, unchanged by this event.
    /// @param sequence The service's sequence after this event.
    /// @param count The service's count after this event.
    /// @param prevRecordHash The record hash before: 0 unless the instance had been registered once.
    event Registered(
        bytes32 indexed id,
        bytes32 indexed service,
        address indexed owner,
        Registration registration,
        uint40 time,
        uint24 epoch,
        uint64 sequence,
        uint64 count,
        bytes32 prevRecordHash
    );

    /// @notice An instance's record was replaced. Its record hash follows as at `Registered`; of its lease, the ttl is
    /// now `ttl` and the rest is as it was.
    /// @param id The instance.
    /// @param service The service that it is listed under.
    /// @param version The new version.
    /// @param endpoints The new endpoints.
    /// @param metadata The new metadata.
    /// @param ttl The ttl, changed or not.
    /// @param sequence The service's sequence after this event.
    /// @param prevRecordHash The record hash that was replaced.
    event Updated(
        bytes32 indexed id,
        bytes32 indexed service,
        string version,
        bytes[] endpoints,
        bytes metadata,
        uint24 ttl,
        uint64 sequence,
        bytes32 prevRecordHash
    );

    /// @notice An instance left its service because its owner said so. Its lease keeps all but the status, now
    /// `Deregistered`, and the epoch.
    /// @param id The instance.
    /// @param service The service that it was listed under.
    /// @param epoch Its epoch after this event.
    /// @param sequence The service's sequence after this event.
    /// @param count The service's count after this event.
    event Deregistered(bytes32 indexed id, bytes32 indexed service, uint24 epoch, uint64 sequence, uint64 count);

    /// @notice An instance's lease was renewed.
    /// @param id The instance.
    /// @param time Its `lastHeartbeat` now.
    event Heartbeat(bytes32 indexed id, uint40 time);

    /// @notice The leases of several instances were renewed in one call.
    /// @param time Their `lastHeartbeat` now.
    /// @param ids The instances that were renewed, in the order given; one that was given twice is here twice.
    event HeartbeatBatch(uint40 time, bytes32[] ids);

    /// @notice An account was proposed as an instance's next owner, or, if it is the zero address, nobody is any more.
    /// @param id The instance.
    /// @param epoch The instance's epoch: the proposal is void in the next.
    /// @param account Who may accept.
    event OwnerProposed(bytes32 indexed id, uint24 epoch, address indexed account);

    /// @notice An instance was transferred. Its lease keeps all but the owner and the epoch.
    /// @param id The instance.
    /// @param service The service that it is listed under.
    /// @param owner Who owns it now.
    /// @param epoch Its epoch after this event.
    /// @param sequence The service's sequence after this event.
    event OwnerChanged(
        bytes32 indexed id, bytes32 indexed service, address indexed owner, uint24 epoch, uint64 sequence
    );

    /// @notice An owner said what an operator may do for all of the owner's instances.
    /// @param owner The owner.
    /// @param operator The operator.
    /// @param permissions A sum of `Permissions`; 0 if it may do nothing any more.
    /// @param expiry Until when, in seconds.
    event OperatorSet(address indexed owner, address indexed operator, uint8 permissions, uint40 expiry);

    /// @notice An owner said what an operator may do for one instance.
    /// @param id The instance.
    /// @param epoch The instance's epoch: the grant is void in the next.
    /// @param operator The operator.
    /// @param permissions A sum of `Permissions`; 0 if it may do nothing any more.
    /// @param expiry Until when, in seconds.
    event InstanceOperatorSet(
        bytes32 indexed id, uint24 epoch, address indexed operator, uint8 permissions, uint40 expiry
    );

    /// @notice The authority suspended, reinstated or revoked an instance. Its lease keeps all but the status and the
    /// epoch.
    /// @param id The instance.
    /// @param service The service that it is, or was, listed under.
    /// @param authority Who owns the namespace.
    /// @param status What the instance is now.
    /// @param epoch Its epoch after this event: one more after a revocation.
    /// @param sequence The service's sequence after this event.
    /// @param count The service's count after this event.
    /// @param reason Why: at most 256 arbitrary bytes.
    event StatusSet(
        bytes32 indexed id,
        bytes32 indexed service,
        address indexed authority,
        Status status,
        uint24 epoch,
        uint64 sequence,
        uint64 count,
        bytes reason
    );

    /// @notice An instance left its service because its lease had expired longer ago than the grace period. Its lease
    /// keeps all but the status, now `Reaped`, and the epoch.
    /// @param id The instance.
    /// @param service The service that it was listed under.
    /// @param epoch Its epoch after this event.
    /// @param sequence The service's sequence after this event.
    /// @param count The service's count after this event.
    event Reaped(bytes32 indexed id, bytes32 indexed service, uint24 epoch, uint64 sequence, uint64 count);

    /// @notice The leases of several instances were renewed by heartbeats that were signed and then relayed.
    /// @param times The `lastHeartbeat` of each instance now; as many as `ids`.
    /// @param ids The instances that were renewed, in the order given. One may be here twice, the later time later.
    event SignedHeartbeatBatch(uint40[] times, bytes32[] ids);
}
