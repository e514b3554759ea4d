// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title TypedData
/// @notice The EIP-712 domain of the registry, and EIP-5267 to read it.
///
/// @dev The domain is computed when it is needed. Libraries keep it in immutables: then the code would differ from chain
/// to chain, and its hash could not tell an auditor that it is the registry.
abstract contract TypedData {
    string private constant _NAME = "Rollcall ServiceRegistry";
    string private constant _VERSION = "1";
    bytes32 private constant _DOMAIN_TYPEHASH =
        keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)");
    bytes32 private constant _NAME_HASH = keccak256(bytes(_NAME));
    bytes32 private constant _VERSION_HASH = keccak256(bytes(_VERSION));

    /// @notice The domain of what is signed for this contract, as EIP-5267 says.
    /// @return fields Which of the others count: the first four.
    /// @return name The name.
    /// @return version The version.
    /// @return chainId The chain.
    /// @return verifyingContract This contract.
    /// @return salt Zero.
    /// @return extensions None.
    function eip712Domain()
        external
        view
        returns (
            bytes1 fields,
            string memory name,
            string memory version,
            uint256 chainId,
            address verifyingContract,
            bytes32 salt,
            uint256[] memory extensions
        )
    {
        return (hex"0f", _NAME, _VERSION, block.chainid, address(this), 0, new uint256[](0));
    }

    function _domainSeparator() internal view returns (bytes32) {
        return keccak256(abi.encode(_DOMAIN_TYPEHASH, _NAME_HASH, _VERSION_HASH, block.chainid, address(this)));
    }

    function _digestOf(bytes32 domainSeparator, bytes32 structHash) internal pure returns (bytes32 digest) {
        assembly ("memory-safe") {
            mstore(0x00, hex"1901")
            mstore(0x02, domainSeparator)
            mstore(0x22, structHash)
            digest := keccak256(0x00, 0x42)
            // Of the free memory pointer only the highest bytes were overwritten: they were zero.
            mstore(0x22, 0)
        }
    }
}
