// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Base} from "../Base.sol";
import {IRegistryErrors} from "../../src/interfaces/IRegistryErrors.sol";
import {IRegistryEvents} from "../../src/interfaces/IRegistryEvents.sol";
import {IRegistryTypes} from "../../src/interfaces/IRegistryTypes.sol";

/// @notice The tree is in `namespaces.tree`.
contract NamespacesTest is Base {
    bytes32 internal acme;

    function setUp() public override {
        super.setUp();
        vm.prank(alice);
        acme = registry.claimNamespace("acme");
    }

    function propose(address account) internal {
        vm.prank(alice);
        registry.proposeNamespaceOwner(acme, account);
    }

    /// @dev Who may not act on a namespace that alice has claimed, that bob has by his address, or that nobody has.
    function strangers() internal view returns (bytes32[4] memory namespaceIds, address[4] memory owners) {
        namespaceIds = [acme, own(bob), keccak256("unclaimed"), bytes32(uint256(1) << 160)];
        owners = [alice, bob, address(0), address(0)];
    }

    function notOwner(bytes32 namespaceId, address owner) internal view returns (bytes memory) {
        return abi.encodeWithSelector(IRegistryErrors.NotNamespaceOwner.selector, namespaceId, mallory, owner);
    }

    // ------------------------------------------------ proposeNamespaceOwner

    function test_Propose_RevertWhen_TheNamespaceIsAnAccounts() external {
        bytes32[3] memory namespaceIds = [own(alice), own(bob), own(address(type(uint160).max))];
        for (uint256 i = 0; i < namespaceIds.length; ++i) {
            vm.expectRevert(abi.encodeWithSelector(IRegistryErrors.PersonalNamespace.selector, namespaceIds[i]));
            vm.prank(alice);
            registry.proposeNamespaceOwner(namespaceIds[i], bob);
        }
    }

    function test_Propose_RevertWhen_TheCallerIsNotItsOwner() external {
        (bytes32[4] memory namespaceIds, address[4] memory owners) = strangers();
        for (uint256 i = 0; i < 4; ++i) {
            if (i == 1) continue;
            vm.expectRevert(notOwner(namespaceIds[i], owners[i]));
            vm.prank(mallory);
            registry.proposeNamespaceOwner(namespaceIds[i], mallory);
        }
    }

    function test_Propose_WhenTheCallerIsItsOwner() external {
        vm.expectEmit(address(registry));
        emit IRegistryEvents.NamespaceOwnerProposed(acme, 0, bob);
        propose(bob);
        assertEq(registry.proposedNamespaceOwnerOf(acme), bob);
        assertEq(wordAt(slotOf(acme, 0, 3)), proposalWord(bob));
        assertEq(registry.namespaceOf(acme).owner, alice);
    }

    function test_Propose_WhenTheAccountIsTheZeroAddress() external {
        propose(bob);
        vm.expectEmit(address(registry));
        emit IRegistryEvents.NamespaceOwnerProposed(acme, 0, address(0));
        propose(address(0));
        assertEq(registry.proposedNamespaceOwnerOf(acme), address(0));
        assertEq(wordAt(slotOf(acme, 0, 3)), proposalWord(address(0)));
        vm.expectRevert(abi.encodeWithSelector(IRegistryErrors.NotProposed.selector, acme, bob, address(0)));
        vm.prank(bob);
        registry.acceptNamespaceOwner(acme);
    }

    // ------------------------------------------------- acceptNamespaceOwner

    function test_Accept_RevertWhen_TheCallerIsNotProposed() external {
        vm.expectRevert(abi.encodeWithSelector(IRegistryErrors.NotProposed.selector, acme, alice, address(0)));
        vm.prank(alice);
        registry.acceptNamespaceOwner(acme);
        propose(bob);
        address[2] memory callers = [alice, mallory];
        for (uint256 i = 0; i < callers.length; ++i) {
            vm.expectRevert(abi.encodeWithSelector(IRegistryErrors.NotProposed.selector, acme, callers[i], bob));
            vm.prank(callers[i]);
            registry.acceptNamespaceOwner(acme);
        }
    }

    function test_Accept_WhenTheCallerIsProposed() external {
        vm.prank(alice);
        registry.setNamespaceOpen(acme, true);
        propose(bob);
        vm.expectEmit(address(registry));
        emit IRegistryEvents.NamespaceOwnerChanged(acme, bob, 1);
        vm.prank(bob);
        registry.acceptNamespaceOwner(acme);

        assertEq(wordAt(slotOf(acme, 2)), namespaceWord(bob, false, 1));
        assertEq(abi.encode(registry.namespaceOf(acme)), abi.encode(IRegistryTypes.Namespace(bob, false, 1)));
        assertEq(registry.proposedNamespaceOwnerOf(acme), address(0));
        assertTrue(registry.mayRegister(acme, bob));
        assertFalse(registry.mayRegister(acme, alice));
        assertFalse(registry.mayRegister(acme, mallory));

        // The next owner governs, in the next epoch; the one before does not.
        vm.expectEmit(address(registry));
        emit IRegistryEvents.NamespaceOwnerProposed(acme, 1, mallory);
        vm.prank(bob);
        registry.proposeNamespaceOwner(acme, mallory);
        vm.expectRevert(abi.encodeWithSelector(IRegistryErrors.NotNamespaceOwner.selector, acme, alice, bob));
        propose(alice);
    }

    function test_Accept_RevertWhen_ItIsAcceptedTwice() external {
        propose(bob);
        vm.prank(bob);
        registry.acceptNamespaceOwner(acme);
        vm.expectRevert(abi.encodeWithSelector(IRegistryErrors.NotProposed.selector, acme, bob, address(0)));
        vm.prank(bob);
        registry.acceptNamespaceOwner(acme);
    }

    function test_Accept_RevertGiven_TheNamespaceIsClaimed_ItIsNotClaimedAgain() external {
        propose(bob);
        vm.prank(bob);
        registry.acceptNamespaceOwner(acme);
        vm.expectRevert(abi.encodeWithSelector(IRegistryErrors.NamespaceTaken.selector, acme, bob));
        vm.prank(alice);
        registry.claimNamespace("acme");
    }

    // ----------------------------------------------------- setNamespaceOpen

    function test_Open_RevertWhen_TheCallerIsNotItsOwner() external {
        (bytes32[4] memory namespaceIds, address[4] memory owners) = strangers();
        for (uint256 i = 0; i < 4; ++i) {
            vm.expectRevert(notOwner(namespaceIds[i], owners[i]));
            vm.prank(mallory);
            registry.setNamespaceOpen(namespaceIds[i], true);
        }
    }

    function test_Open_WhenTheCallerIsItsOwner() external {
        bytes32[2] memory namespaceIds = [acme, own(alice)];
        for (uint256 i = 0; i < 2; ++i) {
            vm.expectEmit(address(registry));
            emit IRegistryEvents.NamespaceOpenSet(namespaceIds[i], alice, true, 0);
            vm.prank(alice);
            registry.setNamespaceOpen(namespaceIds[i], true);
            assertEq(wordAt(slotOf(namespaceIds[i], 2)), namespaceWord(alice, true, 0));
            assertTrue(registry.mayRegister(namespaceIds[i], mallory));

            vm.expectEmit(address(registry));
            emit IRegistryEvents.NamespaceOpenSet(namespaceIds[i], alice, false, 0);
            vm.prank(alice);
            registry.setNamespaceOpen(namespaceIds[i], false);
            assertEq(wordAt(slotOf(namespaceIds[i], 2)), namespaceWord(alice, false, 0));
            assertFalse(registry.mayRegister(namespaceIds[i], mallory));
            assertEq(registry.namespaceOf(namespaceIds[i]).owner, alice);
        }
    }

    function test_Open_KeepsTheEpoch() external {
        propose(bob);
        vm.prank(bob);
        registry.acceptNamespaceOwner(acme);
        vm.expectEmit(address(registry));
        emit IRegistryEvents.NamespaceOpenSet(acme, bob, true, 1);
        vm.prank(bob);
        registry.setNamespaceOpen(acme, true);
        assertEq(wordAt(slotOf(acme, 2)), namespaceWord(bob, true, 1));
    }

    // --------------------------------------------------------- setRegistrar

    function test_Registrar_RevertWhen_TheExpiryHasPassed() external {
        uint40[2] memory expiries = [1, START - 1];
        for (uint256 i = 0; i < 2; ++i) {
            vm.expectRevert(abi.encodeWithSelector(IRegistryErrors.ExpiryPassed.selector, expiries[i], START));
            vm.prank(alice);
            registry.setRegistrar(acme, bob, expiries[i]);
        }
    }

    function test_Registrar_RevertWhen_TheCallerIsNotItsOwner() external {
        (bytes32[4] memory namespaceIds, address[4] memory owners) = strangers();
        for (uint256 i = 0; i < 4; ++i) {
            vm.expectRevert(notOwner(namespaceIds[i], owners[i]));
            vm.prank(mallory);
            registry.setRegistrar(namespaceIds[i], mallory, START);
        }
    }

    function test_Registrar_WhenItIsAdmitted() external {
        bytes32[2] memory namespaceIds = [acme, own(alice)];
        for (uint40 i = 0; i < 2; ++i) {
            vm.warp(START);
            uint40 expiry = START + 10 * i;
            vm.expectEmit(address(registry));
            emit IRegistryEvents.RegistrarSet(namespaceIds[i], 0, bob, expiry);
            vm.prank(alice);
            registry.setRegistrar(namespaceIds[i], bob, expiry);
            assertEq(registry.registrarExpiryOf(namespaceIds[i], bob), expiry);
            assertEq(wordAt(slotOf(namespaceIds[i], 0, bob, 4)), grantWord(0, expiry));
            vm.warp(expiry);
            assertTrue(registry.mayRegister(namespaceIds[i], bob));
            assertFalse(registry.mayRegister(namespaceIds[i], mallory));
            vm.warp(expiry + 1);
            assertFalse(registry.mayRegister(namespaceIds[i], bob));
            assertEq(registry.registrarExpiryOf(namespaceIds[i], bob), expiry);
        }
    }

    function test_Registrar_WhenItIsDismissed() external {
        vm.prank(alice);
        registry.setRegistrar(acme, bob, type(uint40).max);
        assertTrue(registry.mayRegister(acme, bob));
        vm.expectEmit(address(registry));
        emit IRegistryEvents.RegistrarSet(acme, 0, bob, 0);
        vm.prank(alice);
        registry.setRegistrar(acme, bob, 0);
        assertFalse(registry.mayRegister(acme, bob));
        assertEq(registry.registrarExpiryOf(acme, bob), 0);
        assertEq(wordAt(slotOf(acme, 0, bob, 4)), grantWord(0, 0));
    }

    // ---------------------------------------------------------- mayRegister

    function test_MayRegister() external view {
        assertTrue(registry.mayRegister(acme, alice));
        assertFalse(registry.mayRegister(acme, bob));
        assertTrue(registry.mayRegister(own(bob), bob));
        assertFalse(registry.mayRegister(own(bob), alice));
        assertFalse(registry.mayRegister(keccak256("unclaimed"), alice));
        // An address in the low bits of another id is not that account's namespace.
        assertFalse(registry.mayRegister(bytes32(uint256(own(alice)) | 1 << 160), alice));
    }
}
