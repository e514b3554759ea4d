// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {VmSafe} from "forge-std/Vm.sol";
import {Base} from "../Base.sol";
import {IRegistryTypes} from "../../src/interfaces/IRegistryTypes.sol";

/// @notice What each operation costs as a whole transaction: 21,000, calldata and execution. The figures are written
/// to `contracts/snapshots/`, where the ci profile compares them; here each is held to the most that it may ever be.
contract GasTest is Base {
    function snapshot(string memory operation, uint256 most) internal {
        // Coverage runs without the optimizer: its figures are of another contract.
        if (vm.isContext(VmSafe.ForgeContext.Coverage)) return;
        assertLe(vm.snapshotGasLastCall("ServiceRegistry", operation), most, operation);
    }

    function test_Register() external {
        registerPayments("replica-1");
        snapshot("register, first of a service", 123_000);
        registerPayments("replica-2");
        snapshot("register, next of a service", 106_000);
    }

    function test_Register_InAClaimedNamespace() external {
        IRegistryTypes.Registration memory r = payments("replica-1");
        vm.prank(alice);
        r.namespaceId = registry.claimNamespace("acme");
        snapshot("claimNamespace", 60_000);

        vm.prank(alice);
        registry.register(r);
        snapshot("register, first of a service in a claimed namespace", 123_000);
        r.label = "replica-2";
        vm.prank(alice);
        registry.register(r);
        snapshot("register, next of a service in a claimed namespace", 106_000);
    }

    function test_Register_Again() external {
        registerPayments("replica-1");
        vm.prank(alice);
        registry.deregister(keyOf(payments("replica-1"), alice));
        registerPayments("replica-1");
        snapshot("register, again", 73_000);
    }

    function test_Update() external {
        registerPayments("replica-1");
        IRegistryTypes.RecordUpdate memory change = updateOf(payments("replica-1"), alice);
        vm.prank(alice);
        registry.update(change);
        snapshot("update", 53_000);
    }

    function test_Deregister() external {
        registerPayments("replica-1");
        vm.prank(alice);
        registry.deregister(keyOf(payments("replica-1"), alice));
        snapshot("deregister", 38_000);
    }

    function test_Heartbeat() external {
        bytes32 id = registerPayments("replica-1");
        vm.warp(START + 30);
        vm.prank(alice);
        registry.heartbeat(id);
        snapshot("heartbeat", 29_000);
    }

    function test_HeartbeatBatch() external {
        bytes32[] memory ids = new bytes32[](50);
        for (uint256 i = 0; i < ids.length; ++i) {
            ids[i] = registerPayments(vm.toString(i));
        }
        vm.warp(START + 30);
        vm.prank(alice);
        registry.heartbeatBatch(ids);
        snapshot("heartbeatBatch of 50", 50 * 7000);
    }
}
