// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IServiceRegistry} from "./interfaces/IServiceRegistry.sol";
import {EfficientHashLib} from "solady/utils/EfficientHashLib.sol";

/// @title ServiceRegistry
/// @notice The registry of `IServiceRegistry`, where every function, event and error is described. It has no admin, no
/// proxy and no constructor argument, so its code at an address is all there is to know about it.
///
/// @dev Storage layout. It is part of the interface: light clients prove these words, and indexers rebuild them from
/// the logs. `slot(k, p)` is `keccak256(abi.encode(k, p))`, the place of key `k` in the mapping at slot `p`.
///
/// ```
/// mapping at slot 0, by instance id: two words
///   slot A = slot(id, 0)      bits   0–159 owner  160–199 lastHeartbeat  200–223 ttl  224–231 status  232–255 epoch
///   slot B = slot(id, 0) + 1  recordHash: commits to the record and, by its predecessor, to all records before
/// mapping at slot 1, by service: one word
///   slot(service, 1)          bits   0– 63 count  64–127 sequence         128–255 free, zero
/// mapping at slot 2, by namespace: one word
///   slot(namespaceId, 2)      bits   0–159 owner                          160–255 free, zero
/// ```
///
/// Three rules hold for every word:
/// - it is a pure function of the logs of this contract;
/// - once it is nonzero it is never zero again, since nodes differ in what they prove of a zeroed slot. A roster of
///   count 0 keeps its sequence, an instance that has left keeps its lease under another status;
/// - a later version of this contract may append mappings and use free bits; nothing else moves.
contract ServiceRegistry is IServiceRegistry {
    // -------------------------------------------------------------- storage

    /// @dev The two words of an instance.
    struct Instance {
        Lease lease;
        bytes32 recordHash;
    }

    /// @dev The word of a claimed namespace.
    struct Namespace {
        address owner;
    }

    mapping(bytes32 id => Instance) private _instances;
    mapping(bytes32 service => Roster) private _rosters;
    mapping(bytes32 namespaceId => Namespace) private _namespaces;

    // --------------------------------------------------------------- limits

    uint256 private constant _MAX_TEXT_LENGTH = 63;
    uint256 private constant _MAX_ENDPOINTS = 16;
    uint256 private constant _MAX_ENDPOINT_LENGTH = 256;
    uint256 private constant _MAX_METADATA_LENGTH = 4096;
    uint256 private constant _MIN_TTL = 5 seconds;
    uint256 private constant _MAX_TTL = 30 days;
    uint256 private constant _MAX_BATCH = 500;

    /// @dev Sets of characters: bit `c` is set if the byte `c` is allowed. No byte from 128 up is in either.
    /// `[a-z0-9._-]`, for names, labels and namespaces: no two of them look the same but for their case or script.
    uint256 private constant _NAME_CHARACTERS = 0x07fffffe8000000003ff600000000000;
    /// @dev `[a-zA-Z0-9._+-]`, for versions: all that a semantic version can hold.
    uint256 private constant _VERSION_CHARACTERS = 0x07fffffe87fffffe03ff680000000000;

    // ----------------------------------------------------------- namespaces

    /// @inheritdoc IServiceRegistry
    function claimNamespace(string calldata label) external returns (bytes32 namespaceId) {
        _checkText(Field.Namespace, label, _NAME_CHARACTERS);
        bytes calldata raw = bytes(label);
        if (raw.length > 1 && raw[0] == "0" && raw[1] == "x") revert ReservedLabel(label);

        namespaceId = keccak256(raw);
        Namespace storage namespace = _namespaces[namespaceId];
        if (namespace.owner != address(0)) revert NamespaceTaken(namespaceId, namespace.owner);
        namespace.owner = msg.sender;

        emit NamespaceClaimed(namespaceId, msg.sender, label);
    }

    // ------------------------------------------------------------ instances

    /// @inheritdoc IServiceRegistry
    function register(Registration calldata registration) external returns (bytes32 id) {
        address owner = ownerOf(registration.namespaceId);
        if (msg.sender != owner) revert NamespaceClosed(registration.namespaceId, msg.sender, owner);
        _checkText(Field.Name, registration.name, _NAME_CHARACTERS);
        _checkText(Field.Label, registration.label, _NAME_CHARACTERS);
        _checkRecord(registration.version, registration.endpoints, registration.metadata, registration.ttl);

        bytes32 service = _serviceOf(registration);
        id = _idOf(service, msg.sender, keccak256(bytes(registration.label)));
        Instance storage instance = _instances[id];
        Lease storage lease = instance.lease;
        Status status = lease.status;
        if (status == Status.Active || status == Status.Suspended || status == Status.Revoked) {
            revert AlreadyRegistered(id, status);
        }

        uint24 epoch = lease.epoch;
        instance.lease = Lease(msg.sender, uint40(block.timestamp), registration.ttl, Status.Active, epoch);
        bytes32 prevRecordHash = instance.recordHash;
        instance.recordHash =
            _recordHash(prevRecordHash, registration.version, registration.endpoints, registration.metadata);
        (uint64 count, uint64 sequence) = _enter(service);

        emit Registered(
            id, service, msg.sender, registration, uint40(block.timestamp), epoch, sequence, count, prevRecordHash
        );
    }

    /// @inheritdoc IServiceRegistry
    function update(RecordUpdate calldata change) external {
        bytes32 service = change.key.service;
        bytes32 id = _idOf(service, change.key.registrant, change.key.labelHash);
        Instance storage instance = _instances[id];
        uint256 word = _checkOwner(id, instance.lease);
        bytes32 prevRecordHash = instance.recordHash;
        if (prevRecordHash != change.prevRecordHash) revert RecordChanged(id, prevRecordHash, change.prevRecordHash);

        bytes memory data = _encodeUpdated(
            change.version, change.endpoints, change.metadata, change.ttl, ++_rosters[service].sequence, prevRecordHash
        );
        if (change.ttl != _ttlIn(word)) instance.lease.ttl = change.ttl;
        instance.recordHash = EfficientHashLib.hash(prevRecordHash, _logUpdated(id, service, data));
    }

    /// @inheritdoc IServiceRegistry
    function deregister(InstanceKey calldata key) external {
        bytes32 id = _idOf(key.service, key.registrant, key.labelHash);
        Lease storage lease = _instances[id].lease;
        _checkOwner(id, lease);

        uint24 epoch = lease.epoch + 1;
        lease.status = Status.Deregistered;
        lease.epoch = epoch;
        (uint64 count, uint64 sequence) = _leave(key.service);

        emit Deregistered(id, key.service, epoch, sequence, count);
    }

    // ----------------------------------------------------------- heartbeats

    /// @inheritdoc IServiceRegistry
    function heartbeat(bytes32 id) external {
        Lease storage lease = _instances[id].lease;
        _renew(lease, _checkOwner(id, lease));
        emit Heartbeat(id, uint40(block.timestamp));
    }

    /// @inheritdoc IServiceRegistry
    function heartbeatBatch(bytes32[] calldata ids) external returns (uint256 renewed) {
        uint256 size = ids.length;
        if (size == 0 || size > _MAX_BATCH) revert BatchSizeOutOfRange(size, _MAX_BATCH);

        bytes32[] memory renewedIds = new bytes32[](size);
        for (uint256 i = 0; i < size; ++i) {
            bytes32 id = ids[i];
            Lease storage lease = _instances[id].lease;
            uint256 word = _load(lease);
            if (!_isListed(word) || _ownerIn(word) != msg.sender) continue;
            _renew(lease, word);
            renewedIds[renewed++] = id;
        }
        if (renewed == 0) revert NothingRenewed(size);
        // Cuts the array to the ids that were not skipped: shortening one is always safe.
        assembly ("memory-safe") {
            mstore(renewedIds, renewed)
        }
        emit HeartbeatBatch(uint40(block.timestamp), renewedIds);
    }

    // ---------------------------------------------------------------- views

    /// @inheritdoc IServiceRegistry
    function isLive(bytes32 id) public view returns (bool) {
        Lease storage lease = _instances[id].lease;
        return lease.status == Status.Active && block.timestamp <= uint256(lease.lastHeartbeat) + lease.ttl;
    }

    /// @inheritdoc IServiceRegistry
    function areLive(bytes32[] calldata ids) external view returns (uint256[] memory bitmap) {
        bitmap = new uint256[]((ids.length + 255) / 256);
        for (uint256 i = 0; i < ids.length; ++i) {
            // forge-lint: disable-next-line(incorrect-shift): one bit, at this place
            if (isLive(ids[i])) bitmap[i / 256] |= 1 << (i % 256);
        }
    }

    /// @inheritdoc IServiceRegistry
    function leaseOf(bytes32 id) external view returns (Lease memory) {
        return _instances[id].lease;
    }

    /// @inheritdoc IServiceRegistry
    function recordHashOf(bytes32 id) external view returns (bytes32) {
        return _instances[id].recordHash;
    }

    /// @inheritdoc IServiceRegistry
    function countOf(bytes32 service) external view returns (uint64 count, uint64 sequence) {
        Roster storage roster = _rosters[service];
        return (roster.count, roster.sequence);
    }

    /// @inheritdoc IServiceRegistry
    function ownerOf(bytes32 namespaceId) public view returns (address) {
        // An account's own namespace. No label has such an id: 96 bits of its hash would have to be zero.
        if (uint256(namespaceId) >> 160 == 0) return address(uint160(uint256(namespaceId)));
        return _namespaces[namespaceId].owner;
    }

    /// @inheritdoc IServiceRegistry
    function verifyRecord(bytes32 id, address registrant, Registration calldata registration, bytes32 prevRecordHash)
        external
        view
        returns (bool)
    {
        if (id != _idOf(_serviceOf(registration), registrant, keccak256(bytes(registration.label)))) return false;
        Instance storage instance = _instances[id];
        return registration.ttl == instance.lease.ttl
            && instance.recordHash
                == _recordHash(prevRecordHash, registration.version, registration.endpoints, registration.metadata);
    }

    // --------------------------------------------------------------- hashes

    function _serviceOf(Registration calldata registration) private pure returns (bytes32) {
        return EfficientHashLib.hash(registration.namespaceId, keccak256(bytes(registration.name)));
    }

    function _idOf(bytes32 service, address registrant, bytes32 labelHash) private pure returns (bytes32) {
        return EfficientHashLib.hash(service, bytes32(uint256(uint160(registrant))), labelHash);
    }

    function _recordHash(
        bytes32 prevRecordHash,
        string calldata version,
        bytes[] calldata endpoints,
        bytes calldata metadata
    ) private pure returns (bytes32) {
        return EfficientHashLib.hash(prevRecordHash, keccak256(abi.encode(version, endpoints, metadata)));
    }

    // ------------------------------------------------------------- updates

    /// @dev Checks a new record and encodes it as the data of `Updated`.
    function _encodeUpdated(
        string calldata version,
        bytes[] calldata endpoints,
        bytes calldata metadata,
        uint24 ttl,
        uint64 sequence,
        bytes32 prevRecordHash
    ) private pure returns (bytes memory) {
        _checkRecord(version, endpoints, metadata, ttl);
        return abi.encode(version, endpoints, metadata, ttl, sequence, prevRecordHash);
    }

    /// @dev Emits `Updated` with this data, and returns `keccak256(abi.encode(version, endpoints, metadata))` of it.
    /// To encode the record a second time, for its hash alone, would take an update over its bar. The data is a head of
    /// six words, the first three of them the offsets of version, endpoints and metadata, and then their bodies; with a
    /// head of these three words alone, the offsets are less by three words and the bodies are the same. So, once it is
    /// logged, the last three words of the head are overwritten with the lesser offsets, and the hash starts there.
    function _logUpdated(bytes32 id, bytes32 service, bytes memory data) private returns (bytes32 contentHash) {
        bytes32 topic = Updated.selector;
        assembly ("memory-safe") {
            let head := add(data, 0x20)
            log3(head, mload(data), topic, id, service)
            mstore(add(head, 0x60), sub(mload(head), 0x60))
            mstore(add(head, 0x80), sub(mload(add(head, 0x20)), 0x60))
            mstore(add(head, 0xa0), sub(mload(add(head, 0x40)), 0x60))
            contentHash := keccak256(add(head, 0x60), sub(mload(data), 0x60))
        }
    }

    // -------------------------------------------------------------- rosters

    function _enter(bytes32 service) private returns (uint64 count, uint64 sequence) {
        Roster storage roster = _rosters[service];
        count = roster.count + 1;
        sequence = roster.sequence + 1;
        roster.count = count;
        roster.sequence = sequence;
    }

    function _leave(bytes32 service) private returns (uint64 count, uint64 sequence) {
        Roster storage roster = _rosters[service];
        count = roster.count - 1;
        sequence = roster.sequence + 1;
        roster.count = count;
        roster.sequence = sequence;
    }

    // -------------------------------------------------------------- slot A

    // The compiler reads a word again for each of its fields. These read slot A once and take it apart by the layout
    // above: it is what keeps a heartbeat under its bar.
    // forge-lint: disable-start(unsafe-typecast)

    function _load(Lease storage lease) private view returns (uint256 word) {
        assembly ("memory-safe") {
            word := sload(lease.slot)
        }
    }

    function _renew(Lease storage lease, uint256 word) private {
        word = (word & ~(uint256(type(uint40).max) << 160)) | (uint256(uint40(block.timestamp)) << 160);
        assembly ("memory-safe") {
            sstore(lease.slot, word)
        }
    }

    function _ownerIn(uint256 word) private pure returns (address) {
        return address(uint160(word));
    }

    function _ttlIn(uint256 word) private pure returns (uint24) {
        return uint24(word >> 200);
    }

    function _isListed(uint256 word) private pure returns (bool) {
        uint256 status = uint8(word >> 224);
        return status == uint256(Status.Active) || status == uint256(Status.Suspended);
    }

    // forge-lint: disable-end(unsafe-typecast)

    // --------------------------------------------------------------- checks

    function _checkOwner(bytes32 id, Lease storage lease) private view returns (uint256 word) {
        word = _load(lease);
        if (!_isListed(word)) revert NotListed(id, lease.status);
        if (_ownerIn(word) != msg.sender) revert NotOwner(id, msg.sender, _ownerIn(word));
    }

    function _checkRecord(string calldata version, bytes[] calldata endpoints, bytes calldata metadata, uint24 ttl)
        private
        pure
    {
        _checkText(Field.Version, version, _VERSION_CHARACTERS);
        uint256 count = endpoints.length;
        if (count == 0 || count > _MAX_ENDPOINTS) revert EndpointCountOutOfRange(count, _MAX_ENDPOINTS);
        for (uint256 i = 0; i < count; ++i) {
            uint256 length = endpoints[i].length;
            if (length == 0 || length > _MAX_ENDPOINT_LENGTH) {
                revert EndpointLengthOutOfRange(i, length, _MAX_ENDPOINT_LENGTH);
            }
        }
        if (metadata.length > _MAX_METADATA_LENGTH) revert MetadataTooLong(metadata.length, _MAX_METADATA_LENGTH);
        if (ttl < _MIN_TTL || ttl > _MAX_TTL) revert TtlOutOfRange(ttl, _MIN_TTL, _MAX_TTL);
    }

    function _checkText(Field field, string calldata value, uint256 characters) private pure {
        bytes calldata raw = bytes(value);
        uint256 length = raw.length;
        if (length == 0 || length > _MAX_TEXT_LENGTH) revert InvalidText(field, value);
        // Stays 1 as long as every character is in the set. In assembly, since a bounds check for each of the bytes
        // costs more than the rest of the loop.
        uint256 valid = 1;
        assembly ("memory-safe") {
            let end := add(raw.offset, length)
            for { let at := raw.offset } lt(at, end) { at := add(at, 1) } {
                valid := and(valid, shr(byte(0, calldataload(at)), characters))
            }
        }
        if (valid == 0) revert InvalidText(field, value);
    }
}
