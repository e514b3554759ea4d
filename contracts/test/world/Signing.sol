// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Checks} from "./Checks.sol";
import {TypedHashes} from "../TypedHashes.sol";

/// @notice Actors that sign what `TypedHashes` says.
abstract contract Signing is Checks, TypedHashes {
    /// @dev By the key of `actor`: 65 bytes, or half of the time the 64 of EIP-2098, which the wallet does not read.
    function sign(address actor, bytes32 structHash) internal returns (bytes memory) {
        (uint8 v, bytes32 r, bytes32 s) =
            vm.sign(privateKeys[actor], digestIn(block.chainid, address(registry), structHash));
        if (actor == wallet || oneIn(2)) return abi.encodePacked(r, s, v);
        return abi.encodePacked(r, uint256(s) | uint256(v - 27) << 255);
    }
}
