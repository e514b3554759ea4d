// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Signing} from "../Signing.sol";
import {IRegistryErrors} from "../../src/interfaces/IRegistryErrors.sol";
import {IRegistryEvents} from "../../src/interfaces/IRegistryEvents.sol";
import {IRegistryTypes} from "../../src/interfaces/IRegistryTypes.sol";

/// @notice The tree is in `registerSigned.tree`. Mallory, to whom nothing was granted, sends what alice signed.
contract RegisterSignedTest is Signing {
    IRegistryTypes.Registration internal r;
    bytes32 internal id;

    function setUp() public override {
        super.setUp();
        r = payments("replica-1");
        id = idOf(r, alice);
    }

    function digest(uint24 epoch) internal view returns (bytes32) {
        return digestOf(registerHash(r, alice, epoch, DEADLINE));
    }

    function send(uint40 deadline, bytes memory signature) internal returns (bytes32) {
        vm.prank(mallory);
        return registry.registerSigned(r, alice, deadline, signature);
    }

    function expectInvalid(bytes32 expectedDigest) internal {
        vm.expectRevert(
            abi.encodeWithSelector(IRegistryErrors.InvalidSignature.selector, idOf(r, alice), alice, expectedDigest)
        );
    }

    function test_RevertWhen_TheDeadlineHasPassed() external {
        bytes memory signature = sign("alice", digest(0));
        vm.warp(DEADLINE + 1);
        vm.expectRevert(abi.encodeWithSelector(IRegistryErrors.DeadlinePassed.selector, DEADLINE, DEADLINE + 1));
        send(DEADLINE, signature);
    }

    function test_RevertWhen_AnotherSigned() external {
        // An operator for everything cannot register: it would be for another than itself.
        vm.prank(alice);
        registry.setOperator(bob, 7, type(uint40).max);
        string[2] memory names = ["bob", "mallory"];
        for (uint256 i = 0; i < names.length; ++i) {
            bytes memory signature = sign(names[i], digest(0));
            expectInvalid(digest(0));
            send(DEADLINE, signature);
        }
    }

    function test_RevertWhen_TheSignatureIsBroken() external {
        bytes[] memory broken = brokenSignatures();
        for (uint256 i = 0; i < broken.length; ++i) {
            expectInvalid(digest(0));
            send(DEADLINE, broken[i]);
        }
    }

    /// @dev Nobody holds the key of the zero address, though recovery answers with it. It owns namespace 0, too.
    function test_RevertWhen_TheOwnerIsTheZeroAddress() external {
        r.namespaceId = 0;
        bytes32 expected = digestOf(registerHash(r, address(0), 0, DEADLINE));
        bytes[] memory broken = brokenSignatures();
        for (uint256 i = 0; i < broken.length; ++i) {
            vm.expectRevert(
                abi.encodeWithSelector(
                    IRegistryErrors.InvalidSignature.selector, idOf(r, address(0)), address(0), expected
                )
            );
            registry.registerSigned(r, address(0), DEADLINE, broken[i]);
        }
    }

    /// @dev Each part of what was signed, changed by whoever sends it.
    function test_RevertWhen_AnythingElseWasSigned() external {
        bytes memory signature = sign("alice", digest(0));
        for (uint256 part = 0; part < 9; ++part) {
            uint256 snapshot = vm.snapshotState();
            uint40 deadline = DEADLINE;
            if (part == 0) r.namespaceId = own(mallory);
            else if (part == 1) r.name = "payment";
            else if (part == 2) r.label = "replica-2";
            else if (part == 3) r.version = "1.2.1";
            else if (part == 4) (r.endpoints[0], r.endpoints[1]) = (r.endpoints[1], r.endpoints[0]);
            else if (part == 5) r.endpoints.pop();
            else if (part == 6) r.metadata = "";
            else if (part == 7) r.ttl += 1;
            else deadline += 1;
            expectInvalid(digestOf(registerHash(r, alice, 0, deadline)));
            send(deadline, signature);
            vm.revertToState(snapshot);
        }
        send(DEADLINE, signature);
    }

    function test_RevertWhen_TheOwnerIsNotTheOneWhoSigned() external {
        // Both may register there: what alice signed is for alice.
        vm.prank(alice);
        registry.setNamespaceOpen(r.namespaceId, true);
        bytes memory signature = sign("alice", digest(0));
        vm.expectRevert(
            abi.encodeWithSelector(
                IRegistryErrors.InvalidSignature.selector,
                idOf(r, mallory),
                mallory,
                digestOf(registerHash(r, mallory, 0, DEADLINE))
            )
        );
        vm.prank(mallory);
        registry.registerSigned(r, mallory, DEADLINE, signature);
    }

    /// @dev It is the owner who must be admitted; that the sender is does not help.
    function test_RevertWhen_TheOwnerIsNotAdmitted() external {
        r.namespaceId = own(mallory);
        bytes memory signature = sign("alice", digest(0));
        vm.expectRevert(abi.encodeWithSelector(IRegistryErrors.NamespaceClosed.selector, r.namespaceId, alice, mallory));
        send(DEADLINE, signature);
    }

    function test_RevertWhen_TheRecordBreaksALimit() external {
        r.ttl = 4;
        bytes memory signature = sign("alice", digest(0));
        vm.expectRevert(abi.encodeWithSelector(IRegistryErrors.TtlOutOfRange.selector, 4, 5, 30 days));
        send(DEADLINE, signature);
        r.ttl = 5;
        r.name = "Payments";
        signature = sign("alice", digest(0));
        vm.expectRevert(
            abi.encodeWithSelector(IRegistryErrors.InvalidText.selector, IRegistryTypes.Field.Name, "Payments")
        );
        send(DEADLINE, signature);
    }

    function test_RevertGiven_TheInstanceIsListedOrRevoked() external {
        registerPayments("replica-1");
        bytes memory signature = sign("alice", digest(0));
        vm.expectRevert(
            abi.encodeWithSelector(IRegistryErrors.AlreadyRegistered.selector, id, IRegistryTypes.Status.Active)
        );
        send(DEADLINE, signature);
        setPayments("replica-1", IRegistryTypes.Status.Revoked);
        signature = sign("alice", digest(1));
        vm.expectRevert(
            abi.encodeWithSelector(IRegistryErrors.AlreadyRegistered.selector, id, IRegistryTypes.Status.Revoked)
        );
        send(DEADLINE, signature);
    }

    function sendAndCheck(bytes memory signature) internal {
        vm.expectEmit(address(registry));
        emit IRegistryEvents.Registered(id, serviceOf(r), alice, r, uint40(vm.getBlockTimestamp()), 0, 1, 1, 0);
        assertEq(send(DEADLINE, signature), id);
        assertEq(
            wordA(id),
            leaseWord(IRegistryTypes.Lease(alice, uint40(vm.getBlockTimestamp()), TTL, IRegistryTypes.Status.Active, 0))
        );
        assertEq(wordB(id), recordHash(0, r));
        assertEq(wordAt(slotOf(serviceOf(r), 1)), rosterWord(1, 1));
    }

    function test_WhenTheSignatureHas65Bytes() external {
        sendAndCheck(sign("alice", digest(0)));
    }

    function test_WhenTheSignatureHas64Bytes() external {
        sendAndCheck(signShort("alice", digest(0)));
    }

    /// @dev A second signature of the same message is as good as the first: it is the message that works once.
    function test_WhenTheSignatureIsMalleated() external {
        sendAndCheck(signMalleated("alice", digest(0)));
        bytes memory signature = sign("alice", digest(0));
        vm.expectRevert(
            abi.encodeWithSelector(IRegistryErrors.AlreadyRegistered.selector, id, IRegistryTypes.Status.Active)
        );
        send(DEADLINE, signature);
    }

    function test_WhenTheDeadlineIsNow() external {
        bytes memory signature = sign("alice", digest(0));
        vm.warp(DEADLINE);
        sendAndCheck(signature);
    }

    function test_GivenTheInstanceWasDeregistered() external {
        registerPayments("replica-1");
        deregisterPayments("replica-1");
        bytes memory signature = sign("alice", digest(0));
        expectInvalid(digest(1));
        send(DEADLINE, signature);
        send(DEADLINE, sign("alice", digest(1)));
        assertEq(registry.leaseOf(id).epoch, 1);
        assertTrue(registry.isLive(id));
    }
}
