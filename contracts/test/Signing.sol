// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Base} from "./Base.sol";
import {TypedHashes} from "./TypedHashes.sol";

/// @notice Keys that sign what `TypedHashes` says.
abstract contract Signing is Base, TypedHashes {
    /// @dev The order of the curve: with `s`, `n - s` signs the same.
    uint256 private constant _N = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141;

    uint40 internal constant DEADLINE = START + 1 days;

    function digestOf(bytes32 structHash) internal view returns (bytes32) {
        return digestIn(block.chainid, address(registry), structHash);
    }

    /// @dev The key of an account that `makeAddr` made of this name.
    function keyOf(string memory name) internal pure returns (uint256) {
        return uint256(keccak256(bytes(name)));
    }

    /// @dev 65 bytes by the key of this name.
    function sign(string memory name, bytes32 digest) internal pure returns (bytes memory) {
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(keyOf(name), digest);
        return abi.encodePacked(r, s, v);
    }

    /// @dev 64 bytes by the key of this name, as EIP-2098 has them.
    function signShort(string memory name, bytes32 digest) internal pure returns (bytes memory) {
        (bytes32 r, bytes32 vs) = vm.signCompact(keyOf(name), digest);
        return abi.encodePacked(r, vs);
    }

    /// @dev The other signature that anyone can make of the one by this key.
    function signMalleated(string memory name, bytes32 digest) internal pure returns (bytes memory) {
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(keyOf(name), digest);
        return abi.encodePacked(r, bytes32(_N - uint256(s)), v == 27 ? uint8(28) : uint8(27));
    }

    /// @dev What is no signature by anybody, and of no length that a signature has.
    function brokenSignatures() internal pure returns (bytes[] memory broken) {
        broken = new bytes[](7);
        broken[1] = hex"00";
        broken[2] = new bytes(63);
        broken[3] = new bytes(64);
        broken[4] = new bytes(65);
        broken[5] = new bytes(66);
        broken[6] = abi.encodePacked(type(uint256).max, type(uint256).max, uint8(27));
    }
}
