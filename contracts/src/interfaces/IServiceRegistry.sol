// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title IServiceRegistry
/// @notice A catalogue of services whose entries only their owners can write.
///
/// A **service** is a name in a **namespace**; an **instance** is one registration of a service, with its own version,
/// endpoints, metadata and **lease**. An instance is live while its lease runs: `now <= lastHeartbeat + ttl`.
///
/// The state holds a lease and a hash for each instance; the bodies of the records are in the logs. Every storage slot
/// is a function of the logs, so whoever has them can rebuild the whole storage of the contract and compare its root
/// with the chain's.
///
/// Warning: endpoints and metadata are arbitrary bytes. They may be invalid UTF-8, hold NUL bytes or markup, or name
/// hosts that are not the owner's. The registry proves who wrote a record, never that it is true.
interface IServiceRegistry {
    // ---------------------------------------------------------------- types

    /// @notice What an instance is now. `Active` and `Suspended` are the listed statuses, those that a roster counts.
    /// No status says that a lease has expired: that follows from the time, without a transaction.
    enum Status {
        /// Never registered.
        None,
        /// Listed, and live while its lease runs.
        Active,
        /// Listed, but not live: the authority of the namespace said so, and may take it back.
        Suspended,
        /// Left its service because its owner said so. Its registrant may register it again.
        Deregistered,
        /// Struck off by the authority of the namespace. It cannot register again by itself.
        Revoked,
        /// Struck off because its lease had expired long ago. Its registrant may register it again.
        Reaped
    }

    /// @notice Which text an `InvalidText` error speaks of.
    enum Field {
        Name,
        Label,
        Version,
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
        /// Goes up whenever grants of before must no longer hold, such as by a deregistration. Bits 232–255.
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

    /// @notice One registration of a service.
    struct Registration {
        /// `bytes32(uint160(account))`, or `keccak256(bytes(label))` of a claimed label.
        bytes32 namespaceId;
        /// Name of the service in its namespace: 1–63 characters of `[a-z0-9._-]`.
        string name;
        /// Name of the instance among its registrant's of the same service: 1–63 characters of `[a-z0-9._-]`.
        string label;
        /// What this instance runs: 1–63 characters of `[a-zA-Z0-9._+-]`.
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

    // --------------------------------------------------------------- events

    /// @notice A namespace got its owner.
    /// @param namespaceId `keccak256(bytes(label))`.
    /// @param owner Who owns it now.
    /// @param label What was claimed.
    event NamespaceClaimed(bytes32 indexed namespaceId, address indexed owner, string label);

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

    // --------------------------------------------------------------- errors

    /// @notice The label was claimed before.
    /// @param namespaceId The namespace of that label.
    /// @param owner Who owns it.
    error NamespaceTaken(bytes32 namespaceId, address owner);

    /// @notice The caller may not register in this namespace.
    /// @param namespaceId The namespace.
    /// @param caller Who called.
    /// @param owner Who owns the namespace; the zero address if it was never claimed.
    error NamespaceClosed(bytes32 namespaceId, address caller, address owner);

    /// @notice The instance is listed, or it was revoked.
    /// @param id The instance.
    /// @param status What it is.
    error AlreadyRegistered(bytes32 id, Status status);

    /// @notice The instance is neither active nor suspended.
    /// @param id The instance.
    /// @param status What it is.
    error NotListed(bytes32 id, Status status);

    /// @notice Only the owner of the instance may do this.
    /// @param id The instance.
    /// @param caller Who called.
    /// @param owner Who owns the instance.
    error NotOwner(bytes32 id, address caller, address owner);

    /// @notice The update was written for a record that is no longer the current one.
    /// @param id The instance.
    /// @param current The record hash that the registry holds.
    /// @param given The record hash that the update said it replaces.
    error RecordChanged(bytes32 id, bytes32 current, bytes32 given);

    /// @notice A text is empty, longer than 63 bytes, or holds a character that it may not hold.
    /// @param field Which text.
    /// @param value The text.
    error InvalidText(Field field, string value);

    /// @notice A namespace label may not start with `0x`: it could be taken for an account's own namespace.
    /// @param label The label.
    error ReservedLabel(string label);

    /// @notice There are no endpoints, or too many.
    /// @param count How many there are.
    /// @param max How many there may be.
    error EndpointCountOutOfRange(uint256 count, uint256 max);

    /// @notice An endpoint is empty or too long.
    /// @param index Which one.
    /// @param length Its length in bytes.
    /// @param max Its greatest length in bytes.
    error EndpointLengthOutOfRange(uint256 index, uint256 length, uint256 max);

    /// @notice The metadata is too long.
    /// @param length Its length in bytes.
    /// @param max Its greatest length in bytes.
    error MetadataTooLong(uint256 length, uint256 max);

    /// @notice The ttl is too short or too long.
    /// @param ttl The ttl in seconds.
    /// @param min The shortest in seconds.
    /// @param max The longest in seconds.
    error TtlOutOfRange(uint256 ttl, uint256 min, uint256 max);

    /// @notice The batch is empty or too large.
    /// @param size How many items it has.
    /// @param max How many it may have.
    error BatchSizeOutOfRange(uint256 size, uint256 max);

    /// @notice Of the whole batch, no instance could be renewed by the caller.
    /// @param size How many items it has.
    error NothingRenewed(uint256 size);

    // ------------------------------------------------------------ functions

    /// @notice Makes the caller the owner of the namespace `keccak256(bytes(label))`. First come, first served.
    ///
    /// Warning: a claim can be seen before it is mined, and another may then claim the label first. The namespace of
    /// the caller's own address, `bytes32(uint160(caller))`, needs no claim and cannot be lost that way.
    ///
    /// Warning: a label is no proof of who its owner is. Compare the owner's address with one known from elsewhere.
    /// @param label 1–63 characters of `[a-z0-9._-]`, not starting with `0x`.
    /// @return namespaceId The namespace.
    function claimNamespace(string calldata label) external returns (bytes32 namespaceId);

    /// @notice Registers an instance of a service, or registers anew one that was deregistered or reaped. The caller
    /// becomes its owner and its lease starts now. The caller must own the namespace.
    ///
    /// Warning: all of the record is public for ever, after a deregistration too.
    /// @param registration What to register.
    /// @return id The instance.
    function register(Registration calldata registration) external returns (bytes32 id);

    /// @notice Replaces the record of a listed instance. Only its owner may.
    ///
    /// Warning: an update is no heartbeat. But the new ttl counts from the last heartbeat, so a longer one can make an
    /// instance live again whose lease had expired, and a shorter one can end its lease at once.
    /// @param change What to write, and the record hash that it replaces.
    function update(RecordUpdate calldata change) external;

    /// @notice Takes a listed instance out of its service. Only its owner may. Its registrant may register it again.
    ///
    /// Warning: `areLive` and caches of it answer for the block they were asked at; give consumers time to notice
    /// before the endpoints stop to answer.
    /// @param key The preimage of its id.
    function deregister(InstanceKey calldata key) external;

    /// @notice Renews the lease of a listed instance, from now. Only its owner may. An expired lease is renewed too.
    ///
    /// Warning: a suspended instance can be renewed, and is not live all the same.
    /// @param id The instance.
    function heartbeat(bytes32 id) external;

    /// @notice Renews the leases of many listed instances, from now.
    ///
    /// Warning: an instance that is not listed, or not the caller's, is skipped, so that one of them does not let the
    /// leases of the others expire. Compare the result with the number of ids. Only if all are skipped does the call
    /// fail.
    /// @param ids 1–500 instances. One that is given twice is renewed once, but counted and logged twice.
    /// @return renewed How many of the ids were not skipped.
    function heartbeatBatch(bytes32[] calldata ids) external returns (uint256 renewed);

    // ---------------------------------------------------------------- views

    /// @notice Whether an instance is active and its lease runs: `now <= lastHeartbeat + ttl`.
    ///
    /// Warning: "now" is the timestamp of the block that the call is made at. An answer from a lagging node is as old
    /// as that node's head.
    /// @param id The instance.
    /// @return Whether it is live.
    function isLive(bytes32 id) external view returns (bool);

    /// @notice Whether each of many instances is live.
    /// @param ids The instances, any number of them.
    /// @return bitmap Bit `i % 256` of word `i / 256` is set if `ids[i]` is live.
    function areLive(bytes32[] calldata ids) external view returns (uint256[] memory bitmap);

    /// @notice The lease of an instance, as it is stored.
    ///
    /// Warning: a lease outlives its instance. It tells the last owner and the last heartbeat even of one that is
    /// deregistered; ask `status` first, or use `isLive`.
    /// @param id The instance.
    /// @return The lease; all zero if there never was such an instance.
    function leaseOf(bytes32 id) external view returns (Lease memory);

    /// @notice The hash that commits to the current record of an instance and to all of its records before.
    /// @param id The instance.
    /// @return The hash; zero if there never was such an instance.
    function recordHashOf(bytes32 id) external view returns (bytes32);

    /// @notice The roster of a service.
    ///
    /// Warning: expired instances are listed, and counted, until someone takes them out.
    /// @param service The service.
    /// @return count How many instances are listed.
    /// @return sequence How many changes the service has had, heartbeats aside.
    function countOf(bytes32 service) external view returns (uint64 count, uint64 sequence);

    /// @notice Who owns a namespace.
    /// @param namespaceId The namespace.
    /// @return The account whose own namespace it is, or who claimed its label; the zero address if nobody did.
    function ownerOf(bytes32 namespaceId) external view returns (address);

    /// @notice Whether this is the current record of an instance.
    ///
    /// Warning: it does not say that the instance is live, nor listed: the last record of one that is deregistered
    /// verifies as well. Ask `isLive` too.
    /// @param id The instance.
    /// @param registrant Who registered it; not its owner, if it was transferred.
    /// @param registration Its record: what was registered, with the last update written over it.
    /// @param prevRecordHash The record hash that this record replaced, as its event says; 0 for a first record.
    /// @return Whether the id is the one of this namespace, name, registrant and label, and the record hash and the ttl
    /// that the registry holds are those of this record.
    function verifyRecord(bytes32 id, address registrant, Registration calldata registration, bytes32 prevRecordHash)
        external
        view
        returns (bool);
}
