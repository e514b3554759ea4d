// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Signing} from "../Signing.sol";
import {IRegistryErrors} from "../../src/interfaces/IRegistryErrors.sol";
import {IRegistryEvents} from "../../src/interfaces/IRegistryEvents.sol";
import {IRegistryTypes} from "../../src/interfaces/IRegistryTypes.sol";

/// @notice The tree is in `deregisterSigned.tree`. Mallory, to whom nothing was granted, sends what alice signed.
contract DeregisterSignedTest is Signing {
    bytes32 internal id;
    IRegistryTypes.InstanceKey internal key;

    function setUp() public override {
        super.setUp();
        id = registerPayments("replica-1");
        key = keyOf(payments("replica-1"), alice);
        vm.warp(START + 10);
    }

    function digest(uint24 epoch) internal view returns (bytes32) {
        return digestOf(deregisterHash(id, epoch, DEADLINE));
    }

    function send(uint40 deadline, bytes memory signature) internal {
        vm.prank(mallory);
        registry.deregisterSigned(key, deadline, signature);
    }

    function expectInvalid(bytes32 expectedDigest) internal {
        vm.expectRevert(abi.encodeWithSelector(IRegistryErrors.InvalidSignature.selector, id, alice, expectedDigest));
    }

    function test_RevertGiven_TheInstanceIsNotListed() external {
        IRegistryTypes.Status[3] memory statuses = unlisted();
        bytes memory signature = sign("alice", digest(1));
        for (uint256 i = 0; i < statuses.length; ++i) {
            uint256 snapshot = vm.snapshotState();
            bring("replica-1", statuses[i]);
            vm.expectRevert(abi.encodeWithSelector(IRegistryErrors.NotListed.selector, id, statuses[i]));
            send(DEADLINE, signature);
            vm.revertToState(snapshot);
        }
    }

    function test_RevertGiven_TheInstanceIsSuspended() external {
        setPayments("replica-1", IRegistryTypes.Status.Suspended);
        bytes memory signature = sign("alice", digest(0));
        vm.expectRevert(abi.encodeWithSelector(IRegistryErrors.InstanceSuspended.selector, id));
        send(DEADLINE, signature);
    }

    function test_RevertWhen_TheDeadlineHasPassed() external {
        bytes memory signature = sign("alice", digest(0));
        vm.warp(DEADLINE + 1);
        vm.expectRevert(abi.encodeWithSelector(IRegistryErrors.DeadlinePassed.selector, DEADLINE, DEADLINE + 1));
        send(DEADLINE, signature);
    }

    function test_RevertWhen_NeitherTheOwnerNorAnOperatorWithDeregisterSigned() external {
        vm.prank(alice);
        registry.setOperator(bob, 3, type(uint40).max);
        string[2] memory names = ["bob", "mallory"];
        for (uint256 i = 0; i < names.length; ++i) {
            bytes memory signature = sign(names[i], digest(0));
            expectInvalid(digest(0));
            send(DEADLINE, signature);
        }
    }

    function test_RevertWhen_AnythingElseWasSigned() external {
        bytes32 other = registerPayments("replica-2");
        bytes32[4] memory digests = [
            digestOf(deregisterHash(other, 0, DEADLINE)),
            digestOf(deregisterHash(id, 1, DEADLINE)),
            digestOf(deregisterHash(id, 0, DEADLINE + 1)),
            digestOf(heartbeatHash(id, 0, START + 5, DEADLINE))
        ];
        for (uint256 i = 0; i < digests.length; ++i) {
            bytes memory signature = sign("alice", digests[i]);
            expectInvalid(digest(0));
            send(DEADLINE, signature);
        }
    }

    function test_RevertWhen_TheSignatureIsBroken_GivenTheZeroAddressIsAnOperator() external {
        vm.prank(alice);
        registry.setOperator(address(0), 7, type(uint40).max);
        bytes[] memory broken = brokenSignatures();
        for (uint256 i = 0; i < broken.length; ++i) {
            expectInvalid(digest(0));
            send(DEADLINE, broken[i]);
        }
    }

    function sendAndCheck(bytes memory signature) internal {
        vm.expectEmit(address(registry));
        emit IRegistryEvents.Deregistered(id, key.service, 1, 2, 0);
        send(DEADLINE, signature);
        assertEq(wordA(id), leaseWord(IRegistryTypes.Lease(alice, START, TTL, IRegistryTypes.Status.Deregistered, 1)));
        assertEq(wordAt(slotOf(key.service, 1)), rosterWord(0, 2));
    }

    function test_WhenTheOwnerSignedIn65Bytes() external {
        bytes memory signature = sign("alice", digest(0));
        vm.warp(DEADLINE);
        sendAndCheck(signature);
    }

    function test_WhenTheOwnerSignedIn64Bytes() external {
        sendAndCheck(signShort("alice", digest(0)));
    }

    function test_WhenTheSignatureIsMalleated() external {
        sendAndCheck(signMalleated("alice", digest(0)));
    }

    function test_WhenAnOperatorSigned() external {
        vm.prank(alice);
        registry.setOperator(bob, 4, START + 10);
        sendAndCheck(sign("bob", digest(0)));
    }

    function test_WhenAnOperatorOfTheInstanceSigned() external {
        vm.prank(alice);
        registry.setInstanceOperator(id, bob, 4, START + 10);
        sendAndCheck(sign("bob", digest(0)));
    }
}
