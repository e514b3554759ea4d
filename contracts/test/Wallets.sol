// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @notice Contracts that own instances, each with its own idea of ERC-1271.

/// @dev Accepts what its key signed, in 65 bytes, and says no to all else.
contract KeyWallet {
    address private immutable _key;

    constructor(address key) {
        _key = key;
    }

    function isValidSignature(bytes32 digest, bytes calldata signature) public view virtual returns (bytes4) {
        if (signature.length != 65) return 0xffffffff;
        address signer = ecrecover(digest, uint8(signature[64]), bytes32(signature[:32]), bytes32(signature[32:64]));
        return signer == _key ? bytes4(0x1626ba7e) : bytes4(0xffffffff);
    }
}

/// @dev Does as `KeyWallet`, after it has spent this much gas.
contract SlowWallet is KeyWallet {
    uint256 private immutable _gas;

    constructor(address key, uint256 gas_) KeyWallet(key) {
        _gas = gas_;
    }

    function isValidSignature(bytes32 digest, bytes calldata signature) public view override returns (bytes4) {
        uint256 start = gasleft();
        while (start - gasleft() < _gas) {}
        return super.isValidSignature(digest, signature);
    }
}

/// @dev Says yes to everything, if it has at least and at most this much gas.
contract GaugeWallet {
    uint256 private immutable _least;
    uint256 private immutable _most;

    constructor(uint256 least, uint256 most) {
        (_least, _most) = (least, most);
    }

    function isValidSignature(bytes32, bytes calldata) external view returns (bytes4) {
        uint256 gas = gasleft();
        return gas >= _least && gas <= _most ? bytes4(0x1626ba7e) : bytes4(0xffffffff);
    }
}

/// @dev Says yes to everything, by reverting with it.
contract RevertingWallet {
    function isValidSignature(bytes32, bytes calldata) external pure returns (bytes4) {
        assembly {
            mstore(0, shl(224, 0x1626ba7e))
            revert(0, 0x20)
        }
    }
}

/// @dev Spends all the gas that it gets.
contract BurningWallet {
    function isValidSignature(bytes32, bytes calldata) external pure returns (bytes4) {
        assembly {
            invalid()
        }
    }
}

/// @dev Answers with these bytes.
contract AnsweringWallet {
    bytes private _answer;

    constructor(bytes memory answer) {
        _answer = answer;
    }

    function isValidSignature(bytes32, bytes calldata) external view returns (bytes4) {
        bytes memory answer = _answer;
        assembly {
            return(add(answer, 0x20), mload(answer))
        }
    }
}

/// @dev Answers with 64 KiB that start with garbage.
contract HugeWallet {
    function isValidSignature(bytes32, bytes calldata) external pure returns (bytes4) {
        assembly {
            mstore(0, not(0))
            return(0, 0x10000)
        }
    }
}

/// @dev Has code, and no function.
contract MuteWallet {}
