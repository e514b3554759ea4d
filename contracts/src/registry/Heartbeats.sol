// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IServiceRegistry} from "../interfaces/IServiceRegistry.sol";
import {Permissions} from "../interfaces/Permissions.sol";
import {Grants} from "./Grants.sol";

/// @title Heartbeats
/// @notice How leases are renewed by those who may.
abstract contract Heartbeats is Grants {
    uint256 internal constant _MAX_BATCH = 500;

    /// @inheritdoc IServiceRegistry
    function heartbeat(bytes32 id) external {
        Lease storage lease = _instances[id].lease;
        uint256 word = _loadListed(id, lease);
        _checkPermitted(id, word, msg.sender, Permissions.HEARTBEAT);
        _renew(lease, word, block.timestamp);
        emit Heartbeat(id, uint40(block.timestamp));
    }

    /// @inheritdoc IServiceRegistry
    function heartbeatBatch(bytes32[] calldata ids) external returns (uint256 renewed) {
        uint256 size = ids.length;
        _checkBatch(size);
        bytes32[] memory renewedIds = new bytes32[](size);
        // Whose instances the caller may renew: the caller's own, or those of the last owner who lets it renew them all.
        address principal = msg.sender;
        for (uint256 i = 0; i < size; ++i) {
            bytes32 id = ids[i];
            Lease storage lease = _instances[id].lease;
            uint256 word = _load(lease);
            if (!_isListed(word)) continue;
            address owner = _ownerIn(word);
            if (owner != principal) {
                if (owner == msg.sender || _allows(_operators[owner][msg.sender], Permissions.HEARTBEAT)) {
                    principal = owner;
                } else if (!_allows(_instanceOperators[id][_epochIn(word)][msg.sender], Permissions.HEARTBEAT)) {
                    continue;
                }
            }
            _renew(lease, word, block.timestamp);
            // At most once for each id.
            unchecked {
                renewedIds[renewed++] = id;
            }
        }
        if (renewed == 0) revert NothingRenewed(size);
        _shorten(renewedIds, renewed);
        emit HeartbeatBatch(uint40(block.timestamp), renewedIds);
    }

    function _checkBatch(uint256 size) internal pure {
        if (size == 0 || size > _MAX_BATCH) revert BatchSizeOutOfRange(size, _MAX_BATCH);
    }

    /// @dev Cuts an array to its first items: that is always safe.
    function _shorten(bytes32[] memory items, uint256 length) internal pure {
        assembly ("memory-safe") {
            mstore(items, length)
        }
    }
}
