// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Base} from "./Base.sol";
import {IRegistryTypes} from "../src/interfaces/IRegistryTypes.sol";

/// @notice EIP-712 by its definition, a second time: types as text, each struct encoded by itself, and keys that sign.
abstract contract Signing is Base {
    string private constant _REGISTER =
        "Register(address owner,bytes32 namespaceId,string name,string label,string version,bytes[] endpoints,bytes metadata,uint24 ttl,uint24 epoch,uint40 deadline)";
    string private constant _UPDATE =
        "Update(bytes32 id,bytes32 prevRecordHash,string version,bytes[] endpoints,bytes metadata,uint24 ttl,uint24 epoch,uint40 deadline)";

    /// @dev The order of the curve: with `s`, `n - s` signs the same.
    uint256 private constant _N = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141;

    uint40 internal constant DEADLINE = START + 1 days;

    // -------------------------------------------------------------- digests

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

    function digestOf(bytes32 structHash) internal view returns (bytes32) {
        return digestIn(block.chainid, address(registry), structHash);
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

    // ----------------------------------------------------------- signatures

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
