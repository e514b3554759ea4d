// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Signing} from "../Signing.sol";
import {Endorsements} from "../../src/Endorsements.sol";
import {IRegistryErrors} from "../../src/interfaces/IRegistryErrors.sol";
import {IRegistryTypes} from "../../src/interfaces/IRegistryTypes.sol";
import {IServiceRegistry} from "../../src/interfaces/IServiceRegistry.sol";

/// @notice A grant that survives what ends it: ENS v2, ERC-8004 and a draft of this contract had that bug. Here each way
/// for an epoch to end is tried against each kind of grant.
contract EpochsTest is Signing {
    Endorsements internal endorsements;
    bytes32 internal id;
    address internal carol = makeAddr("carol");

    bytes32 internal constant TOPIC = "audited";

    /// @dev Alice grants all that can be granted in the first epoch: bob is operator, mallory is proposed, carol
    /// endorses.
    function setUp() public override {
        super.setUp();
        endorsements = new Endorsements(IServiceRegistry(address(registry)));
        id = registerPayments("replica-1");
        vm.startPrank(alice);
        registry.setInstanceOperator(id, bob, 7, type(uint40).max);
        registry.proposeOwner(id, mallory);
        vm.stopPrank();
        vm.prank(carol);
        endorsements.endorse(id, 0, TOPIC, type(uint40).max, keccak256("report"));
        vm.warp(START + 10);
        assertTrue(registry.isPermitted(id, bob, 7));
        assertEq(registry.proposedOwnerOf(id), mallory);
        assertTrue(endorsements.isEndorsed(id, carol, TOPIC));
    }

    /// @dev What alice and bob signed in the first epoch.
    IRegistryTypes.SignedHeartbeat[] internal heartbeats;
    bytes internal updateSignature;
    bytes internal deregisterSignature;
    bytes internal registerSignature;

    function signAll() internal {
        uint40 deadline = type(uint40).max;
        bytes32 digest = digestOf(heartbeatHash(id, 0, START + 10, deadline));
        heartbeats.push(IRegistryTypes.SignedHeartbeat(id, START + 10, deadline, sign("alice", digest)));
        heartbeats.push(IRegistryTypes.SignedHeartbeat(id, START + 10, deadline, sign("bob", digest)));
        IRegistryTypes.RecordUpdate memory change = updateOf(payments("replica-1"), alice);
        updateSignature = sign("bob", digestOf(updateHash(id, change, 0, deadline)));
        deregisterSignature = sign("bob", digestOf(deregisterHash(id, 0, deadline)));
        registerSignature = sign("alice", digestOf(registerHash(payments("replica-1"), alice, 0, deadline)));
    }

    /// @dev Of the first epoch's grants none is left, for an instance that is listed again under this owner.
    function assertNothingSurvived(address owner) internal {
        assertEq(registry.leaseOf(id).owner, owner);
        assertEq(registry.leaseOf(id).epoch, 1);
        uint40 deadline = type(uint40).max;
        IRegistryTypes.InstanceKey memory key = keyOf(payments("replica-1"), alice);
        vm.warp(uint256(registry.leaseOf(id).lastHeartbeat) + 20);
        bytes32 a = wordA(id);

        // The operator, by a call and by what it signed.
        assertFalse(registry.isPermitted(id, bob, 1));
        assertEq(registry.instanceOperatorOf(id, bob).permissions, 0);
        vm.expectRevert(abi.encodeWithSelector(IRegistryErrors.NotPermitted.selector, id, bob, owner, 1));
        vm.prank(bob);
        registry.heartbeat(id);
        bytes32[] memory ids = new bytes32[](1);
        ids[0] = id;
        vm.expectRevert(abi.encodeWithSelector(IRegistryErrors.NothingRenewed.selector, 1));
        vm.prank(bob);
        registry.heartbeatBatch(ids);
        bytes32 digest = digestOf(deregisterHash(id, 1, deadline));
        vm.expectRevert(abi.encodeWithSelector(IRegistryErrors.InvalidSignature.selector, id, owner, digest));
        registry.deregisterSigned(key, deadline, deregisterSignature);
        IRegistryTypes.RecordUpdate memory change = updateOf(payments("replica-1"), alice);
        digest = digestOf(updateHash(id, change, 1, deadline));
        vm.expectRevert(abi.encodeWithSelector(IRegistryErrors.InvalidSignature.selector, id, owner, digest));
        registry.updateSigned(change, deadline, updateSignature);
        // Heartbeats that alice and bob sign now, for the first epoch.
        delete heartbeats;
        uint40 time = uint40(vm.getBlockTimestamp());
        digest = digestOf(heartbeatHash(id, 0, time, deadline));
        heartbeats.push(IRegistryTypes.SignedHeartbeat(id, time, deadline, sign("alice", digest)));
        heartbeats.push(IRegistryTypes.SignedHeartbeat(id, time, deadline, sign("bob", digest)));
        assertEq(registry.heartbeatSigned(heartbeats), 0);
        // The proposal.
        assertEq(registry.proposedOwnerOf(id), address(0));
        vm.expectRevert(abi.encodeWithSelector(IRegistryErrors.NotProposed.selector, id, mallory, address(0)));
        vm.prank(mallory);
        registry.acceptOwner(key);
        // The endorsement.
        assertFalse(endorsements.isEndorsed(id, carol, TOPIC));
        assertEq(endorsements.endorsementOf(id, carol, TOPIC).digest, 0);
        assertEq(wordA(id), a);
    }

    function test_GrantsSurviveATransfer() external {
        signAll();
        address dave = makeAddr("dave");
        // Another proposal replaces mallory's; it must be void as well once it is accepted.
        transferPayments("replica-1", dave);
        assertNothingSurvived(dave);
    }

    function test_GrantsSurviveADeregistration() external {
        signAll();
        deregisterPayments("replica-1");
        // Alice's registration of the first epoch does not bring it back.
        bytes32 digest = digestOf(registerHash(payments("replica-1"), alice, 1, type(uint40).max));
        vm.expectRevert(abi.encodeWithSelector(IRegistryErrors.InvalidSignature.selector, id, alice, digest));
        registry.registerSigned(payments("replica-1"), alice, type(uint40).max, registerSignature);
        registerPayments("replica-1");
        assertNothingSurvived(alice);
    }

    function test_GrantsSurviveAReaping() external {
        signAll();
        reapPayments("replica-1");
        bytes32 digest = digestOf(registerHash(payments("replica-1"), alice, 1, type(uint40).max));
        vm.expectRevert(abi.encodeWithSelector(IRegistryErrors.InvalidSignature.selector, id, alice, digest));
        registry.registerSigned(payments("replica-1"), alice, type(uint40).max, registerSignature);
        registerPayments("replica-1");
        assertNothingSurvived(alice);
    }

    function test_GrantsSurviveARevocation() external {
        signAll();
        setPayments("replica-1", IRegistryTypes.Status.Revoked);
        assertEq(registry.leaseOf(id).epoch, 1);
        assertFalse(registry.isPermitted(id, bob, 1));
        assertEq(registry.instanceOperatorOf(id, bob).permissions, 0);
        assertEq(registry.proposedOwnerOf(id), address(0));
        assertFalse(endorsements.isEndorsed(id, carol, TOPIC));
        assertEq(registry.heartbeatSigned(heartbeats), 0);
    }

    /// @dev Revoked after it was deregistered: the epoch goes up once more.
    function test_GrantsSurviveARevocationAfterADeregistration() external {
        deregisterPayments("replica-1");
        setPayments("replica-1", IRegistryTypes.Status.Revoked);
        assertEq(registry.leaseOf(id).epoch, 2);
    }

    /// @dev A suspension is no end: what was granted is there again when it is over.
    function test_GrantsAreLostInASuspension() external {
        setPayments("replica-1", IRegistryTypes.Status.Suspended);
        setPayments("replica-1", IRegistryTypes.Status.Active);
        assertEq(registry.leaseOf(id).epoch, 0);
        assertTrue(registry.isPermitted(id, bob, 7));
        assertTrue(endorsements.isEndorsed(id, carol, TOPIC));
    }

    /// @dev What an owner lets an operator do for all of its instances does not come along with one of them.
    function test_AnOwnersOperatorSurvivesATransfer() external {
        address operator = makeAddr("operator");
        vm.prank(alice);
        registry.setOperator(operator, 7, type(uint40).max);
        assertTrue(registry.isPermitted(id, operator, 7));
        transferPayments("replica-1", mallory);
        assertFalse(registry.isPermitted(id, operator, 1));
        bytes32[] memory ids = new bytes32[](1);
        ids[0] = id;
        vm.expectRevert(abi.encodeWithSelector(IRegistryErrors.NothingRenewed.selector, 1));
        vm.prank(operator);
        registry.heartbeatBatch(ids);
    }

    /// @dev Alice grants, transfers, and gets the instance back: what she granted for it before stays void.
    function test_GrantsComeBackWithTheInstance() external {
        transferPayments("replica-1", mallory);
        vm.prank(mallory);
        registry.proposeOwner(id, alice);
        assertEq(wordAt(slotOf(id, 1, 5)), proposalWord(alice));
        assertEq(wordAt(slotOf(id, 0, 5)), proposalWord(mallory));
        IRegistryTypes.InstanceKey memory key = keyOf(payments("replica-1"), alice);
        vm.prank(alice);
        registry.acceptOwner(key);
        assertEq(registry.leaseOf(id).epoch, 2);
        assertFalse(registry.isPermitted(id, bob, 1));
        assertFalse(endorsements.isEndorsed(id, carol, TOPIC));
        assertEq(registry.proposedOwnerOf(id), address(0));
    }

    // ----------------------------------------------------------- namespaces

    function test_RegistrarsAndProposalsSurviveATransferOfTheNamespace() external {
        vm.startPrank(alice);
        bytes32 acme = registry.claimNamespace("acme");
        registry.setRegistrar(acme, bob, type(uint40).max);
        registry.setNamespaceOpen(acme, true);
        registry.proposeNamespaceOwner(acme, carol);
        vm.stopPrank();
        vm.prank(carol);
        registry.acceptNamespaceOwner(acme);

        assertFalse(registry.mayRegister(acme, bob));
        assertEq(registry.registrarExpiryOf(acme, bob), 0);
        assertFalse(registry.namespaceOf(acme).open);
        assertEq(registry.proposedNamespaceOwnerOf(acme), address(0));
        IRegistryTypes.Registration memory r = payments("replica-1");
        r.namespaceId = acme;
        address[3] memory callers = [alice, bob, mallory];
        for (uint256 i = 0; i < callers.length; ++i) {
            vm.expectRevert(abi.encodeWithSelector(IRegistryErrors.NamespaceClosed.selector, acme, callers[i], carol));
            vm.prank(callers[i]);
            registry.register(r);
        }

        // What carol grants is of her epoch, and leaves alice's words as they are.
        vm.startPrank(carol);
        registry.setRegistrar(acme, mallory, START + 20);
        registry.proposeNamespaceOwner(acme, alice);
        vm.stopPrank();
        assertTrue(registry.mayRegister(acme, mallory));
        assertEq(registry.registrarExpiryOf(acme, mallory), START + 20);
        assertEq(wordAt(slotOf(acme, 1, mallory, 4)), grantWord(0, START + 20));
        assertEq(wordAt(slotOf(acme, 1, 3)), proposalWord(alice));
        assertEq(wordAt(slotOf(acme, 0, mallory, 4)), 0);
        assertEq(wordAt(slotOf(acme, 0, bob, 4)), grantWord(0, type(uint40).max));
        assertEq(wordAt(slotOf(acme, 0, 3)), proposalWord(carol));

        // And back: what alice granted before stays void.
        vm.prank(alice);
        registry.acceptNamespaceOwner(acme);
        assertFalse(registry.mayRegister(acme, bob));
        vm.expectRevert(abi.encodeWithSelector(IRegistryErrors.NotProposed.selector, acme, carol, address(0)));
        vm.prank(carol);
        registry.acceptNamespaceOwner(acme);
    }

    /// @dev A registrar that was dismissed cannot register anew what it had registered.
    function test_ADismissedRegistrarRegistersAgain() external {
        vm.prank(alice);
        registry.setRegistrar(own(alice), bob, type(uint40).max);
        IRegistryTypes.Registration memory r = payments("replica-1");
        vm.startPrank(bob);
        registry.register(r);
        registry.deregister(keyOf(r, bob));
        vm.stopPrank();
        vm.prank(alice);
        registry.setRegistrar(own(alice), bob, 0);
        vm.expectRevert(abi.encodeWithSelector(IRegistryErrors.NamespaceClosed.selector, own(alice), bob, alice));
        vm.prank(bob);
        registry.register(r);
    }

    // ------------------------------------------------------- the last epoch

    /// @dev Were the epoch to wrap, what was granted in the first would be valid again.
    function lastEpoch() private {
        IRegistryTypes.Lease memory lease = leaseIn(wordA(id));
        lease.epoch = type(uint24).max;
        vm.store(address(registry), slotOf(id, 0), leaseWord(lease));
        assertFalse(registry.isPermitted(id, bob, 1));
    }

    function exhausted(bytes32 key) private pure returns (bytes memory) {
        return abi.encodeWithSelector(IRegistryErrors.EpochsExhausted.selector, key);
    }

    function test_TheEpochOfAnInstanceWraps() external {
        lastEpoch();
        IRegistryTypes.Registration memory r = payments("replica-1");
        vm.prank(alice);
        registry.proposeOwner(id, mallory);
        vm.expectRevert(exhausted(id));
        vm.prank(mallory);
        registry.acceptOwner(keyOf(r, alice));
        vm.expectRevert(exhausted(id));
        vm.prank(alice);
        registry.deregister(keyOf(r, alice));
        vm.expectRevert(exhausted(id));
        vm.prank(alice);
        registry.setStatus(pathOf(r, alice), IRegistryTypes.Status.Revoked, "");
        // What does not end the epoch goes on.
        vm.prank(alice);
        registry.setStatus(pathOf(r, alice), IRegistryTypes.Status.Suspended, "");
        assertEq(epochOf(id), type(uint24).max);
    }

    function test_AnInstanceInItsLastEpochKeepsOthersFromBeingReaped() external {
        bytes32 other = registerPayments("replica-2");
        lastEpoch();
        vm.warp(START + 30 days);
        IRegistryTypes.InstanceKey[] memory keys = new IRegistryTypes.InstanceKey[](2);
        keys[0] = keyOf(payments("replica-1"), alice);
        keys[1] = keyOf(payments("replica-2"), alice);
        assertEq(registry.reap(keys), 1);
        assertEq(uint8(registry.leaseOf(id).status), uint8(IRegistryTypes.Status.Active));
        assertEq(uint8(registry.leaseOf(other).status), uint8(IRegistryTypes.Status.Reaped));
    }

    function test_TheEpochOfANamespaceWraps() external {
        vm.startPrank(alice);
        bytes32 acme = registry.claimNamespace("acme");
        registry.setRegistrar(acme, bob, type(uint40).max);
        uint256 word = uint256(wordAt(slotOf(acme, 2))) | uint256(type(uint24).max) << 168;
        vm.store(address(registry), slotOf(acme, 2), bytes32(word));
        registry.proposeNamespaceOwner(acme, carol);
        vm.stopPrank();
        assertEq(registry.proposedNamespaceOwnerOf(acme), carol);
        assertFalse(registry.mayRegister(acme, bob));
        vm.expectRevert(exhausted(acme));
        vm.prank(carol);
        registry.acceptNamespaceOwner(acme);
    }
}
