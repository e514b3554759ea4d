// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Vm} from "forge-std/Vm.sol";
import {Signing} from "../Signing.sol";
import {IRegistryErrors} from "../../src/interfaces/IRegistryErrors.sol";
import {IRegistryEvents} from "../../src/interfaces/IRegistryEvents.sol";
import {IRegistryTypes} from "../../src/interfaces/IRegistryTypes.sol";

/// @notice The tree is in `heartbeatSigned.tree`. Mallory, to whom nothing was granted, sends what alice signed.
contract HeartbeatSignedTest is Signing {
    bytes32 internal id;
    bytes32 internal second;
    IRegistryTypes.SignedHeartbeat[] internal items;

    uint40 internal constant NOW = START + 30;

    function setUp() public override {
        super.setUp();
        id = registerPayments("replica-1");
        second = registerPayments("replica-2");
        vm.warp(NOW);
    }

    // ---------------------------------------------------------------- items

    function by(string memory name, bytes32 id_, uint24 epoch, uint40 time)
        internal
        view
        returns (IRegistryTypes.SignedHeartbeat memory)
    {
        bytes memory signature = sign(name, digestOf(heartbeatHash(id_, epoch, time, DEADLINE)));
        return IRegistryTypes.SignedHeartbeat(id_, time, DEADLINE, signature);
    }

    function by(string memory name) internal view returns (IRegistryTypes.SignedHeartbeat memory) {
        return by(name, id, 0, NOW);
    }

    function good() internal view returns (IRegistryTypes.SignedHeartbeat memory) {
        return by("alice");
    }

    function one(IRegistryTypes.SignedHeartbeat memory item)
        internal
        pure
        returns (IRegistryTypes.SignedHeartbeat[] memory batch)
    {
        batch = new IRegistryTypes.SignedHeartbeat[](1);
        batch[0] = item;
    }

    function send(IRegistryTypes.SignedHeartbeat[] memory batch) internal returns (uint256) {
        vm.prank(mallory);
        return registry.heartbeatSigned(batch);
    }

    /// @dev One item of each kind that must be skipped.
    function addBadItems() internal {
        IRegistryTypes.SignedHeartbeat memory item;
        // Not listed: never registered, deregistered, revoked, reaped. Signed for the epoch of now.
        items.push(by("alice", keccak256("never"), 0, NOW));
        IRegistryTypes.Status[3] memory statuses = unlisted();
        for (uint256 i = 0; i < 3; ++i) {
            vm.warp(START);
            bytes32 left = registerPayments(vm.toString(i));
            bring(vm.toString(i), statuses[i]);
            vm.warp(NOW);
            items.push(by("alice", left, 1, NOW));
        }
        // Not after the last heartbeat, or in the future.
        items.push(by("alice", id, 0, START));
        items.push(by("alice", id, 0, START - 1));
        items.push(by("alice", id, 0, 0));
        items.push(by("alice", id, 0, NOW + 1));
        items.push(by("alice", id, 0, type(uint40).max));
        // Past its deadline.
        item = good();
        item.deadline = NOW - 1;
        item.signature = sign("alice", digestOf(heartbeatHash(id, 0, NOW, NOW - 1)));
        items.push(item);
        // By a stranger, by operators who may not or no longer.
        vm.startPrank(alice);
        registry.setOperator(bob, 6, type(uint40).max);
        registry.setInstanceOperator(second, makeAddr("of another instance"), 7, type(uint40).max);
        registry.setOperator(address(0), 7, type(uint40).max);
        vm.stopPrank();
        items.push(by("mallory"));
        items.push(by("bob"));
        items.push(by("of another instance"));
        // Over something else: another epoch, instance, time, deadline, chain, contract.
        items.push(by("alice", id, 1, NOW));
        item = by("alice", second, 0, NOW);
        item.id = id;
        items.push(item);
        item = good();
        item.time -= 1;
        items.push(item);
        item = good();
        item.deadline += 1;
        items.push(item);
        bytes32 structHash = heartbeatHash(id, 0, NOW, DEADLINE);
        item.deadline = DEADLINE;
        item.signature = sign("alice", digestIn(block.chainid + 1, address(registry), structHash));
        items.push(clone(item));
        item.signature = sign("alice", digestIn(block.chainid, address(this), structHash));
        items.push(clone(item));
        item.signature = sign("alice", structHash);
        items.push(clone(item));
        // Broken, though the zero address, which it recovers to, is an operator.
        bytes[] memory broken = brokenSignatures();
        for (uint256 i = 0; i < broken.length; ++i) {
            item.signature = broken[i];
            items.push(clone(item));
        }
    }

    function clone(IRegistryTypes.SignedHeartbeat memory item)
        internal
        pure
        returns (IRegistryTypes.SignedHeartbeat memory)
    {
        return IRegistryTypes.SignedHeartbeat(item.id, item.time, item.deadline, item.signature);
    }

    // ---------------------------------------------------------------- tests

    function test_RevertWhen_TheSizeIsOutOfRange() external {
        uint256[2] memory sizes = [uint256(0), 501];
        for (uint256 i = 0; i < sizes.length; ++i) {
            vm.expectRevert(abi.encodeWithSelector(IRegistryErrors.BatchSizeOutOfRange.selector, sizes[i], 500));
            registry.heartbeatSigned(new IRegistryTypes.SignedHeartbeat[](sizes[i]));
        }
    }

    function test_WhenAnItemIsNotValid() external {
        addBadItems();
        bytes32 a = wordA(id);
        vm.recordLogs();
        for (uint256 i = 0; i < items.length; ++i) {
            assertEq(send(one(items[i])), 0, vm.toString(i));
            assertEq(wordA(id), a, vm.toString(i));
        }
        assertEq(send(items), 0);
        assertEq(vm.getRecordedLogs().length, 0);
    }

    function test_WhenAnOperatorHasExpired() external {
        vm.prank(alice);
        registry.setOperator(bob, 1, NOW);
        IRegistryTypes.SignedHeartbeat memory item = by("bob");
        vm.warp(NOW + 1);
        assertEq(send(one(item)), 0);
        vm.warp(NOW);
        assertEq(send(one(item)), 1);
    }

    function test_WhenSomeItemsAreNotValid() external {
        addBadItems();
        bytes32[] memory ids = new bytes32[](2);
        uint40[] memory times = new uint40[](2);
        (ids[0], ids[1]) = (id, second);
        (times[0], times[1]) = (NOW, NOW - 5);
        // A good one between the bad ones, and one after them all.
        items.push(items[3]);
        items[3] = good();
        items.push(by("alice", second, 0, NOW - 5));
        vm.expectEmit(address(registry));
        emit IRegistryEvents.SignedHeartbeatBatch(times, ids);
        assertEq(send(items), 2);
        assertEq(registry.leaseOf(id).lastHeartbeat, NOW);
        assertEq(registry.leaseOf(second).lastHeartbeat, NOW - 5);
    }

    /// @dev It renews just so: the time that was signed, and nothing else of the lease.
    function sendAndCheck(IRegistryTypes.SignedHeartbeat memory item) internal {
        IRegistryTypes.Lease memory expected = registry.leaseOf(item.id);
        bytes32 hash = registry.recordHashOf(item.id);
        (uint64 count, uint64 sequence) = registry.countOf(serviceOf(payments("")));
        expected.lastHeartbeat = item.time;
        bytes32[] memory ids = new bytes32[](1);
        uint40[] memory times = new uint40[](1);
        (ids[0], times[0]) = (item.id, item.time);
        vm.expectEmit(address(registry));
        emit IRegistryEvents.SignedHeartbeatBatch(times, ids);
        assertEq(send(one(item)), 1);
        assertEq(wordA(item.id), leaseWord(expected));
        assertEq(wordB(item.id), hash);
        assertEq(wordAt(slotOf(serviceOf(payments("")), 1)), rosterWord(count, sequence));
    }

    function test_WhenTheOwnerSignedIn65Bytes() external {
        sendAndCheck(good());
    }

    function test_WhenTheOwnerSignedIn64Bytes() external {
        IRegistryTypes.SignedHeartbeat memory item = good();
        item.signature = signShort("alice", digestOf(heartbeatHash(id, 0, NOW, DEADLINE)));
        sendAndCheck(item);
    }

    function test_WhenTheSignatureIsMalleated() external {
        IRegistryTypes.SignedHeartbeat memory item = good();
        item.signature = signMalleated("alice", digestOf(heartbeatHash(id, 0, NOW, DEADLINE)));
        sendAndCheck(item);
        assertEq(send(one(good())), 0);
    }

    function test_WhenAnOperatorSigned() external {
        vm.prank(alice);
        registry.setOperator(bob, 1, NOW);
        sendAndCheck(by("bob"));
    }

    function test_WhenAnOperatorOfTheInstanceSigned() external {
        vm.prank(alice);
        registry.setInstanceOperator(id, bob, 1, NOW);
        sendAndCheck(by("bob"));
    }

    function test_WhenTheTimeIsTheFirstThatItMayBe() external {
        sendAndCheck(by("alice", id, 0, START + 1));
    }

    function test_WhenTheDeadlineIsNow() external {
        IRegistryTypes.SignedHeartbeat memory item = good();
        vm.warp(DEADLINE);
        sendAndCheck(item);
    }

    function test_GivenTheInstanceIsSuspended() external {
        setPayments("replica-1", IRegistryTypes.Status.Suspended);
        sendAndCheck(good());
        assertFalse(registry.isLive(id));
    }

    function test_GivenTheLeaseHasRunOut() external {
        vm.warp(START + 1 days);
        assertFalse(registry.isLive(id));
        sendAndCheck(by("alice", id, 0, START + 1 days));
        assertTrue(registry.isLive(id));
    }

    function test_WhenAnItemIsGivenTwice() external {
        items.push(good());
        items.push(good());
        assertEq(send(items), 1);
        assertEq(registry.leaseOf(id).lastHeartbeat, NOW);
        assertEq(send(items), 0);
    }

    function test_WhenAnInstanceIsGivenTwice() external {
        items.push(by("alice", id, 0, START + 10));
        items.push(by("alice", id, 0, START + 20));
        items.push(by("alice", id, 0, START + 15));
        bytes32[] memory ids = new bytes32[](2);
        uint40[] memory times = new uint40[](2);
        (ids[0], ids[1]) = (id, id);
        (times[0], times[1]) = (START + 10, START + 20);
        vm.expectEmit(address(registry));
        emit IRegistryEvents.SignedHeartbeatBatch(times, ids);
        assertEq(send(items), 2);
        assertEq(registry.leaseOf(id).lastHeartbeat, START + 20);
    }

    function test_WhenThereAre500Items() external {
        for (uint40 i = 0; i < 500; ++i) {
            items.push(by("alice", id, 0, START + 1 + i));
        }
        vm.warp(START + 500);
        vm.recordLogs();
        assertEq(send(items), 500);
        Vm.Log memory log = vm.getRecordedLogs()[0];
        (uint40[] memory times, bytes32[] memory ids) = abi.decode(log.data, (uint40[], bytes32[]));
        assertEq(times.length, 500);
        assertEq(ids.length, 500);
        assertEq(times[499], START + 500);
        assertEq(registry.leaseOf(id).lastHeartbeat, START + 500);
    }
}
