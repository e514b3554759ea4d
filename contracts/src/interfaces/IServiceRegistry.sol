// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title IServiceRegistry
/// @notice A catalogue of services whose entries only their owners can write. A service is a name in a namespace; an
/// instance is one registration of a service; an instance is live while its lease runs.
interface IServiceRegistry {
    // ---------------------------------------------------------------- types

    /// @notice What an instance is now. `Active` and `Suspended` are the listed statuses, those that a roster counts.
    enum Status {
        None,
        Active,
        Suspended,
        Deregistered,
        Revoked,
        Reaped
    }

    /// @notice Which text of a registration an error speaks of.
    enum Field {
        Name,
        Label,
        Version,
        Namespace
    }

    /// @notice Slot A of an instance, one storage word: all that a heartbeat touches.
    struct Lease {
        address owner;
        uint40 lastHeartbeat;
        uint24 ttl;
        Status status;
        uint24 epoch;
    }

    /// @notice One storage word per service.
    struct Roster {
        uint64 count;
        uint64 sequence;
    }

    /// @notice One registration of a service.
    struct Registration {
        bytes32 namespaceId;
        string name;
        string label;
        string version;
        bytes[] endpoints;
        bytes metadata;
        uint24 ttl;
    }

    /// @notice The preimage of an instance's id.
    struct InstanceKey {
        bytes32 service;
        address registrant;
        bytes32 labelHash;
    }

    /// @notice A new record for a listed instance.
    struct RecordUpdate {
        InstanceKey key;
        bytes32 prevRecordHash;
        string version;
        bytes[] endpoints;
        bytes metadata;
        uint24 ttl;
    }

    // --------------------------------------------------------------- events

    /// @notice A namespace got its owner. `namespaceId` is `keccak256(bytes(label))`.
    event NamespaceClaimed(bytes32 indexed namespaceId, address indexed owner, string label);

    /// @notice An instance entered the roster of its service. The new lease is (owner, time, ttl, Active, epoch).
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

    /// @notice An instance's record was replaced.
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

    /// @notice An instance left its service: its owner said so. The lease keeps all but status and epoch.
    event Deregistered(bytes32 indexed id, bytes32 indexed service, uint24 epoch, uint64 sequence, uint64 count);

    /// @notice An instance's lease was renewed.
    event Heartbeat(bytes32 indexed id, uint40 time);

    /// @notice The leases of all these instances were renewed, in one transaction.
    event HeartbeatBatch(uint40 time, bytes32[] ids);

    // --------------------------------------------------------------- errors

    error NamespaceTaken(bytes32 namespaceId, address owner);
    error NamespaceClosed(bytes32 namespaceId, address caller, address owner);
    error AlreadyRegistered(bytes32 id, Status status);
    error NotListed(bytes32 id, Status status);
    error NotOwner(bytes32 id, address caller, address owner);
    error RecordChanged(bytes32 id, bytes32 expected, bytes32 actual);
    error InvalidText(Field field, string value);
    error ReservedLabel(string label);
    error EndpointCountOutOfRange(uint256 count, uint256 max);
    error EndpointLengthOutOfRange(uint256 index, uint256 length, uint256 max);
    error MetadataTooLong(uint256 length, uint256 max);
    error TtlOutOfRange(uint256 ttl, uint256 min, uint256 max);
    error BatchSizeOutOfRange(uint256 size, uint256 max);

    // ------------------------------------------------------------ functions

    function claimNamespace(string calldata label) external returns (bytes32 namespaceId);

    function register(Registration calldata registration) external returns (bytes32 id);

    function update(RecordUpdate calldata change) external;

    function deregister(InstanceKey calldata key) external;

    function heartbeat(bytes32 id) external;

    function heartbeatBatch(bytes32[] calldata ids) external returns (uint256 renewed);

    // ---------------------------------------------------------------- views

    function isLive(bytes32 id) external view returns (bool);

    function areLive(bytes32[] calldata ids) external view returns (uint256[] memory bitmap);

    function leaseOf(bytes32 id) external view returns (Lease memory);

    function recordHashOf(bytes32 id) external view returns (bytes32);

    function countOf(bytes32 service) external view returns (uint64 count, uint64 sequence);

    function ownerOf(bytes32 namespaceId) external view returns (address);

    function verifyRecord(bytes32 id, address registrant, Registration calldata registration, bytes32 prevRecordHash)
        external
        view
        returns (bool);
}
