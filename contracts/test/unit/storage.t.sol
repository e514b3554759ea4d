// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Base} from "../Base.sol";
import {IRegistryEvents} from "../../src/interfaces/IRegistryEvents.sol";
import {IRegistryTypes} from "../../src/interfaces/IRegistryTypes.sol";

/// @notice The layout that `registry/Layout.sol` documents, bit by bit, with a distinct value in each field.
contract StorageLayoutTest is Base {
    address internal constant OWNER = 0x1111111111111111111111111111111111111111;

    function test_SlotA_FieldByField() external {
        bytes32 id = keccak256("instance");
        // epoch 0x060606 | status 02 | ttl 0x040404 | lastHeartbeat 0x0303030303 | owner 0x1111…
        bytes32 word = 0x0606060204040403030303031111111111111111111111111111111111111111;
        vm.store(address(registry), keccak256(abi.encode(id, uint256(0))), word);

        IRegistryTypes.Lease memory lease = registry.leaseOf(id);
        assertEq(lease.owner, OWNER);
        assertEq(lease.lastHeartbeat, 0x0303030303);
        assertEq(lease.ttl, 0x040404);
        assertEq(uint8(lease.status), uint8(IRegistryTypes.Status.Suspended));
        assertEq(lease.epoch, 0x060606);

        // The paths that take the word apart by themselves agree.
        vm.prank(OWNER);
        registry.heartbeat(id);
        assertEq(wordA(id), 0x06060602040404006553f1001111111111111111111111111111111111111111);
        assertEq(uint256(0x6553f100), START);
    }

    function test_SlotB_FollowsSlotA() external {
        bytes32 id = keccak256("instance");
        vm.store(address(registry), bytes32(uint256(keccak256(abi.encode(id, uint256(0)))) + 1), keccak256("hash"));
        assertEq(registry.recordHashOf(id), keccak256("hash"));
    }

    function test_Roster() external {
        bytes32 service = keccak256("service");
        vm.store(
            address(registry),
            keccak256(abi.encode(service, uint256(1))),
            bytes32(uint256(0x00000000000000070000000000000005))
        );
        (uint64 count, uint64 sequence) = registry.countOf(service);
        assertEq(count, 5);
        assertEq(sequence, 7);
    }

    /// @dev Both fields beyond 32 bits, in the word and in the event.
    function test_Roster_OfManyInstances() external {
        IRegistryTypes.Registration memory r = payments("replica-1");
        uint256 word = uint256(0x0000000200000001) << 64 | 0x0000000400000003;
        vm.store(address(registry), slotOf(serviceOf(r), 1), bytes32(word));
        vm.expectEmit(address(registry));
        emit IRegistryEvents.Registered(
            idOf(r, alice), serviceOf(r), alice, r, START, 0, 0x0000000200000002, 0x0000000400000004, 0
        );
        registerPayments("replica-1");
        assertEq(uint256(wordAt(slotOf(serviceOf(r), 1))), uint256(0x0000000200000002) << 64 | 0x0000000400000004);
    }

    function test_Namespace() external {
        bytes32 namespaceId = keccak256("acme");
        // epoch 0x070707 | open 01 | owner 0x1111…
        vm.store(
            address(registry),
            keccak256(abi.encode(namespaceId, uint256(2))),
            bytes32(uint256(0x070707011111111111111111111111111111111111111111))
        );
        IRegistryTypes.Namespace memory namespace = registry.namespaceOf(namespaceId);
        assertEq(namespace.owner, OWNER);
        assertTrue(namespace.open);
        assertEq(namespace.epoch, 0x070707);

        // What belongs to an epoch is under all of its bits.
        vm.store(address(registry), slotOf(namespaceId, 0x070707, 3), proposalWord(bob));
        vm.store(address(registry), slotOf(namespaceId, 0x07, 3), proposalWord(mallory));
        assertEq(registry.proposedNamespaceOwnerOf(namespaceId), bob);
    }

    function test_TheStatusesAreNumberedAsTheWordSays() external pure {
        assertEq(uint8(IRegistryTypes.Status.None), 0);
        assertEq(uint8(IRegistryTypes.Status.Active), 1);
        assertEq(uint8(IRegistryTypes.Status.Suspended), 2);
        assertEq(uint8(IRegistryTypes.Status.Deregistered), 3);
        assertEq(uint8(IRegistryTypes.Status.Revoked), 4);
        assertEq(uint8(IRegistryTypes.Status.Reaped), 5);
    }

    function test_TheRuntimeIsSmall() external view {
        assertLe(address(registry).code.length, 20 * 1024);
    }
}
