// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Signing} from "../Signing.sol";
import {IRegistryErrors} from "../../src/interfaces/IRegistryErrors.sol";
import {IRegistryEvents} from "../../src/interfaces/IRegistryEvents.sol";
import {IRegistryTypes} from "../../src/interfaces/IRegistryTypes.sol";

/// @notice The tree is in `updateSigned.tree`. Mallory, to whom nothing was granted, sends what alice signed.
contract UpdateSignedTest is Signing {
    bytes32 internal id;
    IRegistryTypes.RecordUpdate internal change;

    function setUp() public override {
        super.setUp();
        id = registerPayments("replica-1");
        change = updateOf(payments("replica-1"), alice);
        change.version = "1.3.0";
        vm.warp(START + 10);
    }

    function digest(uint24 epoch) internal view returns (bytes32) {
        return digestOf(updateHash(id, change, epoch, DEADLINE));
    }

    function send(uint40 deadline, bytes memory signature) internal {
        vm.prank(mallory);
        registry.updateSigned(change, deadline, signature);
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

    function test_RevertWhen_TheDeadlineHasPassed() external {
        bytes memory signature = sign("alice", digest(0));
        vm.warp(DEADLINE + 1);
        vm.expectRevert(abi.encodeWithSelector(IRegistryErrors.DeadlinePassed.selector, DEADLINE, DEADLINE + 1));
        send(DEADLINE, signature);
    }

    function test_RevertWhen_NeitherTheOwnerNorAnOperatorWithUpdateSigned() external {
        vm.startPrank(alice);
        registry.setOperator(bob, 5, type(uint40).max);
        registry.setOperator(makeAddr("expired"), 7, START + 10);
        vm.stopPrank();
        vm.warp(START + 11);
        string[3] memory names = ["bob", "expired", "mallory"];
        for (uint256 i = 0; i < names.length; ++i) {
            bytes memory signature = sign(names[i], digest(0));
            expectInvalid(digest(0));
            send(DEADLINE, signature);
        }
    }

    function test_RevertWhen_AnOperatorWithoutHeartbeatChangesTheTtl() external {
        vm.prank(alice);
        registry.setOperator(bob, 2, type(uint40).max);
        change.ttl = TTL + 1;
        bytes memory signature = sign("bob", digest(0));
        expectInvalid(digest(0));
        send(DEADLINE, signature);
        vm.prank(alice);
        registry.setOperator(bob, 3, type(uint40).max);
        send(DEADLINE, signature);
        assertEq(registry.leaseOf(id).ttl, TTL + 1);
    }

    function test_RevertWhen_TheSignatureIsBroken() external {
        bytes[] memory broken = brokenSignatures();
        for (uint256 i = 0; i < broken.length; ++i) {
            expectInvalid(digest(0));
            send(DEADLINE, broken[i]);
        }
    }

    /// @dev A broken signature recovers to the zero address, and alice has let it do everything.
    function test_RevertWhen_TheSignatureIsBroken_GivenTheZeroAddressIsAnOperator() external {
        vm.startPrank(alice);
        registry.setOperator(address(0), 7, type(uint40).max);
        registry.setInstanceOperator(id, address(0), 7, type(uint40).max);
        vm.stopPrank();
        bytes[] memory broken = brokenSignatures();
        for (uint256 i = 0; i < broken.length; ++i) {
            expectInvalid(digest(0));
            send(DEADLINE, broken[i]);
        }
    }

    function test_RevertWhen_AnythingElseWasSigned() external {
        bytes memory signature = sign("alice", digest(0));
        for (uint256 part = 0; part < 7; ++part) {
            uint256 snapshot = vm.snapshotState();
            uint40 deadline = DEADLINE;
            if (part == 0) change.prevRecordHash = 0;
            else if (part == 1) change.version = "1.3.1";
            else if (part == 2) (change.endpoints[0], change.endpoints[1]) = (change.endpoints[1], change.endpoints[0]);
            else if (part == 3) change.endpoints.push("x");
            else if (part == 4) change.metadata = "";
            else if (part == 5) change.ttl += 1;
            else deadline += 1;
            expectInvalid(digestOf(updateHash(id, change, 0, deadline)));
            send(deadline, signature);
            vm.revertToState(snapshot);
        }
        send(DEADLINE, signature);
    }

    function test_RevertWhen_ItWasSignedForAnotherInstance() external {
        bytes32 other = registerPayments("replica-2");
        bytes memory signature = sign("alice", digest(0));
        change.key = keyOf(payments("replica-2"), alice);
        vm.expectRevert(
            abi.encodeWithSelector(
                IRegistryErrors.InvalidSignature.selector,
                other,
                alice,
                digestOf(updateHash(other, change, 0, DEADLINE))
            )
        );
        send(DEADLINE, signature);
    }

    function test_RevertWhen_PrevRecordHashIsNotTheCurrentOne() external {
        change.prevRecordHash = 0;
        bytes memory signature = sign("alice", digest(0));
        vm.expectRevert(
            abi.encodeWithSelector(IRegistryErrors.RecordChanged.selector, id, registry.recordHashOf(id), bytes32(0))
        );
        send(DEADLINE, signature);
    }

    function test_RevertWhen_TheRecordBreaksALimit() external {
        change.version = "-";
        bytes memory signature = sign("alice", digest(0));
        vm.expectRevert(abi.encodeWithSelector(IRegistryErrors.InvalidText.selector, IRegistryTypes.Field.Version, "-"));
        send(DEADLINE, signature);
    }

    function sendAndCheck(bytes memory signature) internal {
        IRegistryTypes.Lease memory expected = registry.leaseOf(id);
        expected.ttl = change.ttl;
        bytes32 prev = change.prevRecordHash;
        vm.expectEmit(address(registry));
        emit IRegistryEvents.Updated(
            id, change.key.service, change.version, change.endpoints, change.metadata, change.ttl, 2, prev
        );
        send(DEADLINE, signature);
        assertEq(wordA(id), leaseWord(expected));
        assertEq(wordB(id), recordHash(prev, change.version, change.endpoints, change.metadata));
        assertEq(wordAt(slotOf(change.key.service, 1)), rosterWord(1, 2));
    }

    function test_WhenTheOwnerSignedIn65Bytes() external {
        change.ttl = 90;
        sendAndCheck(sign("alice", digest(0)));
    }

    function test_WhenTheOwnerSignedIn64Bytes() external {
        sendAndCheck(signShort("alice", digest(0)));
    }

    function test_WhenTheSignatureIsMalleated() external {
        sendAndCheck(signMalleated("alice", digest(0)));
        bytes memory signature = sign("alice", digest(0));
        vm.expectRevert(
            abi.encodeWithSelector(
                IRegistryErrors.RecordChanged.selector, id, registry.recordHashOf(id), change.prevRecordHash
            )
        );
        send(DEADLINE, signature);
    }

    function test_WhenAnOperatorSigned() external {
        vm.prank(alice);
        registry.setOperator(bob, 2, DEADLINE);
        bytes memory signature = sign("bob", digest(0));
        vm.warp(DEADLINE);
        sendAndCheck(signature);
    }

    function test_WhenAnOperatorOfTheInstanceSigned() external {
        vm.prank(alice);
        registry.setInstanceOperator(id, bob, 2, DEADLINE);
        sendAndCheck(signShort("bob", digest(0)));
    }
}
