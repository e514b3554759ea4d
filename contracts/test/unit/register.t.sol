// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Base} from "../Base.sol";
import {IRegistryErrors} from "../../src/interfaces/IRegistryErrors.sol";
import {IRegistryEvents} from "../../src/interfaces/IRegistryEvents.sol";
import {IRegistryTypes} from "../../src/interfaces/IRegistryTypes.sol";

/// @notice The tree is in `register.tree`.
contract RegisterTest is Base {
    /// @dev Alice registers `r`, and the call reverts with just this.
    function expectRefusal(IRegistryTypes.Registration memory r, bytes memory refusal) internal {
        vm.expectRevert(refusal);
        vm.prank(alice);
        registry.register(r);
    }

    function invalid(IRegistryTypes.Field field, string memory value) internal pure returns (bytes memory) {
        return abi.encodeWithSelector(IRegistryErrors.InvalidText.selector, field, value);
    }

    function test_RevertWhen_TheCallerDoesNotOwnTheNamespace() external {
        vm.prank(bob);
        bytes32 claimed = registry.claimNamespace("acme");
        bytes32[4] memory namespaceIds = [own(bob), claimed, keccak256("unclaimed"), bytes32(0)];
        address[4] memory owners = [bob, bob, address(0), address(0)];
        for (uint256 i = 0; i < namespaceIds.length; ++i) {
            IRegistryTypes.Registration memory r = payments("replica-1");
            r.namespaceId = namespaceIds[i];
            expectRefusal(
                r, abi.encodeWithSelector(IRegistryErrors.NamespaceClosed.selector, namespaceIds[i], alice, owners[i])
            );
        }
    }

    function test_RevertWhen_TheNameIsNoValidText() external {
        string[7] memory values = ["", text(64), "Payments", "-payments", "acme/payments", unicode"раyments", "a+b"];
        for (uint256 i = 0; i < values.length; ++i) {
            IRegistryTypes.Registration memory r = payments("replica-1");
            r.name = values[i];
            expectRefusal(r, invalid(IRegistryTypes.Field.Name, values[i]));
        }
    }

    function test_RevertWhen_TheLabelIsNoValidText() external {
        string[5] memory values = ["", text(64), "Replica", "_replica", "a\x00"];
        for (uint256 i = 0; i < values.length; ++i) {
            expectRefusal(payments(values[i]), invalid(IRegistryTypes.Field.Label, values[i]));
        }
    }

    function test_RevertWhen_TheVersionIsNoValidText() external {
        string[5] memory values = ["", text(64), "+1.2.0", "v1/2", unicode"1․2"];
        for (uint256 i = 0; i < values.length; ++i) {
            IRegistryTypes.Registration memory r = payments("replica-1");
            r.version = values[i];
            expectRefusal(r, invalid(IRegistryTypes.Field.Version, values[i]));
        }
    }

    function test_RevertWhen_TheNumberOfEndpointsIsOutOfRange() external {
        uint256[2] memory counts = [uint256(0), 17];
        for (uint256 i = 0; i < counts.length; ++i) {
            IRegistryTypes.Registration memory r = payments("replica-1");
            r.endpoints = new bytes[](counts[i]);
            expectRefusal(r, abi.encodeWithSelector(IRegistryErrors.EndpointCountOutOfRange.selector, counts[i], 16));
        }
    }

    function test_RevertWhen_TheLengthOfAnEndpointIsOutOfRange() external {
        uint256[2] memory lengths = [uint256(0), 257];
        for (uint256 i = 0; i < lengths.length; ++i) {
            IRegistryTypes.Registration memory r = payments("replica-1");
            r.endpoints[1] = blob(lengths[i]);
            expectRefusal(
                r, abi.encodeWithSelector(IRegistryErrors.EndpointLengthOutOfRange.selector, 1, lengths[i], 256)
            );
        }
    }

    function test_RevertWhen_TheMetadataIsTooLong() external {
        IRegistryTypes.Registration memory r = payments("replica-1");
        r.metadata = blob(4097);
        expectRefusal(r, abi.encodeWithSelector(IRegistryErrors.MetadataTooLong.selector, 4097, 4096));
    }

    function test_RevertWhen_TheTtlIsOutOfRange() external {
        uint24[4] memory ttls = [0, 4, 30 days + 1, type(uint24).max];
        for (uint256 i = 0; i < ttls.length; ++i) {
            IRegistryTypes.Registration memory r = payments("replica-1");
            r.ttl = ttls[i];
            expectRefusal(r, abi.encodeWithSelector(IRegistryErrors.TtlOutOfRange.selector, ttls[i], 5, 30 days));
        }
    }

    function test_RevertGiven_TheInstanceIsActiveSuspendedOrRevoked() external {
        bytes32 id = registerPayments("replica-1");
        IRegistryTypes.Status[3] memory statuses =
            [IRegistryTypes.Status.Active, IRegistryTypes.Status.Suspended, IRegistryTypes.Status.Revoked];
        vm.warp(START + TTL + 1);
        for (uint256 i = 0; i < statuses.length; ++i) {
            uint256 snapshot = vm.snapshotState();
            bring("replica-1", statuses[i]);
            expectRefusal(
                payments("replica-1"),
                abi.encodeWithSelector(IRegistryErrors.AlreadyRegistered.selector, id, statuses[i])
            );
            vm.revertToState(snapshot);
        }
    }

    /// @dev What each character may do, alone and after a letter: the sets written out, not computed.
    function test_EveryCharacter() external {
        bytes memory first = "abcdefghijklmnopqrstuvwxyz0123456789";
        for (uint256 c = 0; c < 256; ++c) {
            bytes1 character = bytes32(c)[31];
            bool isFirst = isIn(first, character);
            checkName(abi.encodePacked(character), isFirst);
            checkName(abi.encodePacked("a", character), isFirst || c == 0x2d || c == 0x2e || c == 0x5f);
            bool isUpper = c >= 0x41 && c <= 0x5a;
            checkVersion(abi.encodePacked(character), isFirst || isUpper);
            checkVersion(
                abi.encodePacked("a", character), isFirst || isUpper || c == 0x2b || c == 0x2d || c == 0x2e || c == 0x5f
            );
        }
    }

    function isIn(bytes memory set, bytes1 character) private pure returns (bool) {
        for (uint256 i = 0; i < set.length; ++i) {
            if (set[i] == character) return true;
        }
        return false;
    }

    /// @dev With a ttl of 0 the call reverts in any case, by the text or by the ttl.
    function checkName(bytes memory name, bool isValid) private {
        IRegistryTypes.Registration memory r = payments("replica-1");
        r.name = string(name);
        r.ttl = 0;
        expectRefusal(r, isValid ? ttlOfZero() : invalid(IRegistryTypes.Field.Name, r.name));
    }

    function checkVersion(bytes memory version, bool isValid) private {
        IRegistryTypes.Registration memory r = payments("replica-1");
        r.version = string(version);
        r.ttl = 0;
        expectRefusal(r, isValid ? ttlOfZero() : invalid(IRegistryTypes.Field.Version, r.version));
    }

    function ttlOfZero() private pure returns (bytes memory) {
        return abi.encodeWithSelector(IRegistryErrors.TtlOutOfRange.selector, 0, 5, 30 days);
    }

    function test_RevertGiven_TheInstanceLeftAfterItWasTransferred() external {
        bytes32 id = registerPayments("replica-1");
        transferPayments("replica-1", bob);
        IRegistryTypes.InstanceKey memory key = keyOf(payments("replica-1"), alice);
        vm.prank(bob);
        registry.deregister(key);
        expectRefusal(payments("replica-1"), abi.encodeWithSelector(IRegistryErrors.NotOwner.selector, id, alice, bob));
    }

    function test_GivenTheInstanceLeftAfterItCameBackToItsRegistrant() external {
        bytes32 id = registerPayments("replica-1");
        transferPayments("replica-1", bob);
        IRegistryTypes.InstanceKey memory key = keyOf(payments("replica-1"), alice);
        vm.prank(bob);
        registry.proposeOwner(id, alice);
        vm.prank(alice);
        registry.acceptOwner(key);
        deregisterPayments("replica-1");
        assertEq(registerPayments("replica-1"), id);
        assertEq(wordA(id), leaseWord(IRegistryTypes.Lease(alice, START, TTL, IRegistryTypes.Status.Active, 3)));
    }

    function test_WhenTheCallerIsARegistrarOrTheNamespaceIsOpen() external {
        IRegistryTypes.Registration memory r = payments("replica-1");
        vm.prank(alice);
        registry.setRegistrar(r.namespaceId, bob, START);
        vm.expectEmit(address(registry));
        emit IRegistryEvents.Registered(idOf(r, bob), serviceOf(r), bob, r, START, 0, 1, 1, 0);
        vm.prank(bob);
        assertEq(registry.register(r), idOf(r, bob));

        vm.prank(alice);
        registry.setNamespaceOpen(r.namespaceId, true);
        vm.expectEmit(address(registry));
        emit IRegistryEvents.Registered(idOf(r, mallory), serviceOf(r), mallory, r, START, 0, 2, 2, 0);
        vm.prank(mallory);
        assertEq(registry.register(r), idOf(r, mallory));
    }

    function test_GivenTheInstanceWasNeverRegistered() external {
        IRegistryTypes.Registration memory r = payments("replica-1");
        bytes32 id = idOf(r, alice);

        vm.expectEmit(address(registry));
        emit IRegistryEvents.Registered(id, serviceOf(r), alice, r, START, 0, 1, 1, 0);
        vm.prank(alice);
        assertEq(registry.register(r), id);

        IRegistryTypes.Lease memory expected = IRegistryTypes.Lease(alice, START, TTL, IRegistryTypes.Status.Active, 0);
        assertEq(abi.encode(registry.leaseOf(id)), abi.encode(expected));
        assertEq(wordA(id), leaseWord(expected));
        assertEq(registry.recordHashOf(id), recordHash(0, r));
        assertEq(wordB(id), recordHash(0, r));
        (uint64 count, uint64 sequence) = registry.countOf(serviceOf(r));
        assertEq(count, 1);
        assertEq(sequence, 1);
        assertEq(vm.load(address(registry), slotOf(serviceOf(r), 1)), rosterWord(1, 1));
    }

    function test_GivenTheInstanceWasDeregisteredOrReaped() external {
        IRegistryTypes.Registration memory r = payments("replica-1");
        bytes32 id = registerPayments("replica-1");
        bytes32 prev = registry.recordHashOf(id);

        IRegistryTypes.Status[2] memory statuses = [IRegistryTypes.Status.Deregistered, IRegistryTypes.Status.Reaped];
        for (uint256 i = 0; i < statuses.length; ++i) {
            uint256 snapshot = vm.snapshotState();
            bring("replica-1", statuses[i]);
            vm.warp(START + 1 days);
            r.version = "2.0.0-rc.1+Build.7";
            r.ttl = 90;
            vm.expectEmit(address(registry));
            emit IRegistryEvents.Registered(id, serviceOf(r), alice, r, START + 1 days, 1, 3, 1, prev);
            vm.prank(alice);
            assertEq(registry.register(r), id);
            assertEq(
                wordA(id), leaseWord(IRegistryTypes.Lease(alice, START + 1 days, 90, IRegistryTypes.Status.Active, 1))
            );
            assertEq(wordB(id), recordHash(prev, r));
            vm.revertToState(snapshot);
        }
    }

    function test_GivenEveryLimitIsMetExactly() external {
        IRegistryTypes.Registration memory r = payments(text(63));
        r.name = text(63);
        r.version = text(63);
        r.endpoints = new bytes[](16);
        for (uint256 i = 0; i < 16; ++i) {
            r.endpoints[i] = blob(256);
        }
        r.metadata = blob(4096);
        r.ttl = 30 days;
        vm.prank(alice);
        bytes32 id = registry.register(r);
        assertEq(registry.recordHashOf(id), recordHash(0, r));

        r = payments("a");
        r.name = "b";
        r.version = "Z";
        r.endpoints = new bytes[](1);
        r.endpoints[0] = "x";
        r.metadata = "";
        r.ttl = 5;
        vm.prank(alice);
        id = registry.register(r);
        assertEq(registry.recordHashOf(id), recordHash(0, r));
    }

    function test_GivenEndpointsAndMetadataAreHostileBytes() external {
        IRegistryTypes.Registration memory r = payments("replica-1");
        r.endpoints[0] = hex"00fffe80c0";
        r.endpoints[1] = "<script>alert(1)</script>\r\nX: y";
        r.metadata = hex"0000000000";
        vm.prank(alice);
        bytes32 id = registry.register(r);
        assertEq(registry.recordHashOf(id), recordHash(0, r));
        assertTrue(registry.verifyRecord(id, alice, r, 0));
    }
}
