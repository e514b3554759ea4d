// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Base} from "../Base.sol";
import {IRegistryTypes} from "../../src/interfaces/IRegistryTypes.sol";

/// @notice What is signed, with anything of it changed, and with any bytes for a signature.
contract SignedFuzzTest is Base {
    bytes32 private id;
    uint256 private key;

    function setUp() public override {
        super.setUp();
        id = registerPayments("replica-1");
        (, key) = makeAddrAndKey("alice");
        vm.warp(START + 10);
    }

    function sign(uint256 privateKey, uint40 time, uint40 deadline) private view returns (bytes memory) {
        bytes32 domain = keccak256(
            abi.encode(
                keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"),
                keccak256("Rollcall ServiceRegistry"),
                keccak256("1"),
                block.chainid,
                address(registry)
            )
        );
        bytes32 structHash = keccak256(
            abi.encode(
                keccak256("Heartbeat(bytes32 id,uint24 epoch,uint40 time,uint40 deadline)"), id, 0, time, deadline
            )
        );
        (uint8 v, bytes32 r, bytes32 s) =
            vm.sign(privateKey, keccak256(abi.encodePacked(hex"1901", domain, structHash)));
        return abi.encodePacked(r, s, v);
    }

    function send(uint40 time, uint40 deadline, bytes memory signature) private returns (bool) {
        IRegistryTypes.SignedHeartbeat[] memory items = new IRegistryTypes.SignedHeartbeat[](1);
        items[0] = IRegistryTypes.SignedHeartbeat(id, time, deadline, signature);
        vm.prank(mallory);
        return registry.heartbeatSigned(items) == 1;
    }

    /// @dev Through anyone, just if it is after the last one, not in the future and not too late; and just once.
    function testFuzz_HeartbeatSigned(uint256 timeSeed, uint256 deadlineSeed) external {
        uint40 time = near(timeSeed);
        uint40 deadline = near(deadlineSeed);
        bytes memory signature = sign(key, time, deadline);
        bool expected = time > START && time <= START + 10 && deadline >= START + 10;
        IRegistryTypes.Lease memory lease = registry.leaseOf(id);
        assertEq(send(time, deadline, signature), expected);
        if (expected) lease.lastHeartbeat = time;
        assertEq(wordA(id), leaseWord(lease));
        assertFalse(send(time, deadline, signature));
    }

    /// @dev Half of the time near to the times that decide.
    function near(uint256 seed) private pure returns (uint40) {
        // forge-lint: disable-next-line(unsafe-typecast): it is bound
        return uint40(seed % 2 == 0 ? bound(seed, START - 2, START + 12) : bound(seed, 0, type(uint40).max));
    }

    /// @dev By no other key, for no other time and no other deadline.
    function testFuzz_HeartbeatSigned_RefusesAnythingElse(uint256 other, uint40 time, uint40 deadline) external {
        other = boundPrivateKey(other);
        vm.assume(other != key);
        assertFalse(send(START + 1, START + 10, sign(other, START + 1, START + 10)));
        vm.assume(time != START + 1 || deadline != START + 10);
        assertFalse(send(time, deadline, sign(key, START + 1, START + 10)));
        assertTrue(send(START + 1, START + 10, sign(key, START + 1, START + 10)));
    }

    /// @dev With one bit of it changed, or cut or lengthened to any length but its own, a signature is none.
    function testFuzz_HeartbeatSigned_RefusesABrokenSignature(uint256 bit, uint8 length) external {
        bytes memory signature = sign(key, START + 1, START + 10);
        bytes memory broken = bytes.concat(signature);
        bit %= 65 * 8;
        // forge-lint: disable-next-line(incorrect-shift): one bit, at this place
        broken[bit / 8] ^= bytes1(uint8(1 << (bit % 8)));
        assertFalse(send(START + 1, START + 10, broken));

        // The first 64 bytes can be a signature by EIP-2098.
        vm.assume(length != 64 && length != 65);
        broken = new bytes(length);
        for (uint256 i = 0; i < length && i < 65; ++i) {
            broken[i] = signature[i];
        }
        assertFalse(send(START + 1, START + 10, broken));
        assertTrue(send(START + 1, START + 10, signature));
    }

    /// @dev Bytes that nobody signed renew, update, deregister and register nothing.
    function testFuzz_NoBytesAreASignature(bytes memory signature, uint40 time, uint40 deadline) external {
        (bytes32 a, bytes32 b) = (wordA(id), wordB(id));
        assertFalse(send(time, deadline, signature));
        IRegistryTypes.Registration memory r = payments("replica-1");
        assertFalse(call(abi.encodeCall(registry.updateSigned, (updateOf(r, alice), deadline, signature))));
        assertFalse(call(abi.encodeCall(registry.deregisterSigned, (keyOf(r, alice), deadline, signature))));
        r.label = "replica-2";
        assertFalse(call(abi.encodeCall(registry.registerSigned, (r, alice, deadline, signature))));
        assertEq(wordA(id), a);
        assertEq(wordB(id), b);
        assertEq(wordA(idOf(r, alice)), 0);
    }

    function call(bytes memory input) private returns (bool success) {
        vm.prank(mallory);
        (success,) = address(registry).call(input);
    }
}
