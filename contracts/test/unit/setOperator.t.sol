// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Base} from "../Base.sol";
import {IRegistryErrors} from "../../src/interfaces/IRegistryErrors.sol";
import {IRegistryEvents} from "../../src/interfaces/IRegistryEvents.sol";
import {IRegistryTypes} from "../../src/interfaces/IRegistryTypes.sol";

/// @notice The tree is in `setOperator.tree`.
contract SetOperatorTest is Base {
    bytes32 internal id;
    address internal operator = makeAddr("operator");

    function setUp() public override {
        super.setUp();
        id = registerPayments("replica-1");
    }

    /// @dev Just the permissions in `sum`, and each sum of them, are those that the operator has.
    function assertPermissions(uint8 sum) internal view {
        for (uint8 asked = 1; asked <= 7; ++asked) {
            assertEq(registry.isPermitted(id, operator, asked), asked & sum == asked);
        }
    }

    // ---------------------------------------------------------- setOperator

    function test_RevertWhen_ThereIsNoSuchPermission() external {
        uint8[2] memory permissions = [8, 255];
        for (uint256 i = 0; i < permissions.length; ++i) {
            bytes memory refusal =
                abi.encodeWithSelector(IRegistryErrors.InvalidPermissions.selector, permissions[i], 7);
            vm.expectRevert(refusal);
            vm.prank(alice);
            registry.setOperator(operator, permissions[i], START);
            vm.expectRevert(refusal);
            vm.prank(alice);
            registry.setInstanceOperator(id, operator, permissions[i], START);
        }
    }

    function test_RevertWhen_TheExpiryHasPassed() external {
        bytes memory refusal = abi.encodeWithSelector(IRegistryErrors.ExpiryPassed.selector, START - 1, START);
        vm.expectRevert(refusal);
        vm.prank(alice);
        registry.setOperator(operator, 1, START - 1);
        vm.expectRevert(refusal);
        vm.prank(alice);
        registry.setInstanceOperator(id, operator, 1, START - 1);
    }

    function test_WhenThePermissionsAreAnySum() external {
        for (uint8 sum = 0; sum <= 7; ++sum) {
            vm.expectEmit(address(registry));
            emit IRegistryEvents.OperatorSet(alice, operator, sum, START);
            vm.prank(alice);
            registry.setOperator(operator, sum, START);
            assertEq(wordAt(operatorSlot(alice, operator)), grantWord(sum, START));
            assertPermissions(sum);
            IRegistryTypes.Grant memory grant = registry.operatorOf(alice, operator);
            assertEq(abi.encode(grant), abi.encode(IRegistryTypes.Grant(START, sum, true)));
        }
    }

    function test_WhenThePermissionsAreZero() external {
        vm.prank(alice);
        registry.setOperator(operator, 7, START + 1 days);
        // The expiry is of no meaning, be it in the past.
        vm.expectEmit(address(registry));
        emit IRegistryEvents.OperatorSet(alice, operator, 0, 0);
        vm.prank(alice);
        registry.setOperator(operator, 0, 0);
        assertEq(wordAt(operatorSlot(alice, operator)), grantWord(0, 0));
        assertPermissions(0);
    }

    function test_GivenTheExpiryComes() external {
        vm.prank(alice);
        registry.setOperator(operator, 7, START + 10);
        vm.warp(START + 10);
        assertPermissions(7);
        vm.warp(START + 11);
        assertPermissions(0);
        assertEq(registry.operatorOf(alice, operator).permissions, 7);
    }

    function test_TheGrantIsForAllInstancesOfTheOwnerAndNoOther() external {
        vm.prank(alice);
        registry.setOperator(operator, 7, START);
        assertTrue(registry.isPermitted(registerPayments("replica-2"), operator, 7));
        IRegistryTypes.Registration memory r = payments("replica-1");
        r.namespaceId = own(bob);
        vm.prank(bob);
        bytes32 ofBob = registry.register(r);
        assertFalse(registry.isPermitted(ofBob, operator, 1));
        assertFalse(registry.isPermitted(id, bob, 1));
        // The grant is not one to alice by the operator either.
        assertEq(registry.operatorOf(operator, alice).permissions, 0);
    }

    // -------------------------------------------------- setInstanceOperator

    function test_Instance_RevertGiven_TheInstanceIsNotListed() external {
        IRegistryTypes.Status[3] memory statuses = unlisted();
        for (uint256 i = 0; i < statuses.length; ++i) {
            uint256 snapshot = vm.snapshotState();
            bring("replica-1", statuses[i]);
            vm.expectRevert(abi.encodeWithSelector(IRegistryErrors.NotListed.selector, id, statuses[i]));
            vm.prank(alice);
            registry.setInstanceOperator(id, operator, 1, START);
            vm.revertToState(snapshot);
        }
        vm.expectRevert(
            abi.encodeWithSelector(IRegistryErrors.NotListed.selector, bytes32(0), IRegistryTypes.Status.None)
        );
        registry.setInstanceOperator(0, operator, 1, START);
    }

    function test_Instance_RevertWhen_TheCallerIsNotItsOwner() external {
        vm.prank(alice);
        registry.setOperator(operator, 7, START);
        vm.expectRevert(abi.encodeWithSelector(IRegistryErrors.NotOwner.selector, id, operator, alice));
        vm.prank(operator);
        registry.setInstanceOperator(id, operator, 7, START + 1 days);
    }

    function test_Instance_WhenThePermissionsAreAnySum() external {
        for (uint8 sum = 0; sum <= 7; ++sum) {
            vm.expectEmit(address(registry));
            emit IRegistryEvents.InstanceOperatorSet(id, 0, operator, sum, START);
            vm.prank(alice);
            registry.setInstanceOperator(id, operator, sum, START);
            assertEq(wordAt(slotOf(id, 0, operator, 7)), grantWord(sum, START));
            assertPermissions(sum);
            IRegistryTypes.Grant memory grant = registry.instanceOperatorOf(id, operator);
            assertEq(abi.encode(grant), abi.encode(IRegistryTypes.Grant(START, sum, true)));
        }
        assertFalse(registry.isPermitted(registerPayments("replica-2"), operator, 1));
    }

    function test_Instance_WhenThePermissionsAreZero() external {
        vm.prank(alice);
        registry.setInstanceOperator(id, operator, 7, START + 1 days);
        vm.expectEmit(address(registry));
        emit IRegistryEvents.InstanceOperatorSet(id, 0, operator, 0, START - 1);
        vm.prank(alice);
        registry.setInstanceOperator(id, operator, 0, START - 1);
        assertEq(wordAt(slotOf(id, 0, operator, 7)), grantWord(0, START - 1));
        assertPermissions(0);
    }

    function test_Instance_GivenTheExpiryComes() external {
        vm.prank(alice);
        registry.setInstanceOperator(id, operator, 7, START + 10);
        vm.warp(START + 10);
        assertPermissions(7);
        vm.warp(START + 11);
        assertPermissions(0);
    }

    function test_Instance_InTheNextEpochTheGrantIsStoredElsewhere() external {
        transferPayments("replica-1", bob);
        vm.expectEmit(address(registry));
        emit IRegistryEvents.InstanceOperatorSet(id, 1, operator, 7, START);
        vm.prank(bob);
        registry.setInstanceOperator(id, operator, 7, START);
        assertEq(wordAt(slotOf(id, 0, operator, 7)), 0);
        assertEq(wordAt(slotOf(id, 1, operator, 7)), grantWord(7, START));
        assertPermissions(7);
    }

    // ---------------------------------------------------------- isPermitted

    function test_IsPermitted_OneGrantMustHaveAll() external {
        vm.prank(alice);
        registry.setOperator(operator, 1, START);
        vm.prank(alice);
        registry.setInstanceOperator(id, operator, 2, START);
        assertTrue(registry.isPermitted(id, operator, 1));
        assertTrue(registry.isPermitted(id, operator, 2));
        assertFalse(registry.isPermitted(id, operator, 3));
    }

    function test_IsPermitted_GivenTheInstanceIsNotListed() external {
        assertTrue(registry.isPermitted(id, alice, 7));
        assertFalse(registry.isPermitted(id, mallory, 1));
        vm.prank(alice);
        registry.setOperator(operator, 7, START + 1 days);
        IRegistryTypes.Status[3] memory statuses = unlisted();
        for (uint256 i = 0; i < statuses.length; ++i) {
            uint256 snapshot = vm.snapshotState();
            bring("replica-1", statuses[i]);
            assertFalse(registry.isPermitted(id, alice, 1));
            assertFalse(registry.isPermitted(id, operator, 1));
            vm.revertToState(snapshot);
        }
        assertFalse(registry.isPermitted(0, address(0), 1));
        setPayments("replica-1", IRegistryTypes.Status.Suspended);
        assertTrue(registry.isPermitted(id, alice, 7));
    }
}
