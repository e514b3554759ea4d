// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Base} from "../Base.sol";
import {IRegistryTypes} from "../../src/interfaces/IRegistryTypes.sol";

/// @notice How an instance changes its status, from any word and at any time.
contract StatusesFuzzTest is Base {
    IRegistryTypes.Registration private r;
    bytes32 private id;

    function setUp() public override {
        super.setUp();
        r = payments("replica-1");
        id = registerPayments("replica-1");
    }

    /// @dev Any slot A of which the status is one and the epoch not the last.
    function put(uint256 word) private returns (IRegistryTypes.Lease memory lease) {
        uint256 status = ((word >> 224) & 0xff) % 6;
        lease = leaseIn(bytes32((word & ~(uint256(0xff) << 224)) | status << 224));
        if (lease.epoch == type(uint24).max) lease.epoch = 0;
        vm.store(address(registry), slotOf(id, 0), leaseWord(lease));
    }

    function call(address caller, bytes memory input) private returns (bool success) {
        vm.prank(caller);
        (success,) = address(registry).call(input);
    }

    /// @dev The table of docs/contract.md: rows are what it is, columns what is asked for, `x` is refused.
    function isTransition(uint256 from, uint256 to) private pure returns (bool) {
        // columns:       None, Active, Suspended, Deregistered, Revoked, Reaped
        string[6] memory table = [
            "xxxxxx", // None
            "xx+x+x", // Active
            "x+xx+x", // Suspended
            "xxxx+x", // Deregistered
            "xxxxxx", // Revoked
            "xxxx+x" // Reaped
        ];
        return bytes(table[from])[to] == "+";
    }

    function testFuzz_SetStatus_FollowsTheTable(uint256 word, uint8 to) external {
        to %= 6;
        IRegistryTypes.Lease memory lease = put(word);
        IRegistryTypes.InstancePath memory path =
            IRegistryTypes.InstancePath(own(alice), keccak256("payments"), alice, keccak256("replica-1"));
        IRegistryTypes.Status status = IRegistryTypes.Status(to);
        assertFalse(call(bob, abi.encodeCall(registry.setStatus, (path, status, ""))));
        bool expected = isTransition(uint8(lease.status), to);
        assertEq(call(alice, abi.encodeCall(registry.setStatus, (path, status, "because"))), expected);

        (uint64 count, uint64 sequence) = registry.countOf(serviceOf(r));
        bool wasListed = uint8(lease.status) == 1 || uint8(lease.status) == 2;
        assertEq(sequence, expected ? 2 : 1);
        assertEq(count, expected && wasListed && to == 4 ? 0 : 1);
        if (expected) lease.status = status;
        if (expected && to == 4) ++lease.epoch;
        assertEq(wordA(id), leaseWord(lease));
    }

    /// @dev No one reaps but what is active and 7 days past its end; then anyone does.
    function testFuzz_Reap(uint256 word, uint256 time, address caller) external {
        IRegistryTypes.Lease memory lease = put(word);
        uint256 end = uint256(lease.lastHeartbeat) + lease.ttl + 7 days;
        vm.warp(time % 2 == 0 ? bound(time, end - 2, end + 2) : bound(time, 0, type(uint64).max));
        IRegistryTypes.InstanceKey[] memory keys = new IRegistryTypes.InstanceKey[](2);
        keys[0] = keyOf(r, alice);
        keys[1] = keys[0];
        bool expected = lease.status == IRegistryTypes.Status.Active && vm.getBlockTimestamp() > end;
        assertEq(call(caller, abi.encodeCall(registry.reap, (keys))), expected);
        if (expected) {
            lease.status = IRegistryTypes.Status.Reaped;
            ++lease.epoch;
        }
        assertEq(wordA(id), leaseWord(lease));
        (uint64 count,) = registry.countOf(serviceOf(r));
        assertEq(count, expected ? 0 : 1);
    }

    /// @dev From any status: who may deregister, and who may register anew.
    function testFuzz_DeregisterAndRegister(uint256 word) external {
        IRegistryTypes.Lease memory lease = put(word);
        if (uint160(lease.owner) % 2 == 0) lease.owner = alice;
        vm.store(address(registry), slotOf(id, 0), leaseWord(lease));
        uint256 status = uint8(lease.status);

        assertEq(
            call(alice, abi.encodeCall(registry.register, (r))),
            status == 0 || (lease.owner == alice && (status == 3 || status == 5))
        );
        vm.store(address(registry), slotOf(id, 0), leaseWord(lease));
        assertEq(call(lease.owner, abi.encodeCall(registry.deregister, (keyOf(r, alice)))), status == 1);
        if (status == 1) {
            lease.status = IRegistryTypes.Status.Deregistered;
            ++lease.epoch;
        }
        assertEq(wordA(id), leaseWord(lease));
    }

    /// @dev A transfer keeps all of the lease but the owner and the epoch.
    function testFuzz_AcceptOwner_TouchesTwoFields(uint256 word, address next) external {
        vm.assume(next != address(0));
        IRegistryTypes.Lease memory lease = put(word);
        bool listed = uint8(lease.status) == 1 || uint8(lease.status) == 2;
        assertEq(call(lease.owner, abi.encodeCall(registry.proposeOwner, (id, next))), listed);
        if (next != mallory) assertFalse(call(mallory, abi.encodeCall(registry.acceptOwner, (keyOf(r, alice)))));
        assertEq(call(next, abi.encodeCall(registry.acceptOwner, (keyOf(r, alice)))), listed);
        if (listed) {
            lease.owner = next;
            ++lease.epoch;
        }
        assertEq(wordA(id), leaseWord(lease));
        assertFalse(call(next, abi.encodeCall(registry.acceptOwner, (keyOf(r, alice)))));
    }
}
