// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Base} from "../Base.sol";
import {IRegistryErrors} from "../../src/interfaces/IRegistryErrors.sol";
import {IRegistryEvents} from "../../src/interfaces/IRegistryEvents.sol";
import {IRegistryTypes} from "../../src/interfaces/IRegistryTypes.sol";

/// @notice The tree is in `setStatus.tree`.
contract SetStatusTest is Base {
    bytes32 internal id;
    bytes32 internal service;
    IRegistryTypes.InstancePath internal path;

    /// @dev Alice is the authority of `acme`, and bob registers in it.
    function setUp() public override {
        super.setUp();
        IRegistryTypes.Registration memory r = payments("replica-1");
        vm.startPrank(alice);
        r.namespaceId = registry.claimNamespace("acme");
        registry.setRegistrar(r.namespaceId, bob, type(uint40).max);
        vm.stopPrank();
        vm.prank(bob);
        id = registry.register(r);
        path = pathOf(r, bob);
        service = serviceOf(r);
        vm.warp(START + 10);
    }

    function set(IRegistryTypes.Status status) internal {
        vm.prank(alice);
        registry.setStatus(path, status, "because");
    }

    /// @dev Brings the instance from `Active` to this status.
    function bringTo(IRegistryTypes.Status status) internal {
        IRegistryTypes.InstanceKey[] memory keys = new IRegistryTypes.InstanceKey[](1);
        keys[0] = IRegistryTypes.InstanceKey(service, bob, path.labelHash);
        if (status == IRegistryTypes.Status.Suspended || status == IRegistryTypes.Status.Revoked) {
            set(status);
        } else if (status == IRegistryTypes.Status.Deregistered) {
            vm.prank(bob);
            registry.deregister(keys[0]);
        } else if (status == IRegistryTypes.Status.Reaped) {
            vm.warp(START + TTL + 7 days + 1);
            registry.reap(keys);
        }
        assertEq(uint8(registry.leaseOf(id).status), uint8(status));
    }

    /// @dev The transition works: it changes status, epoch, count and sequence by just so much, and says so.
    function setAndCheck(IRegistryTypes.Status to, uint24 epochs, uint64 counts, bytes memory reason) internal {
        IRegistryTypes.Lease memory expected = registry.leaseOf(id);
        bytes32 hash = registry.recordHashOf(id);
        (uint64 count, uint64 sequence) = registry.countOf(service);
        expected.status = to;
        expected.epoch += epochs;

        vm.expectEmit(address(registry));
        emit IRegistryEvents.StatusSet(id, service, alice, to, expected.epoch, sequence + 1, count - counts, reason);
        vm.prank(alice);
        registry.setStatus(path, to, reason);

        assertEq(wordA(id), leaseWord(expected));
        assertEq(wordB(id), hash);
        assertEq(wordAt(slotOf(service, 1)), rosterWord(count - counts, sequence + 1));
    }

    function test_RevertWhen_TheReasonIsTooLong() external {
        vm.expectRevert(abi.encodeWithSelector(IRegistryErrors.ReasonTooLong.selector, 257, 256));
        vm.prank(alice);
        registry.setStatus(path, IRegistryTypes.Status.Suspended, blob(257));
    }

    function test_WhenTheReasonIsAsLongAsItMayBe() external {
        setAndCheck(IRegistryTypes.Status.Suspended, 0, 0, blob(256));
        setAndCheck(IRegistryTypes.Status.Active, 0, 0, "");
        setAndCheck(IRegistryTypes.Status.Revoked, 1, 1, hex"00ff");
    }

    function test_RevertWhen_TheCallerIsNotTheAuthority() external {
        address[2] memory callers = [bob, mallory];
        for (uint256 i = 0; i < callers.length; ++i) {
            vm.expectRevert(
                abi.encodeWithSelector(IRegistryErrors.NotNamespaceOwner.selector, path.namespaceId, callers[i], alice)
            );
            vm.prank(callers[i]);
            registry.setStatus(path, IRegistryTypes.Status.Suspended, "");
        }
    }

    /// @dev The path proves the namespace: with another one it is the path of another instance.
    function test_RevertWhen_TheNamespaceIsNotTheOneOfTheInstance() external {
        path.namespaceId = own(mallory);
        bytes32 other =
            keccak256(abi.encode(keccak256(abi.encode(own(mallory), path.nameHash)), path.registrant, path.labelHash));
        vm.expectRevert(
            abi.encodeWithSelector(
                IRegistryErrors.InvalidTransition.selector,
                other,
                IRegistryTypes.Status.None,
                IRegistryTypes.Status.Suspended
            )
        );
        vm.prank(mallory);
        registry.setStatus(path, IRegistryTypes.Status.Suspended, "");
    }

    /// @dev Row by row, the table of what may follow on what: 1 for each transition that is allowed.
    function test_EveryTransition() external {
        //                                 to: None Active Suspended Deregistered Revoked Reaped
        uint8[6][6] memory allowed = [
            [uint8(0), 0, 0, 0, 0, 0],
            [0, 0, 1, 0, 1, 0],
            [0, 1, 0, 0, 1, 0],
            [0, 0, 0, 0, 1, 0],
            [0, 0, 0, 0, 0, 0],
            [0, 0, 0, 0, 1, 0]
        ];
        for (uint8 from = 0; from < 6; ++from) {
            for (uint8 to = 0; to < 6; ++to) {
                uint256 snapshot = vm.snapshotState();
                if (from == 0) {
                    path.labelHash = keccak256("never");
                    id = keccak256(abi.encode(service, bob, path.labelHash));
                } else {
                    bringTo(IRegistryTypes.Status(from));
                }
                if (allowed[from][to] == 1) {
                    bool isRevoked = to == uint8(IRegistryTypes.Status.Revoked);
                    setAndCheck(IRegistryTypes.Status(to), isRevoked ? 1 : 0, isRevoked && from < 3 ? 1 : 0, "because");
                } else {
                    vm.expectRevert(abi.encodeWithSelector(IRegistryErrors.InvalidTransition.selector, id, from, to));
                    set(IRegistryTypes.Status(to));
                }
                vm.revertToState(snapshot);
            }
        }
    }

    function test_WhenAnInstanceIsSuspendedAndReinstated() external {
        set(IRegistryTypes.Status.Suspended);
        assertFalse(registry.isLive(id));
        set(IRegistryTypes.Status.Active);
        assertTrue(registry.isLive(id));
    }

    function test_WhenTheNamespaceIsTheAuthoritysOwnAddress() external {
        bytes32 ofAlice = registerPayments("replica-1");
        setPayments("replica-1", IRegistryTypes.Status.Suspended);
        assertEq(uint8(registry.leaseOf(ofAlice).status), uint8(IRegistryTypes.Status.Suspended));
    }

    function test_WhenTheNamespaceWasTransferred() external {
        vm.prank(alice);
        registry.proposeNamespaceOwner(path.namespaceId, mallory);
        vm.prank(mallory);
        registry.acceptNamespaceOwner(path.namespaceId);
        vm.expectRevert(
            abi.encodeWithSelector(IRegistryErrors.NotNamespaceOwner.selector, path.namespaceId, alice, mallory)
        );
        set(IRegistryTypes.Status.Suspended);
        vm.expectEmit(address(registry));
        emit IRegistryEvents.StatusSet(id, service, mallory, IRegistryTypes.Status.Suspended, 0, 2, 1, "");
        vm.prank(mallory);
        registry.setStatus(path, IRegistryTypes.Status.Suspended, "");
    }
}
