// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IRegistryTypes} from "../../src/interfaces/IRegistryTypes.sol";
import {Strangers} from "./Strangers.t.sol";
import {svm} from "./Svm.sol";

/// @notice What takes texts and arrays: bytes of any content, of a length that is given here. Texts are given, since who
/// the instance is, is not: its name and label may be these.
abstract contract StrangersData is Strangers {
    function anyEndpoints() internal returns (bytes[] memory endpoints) {
        endpoints = new bytes[](1);
        endpoints[0] = svm.createBytes(32, "endpoint");
    }

    function anyRegistration(bytes32 namespaceId, uint24 ttl) internal returns (IRegistryTypes.Registration memory) {
        return IRegistryTypes.Registration(
            namespaceId, "payments", "replica-1", "1.2.0", anyEndpoints(), svm.createBytes(32, "metadata"), ttl
        );
    }

    function anyUpdate(IRegistryTypes.InstanceKey memory other, bytes32 prev, uint24 ttl)
        internal
        returns (IRegistryTypes.RecordUpdate memory)
    {
        return IRegistryTypes.RecordUpdate(other, prev, "1.2.0", anyEndpoints(), svm.createBytes(32, "metadata"), ttl);
    }
}

/// @notice Sent by the stranger.
contract StrangersDataTest is StrangersData {
    function check_claimNamespace() external {
        tryIt(abi.encodeCall(registry.claimNamespace, (string(svm.createBytes(3, "label")))));
    }

    function check_register(bytes32 namespaceId, uint24 ttl) external {
        tryIt(abi.encodeCall(registry.register, (anyRegistration(namespaceId, ttl))));
    }

    function check_update(IRegistryTypes.InstanceKey memory other, bytes32 prev, uint24 ttl) external {
        tryIt(abi.encodeCall(registry.update, (anyUpdate(other, prev, ttl))));
    }

    /// @dev After any other, of which the stranger may be the owner or an operator. Both are active, to halve the paths.
    function check_heartbeatBatch(bytes32 other) external {
        vm.assume(uint256(load(slot(other, 0))) >> 224 & 0xff == 1);
        vm.assume(word >> 224 & 0xff == 1);
        bytes32[] memory ids = new bytes32[](2);
        (ids[0], ids[1]) = (other, id);
        tryIt(abi.encodeCall(registry.heartbeatBatch, (ids)));
    }

    /// @dev Of an instance that has not been dead for 7 days.
    function check_reap(IRegistryTypes.InstanceKey memory first, IRegistryTypes.InstanceKey memory second) external {
        // forge-lint: disable-next-line(unsafe-typecast): fields of a word
        vm.assume(block.timestamp <= uint256(uint40(word >> 160)) + uint24(word >> 200) + 7 days);
        IRegistryTypes.InstanceKey[] memory keys = new IRegistryTypes.InstanceKey[](2);
        (keys[0], keys[1]) = (first, second);
        tryIt(abi.encodeCall(registry.reap, (keys)));
    }
}
