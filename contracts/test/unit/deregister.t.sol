// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Base} from "../Base.sol";
import {IRegistryErrors} from "../../src/interfaces/IRegistryErrors.sol";
import {IRegistryEvents} from "../../src/interfaces/IRegistryEvents.sol";
import {IRegistryTypes} from "../../src/interfaces/IRegistryTypes.sol";

/// @notice The tree is in `deregister.tree`.
contract DeregisterTest is Base {
    bytes32 internal id;
    IRegistryTypes.InstanceKey internal key;

    function setUp() public override {
        super.setUp();
        id = registerPayments("replica-1");
        key = keyOf(payments("replica-1"), alice);
    }

    function test_RevertGiven_TheInstanceIsNotListed() external {
        IRegistryTypes.Status[3] memory statuses = unlisted();
        for (uint256 i = 0; i < statuses.length; ++i) {
            uint256 snapshot = vm.snapshotState();
            bring("replica-1", statuses[i]);
            vm.expectRevert(abi.encodeWithSelector(IRegistryErrors.NotListed.selector, id, statuses[i]));
            vm.prank(alice);
            registry.deregister(key);
            vm.revertToState(snapshot);
        }
        key.registrant = bob;
        vm.expectRevert(
            abi.encodeWithSelector(
                IRegistryErrors.NotListed.selector, idOf(payments("replica-1"), bob), IRegistryTypes.Status.None
            )
        );
        vm.prank(bob);
        registry.deregister(key);
    }

    function test_RevertWhen_TheCallerIsNotPermitted() external {
        vm.expectRevert(abi.encodeWithSelector(IRegistryErrors.NotPermitted.selector, id, mallory, alice, 4));
        vm.prank(mallory);
        registry.deregister(key);
        // An operator who may do all but that.
        vm.prank(alice);
        registry.setOperator(mallory, 3, START + 1 days);
        vm.expectRevert(abi.encodeWithSelector(IRegistryErrors.NotPermitted.selector, id, mallory, alice, 4));
        vm.prank(mallory);
        registry.deregister(key);
    }

    function test_RevertGiven_TheInstanceIsSuspended() external {
        setPayments("replica-1", IRegistryTypes.Status.Suspended);
        bytes32 a = wordA(id);
        vm.expectRevert(abi.encodeWithSelector(IRegistryErrors.InstanceSuspended.selector, id));
        vm.prank(alice);
        registry.deregister(key);
        assertEq(wordA(id), a);
    }

    function deregisterAndCheck(address caller) internal {
        IRegistryTypes.Lease memory expected = registry.leaseOf(id);
        bytes32 hash = registry.recordHashOf(id);
        expected.status = IRegistryTypes.Status.Deregistered;
        expected.epoch += 1;

        vm.expectEmit(address(registry));
        emit IRegistryEvents.Deregistered(id, key.service, expected.epoch, 2, 0);
        vm.prank(caller);
        registry.deregister(key);

        assertEq(wordA(id), leaseWord(expected));
        assertEq(wordB(id), hash);
        assertEq(vm.load(address(registry), slotOf(key.service, 1)), rosterWord(0, 2));
        assertFalse(registry.isLive(id));
    }

    function test_WhenTheCallerIsItsOwner() external {
        deregisterAndCheck(alice);
    }

    function test_WhenTheCallerIsAnOperator() external {
        vm.prank(alice);
        registry.setOperator(bob, 4, START);
        deregisterAndCheck(bob);
    }

    function test_WhenTheCallerIsAnOperatorOfTheInstance() external {
        vm.prank(alice);
        registry.setInstanceOperator(id, bob, 4, START);
        deregisterAndCheck(bob);
    }

    function test_WhenTheLeaseHasRunOut() external {
        vm.warp(START + 365 days);
        deregisterAndCheck(alice);
    }

    function test_WhenTheCallerIsTheNextOwner() external {
        transferPayments("replica-1", bob);
        vm.expectEmit(address(registry));
        emit IRegistryEvents.Deregistered(id, key.service, 2, 3, 0);
        vm.prank(bob);
        registry.deregister(key);
        assertEq(wordA(id), leaseWord(IRegistryTypes.Lease(bob, START, TTL, IRegistryTypes.Status.Deregistered, 2)));
    }
}
