// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Base} from "../Base.sol";
import {IRegistryErrors} from "../../src/interfaces/IRegistryErrors.sol";
import {IRegistryEvents} from "../../src/interfaces/IRegistryEvents.sol";
import {IRegistryTypes} from "../../src/interfaces/IRegistryTypes.sol";

/// @notice The tree is in `reap.tree`.
contract ReapTest is Base {
    bytes32 internal id;
    IRegistryTypes.InstanceKey[] internal keys;

    /// @dev The last second of the grace period.
    uint40 internal constant LAST = START + TTL + 7 days;

    function setUp() public override {
        super.setUp();
        id = registerPayments("replica-1");
        keys.push(keyOf(payments("replica-1"), alice));
    }

    function nothing(uint256 size) internal pure returns (bytes memory) {
        return abi.encodeWithSelector(IRegistryErrors.NothingReaped.selector, size, 7 days);
    }

    function test_RevertWhen_TheSizeIsOutOfRange() external {
        uint256[2] memory sizes = [uint256(0), 201];
        for (uint256 i = 0; i < sizes.length; ++i) {
            vm.expectRevert(abi.encodeWithSelector(IRegistryErrors.BatchSizeOutOfRange.selector, sizes[i], 200));
            registry.reap(new IRegistryTypes.InstanceKey[](sizes[i]));
        }
    }

    function test_RevertGiven_TheGracePeriodRuns() external {
        uint40[3] memory times = [START, START + TTL + 1, LAST];
        for (uint256 i = 0; i < times.length; ++i) {
            vm.warp(times[i]);
            vm.expectRevert(nothing(1));
            registry.reap(keys);
        }
    }

    function test_RevertGiven_TheInstanceIsNotActive() external {
        IRegistryTypes.Status[4] memory statuses = [
            IRegistryTypes.Status.Suspended,
            IRegistryTypes.Status.Deregistered,
            IRegistryTypes.Status.Revoked,
            IRegistryTypes.Status.Reaped
        ];
        for (uint256 i = 0; i < statuses.length; ++i) {
            uint256 snapshot = vm.snapshotState();
            bring("replica-1", statuses[i]);
            vm.warp(LAST + 365 days);
            bytes32 a = wordA(id);
            vm.expectRevert(nothing(1));
            registry.reap(keys);
            assertEq(wordA(id), a);
            vm.revertToState(snapshot);
        }
        keys[0].labelHash = keccak256("never");
        vm.expectRevert(nothing(1));
        registry.reap(keys);
    }

    /// @dev The key proves the service: with another one it is the key of another instance, and no roster is touched.
    function test_RevertWhen_TheServiceIsNotTheOneOfTheInstance() external {
        bytes32 service = keys[0].service;
        keys[0].service = keccak256("another");
        vm.warp(LAST + 1);
        vm.expectRevert(nothing(1));
        registry.reap(keys);
        (uint64 count,) = registry.countOf(service);
        assertEq(count, 1);
    }

    function test_GivenTheGracePeriodIsOver() external {
        bytes32 hash = registry.recordHashOf(id);
        vm.warp(LAST + 1);
        vm.expectEmit(address(registry));
        emit IRegistryEvents.Reaped(id, keys[0].service, 1, 2, 0);
        vm.prank(mallory);
        assertEq(registry.reap(keys), 1);
        assertEq(wordA(id), leaseWord(IRegistryTypes.Lease(alice, START, TTL, IRegistryTypes.Status.Reaped, 1)));
        assertEq(wordB(id), hash);
        assertEq(wordAt(slotOf(keys[0].service, 1)), rosterWord(0, 2));
    }

    function test_GivenALeaseWasRenewedOrItsTtlChanged() external {
        vm.warp(START + 10);
        vm.prank(alice);
        registry.heartbeat(id);
        IRegistryTypes.RecordUpdate memory change = updateOf(payments("replica-1"), alice);
        change.ttl = 30 days;
        vm.prank(alice);
        registry.update(change);
        vm.warp(START + 10 + 30 days + 7 days);
        vm.expectRevert(nothing(1));
        registry.reap(keys);
        vm.warp(START + 10 + 30 days + 7 days + 1);
        assertEq(registry.reap(keys), 1);
    }

    function test_WhenSomeCannotBeReaped() external {
        bytes32 second = registerPayments("replica-2");
        registerPayments("suspended");
        setPayments("suspended", IRegistryTypes.Status.Suspended);
        vm.warp(START + 1);
        bytes32 fresh = registerPayments("fresh");
        delete keys;
        keys.push(keyOf(payments("fresh"), alice));
        keys.push(keyOf(payments("replica-2"), alice));
        keys.push(keyOf(payments("suspended"), alice));
        keys.push(keyOf(payments("never"), alice));
        keys.push(keyOf(payments("replica-1"), alice));
        keys.push(keyOf(payments("replica-2"), alice));
        bytes32 service = keys[0].service;

        vm.warp(LAST + 1);
        vm.expectEmit(address(registry));
        emit IRegistryEvents.Reaped(second, service, 1, 6, 3);
        vm.expectEmit(address(registry));
        emit IRegistryEvents.Reaped(id, service, 1, 7, 2);
        assertEq(registry.reap(keys), 2);
        assertEq(uint8(registry.leaseOf(fresh).status), uint8(IRegistryTypes.Status.Active));
        assertEq(wordAt(slotOf(service, 1)), rosterWord(2, 7));
    }

    function test_WhenThereAre200() external {
        delete keys;
        for (uint256 i = 0; i < 200; ++i) {
            registerPayments(vm.toString(i));
            keys.push(keyOf(payments(vm.toString(i)), alice));
        }
        vm.warp(LAST + 1);
        assertEq(registry.reap(keys), 200);
        assertEq(wordAt(slotOf(keys[0].service, 1)), rosterWord(1, 401));
    }
}
