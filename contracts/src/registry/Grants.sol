// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IServiceRegistry} from "../interfaces/IServiceRegistry.sol";
import {Permissions} from "../interfaces/Permissions.sol";
import {Layout} from "./Layout.sol";
import {Records} from "./Records.sol";

/// @title Grants
/// @notice Who owns an instance, and who may act for the owner.
abstract contract Grants is Layout {
    /// @inheritdoc IServiceRegistry
    function proposeOwner(bytes32 id, address account) external {
        uint256 word = _loadListed(id, _instances[id].lease);
        _checkOwner(id, word);
        uint24 epoch = _epochIn(word);
        _proposals[id][epoch] = Proposal(account, true);
        emit OwnerProposed(id, epoch, account);
    }

    /// @inheritdoc IServiceRegistry
    function acceptOwner(InstanceKey calldata key) external {
        bytes32 id = Records.idOf(key);
        uint24 epoch = _epochIn(_loadListed(id, _instances[id].lease));
        address proposed = _proposals[id][epoch].account;
        if (proposed != msg.sender) revert NotProposed(id, msg.sender, proposed);

        epoch = _nextEpoch(id, epoch);
        Lease storage lease = _instances[id].lease;
        lease.owner = msg.sender;
        lease.epoch = epoch;
        (, uint64 sequence) = _touch(key.service);
        emit OwnerChanged(id, key.service, msg.sender, epoch, sequence);
    }

    /// @inheritdoc IServiceRegistry
    function setOperator(address operator, uint8 permissions, uint40 expiry) external {
        _checkGrant(permissions, expiry);
        _operators[msg.sender][operator] = Grant(expiry, permissions, true);
        emit OperatorSet(msg.sender, operator, permissions, expiry);
    }

    /// @inheritdoc IServiceRegistry
    function setInstanceOperator(bytes32 id, address operator, uint8 permissions, uint40 expiry) external {
        _checkGrant(permissions, expiry);
        uint256 word = _loadListed(id, _instances[id].lease);
        _checkOwner(id, word);
        uint24 epoch = _epochIn(word);
        _instanceOperators[id][epoch][operator] = Grant(expiry, permissions, true);
        emit InstanceOperatorSet(id, epoch, operator, permissions, expiry);
    }

    // ---------------------------------------------------------------- views

    /// @inheritdoc IServiceRegistry
    function proposedOwnerOf(bytes32 id) external view returns (address) {
        return _proposals[id][_instances[id].lease.epoch].account;
    }

    /// @inheritdoc IServiceRegistry
    function operatorOf(address owner, address operator) external view returns (Grant memory) {
        return _operators[owner][operator];
    }

    /// @inheritdoc IServiceRegistry
    function instanceOperatorOf(bytes32 id, address operator) external view returns (Grant memory) {
        return _instanceOperators[id][_instances[id].lease.epoch][operator];
    }

    /// @inheritdoc IServiceRegistry
    function isPermitted(bytes32 id, address account, uint8 permissions) external view returns (bool) {
        uint256 word = _load(_instances[id].lease);
        return _isListed(word) && _isPermitted(id, word, account, permissions);
    }

    // --------------------------------------------------------------- checks

    function _checkGrant(uint8 permissions, uint40 expiry) private view {
        if (permissions > Permissions.ALL) revert InvalidPermissions(permissions, Permissions.ALL);
        if (permissions != 0 && expiry < block.timestamp) revert ExpiryPassed(expiry, block.timestamp);
    }

    function _checkPermitted(bytes32 id, uint256 word, address account, uint8 permissions) internal view {
        if (!_isPermitted(id, word, account, permissions)) {
            revert NotPermitted(id, account, _ownerIn(word), permissions);
        }
    }

    /// @dev The owner may do everything. An operator needs one grant that has all the permissions: that for all of the
    /// owner's instances is looked at first, since it is warm after the first item of a batch.
    function _isPermitted(bytes32 id, uint256 word, address account, uint8 permissions) internal view returns (bool) {
        address owner = _ownerIn(word);
        return account == owner || _allows(_operators[owner][account], permissions)
            || _allows(_instanceOperators[id][_epochIn(word)][account], permissions);
    }

    function _allows(Grant storage grant, uint256 permissions) internal view returns (bool) {
        uint256 word;
        assembly ("memory-safe") {
            word := sload(grant.slot)
        }
        // forge-lint: disable-next-line(unsafe-typecast): the expiry is the lowest 40 bits
        return (word >> 40) & permissions == permissions && block.timestamp <= uint40(word);
    }
}
