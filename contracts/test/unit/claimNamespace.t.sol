// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Base} from "../Base.sol";
import {IRegistryErrors} from "../../src/interfaces/IRegistryErrors.sol";
import {IRegistryEvents} from "../../src/interfaces/IRegistryEvents.sol";
import {IRegistryTypes} from "../../src/interfaces/IRegistryTypes.sol";

/// @notice The tree is in `claimNamespace.tree`.
contract ClaimNamespaceTest is Base {
    function test_RevertWhen_TheLabelIsNoValidText() external {
        string[9] memory labels = ["", text(64), "Acme", "-acme", "ac me", "ac/me", unicode"acmé", "a\x00b", "a+b"];
        for (uint256 i = 0; i < labels.length; ++i) {
            vm.expectRevert(
                abi.encodeWithSelector(IRegistryErrors.InvalidText.selector, IRegistryTypes.Field.Namespace, labels[i])
            );
            registry.claimNamespace(labels[i]);
        }
    }

    function test_RevertWhen_TheLabelStartsWith0x() external {
        string[2] memory labels = ["0x", "0x328809bc894f92807417d2dad6b7c998c1afdac6"];
        for (uint256 i = 0; i < labels.length; ++i) {
            vm.expectRevert(abi.encodeWithSelector(IRegistryErrors.ReservedLabel.selector, labels[i]));
            registry.claimNamespace(labels[i]);
        }
    }

    function test_RevertGiven_TheNamespaceHasAnOwner() external {
        vm.prank(alice);
        bytes32 namespaceId = registry.claimNamespace("acme");
        address[2] memory callers = [alice, mallory];
        for (uint256 i = 0; i < callers.length; ++i) {
            vm.expectRevert(abi.encodeWithSelector(IRegistryErrors.NamespaceTaken.selector, namespaceId, alice));
            vm.prank(callers[i]);
            registry.claimNamespace("acme");
        }
    }

    function test_GivenTheNamespaceHasNoOwner() external {
        string[9] memory labels = ["a", "0", "x0x", "acme", "ax", "0a", "1x", "a.b-c_d.0123456789", text(63)];
        for (uint256 i = 0; i < labels.length; ++i) {
            bytes32 expected = keccak256(bytes(labels[i]));
            vm.expectEmit(address(registry));
            emit IRegistryEvents.NamespaceClaimed(expected, alice, labels[i]);
            vm.prank(alice);
            assertEq(registry.claimNamespace(labels[i]), expected);
            assertEq(registry.namespaceOf(expected).owner, alice);
            assertEq(vm.load(address(registry), slotOf(expected, 2)), own(alice));
        }
    }

    function test_NamespaceOf_GivenTheIdIsTheOneOfAnAccount() external view {
        assertEq(registry.namespaceOf(own(bob)).owner, bob);
        assertEq(registry.namespaceOf(own(address(type(uint160).max))).owner, address(type(uint160).max));
    }

    function test_NamespaceOf_GivenNeither() external view {
        assertEq(registry.namespaceOf(keccak256("acme")).owner, address(0));
        assertEq(registry.namespaceOf(bytes32(uint256(1) << 160)).owner, address(0));
        assertEq(registry.namespaceOf(0).owner, address(0));
    }
}
