// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @notice Those of the cheatcodes of halmos that are used here.
interface Svm {
    function enableSymbolicStorage(address account) external;
    function createBytes(uint256 length, string calldata name) external returns (bytes memory);
    function createBytes32(string calldata name) external returns (bytes32);
    function createAddress(string calldata name) external returns (address);
    function createUint(uint256 bits, string calldata name) external returns (uint256);
}

Svm constant svm = Svm(address(uint160(uint256(keccak256("svm cheat code")))));
