// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Base} from "../Base.sol";
import {Endorsements} from "../../src/Endorsements.sol";
import {IRegistryErrors} from "../../src/interfaces/IRegistryErrors.sol";
import {IRegistryTypes} from "../../src/interfaces/IRegistryTypes.sol";
import {IServiceRegistry} from "../../src/interfaces/IServiceRegistry.sol";

/// @notice Words that go back to zero, which nodes cannot all prove, and ids that two can have.
contract SlotsTest is Base {
    // ---------------------------------------------------------------- zeros

    function assertNonzero(bytes32 slot) internal view {
        assertNotEq(wordAt(slot), 0, "a word went back to zero");
    }

    function test_AnInstanceThatLeftIsZeroed() external {
        bytes32 id = registerPayments("replica-1");
        IRegistryTypes.Status[3] memory statuses = unlisted();
        for (uint256 i = 0; i < statuses.length; ++i) {
            uint256 snapshot = vm.snapshotState();
            bring("replica-1", statuses[i]);
            assertNonzero(slotOf(id, 0));
            assertNonzero(slotB(id));
            // The roster of a service that lists nothing any more.
            assertNonzero(slotOf(serviceOf(payments("replica-1")), 1));
            vm.revertToState(snapshot);
        }
    }

    /// @dev Withdrawn at time 0, proposed to nobody: all that could be zero is.
    function test_AWithdrawnGrantIsZeroed() external {
        bytes32 id = registerPayments("replica-1");
        vm.startPrank(alice);
        bytes32 acme = registry.claimNamespace("acme");
        registry.setOperator(bob, 7, START);
        registry.setOperator(bob, 0, 0);
        registry.setInstanceOperator(id, bob, 7, START);
        registry.setInstanceOperator(id, bob, 0, 0);
        registry.setRegistrar(acme, bob, START);
        registry.setRegistrar(acme, bob, 0);
        vm.stopPrank();
        assertNonzero(operatorSlot(alice, bob));
        assertNonzero(slotOf(id, 0, bob, 7));
        assertNonzero(slotOf(acme, 0, bob, 4));
    }

    function test_AProposalThatWasTakenBackIsZeroed() external {
        bytes32 id = registerPayments("replica-1");
        vm.startPrank(alice);
        bytes32 acme = registry.claimNamespace("acme");
        registry.proposeOwner(id, bob);
        registry.proposeOwner(id, address(0));
        registry.proposeNamespaceOwner(acme, bob);
        registry.proposeNamespaceOwner(acme, address(0));
        vm.stopPrank();
        assertNonzero(slotOf(id, 0, 5));
        assertNonzero(slotOf(acme, 0, 3));
    }

    function test_AProposalThatWasAcceptedIsZeroed() external {
        bytes32 id = registerPayments("replica-1");
        transferPayments("replica-1", bob);
        assertEq(wordAt(slotOf(id, 0, 5)), proposalWord(bob));
        vm.prank(alice);
        bytes32 acme = registry.claimNamespace("acme");
        vm.prank(alice);
        registry.proposeNamespaceOwner(acme, bob);
        vm.prank(bob);
        registry.acceptNamespaceOwner(acme);
        assertEq(wordAt(slotOf(acme, 0, 3)), proposalWord(bob));
    }

    function test_AWithdrawnEndorsementIsZeroed() external {
        bytes32 topic = "audited";
        Endorsements endorsements = new Endorsements(IServiceRegistry(address(registry)));
        bytes32 id = registerPayments("replica-1");
        vm.startPrank(bob);
        endorsements.endorse(id, 0, topic, START, keccak256("report"));
        endorsements.withdraw(id, topic);
        vm.stopPrank();
        bytes32 key = keccak256(abi.encode(id, uint24(0), bob, topic));
        uint256 slot = uint256(keccak256(abi.encode(key, uint256(0))));
        assertNotEq(vm.load(address(endorsements), bytes32(slot)), 0);
        assertNotEq(vm.load(address(endorsements), bytes32(slot + 1)), 0);
    }

    // ------------------------------------------------------------------ ids

    /// @dev A registration that waits to be mined is copied by another: both get their own ids.
    function test_ARegistrationIsFrontRun() external {
        IRegistryTypes.Registration memory r = payments("replica-1");
        vm.prank(alice);
        registry.setNamespaceOpen(own(alice), true);
        vm.prank(mallory);
        bytes32 copied = registry.register(r);
        vm.prank(alice);
        bytes32 id = registry.register(r);
        assertNotEq(id, copied);
        assertEq(registry.leaseOf(id).owner, alice);
        assertEq(registry.leaseOf(copied).owner, mallory);
    }

    /// @dev A key whose parts are moved, or whose words are cut elsewhere, is not the key of the instance.
    function test_TwoInstancesHaveOneId() external {
        string[3] memory names = ["pay", "payments", "p"];
        string[3] memory labels = ["ments1", "1", "ayments1"];
        bytes32[] memory ids = new bytes32[](3);
        for (uint256 i = 0; i < 3; ++i) {
            IRegistryTypes.Registration memory r = payments(labels[i]);
            r.name = names[i];
            vm.prank(alice);
            ids[i] = registry.register(r);
            for (uint256 j = 0; j < i; ++j) {
                assertNotEq(ids[i], ids[j]);
            }
        }
    }

    /// @dev Bob's namespace and the label `bob` are not one, nor can a label be the address of anyone.
    function test_ALabelTakesAnAccountsNamespace() external {
        string memory label = vm.toLowercase(vm.toString(alice));
        vm.expectRevert(abi.encodeWithSelector(IRegistryErrors.ReservedLabel.selector, label));
        vm.prank(mallory);
        registry.claimNamespace(label);
        vm.expectRevert(abi.encodeWithSelector(IRegistryErrors.NotProposed.selector, own(alice), mallory, address(0)));
        vm.prank(mallory);
        registry.acceptNamespaceOwner(own(alice));
        assertEq(registry.namespaceOf(own(alice)).owner, alice);
    }
}
