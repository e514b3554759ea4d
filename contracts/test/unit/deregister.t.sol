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
        IRegistryTypes.Status[3] memory statuses =
            [IRegistryTypes.Status.Deregistered, IRegistryTypes.Status.Revoked, IRegistryTypes.Status.Reaped];
        for (uint256 i = 0; i < statuses.length; ++i) {
            forceStatus(id, statuses[i]);
            vm.expectRevert(abi.encodeWithSelector(IRegistryErrors.NotListed.selector, id, statuses[i]));
            vm.prank(alice);
            registry.deregister(key);
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

    function test_RevertWhen_TheCallerIsNotItsOwner() external {
        vm.expectRevert(abi.encodeWithSelector(IRegistryErrors.NotOwner.selector, id, mallory, alice));
        vm.prank(mallory);
        registry.deregister(key);
    }

    function deregisterAndCheck() internal {
        IRegistryTypes.Lease memory expected = registry.leaseOf(id);
        bytes32 hash = registry.recordHashOf(id);
        expected.status = IRegistryTypes.Status.Deregistered;
        expected.epoch += 1;

        vm.expectEmit(address(registry));
        emit IRegistryEvents.Deregistered(id, key.service, expected.epoch, 2, 0);
        vm.prank(alice);
        registry.deregister(key);

        assertEq(wordA(id), leaseWord(expected));
        assertEq(wordB(id), hash);
        assertEq(vm.load(address(registry), slotOf(key.service, 1)), rosterWord(0, 2));
        assertFalse(registry.isLive(id));
    }

    function test_WhenTheInstanceIsActive() external {
        deregisterAndCheck();
    }

    function test_WhenTheInstanceIsSuspended() external {
        forceStatus(id, IRegistryTypes.Status.Suspended);
        deregisterAndCheck();
    }

    function test_WhenTheLeaseHasRunOut() external {
        vm.warp(START + 365 days);
        deregisterAndCheck();
    }
}
