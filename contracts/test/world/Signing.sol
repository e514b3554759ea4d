// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Checks} from "./Checks.sol";
import {IRegistryTypes} from "../../src/interfaces/IRegistryTypes.sol";

/// @notice EIP-712 a second time, from the types as they are documented.
abstract contract Signing is Checks {
    bytes32 private constant REGISTER = keccak256(
        "Register(address owner,bytes32 namespaceId,string name,string label,string version,bytes[] endpoints,bytes metadata,uint24 ttl,uint24 epoch,uint40 deadline)"
    );
    bytes32 private constant UPDATE = keccak256(
        "Update(bytes32 id,bytes32 prevRecordHash,string version,bytes[] endpoints,bytes metadata,uint24 ttl,uint24 epoch,uint40 deadline)"
    );
    bytes32 private constant DEREGISTER = keccak256("Deregister(bytes32 id,uint24 epoch,uint40 deadline)");
    bytes32 private constant HEARTBEAT = keccak256("Heartbeat(bytes32 id,uint24 epoch,uint40 time,uint40 deadline)");

    /// @dev By the key of `actor`: 65 bytes, or half of the time the 64 of EIP-2098, which the wallet does not read.
    function sign(address actor, bytes32 structHash) internal returns (bytes memory) {
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(privateKeys[actor], digestOf(structHash));
        if (actor == wallet || oneIn(2)) return abi.encodePacked(r, s, v);
        return abi.encodePacked(r, uint256(s) | uint256(v - 27) << 255);
    }

    function digestOf(bytes32 structHash) private view returns (bytes32) {
        bytes32 domain = keccak256(
            abi.encode(
                keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"),
                keccak256("Rollcall ServiceRegistry"),
                keccak256("1"),
                block.chainid,
                address(registry)
            )
        );
        return keccak256(abi.encodePacked(hex"1901", domain, structHash));
    }

    function hashRegister(IRegistryTypes.Registration memory r, address owner, uint24 epoch, uint40 deadline)
        internal
        pure
        returns (bytes32)
    {
        bytes memory head =
            abi.encode(REGISTER, owner, r.namespaceId, keccak256(bytes(r.name)), keccak256(bytes(r.label)));
        return keccak256(bytes.concat(head, encodeRecord(r), abi.encode(r.ttl, epoch, deadline)));
    }

    function hashUpdate(
        bytes32 id,
        bytes32 prevRecordHash,
        IRegistryTypes.Registration memory r,
        uint24 epoch,
        uint40 deadline
    ) internal pure returns (bytes32) {
        bytes memory head = abi.encode(UPDATE, id, prevRecordHash);
        return keccak256(bytes.concat(head, encodeRecord(r), abi.encode(r.ttl, epoch, deadline)));
    }

    function hashDeregister(bytes32 id, uint24 epoch, uint40 deadline) internal pure returns (bytes32) {
        return keccak256(abi.encode(DEREGISTER, id, epoch, deadline));
    }

    function hashHeartbeat(bytes32 id, uint24 epoch, uint40 time, uint40 deadline) internal pure returns (bytes32) {
        return keccak256(abi.encode(HEARTBEAT, id, epoch, time, deadline));
    }

    function encodeRecord(IRegistryTypes.Registration memory r) private pure returns (bytes memory) {
        bytes memory endpointHashes;
        for (uint256 i = 0; i < r.endpoints.length; ++i) {
            endpointHashes = bytes.concat(endpointHashes, keccak256(r.endpoints[i]));
        }
        return abi.encode(keccak256(bytes(r.version)), keccak256(endpointHashes), keccak256(r.metadata));
    }
}
