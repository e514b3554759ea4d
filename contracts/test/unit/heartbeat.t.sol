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
        IRegistryTypes.Status[3] memory statuses = unlisted();
        for (uint256 i = 0; i < statuses.length; ++i) {
            uint256 snapshot = vm.snapshotState();
            bring("replica-1", statuses[i]);
            vm.expectRevert(abi.encodeWithSelector(IRegistryErrors.NotListed.selector, id, statuses[i]));
            vm.prank(alice);
            registry.heartbeat(id);
            vm.revertToState(snapshot);
        }
        vm.expectRevert(
            abi.encodeWithSelector(IRegistryErrors.NotListed.selector, bytes32(0), IRegistryTypes.Status.None)
        );
        registry.heartbeat(0);
    }

    function test_RevertWhen_TheCallerIsNotPermitted() external {
        // An operator who may do all but that.
        vm.prank(alice);
        registry.setOperator(mallory, 6, START + 1 days);
        vm.expectRevert(abi.encodeWithSelector(IRegistryErrors.NotPermitted.selector, id, mallory, alice, 1));
        vm.prank(mallory);
        registry.heartbeat(id);
    }

    function heartbeatAndCheck() internal {
        heartbeatAndCheck(alice);
    }

    function heartbeatAndCheck(address caller) internal {
        IRegistryTypes.Lease memory expected = registry.leaseOf(id);
        bytes32 hash = registry.recordHashOf(id);
        expected.lastHeartbeat = uint40(vm.getBlockTimestamp());

        (uint64 count, uint64 sequence) = registry.countOf(serviceOf(payments("")));
        vm.expectEmit(address(registry));
        emit IRegistryEvents.Heartbeat(id, expected.lastHeartbeat);
        vm.prank(caller);
        registry.heartbeat(id);

        assertEq(wordA(id), leaseWord(expected));
        assertEq(wordB(id), hash);
        assertEq(vm.load(address(registry), slotOf(serviceOf(payments("")), 1)), rosterWord(count, sequence));
    }

    function test_WhenTheCallerIsAnOperator() external {
        vm.prank(alice);
        registry.setOperator(bob, 1, START + 30);
        heartbeatAndCheck(bob);
    }

    function test_WhenTheCallerIsAnOperatorOfTheInstance() external {
        vm.prank(alice);
        registry.setInstanceOperator(id, bob, 1, START + 30);
        heartbeatAndCheck(bob);
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
        setPayments("replica-1", IRegistryTypes.Status.Suspended);
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
        bring("deregistered", IRegistryTypes.Status.Deregistered);
        bring("suspended", IRegistryTypes.Status.Suspended);
        bring("revoked", IRegistryTypes.Status.Revoked);
        bring("reaped", IRegistryTypes.Status.Reaped);
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

    /// @dev The caller's own, those of an owner who lets it renew all or one, and those of one who lets it renew none, in
    /// an order that does not let one owner's answer stand for another's.
    function test_Batch_WhenTheInstancesAreOfManyOwners() external {
        address[4] memory owners = [alice, bob, mallory, makeAddr("dave")];
        IRegistryTypes.Registration memory r = payments("x");
        bytes32[] memory ids = new bytes32[](11);
        for (uint256 i = 0; i < 8; ++i) {
            r.namespaceId = own(owners[i % 4]);
            r.label = vm.toString(i);
            vm.prank(owners[i % 4]);
            ids[i] = registry.register(r);
        }
        // Mallory is bob's operator, one instance's of dave, but not alice's; and of one of alice's, but expired.
        vm.prank(bob);
        registry.setOperator(mallory, 1, START + 50);
        vm.prank(owners[3]);
        registry.setInstanceOperator(ids[3], mallory, 1, START + 50);
        vm.prank(alice);
        registry.setInstanceOperator(ids[0], mallory, 1, START + 49);
        // Bob's once more, after dave's; and dave's two, one right after the other.
        (ids[8], ids[9], ids[10]) = (ids[1], ids[3], ids[7]);
        vm.warp(START + 50);

        bytes32[] memory renewed = new bytes32[](7);
        (renewed[0], renewed[1], renewed[2]) = (ids[1], ids[2], ids[3]);
        (renewed[3], renewed[4], renewed[5], renewed[6]) = (ids[5], ids[6], ids[8], ids[9]);
        vm.expectEmit(address(registry));
        emit IRegistryEvents.HeartbeatBatch(START + 50, renewed);
        vm.prank(mallory);
        assertEq(registry.heartbeatBatch(ids), 7);
        uint40[8] memory times =
            [START + 30, START + 50, START + 50, START + 50, START + 30, START + 50, START + 50, START + 30];
        for (uint256 i = 0; i < 8; ++i) {
            assertEq(registry.leaseOf(ids[i]).lastHeartbeat, times[i]);
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
