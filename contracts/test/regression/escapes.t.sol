// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Signing} from "../Signing.sol";
import {IRegistryErrors} from "../../src/interfaces/IRegistryErrors.sol";
import {IRegistryTypes} from "../../src/interfaces/IRegistryTypes.sol";

/// @notice Ways around what the authority or the owner decided.
contract EscapesTest is Signing {
    IRegistryTypes.Registration internal r;
    bytes32 internal id;
    IRegistryTypes.InstanceKey internal key;

    /// @dev Bob registers in `acme`, of which alice is the authority.
    function setUp() public override {
        super.setUp();
        r = payments("replica-1");
        vm.startPrank(alice);
        r.namespaceId = registry.claimNamespace("acme");
        registry.setNamespaceOpen(r.namespaceId, true);
        vm.stopPrank();
        vm.prank(bob);
        id = registry.register(r);
        key = keyOf(r, bob);
    }

    function set(IRegistryTypes.Status status) internal {
        IRegistryTypes.InstancePath memory path = pathOf(r, bob);
        vm.prank(alice);
        registry.setStatus(path, status, "");
    }

    function alreadyRegistered(IRegistryTypes.Status status) internal view returns (bytes memory) {
        return abi.encodeWithSelector(IRegistryErrors.AlreadyRegistered.selector, id, status);
    }

    function reap() internal returns (uint256) {
        IRegistryTypes.InstanceKey[] memory keys = new IRegistryTypes.InstanceKey[](1);
        keys[0] = key;
        return registry.reap(keys);
    }

    // ---------------------------------------------------------- suspensions

    function test_ASuspensionIsLeftByDeregistering() external {
        set(IRegistryTypes.Status.Suspended);
        vm.expectRevert(abi.encodeWithSelector(IRegistryErrors.InstanceSuspended.selector, id));
        vm.prank(bob);
        registry.deregister(key);
        bytes memory signature = sign("bob", digestOf(deregisterHash(id, 0, DEADLINE)));
        vm.expectRevert(abi.encodeWithSelector(IRegistryErrors.InstanceSuspended.selector, id));
        registry.deregisterSigned(key, DEADLINE, signature);
    }

    function test_ASuspensionIsLeftByRegisteringAgain() external {
        set(IRegistryTypes.Status.Suspended);
        vm.expectRevert(alreadyRegistered(IRegistryTypes.Status.Suspended));
        vm.prank(bob);
        registry.register(r);
    }

    function test_ASuspensionIsLeftByBeingReaped() external {
        set(IRegistryTypes.Status.Suspended);
        vm.warp(START + 365 days);
        vm.expectRevert(abi.encodeWithSelector(IRegistryErrors.NothingReaped.selector, 1, 7 days));
        reap();
        assertEq(uint8(registry.leaseOf(id).status), uint8(IRegistryTypes.Status.Suspended));
    }

    function test_ASuspensionIsLeftByHeartbeatUpdateOrTransfer() external {
        set(IRegistryTypes.Status.Suspended);
        IRegistryTypes.RecordUpdate memory change = updateOf(r, bob);
        change.ttl = 30 days;
        vm.startPrank(bob);
        registry.heartbeat(id);
        registry.update(change);
        registry.proposeOwner(id, mallory);
        vm.stopPrank();
        vm.prank(mallory);
        registry.acceptOwner(key);
        assertEq(uint8(registry.leaseOf(id).status), uint8(IRegistryTypes.Status.Suspended));
        assertFalse(registry.isLive(id));
    }

    function test_ASuspensionIsEndedByTheOwner() external {
        set(IRegistryTypes.Status.Suspended);
        vm.expectRevert(abi.encodeWithSelector(IRegistryErrors.NotNamespaceOwner.selector, r.namespaceId, bob, alice));
        vm.prank(bob);
        registry.setStatus(pathOf(r, bob), IRegistryTypes.Status.Active, "");
    }

    // ---------------------------------------------------------- revocations

    function assertRevokedForEver() internal {
        bytes32 a = wordA(id);
        vm.expectRevert(alreadyRegistered(IRegistryTypes.Status.Revoked));
        vm.prank(bob);
        registry.register(r);
        IRegistryTypes.Status[3] memory statuses =
            [IRegistryTypes.Status.Active, IRegistryTypes.Status.Suspended, IRegistryTypes.Status.Revoked];
        for (uint256 i = 0; i < statuses.length; ++i) {
            vm.expectRevert(
                abi.encodeWithSelector(
                    IRegistryErrors.InvalidTransition.selector, id, IRegistryTypes.Status.Revoked, statuses[i]
                )
            );
            set(statuses[i]);
        }
        vm.warp(START + 365 days);
        vm.expectRevert(abi.encodeWithSelector(IRegistryErrors.NothingReaped.selector, 1, 7 days));
        reap();
        assertEq(wordA(id), a);
        (uint64 count,) = registry.countOf(key.service);
        assertEq(count, 0);
    }

    function test_ARevokedInstanceIsRegisteredAgain() external {
        set(IRegistryTypes.Status.Revoked);
        assertRevokedForEver();
    }

    /// @dev An owner that deregisters before the authority revokes it cannot register it again either.
    function test_ARevocationIsDodgedByDeregisteringFirst() external {
        vm.prank(bob);
        registry.deregister(key);
        set(IRegistryTypes.Status.Revoked);
        assertRevokedForEver();
    }

    function test_ARevocationIsDodgedByBeingReapedFirst() external {
        vm.warp(START + TTL + 7 days + 1);
        reap();
        set(IRegistryTypes.Status.Revoked);
        assertRevokedForEver();
    }

    // ------------------------------------------------------------ transfers

    /// @dev The id names bob for ever, and consumers trust mallory, who bought it: bob must not get it back.
    function test_ATransferredInstanceThatLeftIsRegisteredByItsOldRegistrant() external {
        vm.prank(bob);
        registry.proposeOwner(id, mallory);
        vm.prank(mallory);
        registry.acceptOwner(key);
        uint256 snapshot = vm.snapshotState();
        for (uint256 i = 0; i < 2; ++i) {
            if (i == 0) {
                vm.prank(mallory);
                registry.deregister(key);
            } else {
                vm.warp(START + TTL + 7 days + 1);
                reap();
            }
            bytes memory refusal = abi.encodeWithSelector(IRegistryErrors.NotOwner.selector, id, bob, mallory);
            vm.expectRevert(refusal);
            vm.prank(bob);
            registry.register(r);
            uint40 deadline = type(uint40).max;
            bytes memory signature = sign("bob", digestOf(registerHash(r, bob, 2, deadline)));
            vm.expectRevert(refusal);
            registry.registerSigned(r, bob, deadline, signature);
            // What mallory registers is another instance.
            vm.prank(mallory);
            assertNotEq(registry.register(r), id);
            vm.revertToState(snapshot);
        }
    }

    // -------------------------------------------------------------- leases

    /// @dev A longer ttl makes an expired lease run again, so an operator who may only update must not set one.
    function test_AnOperatorWithoutHeartbeatRevivesALeaseByItsTtl() external {
        vm.prank(bob);
        registry.setOperator(mallory, 6, type(uint40).max);
        vm.warp(START + TTL + 1);
        assertFalse(registry.isLive(id));
        IRegistryTypes.RecordUpdate memory change = updateOf(r, bob);
        change.ttl = 30 days;
        vm.expectRevert(abi.encodeWithSelector(IRegistryErrors.NotPermitted.selector, id, mallory, bob, 3));
        vm.prank(mallory);
        registry.update(change);
        bytes32 digest = digestOf(updateHash(id, change, 0, DEADLINE));
        bytes memory signature = sign("mallory", digest);
        vm.expectRevert(abi.encodeWithSelector(IRegistryErrors.InvalidSignature.selector, id, bob, digest));
        registry.updateSigned(change, DEADLINE, signature);
        assertFalse(registry.isLive(id));
        // It may update the record under the ttl that there is, and that revives nothing.
        change.ttl = TTL;
        vm.prank(mallory);
        registry.update(change);
        assertFalse(registry.isLive(id));
    }
}
