// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IRegistryTypes} from "../src/interfaces/IRegistryTypes.sol";

/// @notice EIP-712 by its definition, a second time: types as text, each struct encoded by itself.
abstract contract TypedHashes {
    string private constant _REGISTER =
        "Register(address owner,bytes32 namespaceId,string name,string label,string version,bytes[] endpoints,bytes metadata,uint24 ttl,uint24 epoch,uint40 deadline)";
    string private constant _UPDATE =
        "Update(bytes32 id,bytes32 prevRecordHash,string version,bytes[] endpoints,bytes metadata,uint24 ttl,uint24 epoch,uint40 deadline)";

    function domainSeparator(uint256 chainId, address verifyingContract) internal pure returns (bytes32) {
        return keccak256(
            abi.encode(
                keccak256(bytes("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)")),
                keccak256(bytes("Rollcall ServiceRegistry")),
                keccak256(bytes("1")),
                chainId,
                verifyingContract
            )
        );
    }

    /// @dev What is signed for another chain or another contract.
    function digestIn(uint256 chainId, address verifyingContract, bytes32 structHash) internal pure returns (bytes32) {
        return keccak256(abi.encodePacked(hex"1901", domainSeparator(chainId, verifyingContract), structHash));
    }

    /// @dev An array of bytes is the hash of the hashes of its items, one after the other.
    function hashOf(bytes[] memory items) internal pure returns (bytes32) {
        bytes memory hashes;
        for (uint256 i = 0; i < items.length; ++i) {
            hashes = bytes.concat(hashes, keccak256(items[i]));
        }
        return keccak256(hashes);
    }

    function registerHash(IRegistryTypes.Registration memory r, address owner, uint24 epoch, uint40 deadline)
        internal
        pure
        returns (bytes32)
    {
        return keccak256(
            bytes.concat(
                abi.encode(
                    keccak256(bytes(_REGISTER)),
                    owner,
                    r.namespaceId,
                    keccak256(bytes(r.name)),
                    keccak256(bytes(r.label)),
                    keccak256(bytes(r.version))
                ),
                abi.encode(hashOf(r.endpoints), keccak256(r.metadata), r.ttl, epoch, deadline)
            )
        );
    }

    function updateHash(bytes32 id, IRegistryTypes.RecordUpdate memory change, uint24 epoch, uint40 deadline)
        internal
        pure
        returns (bytes32)
    {
        return keccak256(
            bytes.concat(
                abi.encode(keccak256(bytes(_UPDATE)), id, change.prevRecordHash, keccak256(bytes(change.version))),
                abi.encode(hashOf(change.endpoints), keccak256(change.metadata), change.ttl, epoch, deadline)
            )
        );
    }

    function deregisterHash(bytes32 id, uint24 epoch, uint40 deadline) internal pure returns (bytes32) {
        return keccak256(
            abi.encode(keccak256(bytes("Deregister(bytes32 id,uint24 epoch,uint40 deadline)")), id, epoch, deadline)
        );
    }

    function heartbeatHash(bytes32 id, uint24 epoch, uint40 time, uint40 deadline) internal pure returns (bytes32) {
        return keccak256(
            abi.encode(
                keccak256(bytes("Heartbeat(bytes32 id,uint24 epoch,uint40 time,uint40 deadline)")),
                id,
                epoch,
                time,
                deadline
            )
        );
    }
}
