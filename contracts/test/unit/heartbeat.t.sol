// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Base} from "../Base.sol";
import {IRegistryErrors} from "../../src/interfaces/IRegistryErrors.sol";
import {IRegistryEvents} from "../../src/interfaces/IRegistryEvents.sol";
import {IRegistryTypes} from "../../src/interfaces/IRegistryTypes.sol";

/// @notice The tree is in `heartbeat.tree`.
contract HeartbeatTest is Base {
    bytes32 internal id;

    function setUp() public override {
        super.setUp();
        id = registerPayments("replica-1");
        vm.warp(START + 30);
    }

    // ------------------------------------------------------------ heartbeat

    function test_RevertGiven_TheInstanceIsNotListed() external {
        IRegistryTypes.Status[3] memory statuses =
            [IRegistryTypes.Status.Deregistered, IRegistryTypes.Status.Revoked, IRegistryTypes.Status.Reaped];
        for (uint256 i = 0; i < statuses.length; ++i) {
            forceStatus(id, statuses[i]);
            vm.expectRevert(abi.encodeWithSelector(IRegistryErrors.NotListed.selector, id, statuses[i]));
            vm.prank(alice);
            registry.heartbeat(id);
        }
        vm.expectRevert(
            abi.encodeWithSelector(IRegistryErrors.NotListed.selector, bytes32(0), IRegistryTypes.Status.None)
        );
        registry.heartbeat(0);
    }

    function test_RevertWhen_TheCallerIsNotItsOwner() external {
        vm.expectRevert(abi.encodeWithSelector(IRegistryErrors.NotOwner.selector, id, mallory, alice));
        vm.prank(mallory);
        registry.heartbeat(id);
    }

    function heartbeatAndCheck() internal {
        IRegistryTypes.Lease memory expected = registry.leaseOf(id);
        bytes32 hash = registry.recordHashOf(id);
        expected.lastHeartbeat = uint40(vm.getBlockTimestamp());

        vm.expectEmit(address(registry));
        emit IRegistryEvents.Heartbeat(id, expected.lastHeartbeat);
        vm.prank(alice);
        registry.heartbeat(id);

        assertEq(wordA(id), leaseWord(expected));
        assertEq(wordB(id), hash);
        assertEq(vm.load(address(registry), slotOf(serviceOf(payments("")), 1)), rosterWord(1, 1));
    }

    function test_WhenTheCallerIsItsOwner() external {
        heartbeatAndCheck();
        assertTrue(registry.isLive(id));
    }

    function test_GivenTheLeaseHasRunOut() external {
        vm.warp(START + 365 days);
        assertFalse(registry.isLive(id));
        heartbeatAndCheck();
        assertTrue(registry.isLive(id));
    }

    function test_GivenTheInstanceIsSuspended() external {
        forceStatus(id, IRegistryTypes.Status.Suspended);
        heartbeatAndCheck();
        assertFalse(registry.isLive(id));
    }

    // ------------------------------------------------------- heartbeatBatch

    function test_Batch_RevertWhen_TheSizeIsOutOfRange() external {
        uint256[2] memory sizes = [uint256(0), 501];
        for (uint256 i = 0; i < sizes.length; ++i) {
            vm.expectRevert(abi.encodeWithSelector(IRegistryErrors.BatchSizeOutOfRange.selector, sizes[i], 500));
            registry.heartbeatBatch(new bytes32[](sizes[i]));
        }
    }

    function test_Batch_RevertWhen_NoIdIsOfAListedInstanceOfTheCaller() external {
        bytes32[] memory ids = new bytes32[](2);
        ids[0] = id;
        vm.expectRevert(abi.encodeWithSelector(IRegistryErrors.NothingRenewed.selector, 2));
        vm.prank(mallory);
        registry.heartbeatBatch(ids);
    }

    function test_Batch_WhenSomeIdsAreNotOfListedInstancesOfTheCaller() external {
        IRegistryTypes.Registration memory ofBob = payments("replica-1");
        ofBob.namespaceId = own(bob);
        bytes32[] memory ids = new bytes32[](7);
        ids[0] = id;
        vm.prank(bob);
        ids[1] = registry.register(ofBob);
        ids[2] = registerPayments("deregistered");
        ids[3] = registerPayments("suspended");
        ids[4] = registerPayments("revoked");
        ids[5] = keccak256("never");
        ids[6] = registerPayments("reaped");
        forceStatus(ids[2], IRegistryTypes.Status.Deregistered);
        forceStatus(ids[3], IRegistryTypes.Status.Suspended);
        forceStatus(ids[4], IRegistryTypes.Status.Revoked);
        forceStatus(ids[6], IRegistryTypes.Status.Reaped);
        vm.warp(START + 50);

        IRegistryTypes.Lease[] memory expected = new IRegistryTypes.Lease[](7);
        for (uint256 i = 0; i < 7; ++i) {
            expected[i] = registry.leaseOf(ids[i]);
        }
        expected[0].lastHeartbeat = START + 50;
        expected[3].lastHeartbeat = START + 50;
        bytes32[] memory renewed = new bytes32[](2);
        (renewed[0], renewed[1]) = (ids[0], ids[3]);

        vm.expectEmit(address(registry));
        emit IRegistryEvents.HeartbeatBatch(START + 50, renewed);
        vm.prank(alice);
        assertEq(registry.heartbeatBatch(ids), 2);
        for (uint256 i = 0; i < 7; ++i) {
            assertEq(wordA(ids[i]), leaseWord(expected[i]));
        }
    }

    function test_Batch_WhenAnIdIsGivenTwice() external {
        bytes32[] memory ids = new bytes32[](3);
        ids[0] = id;
        ids[1] = registerPayments("replica-2");
        ids[2] = id;
        vm.warp(START + 50);
        IRegistryTypes.Lease memory expected = registry.leaseOf(id);
        expected.lastHeartbeat = START + 50;

        vm.expectEmit(address(registry));
        emit IRegistryEvents.HeartbeatBatch(START + 50, ids);
        vm.prank(alice);
        assertEq(registry.heartbeatBatch(ids), 3);
        assertEq(wordA(id), leaseWord(expected));
    }

    function test_Batch_WhenThereAre500Ids() external {
        bytes32[] memory ids = new bytes32[](500);
        for (uint256 i = 0; i < 500; ++i) {
            ids[i] = registerPayments(vm.toString(i));
        }
        vm.warp(START + 1 days);
        vm.prank(alice);
        assertEq(registry.heartbeatBatch(ids), 500);
        uint256[] memory live = registry.areLive(ids);
        assertEq(live.length, 2);
        assertEq(live[0], type(uint256).max);
        assertEq(live[1], (1 << 244) - 1);
    }
}
