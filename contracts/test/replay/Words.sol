// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Vm} from "forge-std/Vm.sol";
import {Base} from "../Base.sol";
import {Endorsements} from "../../src/Endorsements.sol";
import {IRegistryTypes} from "../../src/interfaces/IRegistryTypes.sol";

/// @notice The words that the logs tell of, in both contracts, and how they compare with those that are stored.
abstract contract Words is Base {
    struct Place {
        address account;
        bytes32 slot;
    }

    Endorsements internal endorsements;

    /// @dev Every place that some event gave a word, and the words.
    Place[] internal places;
    mapping(address account => mapping(bytes32 slot => bytes32 word)) private _words;
    mapping(address account => mapping(bytes32 slot => bool)) private _isKnown;

    function setUp() public virtual override {
        super.setUp();
        endorsements = new Endorsements(registry);
    }

    // ---------------------------------------------------------------- words

    /// @dev What the logs say is at this slot of the registry.
    function rebuilt(bytes32 slot) internal view returns (bytes32) {
        return _words[address(registry)][slot];
    }

    function write(bytes32 slot, bytes32 word) internal {
        writeAt(address(registry), slot, word);
    }

    function writeAt(address account, bytes32 slot, bytes32 word) internal {
        if (!_isKnown[account][slot]) {
            _isKnown[account][slot] = true;
            places.push(Place(account, slot));
        }
        _words[account][slot] = word;
    }

    function rebuiltAt(address account, bytes32 slot) internal view returns (bytes32) {
        return _words[account][slot];
    }

    function rebuiltLease(bytes32 id) internal view returns (IRegistryTypes.Lease memory) {
        return leaseIn(rebuilt(slotOf(id, 0)));
    }

    // ----------------------------------------------------------------- slots

    /// @dev The place of `inner` in the mapping that is at `outer` in the mapping at slot `p`.
    function slotIn(bytes32 outer, bytes32 inner, uint256 p) internal pure returns (bytes32) {
        return keccak256(abi.encode(inner, slotOf(outer, p)));
    }

    function slotIn(bytes32 first, bytes32 second, bytes32 third, uint256 p) internal pure returns (bytes32) {
        return keccak256(abi.encode(third, slotIn(first, second, p)));
    }

    function endorsementSlot(bytes32 id, uint24 epoch, bytes32 endorser, bytes32 topic)
        internal
        pure
        returns (bytes32)
    {
        return slotOf(keccak256(abi.encode(id, epoch, endorser, topic)), 0);
    }

    function proposalWord(bytes32 account) internal pure returns (bytes32) {
        return bytes32(uint256(account) | 1 << 160);
    }

    function grantWord(uint40 expiry, uint8 permissions) internal pure returns (bytes32) {
        return bytes32(uint256(expiry) | uint256(permissions) << 40 | 1 << 48);
    }

    // ----------------------------------------------------------- comparison

    /// @dev Every rebuilt word is the stored one, and none is zero.
    function assertStorageIsRebuilt() internal view {
        for (uint256 i = 0; i < places.length; ++i) {
            Place memory place = places[i];
            bytes32 word = _words[place.account][place.slot];
            assertEq(word, vm.load(place.account, place.slot), "a rebuilt word is not the stored one");
            assertNotEq(word, 0, "a word went back to zero");
        }
    }

    /// @dev Every word that these accesses wrote in one of the contracts was rebuilt from the logs, and is not zero: the
    /// contracts store nothing else. Returns how many writes there were.
    function assertWritesAreRebuilt(Vm.AccountAccess[] memory accesses) internal view returns (uint256 writes) {
        for (uint256 i = 0; i < accesses.length; ++i) {
            Vm.StorageAccess[] memory storageAccesses = accesses[i].storageAccesses;
            for (uint256 j = 0; j < storageAccesses.length; ++j) {
                Vm.StorageAccess memory a = storageAccesses[j];
                if (!a.isWrite || a.reverted) continue;
                if (a.account != address(registry) && a.account != address(endorsements)) continue;
                assertTrue(_isKnown[a.account][a.slot], "a word was written that no log tells of");
                bytes32 word = vm.load(a.account, a.slot);
                assertEq(_words[a.account][a.slot], word, "a rebuilt word is not the stored one");
                assertNotEq(word, 0, "a word went back to zero");
                ++writes;
            }
        }
    }
}
