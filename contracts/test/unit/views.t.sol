// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Base} from "../Base.sol";
import {IRegistryTypes} from "../../src/interfaces/IRegistryTypes.sol";

/// @notice The tree is in `views.tree`.
contract ViewsTest is Base {
    function test_IsLive_GivenTheInstanceIsActive() external {
        bytes32 id = registerPayments("replica-1");
        assertTrue(registry.isLive(id));
        vm.warp(START + TTL);
        assertTrue(registry.isLive(id));
        vm.warp(START + TTL + 1);
        assertFalse(registry.isLive(id));
    }

    function test_IsLive_GivenTheInstanceIsAnythingElse() external {
        bytes32 id;
        for (uint8 status = 0; status <= uint8(type(IRegistryTypes.Status).max); ++status) {
            uint256 snapshot = vm.snapshotState();
            id = status == 0 ? keccak256("never") : registerPayments("replica-1");
            if (status > 0) bring("replica-1", IRegistryTypes.Status(status));
            assertEq(uint8(registry.leaseOf(id).status), status);
            assertEq(registry.isLive(id), status == uint8(IRegistryTypes.Status.Active));
            vm.revertToState(snapshot);
        }
    }

    function test_AreLive_WhenThereAreNoIds() external view {
        assertEq(registry.areLive(new bytes32[](0)).length, 0);
    }

    function test_AreLive_WhenThereAreIds() external {
        bytes32[] memory ids = new bytes32[](257);
        ids[0] = registerPayments("replica-1");
        ids[255] = ids[0];
        ids[256] = registerPayments("replica-2");
        uint256[] memory live = registry.areLive(ids);
        assertEq(live.length, 2);
        assertEq(live[0], 1 | 1 << 255);
        assertEq(live[1], 1);
    }

    function test_GivenNothingWasRegistered() external view {
        IRegistryTypes.Lease memory none;
        assertEq(abi.encode(registry.leaseOf(0)), abi.encode(none));
        assertEq(registry.recordHashOf(0), 0);
        (uint64 count, uint64 sequence) = registry.countOf(0);
        assertEq(count, 0);
        assertEq(sequence, 0);
    }

    function test_VerifyRecord_WhenAllIsAsRegisteredOrAsLastUpdated() external {
        IRegistryTypes.Registration memory r = payments("replica-1");
        bytes32 id = registerPayments("replica-1");
        assertTrue(registry.verifyRecord(id, alice, r, 0));

        bytes32 prev = registry.recordHashOf(id);
        r.version = "2.0.0";
        r.ttl = 90;
        IRegistryTypes.RecordUpdate memory change = updateOf(r, alice);
        vm.prank(alice);
        registry.update(change);
        assertTrue(registry.verifyRecord(id, alice, r, prev));
        assertFalse(registry.verifyRecord(id, alice, payments("replica-1"), 0));

        vm.prank(alice);
        registry.deregister(keyOf(r, alice));
        assertTrue(registry.verifyRecord(id, alice, r, prev));
    }

    function test_VerifyRecord_WhenAnyOnePartIsAnother() external {
        bytes32 id = registerPayments("replica-1");
        bytes32 other = registerPayments("replica-2");
        IRegistryTypes.Registration memory r = payments("replica-1");
        assertFalse(registry.verifyRecord(other, alice, r, 0), "id");
        assertFalse(registry.verifyRecord(id, bob, r, 0), "registrant");
        assertFalse(registry.verifyRecord(id, alice, r, bytes32(uint256(1))), "prevRecordHash");
        r.namespaceId = own(bob);
        assertFalse(registry.verifyRecord(id, alice, r, 0), "namespace");
        r = payments("replica-1");
        r.name = "payment";
        assertFalse(registry.verifyRecord(id, alice, r, 0), "name");
        r = payments("replica-1x");
        assertFalse(registry.verifyRecord(id, alice, r, 0), "label");
        r = payments("replica-1");
        r.version = "1.2.1";
        assertFalse(registry.verifyRecord(id, alice, r, 0), "version");
        r = payments("replica-1");
        (r.endpoints[0], r.endpoints[1]) = (r.endpoints[1], r.endpoints[0]);
        assertFalse(registry.verifyRecord(id, alice, r, 0), "endpoints");
        r = payments("replica-1");
        r.metadata = "";
        assertFalse(registry.verifyRecord(id, alice, r, 0), "metadata");
        r = payments("replica-1");
        r.ttl += 1;
        assertFalse(registry.verifyRecord(id, alice, r, 0), "ttl");
    }

    function test_VerifyRecord_GivenNothingWasRegistered() external view {
        IRegistryTypes.Registration memory r = payments("replica-1");
        assertFalse(registry.verifyRecord(idOf(r, alice), alice, r, 0));
    }
}
