// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IServiceRegistry} from "../interfaces/IServiceRegistry.sol";
import {Permissions} from "../interfaces/Permissions.sol";
import {Heartbeats} from "./Heartbeats.sol";
import {Instances} from "./Instances.sol";
import {Records} from "./Records.sol";
import {TypedData} from "./TypedData.sol";
import {ECDSA} from "solady/utils/ECDSA.sol";
import {EfficientHashLib} from "solady/utils/EfficientHashLib.sol";
import {SignatureCheckerLib} from "solady/utils/SignatureCheckerLib.sol";

/// @title Signed
/// @notice Calls that one signs and another sends. No nonces are stored: a signature binds to the state that it changes.
/// A registration, an update and a deregistration bind to the epoch and are gone with it, the first because the instance
/// must be free; an update binds to the record that it replaces as well; a heartbeat to a time after the one before.
abstract contract Signed is Instances, Heartbeats, TypedData {
    bytes32 private constant _REGISTER_TYPEHASH = keccak256(
        "Register(address owner,bytes32 namespaceId,string name,string label,string version,bytes[] endpoints,bytes metadata,uint24 ttl,uint24 epoch,uint40 deadline)"
    );
    bytes32 private constant _UPDATE_TYPEHASH = keccak256(
        "Update(bytes32 id,bytes32 prevRecordHash,string version,bytes[] endpoints,bytes metadata,uint24 ttl,uint24 epoch,uint40 deadline)"
    );
    bytes32 private constant _DEREGISTER_TYPEHASH = keccak256("Deregister(bytes32 id,uint24 epoch,uint40 deadline)");
    bytes32 private constant _HEARTBEAT_TYPEHASH =
        keccak256("Heartbeat(bytes32 id,uint24 epoch,uint40 time,uint40 deadline)");

    /// @dev What a contract may spend on the signature of one item of a batch, and all of them together, so that they
    /// cannot spend it all.
    uint256 private constant _WALLET_GAS = 200_000;
    uint256 private constant _BATCH_WALLET_GAS = 5_000_000;

    /// @dev What the items of a batch share.
    struct Batch {
        bytes32 domainSeparator;
        /// What contracts have spent.
        uint256 walletGas;
    }

    /// @inheritdoc IServiceRegistry
    function registerSigned(
        Registration calldata registration,
        address owner,
        uint40 deadline,
        bytes calldata signature
    ) external returns (bytes32 id) {
        _checkDeadline(deadline);
        bytes32 service = Records.serviceOf(registration);
        id = Records.idOf(service, owner, keccak256(bytes(registration.label)));
        bytes32 digest =
            _digestOf(_domainSeparator(), _hashRegister(registration, owner, _instances[id].lease.epoch, deadline));
        if (!isSignatureOf(owner, digest, signature)) revert InvalidSignature(id, owner, digest);
        _register(id, service, owner, registration);
    }

    /// @inheritdoc IServiceRegistry
    function updateSigned(RecordUpdate calldata change, uint40 deadline, bytes calldata signature) external {
        bytes32 id = Records.idOf(change.key);
        Instance storage instance = _instances[id];
        uint256 word = _loadListed(id, instance.lease);
        bytes32 structHash = _hashUpdate(id, change, _epochIn(word), deadline);
        _checkSigned(id, word, structHash, deadline, signature, _permissionsFor(change, word));
        _update(id, instance, word, change);
    }

    /// @inheritdoc IServiceRegistry
    function deregisterSigned(InstanceKey calldata key, uint40 deadline, bytes calldata signature) external {
        bytes32 id = Records.idOf(key);
        uint256 word = _loadListed(id, _instances[id].lease);
        bytes32 structHash = EfficientHashLib.hash(uint256(_DEREGISTER_TYPEHASH), uint256(id), _epochIn(word), deadline);
        _checkSigned(id, word, structHash, deadline, signature, Permissions.DEREGISTER);
        _deregister(id, word, key.service);
    }

    /// @inheritdoc IServiceRegistry
    function heartbeatSigned(SignedHeartbeat[] calldata items) external returns (uint256 renewed) {
        uint256 size = items.length;
        _checkBatch(size);
        uint40[] memory times = new uint40[](size);
        bytes32[] memory ids = new bytes32[](size);
        Batch memory batch = Batch(_domainSeparator(), 0);
        for (uint256 i = 0; i < size; ++i) {
            SignedHeartbeat calldata item = items[i];
            (bytes32 id, uint40 time) = (item.id, item.time);
            if (!_renewSigned(id, time, item.deadline, item.signature, batch)) continue;
            times[renewed] = time;
            // At most once for each item.
            unchecked {
                ids[renewed++] = id;
            }
        }
        if (renewed == 0) return 0;
        _shorten(ids, renewed);
        assembly ("memory-safe") {
            mstore(times, renewed)
        }
        emit SignedHeartbeatBatch(times, ids);
    }

    // ---------------------------------------------------------------- views

    /// @inheritdoc IServiceRegistry
    function isSignatureOf(address account, bytes32 digest, bytes calldata signature) public view returns (bool) {
        address signer = ECDSA.tryRecoverCalldata(digest, signature);
        return (signer != address(0) && signer == account) || _isWalletSigned(account, digest, signature);
    }

    // --------------------------------------------------------------- checks

    function _checkDeadline(uint40 deadline) private view {
        if (block.timestamp > deadline) revert DeadlinePassed(deadline, block.timestamp);
    }

    function _checkSigned(
        bytes32 id,
        uint256 word,
        bytes32 structHash,
        uint40 deadline,
        bytes calldata signature,
        uint8 permissions
    ) private view {
        _checkDeadline(deadline);
        bytes32 digest = _digestOf(_domainSeparator(), structHash);
        if (_isKeySigned(id, word, digest, signature, permissions)) return;
        if (!_isWalletSigned(_ownerIn(word), digest, signature)) revert InvalidSignature(id, _ownerIn(word), digest);
    }

    function _renewSigned(bytes32 id, uint256 time, uint256 deadline, bytes calldata signature, Batch memory batch)
        private
        returns (bool)
    {
        Lease storage lease = _instances[id].lease;
        uint256 word = _load(lease);
        if (!_isListed(word) || time <= _lastHeartbeatIn(word) || time > block.timestamp) return false;
        if (block.timestamp > deadline) return false;

        bytes32 structHash =
            EfficientHashLib.hash(uint256(_HEARTBEAT_TYPEHASH), uint256(id), _epochIn(word), time, deadline);
        bytes32 digest = _digestOf(batch.domainSeparator, structHash);
        if (
            !_isKeySigned(id, word, digest, signature, Permissions.HEARTBEAT)
                && !_isBatchWalletSigned(batch, _ownerIn(word), digest, signature)
        ) return false;
        _renew(lease, word, time);
        return true;
    }

    /// @dev By the owner's key or an operator's. It is tried first, since to ask whether the owner is a contract costs
    /// more than a recovery when its account was not looked at before. A broken signature recovers to the zero address,
    /// whom no owner can let act.
    function _isKeySigned(bytes32 id, uint256 word, bytes32 digest, bytes calldata signature, uint8 permissions)
        private
        view
        returns (bool)
    {
        address signer = ECDSA.tryRecoverCalldata(digest, signature);
        return signer != address(0) && _isPermitted(id, word, signer, permissions);
    }

    /// @dev By an account with code, as ERC-1271 says.
    function _isWalletSigned(address account, bytes32 digest, bytes calldata signature) private view returns (bool) {
        return
            account.code.length != 0
                && SignatureCheckerLib.isValidERC1271SignatureNowCalldata(account, digest, signature);
    }

    /// @dev The same in a batch, through a call to itself: only a call's gas can be bounded. Whoever sends the batch must
    /// not make an item fail by giving it too little.
    function _isBatchWalletSigned(Batch memory batch, address owner, bytes32 digest, bytes calldata signature)
        private
        returns (bool isValid)
    {
        if (owner.code.length == 0 || batch.walletGas > _BATCH_WALLET_GAS - _WALLET_GAS) return false;
        uint256 gas = gasleft();
        if (gas < _WALLET_GAS + _WALLET_GAS / 32) revert GasTooLow(gas, _WALLET_GAS + _WALLET_GAS / 32);
        try this.isSignatureOf{gas: _WALLET_GAS}(owner, digest, signature) returns (bool answer) {
            isValid = answer;
        } catch {}
        batch.walletGas += gas - gasleft();
    }

    // --------------------------------------------------------------- hashes

    function _hashRegister(Registration calldata registration, address owner, uint24 epoch, uint40 deadline)
        private
        pure
        returns (bytes32)
    {
        bytes32[] memory words = EfficientHashLib.malloc(11);
        words[0] = _REGISTER_TYPEHASH;
        words[1] = bytes32(uint256(uint160(owner)));
        words[2] = registration.namespaceId;
        words[3] = keccak256(bytes(registration.name));
        words[4] = keccak256(bytes(registration.label));
        _putRecord(words, 5, registration.version, registration.endpoints, registration.metadata);
        words[8] = bytes32(uint256(registration.ttl));
        words[9] = bytes32(uint256(epoch));
        words[10] = bytes32(uint256(deadline));
        return EfficientHashLib.hash(words);
    }

    function _hashUpdate(bytes32 id, RecordUpdate calldata change, uint24 epoch, uint40 deadline)
        private
        pure
        returns (bytes32)
    {
        bytes32[] memory words = EfficientHashLib.malloc(9);
        words[0] = _UPDATE_TYPEHASH;
        words[1] = id;
        words[2] = change.prevRecordHash;
        _putRecord(words, 3, change.version, change.endpoints, change.metadata);
        words[6] = bytes32(uint256(change.ttl));
        words[7] = bytes32(uint256(epoch));
        words[8] = bytes32(uint256(deadline));
        return EfficientHashLib.hash(words);
    }

    /// @dev Puts what EIP-712 makes of version, endpoints and metadata into three words from `first` on.
    function _putRecord(
        bytes32[] memory words,
        uint256 first,
        string calldata version,
        bytes[] calldata endpoints,
        bytes calldata metadata
    ) private pure {
        bytes32[] memory endpointHashes = EfficientHashLib.malloc(endpoints.length);
        for (uint256 i = 0; i < endpoints.length; ++i) {
            endpointHashes[i] = keccak256(endpoints[i]);
        }
        words[first] = keccak256(bytes(version));
        words[first + 1] = EfficientHashLib.hash(endpointHashes);
        words[first + 2] = keccak256(metadata);
    }
}
