// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IRegistryErrors} from "../interfaces/IRegistryErrors.sol";
import {IRegistryTypes} from "../interfaces/IRegistryTypes.sol";
import {EfficientHashLib} from "solady/utils/EfficientHashLib.sol";

/// @title Records
/// @notice What a record may hold, and the hashes that name and commit to it.
library Records {
    uint256 internal constant MAX_TEXT_LENGTH = 63;
    uint256 internal constant MAX_ENDPOINTS = 16;
    uint256 internal constant MAX_ENDPOINT_LENGTH = 256;
    uint256 internal constant MAX_METADATA_LENGTH = 4096;
    uint256 internal constant MIN_TTL = 5 seconds;
    uint256 internal constant MAX_TTL = 30 days;

    /// @dev Sets of characters: bit `c` is set if the byte `c` is allowed. No byte from 128 up is in any of them.
    /// `[a-z0-9._-]`, for names, labels and namespaces: no two of them look the same but for their case or script.
    uint256 internal constant NAME_CHARACTERS = 0x07fffffe8000000003ff600000000000;
    /// @dev `[a-zA-Z0-9._+-]`, for versions: all that a semantic version can hold.
    uint256 internal constant VERSION_CHARACTERS = 0x07fffffe87fffffe03ff680000000000;
    /// @dev `[a-zA-Z0-9]`, for the first character: no text looks like an option or a relative path.
    uint256 internal constant FIRST_CHARACTERS = 0x07fffffe07fffffe03ff000000000000;

    // --------------------------------------------------------------- hashes

    function serviceOf(IRegistryTypes.Registration calldata registration) internal pure returns (bytes32) {
        return EfficientHashLib.hash(registration.namespaceId, keccak256(bytes(registration.name)));
    }

    function idOf(bytes32 service, address registrant, bytes32 labelHash) internal pure returns (bytes32) {
        return EfficientHashLib.hash(service, bytes32(uint256(uint160(registrant))), labelHash);
    }

    function idOf(IRegistryTypes.InstanceKey calldata key) internal pure returns (bytes32) {
        return idOf(key.service, key.registrant, key.labelHash);
    }

    function recordHash(
        bytes32 prevRecordHash,
        string calldata version,
        bytes[] calldata endpoints,
        bytes calldata metadata
    ) internal pure returns (bytes32) {
        return EfficientHashLib.hash(prevRecordHash, keccak256(abi.encode(version, endpoints, metadata)));
    }

    // --------------------------------------------------------------- checks

    function check(string calldata version, bytes[] calldata endpoints, bytes calldata metadata, uint24 ttl)
        internal
        pure
    {
        checkText(IRegistryTypes.Field.Version, version, VERSION_CHARACTERS);
        uint256 count = endpoints.length;
        if (count == 0 || count > MAX_ENDPOINTS) {
            revert IRegistryErrors.EndpointCountOutOfRange(count, MAX_ENDPOINTS);
        }
        for (uint256 i = 0; i < count; ++i) {
            uint256 length;
            // The word that the offset of the endpoint leads to. In assembly, since the compiler checks that each of them
            // is within the calldata: the encoder of the event does that again, and reverts.
            assembly ("memory-safe") {
                length := calldataload(add(endpoints.offset, calldataload(add(endpoints.offset, shl(5, i)))))
            }
            if (length == 0 || length > MAX_ENDPOINT_LENGTH) {
                revert IRegistryErrors.EndpointLengthOutOfRange(i, length, MAX_ENDPOINT_LENGTH);
            }
        }
        if (metadata.length > MAX_METADATA_LENGTH) {
            revert IRegistryErrors.MetadataTooLong(metadata.length, MAX_METADATA_LENGTH);
        }
        if (ttl < MIN_TTL || ttl > MAX_TTL) revert IRegistryErrors.TtlOutOfRange(ttl, MIN_TTL, MAX_TTL);
    }

    function checkText(IRegistryTypes.Field field, string calldata value, uint256 characters) internal pure {
        bytes calldata raw = bytes(value);
        uint256 length = raw.length;
        if (length == 0 || length > MAX_TEXT_LENGTH) revert IRegistryErrors.InvalidText(field, value);
        uint256 first = FIRST_CHARACTERS;
        // Stays 1 as long as every character is in the set. In assembly, since a bounds check for each of the bytes
        // costs more than the rest of the loop.
        uint256 valid;
        assembly ("memory-safe") {
            let at := raw.offset
            let end := add(at, length)
            valid := and(1, shr(byte(0, calldataload(at)), first))
            for {} lt(at, end) { at := add(at, 1) } {
                valid := and(valid, shr(byte(0, calldataload(at)), characters))
            }
        }
        if (valid == 0) revert IRegistryErrors.InvalidText(field, value);
    }
}
