// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Base} from "../Base.sol";
import {IRegistryErrors} from "../../src/interfaces/IRegistryErrors.sol";
import {IRegistryEvents} from "../../src/interfaces/IRegistryEvents.sol";
import {IRegistryTypes} from "../../src/interfaces/IRegistryTypes.sol";

/// @notice The tree is in `proposeOwner.tree`.
contract ProposeOwnerTest is Base {
    bytes32 internal id;
    IRegistryTypes.InstanceKey internal key;

    function setUp() public override {
        super.setUp();
        id = registerPayments("replica-1");
        key = keyOf(payments("replica-1"), alice);
        vm.warp(START + 10);
    }

    function propose(address account) internal {
        vm.prank(alice);
        registry.proposeOwner(id, account);
    }

    // --------------------------------------------------------- proposeOwner

    function test_RevertGiven_TheInstanceIsNotListed() external {
        IRegistryTypes.Status[3] memory statuses = unlisted();
        for (uint256 i = 0; i < statuses.length; ++i) {
            uint256 snapshot = vm.snapshotState();
            bring("replica-1", statuses[i]);
            vm.expectRevert(abi.encodeWithSelector(IRegistryErrors.NotListed.selector, id, statuses[i]));
            propose(bob);
            vm.revertToState(snapshot);
        }
        vm.expectRevert(
            abi.encodeWithSelector(IRegistryErrors.NotListed.selector, bytes32(0), IRegistryTypes.Status.None)
        );
        registry.proposeOwner(0, bob);
    }

    function test_RevertWhen_TheCallerIsNotItsOwner() external {
        // An operator for everything is no owner.
        vm.prank(alice);
        registry.setOperator(mallory, 7, START + 1 days);
        vm.expectRevert(abi.encodeWithSelector(IRegistryErrors.NotOwner.selector, id, mallory, alice));
        vm.prank(mallory);
        registry.proposeOwner(id, mallory);
    }

    function test_WhenTheCallerIsItsOwner() external {
        bytes32 a = wordA(id);
        vm.expectEmit(address(registry));
        emit IRegistryEvents.OwnerProposed(id, 0, bob);
        propose(bob);
        assertEq(registry.proposedOwnerOf(id), bob);
        assertEq(wordAt(slotOf(id, 0, 5)), proposalWord(bob));
        assertEq(wordA(id), a);
    }

    function test_WhenThereIsAnEarlierProposal() external {
        propose(bob);
        vm.expectEmit(address(registry));
        emit IRegistryEvents.OwnerProposed(id, 0, mallory);
        propose(mallory);
        assertEq(registry.proposedOwnerOf(id), mallory);
        vm.expectRevert(abi.encodeWithSelector(IRegistryErrors.NotProposed.selector, id, bob, mallory));
        vm.prank(bob);
        registry.acceptOwner(key);
    }

    function test_WhenTheAccountIsTheZeroAddress() external {
        propose(bob);
        vm.expectEmit(address(registry));
        emit IRegistryEvents.OwnerProposed(id, 0, address(0));
        propose(address(0));
        assertEq(registry.proposedOwnerOf(id), address(0));
        assertEq(wordAt(slotOf(id, 0, 5)), proposalWord(address(0)));
        vm.expectRevert(abi.encodeWithSelector(IRegistryErrors.NotProposed.selector, id, bob, address(0)));
        vm.prank(bob);
        registry.acceptOwner(key);
    }

    // ---------------------------------------------------------- acceptOwner

    function test_Accept_RevertGiven_TheInstanceIsNotListed() external {
        propose(bob);
        IRegistryTypes.Status[3] memory statuses = unlisted();
        for (uint256 i = 0; i < statuses.length; ++i) {
            uint256 snapshot = vm.snapshotState();
            bring("replica-1", statuses[i]);
            vm.expectRevert(abi.encodeWithSelector(IRegistryErrors.NotListed.selector, id, statuses[i]));
            vm.prank(bob);
            registry.acceptOwner(key);
            vm.revertToState(snapshot);
        }
        key.registrant = bob;
        vm.expectRevert(
            abi.encodeWithSelector(
                IRegistryErrors.NotListed.selector, idOf(payments("replica-1"), bob), IRegistryTypes.Status.None
            )
        );
        registry.acceptOwner(key);
    }

    function test_Accept_RevertWhen_TheCallerIsNotProposed() external {
        vm.expectRevert(abi.encodeWithSelector(IRegistryErrors.NotProposed.selector, id, alice, address(0)));
        vm.prank(alice);
        registry.acceptOwner(key);
        propose(bob);
        address[2] memory callers = [alice, mallory];
        for (uint256 i = 0; i < callers.length; ++i) {
            vm.expectRevert(abi.encodeWithSelector(IRegistryErrors.NotProposed.selector, id, callers[i], bob));
            vm.prank(callers[i]);
            registry.acceptOwner(key);
        }
    }

    function test_Accept_WhenTheCallerIsProposed() external {
        bytes32 hash = registry.recordHashOf(id);
        propose(bob);
        vm.expectEmit(address(registry));
        emit IRegistryEvents.OwnerChanged(id, key.service, bob, 1, 2);
        vm.prank(bob);
        registry.acceptOwner(key);

        assertEq(wordA(id), leaseWord(IRegistryTypes.Lease(bob, START, TTL, IRegistryTypes.Status.Active, 1)));
        assertEq(wordB(id), hash);
        assertEq(wordAt(slotOf(key.service, 1)), rosterWord(1, 2));
        assertEq(registry.proposedOwnerOf(id), address(0));
        assertTrue(registry.isLive(id));
        assertTrue(registry.isPermitted(id, bob, 7));
        assertFalse(registry.isPermitted(id, alice, 1));
    }

    function test_Accept_GivenTheInstanceIsSuspended() external {
        propose(bob);
        setPayments("replica-1", IRegistryTypes.Status.Suspended);
        vm.prank(bob);
        registry.acceptOwner(key);
        assertEq(wordA(id), leaseWord(IRegistryTypes.Lease(bob, START, TTL, IRegistryTypes.Status.Suspended, 1)));
    }

    function test_Accept_RevertWhen_ItIsAcceptedTwice() external {
        transferPayments("replica-1", bob);
        vm.expectRevert(abi.encodeWithSelector(IRegistryErrors.NotProposed.selector, id, bob, address(0)));
        vm.prank(bob);
        registry.acceptOwner(key);
    }
}
