// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IServiceRegistry} from "./interfaces/IServiceRegistry.sol";
import {Records} from "./registry/Records.sol";
import {Signed} from "./registry/Signed.sol";

/// @title ServiceRegistry
/// @notice The registry of `IServiceRegistry`, where every function, event and error is described. It has no admin, no
/// proxy and no constructor argument, so its code at an address is all there is to know about it.
///
/// @dev In reading order: `registry/Layout.sol` says what is stored, `Records` what may be in it, `Namespaces` and `Grants`
/// who may act, `Instances` and `Heartbeats` what they do, `Signed` how they do it through others. Here are the views.
contract ServiceRegistry is Signed {
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
    function verifyRecord(bytes32 id, address registrant, Registration calldata registration, bytes32 prevRecordHash)
        external
        view
        returns (bool)
    {
        bytes32 service = Records.serviceOf(registration);
        if (id != Records.idOf(service, registrant, keccak256(bytes(registration.label)))) return false;
        Instance storage instance = _instances[id];
        return registration.ttl == instance.lease.ttl
            && instance.recordHash
                == Records.recordHash(
                prevRecordHash, registration.version, registration.endpoints, registration.metadata
            );
    }

    /// @notice Which interfaces this contract implements: that of the registry, ERC-165 and EIP-5267.
    /// @param interfaceId The interface.
    /// @return Whether it does.
    function supportsInterface(bytes4 interfaceId) external pure returns (bool) {
        // ERC-165: supportsInterface(bytes4). EIP-5267: eip712Domain().
        return
            interfaceId == type(IServiceRegistry).interfaceId || interfaceId == 0x01ffc9a7 || interfaceId == 0x84b0196e;
    }
}
