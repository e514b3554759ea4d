// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Base} from "../Base.sol";
import {IRegistryErrors} from "../../src/interfaces/IRegistryErrors.sol";
import {IRegistryEvents} from "../../src/interfaces/IRegistryEvents.sol";
import {IRegistryTypes} from "../../src/interfaces/IRegistryTypes.sol";

/// @notice Each function against a second, slower statement of what it does, for arbitrary input.
contract RegistryFuzzTest is Base {
    // ---------------------------------------------------------------- texts

    /// @dev The set of characters, spelled out.
    function isText(bytes memory raw, bool isVersion) private pure returns (bool) {
        if (raw.length == 0 || raw.length > 63) return false;
        for (uint256 i = 0; i < raw.length; ++i) {
            bytes1 c = raw[i];
            bool ok = (c >= "a" && c <= "z") || (c >= "0" && c <= "9") || c == "." || c == "_" || c == "-";
            if (isVersion) ok = ok || (c >= "A" && c <= "Z") || c == "+";
            if (!ok || (i == 0 && (c == "." || c == "_" || c == "-" || c == "+"))) return false;
        }
        return true;
    }

    /// @dev All 256 bytes, at the first, a middle and the last place of a text, in names and versions.
    function test_EveryByteOfATextIsChecked() external {
        uint256[4] memory places = [uint256(0), 31, 32, 62];
        for (uint16 c = 0; c < 256; ++c) {
            for (uint256 p = 0; p < places.length; ++p) {
                bytes memory raw = blob(63);
                raw[places[p]] = bytes2(c)[1];
                // A label of its own for each, so that both can be registered.
                string memory label = string.concat(vm.toString(c), "-", vm.toString(p));

                IRegistryTypes.Registration memory r = payments(label);
                r.name = string(raw);
                vm.prank(alice);
                (bool named,) = address(registry).call(abi.encodeCall(registry.register, (r)));
                assertEq(named, isText(raw, false), "name");

                r = payments(label);
                r.version = string(raw);
                vm.prank(alice);
                (bool versioned,) = address(registry).call(abi.encodeCall(registry.register, (r)));
                assertEq(versioned, isText(raw, true), "version");
            }
        }
    }

    function testFuzz_ClaimNamespace_AcceptsJustTheTextsThatItShould(bytes memory raw) external {
        bool reserved = raw.length > 1 && raw[0] == "0" && raw[1] == "x";
        (bool success,) = address(registry).call(abi.encodeCall(registry.claimNamespace, (string(raw))));
        assertEq(success, isText(raw, false) && !reserved);
    }

    // -------------------------------------------------------------- records

    /// @dev Cuts what the fuzzer made down to the limits.
    function valid(bytes[] memory endpoints, bytes memory metadata, uint24 ttl)
        private
        view
        returns (IRegistryTypes.Registration memory r)
    {
        r = payments("replica-1");
        vm.assume(endpoints.length > 0);
        r.endpoints = new bytes[](1 + (endpoints.length - 1) % 16);
        for (uint256 i = 0; i < r.endpoints.length; ++i) {
            r.endpoints[i] = endpoints[i].length == 0 || endpoints[i].length > 256 ? bytes("e") : endpoints[i];
        }
        r.metadata = metadata.length > 4096 ? bytes("m") : metadata;
        r.ttl = uint24(bound(ttl, 5, 30 days));
    }

    function testFuzz_Register_CommitsToTheRecord(bytes[] memory endpoints, bytes memory metadata, uint24 ttl)
        external
    {
        IRegistryTypes.Registration memory r = valid(endpoints, metadata, ttl);
        vm.prank(alice);
        bytes32 id = registry.register(r);
        assertEq(id, idOf(r, alice));
        assertEq(wordB(id), recordHash(0, r));
        assertEq(registry.leaseOf(id).ttl, r.ttl);
        assertTrue(registry.verifyRecord(id, alice, r, 0));
    }

    /// @dev The hash of an update is taken out of the data of its event: it is the one that the definition says.
    function testFuzz_Update_CommitsToTheRecordAndItsPredecessor(
        bytes[] memory endpoints,
        bytes memory metadata,
        uint24 ttl
    ) external {
        bytes32 id = registerPayments("replica-1");
        IRegistryTypes.Registration memory r = valid(endpoints, metadata, ttl);
        IRegistryTypes.RecordUpdate memory change = updateOf(r, alice);
        vm.expectEmit(address(registry));
        emit IRegistryEvents.Updated(
            id, change.key.service, r.version, r.endpoints, r.metadata, r.ttl, 2, change.prevRecordHash
        );
        vm.prank(alice);
        registry.update(change);
        assertEq(wordB(id), recordHash(change.prevRecordHash, r));
        assertEq(registry.leaseOf(id).ttl, r.ttl);
        assertTrue(registry.verifyRecord(id, alice, r, change.prevRecordHash));
    }

    function testFuzz_Update_RefusesAnyOtherPredecessor(bytes32 prev) external {
        bytes32 id = registerPayments("replica-1");
        IRegistryTypes.RecordUpdate memory change = updateOf(payments("replica-1"), alice);
        vm.assume(prev != change.prevRecordHash);
        bytes32 current = change.prevRecordHash;
        change.prevRecordHash = prev;
        vm.expectRevert(abi.encodeWithSelector(IRegistryErrors.RecordChanged.selector, id, current, prev));
        vm.prank(alice);
        registry.update(change);
    }

    // --------------------------------------------------------------- leases

    /// @dev Any word at slot A of which the status is one.
    function anyLease(uint256 word) private pure returns (IRegistryTypes.Lease memory lease) {
        uint256 status = ((word >> 224) & 0xff) % 6;
        return leaseIn(bytes32((word & ~(uint256(0xff) << 224)) | status << 224));
    }

    function testFuzz_IsLive(uint256 word, uint256 time) external {
        IRegistryTypes.Lease memory lease = anyLease(word);
        uint256 end = uint256(lease.lastHeartbeat) + lease.ttl;
        // Half of the time right at the end of the lease.
        vm.warp(time % 2 == 0 ? bound(time, end < 2 ? 0 : end - 2, end + 2) : bound(time, 0, type(uint64).max));
        vm.store(address(registry), slotOf(keccak256("id"), 0), leaseWord(lease));
        assertEq(
            registry.isLive(keccak256("id")),
            lease.status == IRegistryTypes.Status.Active && vm.getBlockTimestamp() <= end
        );
    }

    function testFuzz_Heartbeat_TouchesOneFieldOfOneWord(uint256 word, uint40 time) external {
        IRegistryTypes.Lease memory lease = anyLease(word);
        bytes32 id = keccak256("id");
        vm.store(address(registry), slotOf(id, 0), leaseWord(lease));
        vm.warp(time);
        vm.prank(lease.owner);
        (bool success,) = address(registry).call(abi.encodeCall(registry.heartbeat, (id)));
        assertEq(
            success, lease.status == IRegistryTypes.Status.Active || lease.status == IRegistryTypes.Status.Suspended
        );
        if (success) lease.lastHeartbeat = time;
        assertEq(wordA(id), leaseWord(lease));
    }

    function testFuzz_HeartbeatBatch_IsAHeartbeatOfEach(uint256[8] memory words, uint8[12] memory picks) external {
        bytes32[] memory ids = new bytes32[](picks.length);
        uint256 expected = 0;
        for (uint256 i = 0; i < words.length; ++i) {
            IRegistryTypes.Lease memory lease = anyLease(words[i]);
            lease.owner = words[i] % 2 == 0 ? alice : bob;
            vm.store(address(registry), slotOf(bytes32(i), 0), leaseWord(lease));
        }
        bool[8] memory renewed;
        for (uint256 i = 0; i < picks.length; ++i) {
            ids[i] = bytes32(uint256(picks[i] % 8));
            IRegistryTypes.Lease memory lease = registry.leaseOf(ids[i]);
            bool listed =
                lease.status == IRegistryTypes.Status.Active || lease.status == IRegistryTypes.Status.Suspended;
            if (!listed || lease.owner != alice) continue;
            ++expected;
            renewed[picks[i] % 8] = true;
        }
        IRegistryTypes.Lease[] memory leases = new IRegistryTypes.Lease[](8);
        for (uint256 i = 0; i < 8; ++i) {
            leases[i] = registry.leaseOf(bytes32(i));
            if (renewed[i]) leases[i].lastHeartbeat = START;
        }

        if (expected == 0) vm.expectRevert(abi.encodeWithSelector(IRegistryErrors.NothingRenewed.selector, 12));
        vm.prank(alice);
        uint256 got = registry.heartbeatBatch(ids);
        if (expected > 0) assertEq(got, expected);
        for (uint256 i = 0; i < 8; ++i) {
            assertEq(wordA(bytes32(i)), leaseWord(leases[i]));
        }
    }

    function testFuzz_AreLive_IsIsLiveOfEach(uint256 seed, uint16 size) external {
        bytes32 live = registerPayments("replica-1");
        bytes32[] memory ids = new bytes32[](size % 600);
        for (uint256 i = 0; i < ids.length; ++i) {
            ids[i] = uint256(keccak256(abi.encode(seed, i))) % 3 == 0 ? live : bytes32(i);
        }
        uint256[] memory bitmap = registry.areLive(ids);
        assertEq(bitmap.length, (ids.length + 255) / 256);
        for (uint256 i = 0; i < bitmap.length * 256; ++i) {
            assertEq((bitmap[i / 256] >> (i % 256)) & 1 == 1, i < ids.length && ids[i] == live);
        }
    }

    // ------------------------------------------------------------- calldata

    /// @dev Calldata that no encoder would make, in which both endpoints are the same bytes, is read as it is meant.
    function test_Update_CalldataThatOverlaps() external {
        IRegistryTypes.Registration memory r = payments("replica-1");
        bytes32 id = registerPayments("replica-1");
        IRegistryTypes.RecordUpdate memory change = updateOf(r, alice);
        bytes memory input = abi.encodeCall(registry.update, (change));
        // The endpoints are the sixth word of the struct; their two offsets follow their number.
        assembly {
            let start := add(input, 0x44)
            let endpoints := add(start, mload(add(start, 0xa0)))
            mstore(add(endpoints, 0x40), mload(add(endpoints, 0x20)))
        }
        vm.prank(alice);
        (bool success,) = address(registry).call(input);
        assertTrue(success);
        r.endpoints[1] = r.endpoints[0];
        assertEq(wordB(id), recordHash(change.prevRecordHash, r));
    }

    /// @dev Calldata that ends early, or points out of itself, is refused and changes nothing.
    function testFuzz_Update_CalldataThatIsCut(uint256 length) external {
        bytes32 id = registerPayments("replica-1");
        bytes memory input = abi.encodeCall(registry.update, (updateOf(payments("replica-1"), alice)));
        // The last 16 bytes are padding, which the decoder does not ask for.
        length = bound(length, 4, input.length - 17);
        assembly {
            mstore(input, length)
        }
        (bytes32 a, bytes32 b) = (wordA(id), wordB(id));
        vm.prank(alice);
        (bool success,) = address(registry).call(input);
        assertFalse(success);
        assertEq(wordA(id), a);
        assertEq(wordB(id), b);
    }
}
