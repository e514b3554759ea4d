// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IServiceRegistry} from "../interfaces/IServiceRegistry.sol";
import {Permissions} from "../interfaces/Permissions.sol";
import {Grants} from "./Grants.sol";
import {Namespaces} from "./Namespaces.sol";
import {Records} from "./Records.sol";
import {EfficientHashLib} from "solady/utils/EfficientHashLib.sol";

/// @title Instances
/// @notice How an instance enters its service, changes, and leaves.
abstract contract Instances is Namespaces, Grants {
    uint256 private constant _MAX_REASON_LENGTH = 256;
    uint256 private constant _MAX_REAP = 200;
    uint256 private constant _REAP_GRACE = 7 days;

    /// @inheritdoc IServiceRegistry
    function register(Registration calldata registration) external returns (bytes32 id) {
        bytes32 service = Records.serviceOf(registration);
        id = Records.idOf(service, msg.sender, keccak256(bytes(registration.label)));
        _register(id, service, msg.sender, registration);
    }

    /// @inheritdoc IServiceRegistry
    function update(RecordUpdate calldata change) external {
        bytes32 id = Records.idOf(change.key);
        Instance storage instance = _instances[id];
        uint256 word = _loadListed(id, instance.lease);
        _checkPermitted(id, word, msg.sender, _permissionsFor(change, word));
        _update(id, instance, word, change);
    }

    /// @inheritdoc IServiceRegistry
    function deregister(InstanceKey calldata key) external {
        bytes32 id = Records.idOf(key);
        uint256 word = _loadListed(id, _instances[id].lease);
        _checkPermitted(id, word, msg.sender, Permissions.DEREGISTER);
        _deregister(id, word, key.service);
    }

    /// @inheritdoc IServiceRegistry
    function setStatus(InstancePath calldata path, Status status, bytes calldata reason) external {
        if (reason.length > _MAX_REASON_LENGTH) revert ReasonTooLong(reason.length, _MAX_REASON_LENGTH);
        _checkNamespaceOwner(path.namespaceId);
        bytes32 service = EfficientHashLib.hash(path.namespaceId, path.nameHash);
        bytes32 id = Records.idOf(service, path.registrant, path.labelHash);
        (uint24 epoch, uint64 sequence, uint64 count) = _govern(id, service, status);
        emit StatusSet(id, service, msg.sender, status, epoch, sequence, count, reason);
    }

    /// @inheritdoc IServiceRegistry
    function reap(InstanceKey[] calldata keys) external returns (uint256 reaped) {
        uint256 size = keys.length;
        if (size == 0 || size > _MAX_REAP) revert BatchSizeOutOfRange(size, _MAX_REAP);
        for (uint256 i = 0; i < size; ++i) {
            bytes32 service = keys[i].service;
            bytes32 id = Records.idOf(keys[i]);
            uint256 word = _load(_instances[id].lease);
            uint256 expiresAt = uint256(_lastHeartbeatIn(word)) + _ttlIn(word);
            if (_statusIn(word) != Status.Active || block.timestamp <= expiresAt + _REAP_GRACE) continue;
            if (_epochIn(word) == type(uint24).max) continue;

            uint24 epoch = _end(id, word, Status.Reaped);
            (uint64 count, uint64 sequence) = _leave(service);
            emit Reaped(id, service, epoch, sequence, count);
            ++reaped;
        }
        if (reaped == 0) revert NothingReaped(size, _REAP_GRACE);
    }

    // ---------------------------------------------- for callers and signers

    function _register(bytes32 id, bytes32 service, address owner, Registration calldata registration) internal {
        if (!mayRegister(registration.namespaceId, owner)) {
            revert NamespaceClosed(registration.namespaceId, owner, namespaceOf(registration.namespaceId).owner);
        }
        Records.checkText(Field.Name, registration.name, Records.NAME_CHARACTERS);
        Records.checkText(Field.Label, registration.label, Records.NAME_CHARACTERS);
        Records.check(registration.version, registration.endpoints, registration.metadata, registration.ttl);

        Instance storage instance = _instances[id];
        uint256 word = _load(instance.lease);
        Status status = _statusIn(word);
        if (status == Status.Deregistered || status == Status.Reaped) {
            if (_ownerIn(word) != owner) revert NotOwner(id, owner, _ownerIn(word));
        } else if (status != Status.None) {
            revert AlreadyRegistered(id, status);
        }

        uint24 epoch = _epochIn(word);
        instance.lease = Lease(owner, uint40(block.timestamp), registration.ttl, Status.Active, epoch);
        bytes32 prevRecordHash = instance.recordHash;
        instance.recordHash =
            Records.recordHash(prevRecordHash, registration.version, registration.endpoints, registration.metadata);
        (uint64 count, uint64 sequence) = _enter(service);

        emit Registered(
            id, service, owner, registration, uint40(block.timestamp), epoch, sequence, count, prevRecordHash
        );
    }

    /// @dev A longer ttl makes an expired instance live again, so to change it takes what a heartbeat takes.
    function _permissionsFor(RecordUpdate calldata change, uint256 word) internal pure returns (uint8) {
        return change.ttl == _ttlIn(word) ? Permissions.UPDATE : Permissions.UPDATE | Permissions.HEARTBEAT;
    }

    function _update(bytes32 id, Instance storage instance, uint256 word, RecordUpdate calldata change) internal {
        bytes32 prevRecordHash = instance.recordHash;
        if (prevRecordHash != change.prevRecordHash) revert RecordChanged(id, prevRecordHash, change.prevRecordHash);

        bytes32 service = change.key.service;
        uint24 ttl = change.ttl;
        (, uint64 sequence) = _touch(service);
        bytes memory data =
            _encodeUpdated(change.version, change.endpoints, change.metadata, ttl, sequence, prevRecordHash);
        if (ttl != _ttlIn(word)) instance.lease.ttl = ttl;
        instance.recordHash = EfficientHashLib.hash(prevRecordHash, _logUpdated(id, service, data));
    }

    function _deregister(bytes32 id, uint256 word, bytes32 service) internal {
        if (_statusIn(word) == Status.Suspended) revert InstanceSuspended(id);
        uint24 epoch = _end(id, word, Status.Deregistered);
        (uint64 count, uint64 sequence) = _leave(service);
        emit Deregistered(id, service, epoch, sequence, count);
    }

    /// @dev Only a revocation ends the epoch, and it takes out of its service an instance that is listed.
    function _govern(bytes32 id, bytes32 service, Status to)
        private
        returns (uint24 epoch, uint64 sequence, uint64 count)
    {
        Lease storage lease = _instances[id].lease;
        uint256 word = _load(lease);
        Status from = _statusIn(word);
        if (to == Status.Revoked && from != Status.None && from != Status.Revoked) {
            epoch = _end(id, word, to);
            if (_isListed(word)) (count, sequence) = _leave(service);
            else (count, sequence) = _touch(service);
        } else if (_isListed(word) && from != to && (to == Status.Active || to == Status.Suspended)) {
            epoch = _epochIn(word);
            _setStatus(lease, word, to, epoch);
            (count, sequence) = _touch(service);
        } else {
            revert InvalidTransition(id, from, to);
        }
    }

    /// @dev Ends the epoch of an instance, and the registration if it is listed.
    function _end(bytes32 id, uint256 word, Status status) private returns (uint24 epoch) {
        epoch = _nextEpoch(id, _epochIn(word));
        _setStatus(_instances[id].lease, word, status, epoch);
    }

    // -------------------------------------------------------------- updates

    /// @dev Checks a new record and encodes it as the data of `Updated`.
    function _encodeUpdated(
        string calldata version,
        bytes[] calldata endpoints,
        bytes calldata metadata,
        uint24 ttl,
        uint64 sequence,
        bytes32 prevRecordHash
    ) private pure returns (bytes memory) {
        Records.check(version, endpoints, metadata, ttl);
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
}
