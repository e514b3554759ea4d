// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Signing} from "../Signing.sol";
import {ServiceRegistry} from "../../src/ServiceRegistry.sol";
import {IRegistryErrors} from "../../src/interfaces/IRegistryErrors.sol";
import {IRegistryTypes} from "../../src/interfaces/IRegistryTypes.sol";

/// @notice Signatures that work where, or when, or as often as they should not.
contract SignaturesTest is Signing {
    bytes32 internal id;
    IRegistryTypes.InstanceKey internal key;

    /// @dev All of it signed by alice, for this chain and this contract, for `replica-1`, and `replica-2` to register.
    IRegistryTypes.SignedHeartbeat[] internal heartbeats;
    IRegistryTypes.RecordUpdate internal change;
    bytes internal registerSignature;
    bytes internal updateSignature;
    bytes internal deregisterSignature;

    function setUp() public override {
        super.setUp();
        id = registerPayments("replica-1");
        key = keyOf(payments("replica-1"), alice);
        change = updateOf(payments("replica-1"), alice);
        vm.warp(START + 10);
        registerSignature = sign("alice", digestOf(registerHash(payments("replica-2"), alice, 0, DEADLINE)));
        updateSignature = sign("alice", digestOf(updateHash(id, change, 0, DEADLINE)));
        deregisterSignature = sign("alice", digestOf(deregisterHash(id, 0, DEADLINE)));
        bytes memory signature = sign("alice", digestOf(heartbeatHash(id, 0, START + 5, DEADLINE)));
        heartbeats.push(IRegistryTypes.SignedHeartbeat(id, START + 5, DEADLINE, signature));
    }

    function invalid(bytes32 id_, bytes32 structHash) internal view returns (bytes memory) {
        return abi.encodeWithSelector(IRegistryErrors.InvalidSignature.selector, id_, alice, digestOf(structHash));
    }

    /// @dev All four are refused, here and now.
    function assertAllRefused() internal {
        IRegistryTypes.Registration memory r = payments("replica-2");
        vm.expectRevert(invalid(idOf(r, alice), registerHash(r, alice, 0, DEADLINE)));
        registry.registerSigned(r, alice, DEADLINE, registerSignature);
        vm.expectRevert(invalid(id, updateHash(id, change, 0, DEADLINE)));
        registry.updateSigned(change, DEADLINE, updateSignature);
        vm.expectRevert(invalid(id, deregisterHash(id, 0, DEADLINE)));
        registry.deregisterSigned(key, DEADLINE, deregisterSignature);
        assertEq(registry.heartbeatSigned(heartbeats), 0);
    }

    /// @dev All four work, here and now: so it is what the test changed that refuses them.
    function assertAllWork() internal {
        assertEq(registry.heartbeatSigned(heartbeats), 1);
        registry.updateSigned(change, DEADLINE, updateSignature);
        registry.deregisterSigned(key, DEADLINE, deregisterSignature);
        registry.registerSigned(payments("replica-2"), alice, DEADLINE, registerSignature);
    }

    function test_ReplayOnAnotherChain() external {
        uint256 chainId = block.chainid;
        vm.chainId(chainId + 1);
        assertAllRefused();
        vm.chainId(chainId);
        assertAllWork();
    }

    /// @dev The domain is of the chain of now: after a fork of the chain the signatures are of one side only.
    function test_ADomainThatWasComputedAtDeployment() external {
        vm.chainId(4242);
        registerSignature = sign("alice", digestOf(registerHash(payments("replica-2"), alice, 0, DEADLINE)));
        registry.registerSigned(payments("replica-2"), alice, DEADLINE, registerSignature);
    }

    function test_ReplayOnAnotherContract() external {
        ServiceRegistry first = registry;
        registry = new ServiceRegistry();
        assertEq(registerPayments("replica-1"), id);
        vm.warp(START + 10);
        // The lease began later than the heartbeat: let it be the same but for the contract.
        bytes32 a = vm.load(address(first), slotOf(id, 0));
        vm.store(address(registry), slotOf(id, 0), a);
        assertEq(registry.recordHashOf(id), first.recordHashOf(id));
        assertAllRefused();
        registry = first;
        assertAllWork();
    }

    function test_ReplayAfterUse() external {
        assertAllWork();
        vm.expectRevert(
            abi.encodeWithSelector(
                IRegistryErrors.AlreadyRegistered.selector,
                idOf(payments("replica-2"), alice),
                IRegistryTypes.Status.Active
            )
        );
        registry.registerSigned(payments("replica-2"), alice, DEADLINE, registerSignature);
        vm.expectRevert(
            abi.encodeWithSelector(IRegistryErrors.NotListed.selector, id, IRegistryTypes.Status.Deregistered)
        );
        registry.deregisterSigned(key, DEADLINE, deregisterSignature);
        assertEq(registry.heartbeatSigned(heartbeats), 0);
    }

    /// @dev Used once, the instance deregistered and registered anew: in the next epoch all of it is void.
    function test_ReplayInTheNextEpoch() external {
        assertAllWork();
        registry.registerSigned(
            payments("replica-1"),
            alice,
            DEADLINE,
            sign("alice", digestOf(registerHash(payments("replica-1"), alice, 1, DEADLINE)))
        );
        vm.expectRevert(invalid(id, deregisterHash(id, 1, DEADLINE)));
        registry.deregisterSigned(key, DEADLINE, deregisterSignature);
        vm.expectRevert(invalid(id, updateHash(id, change, 1, DEADLINE)));
        registry.updateSigned(change, DEADLINE, updateSignature);
        deregisterPayments("replica-2");
        IRegistryTypes.Registration memory r = payments("replica-2");
        vm.expectRevert(invalid(idOf(r, alice), registerHash(r, alice, 1, DEADLINE)));
        registry.registerSigned(r, alice, DEADLINE, registerSignature);
    }

    /// @dev An update that was used, after the same record was written back: the hash commits to the history.
    function test_ReplayOfAnUpdateAfterTheRecordIsWrittenBack() external {
        registry.updateSigned(change, DEADLINE, updateSignature);
        bytes32 current = registry.recordHashOf(id);
        vm.expectRevert(
            abi.encodeWithSelector(IRegistryErrors.RecordChanged.selector, id, current, change.prevRecordHash)
        );
        registry.updateSigned(change, DEADLINE, updateSignature);
    }

    /// @dev An older heartbeat that a relayer held back, after a later one: time does not go backwards.
    function test_AnOlderHeartbeatMovesTimeBackwards() external {
        vm.prank(alice);
        registry.heartbeat(id);
        assertEq(registry.heartbeatSigned(heartbeats), 0);
        assertEq(registry.leaseOf(id).lastHeartbeat, START + 10);
    }

    /// @dev A heartbeat that was signed for a time to come is no way to be live until then.
    function test_AHeartbeatFromTheFuture() external {
        bytes32 digest = digestOf(heartbeatHash(id, 0, START + 11, DEADLINE));
        heartbeats[0] = IRegistryTypes.SignedHeartbeat(id, START + 11, DEADLINE, sign("alice", digest));
        assertEq(registry.heartbeatSigned(heartbeats), 0);
        vm.warp(START + 11);
        assertEq(registry.heartbeatSigned(heartbeats), 1);
    }

    /// @dev Who relays a registration can take neither the id nor the ownership of it.
    function test_ARelayerTakesARegistration() external {
        vm.prank(alice);
        registry.setNamespaceOpen(own(alice), true);
        IRegistryTypes.Registration memory r = payments("replica-2");
        bytes32 digest = digestOf(registerHash(r, mallory, 0, DEADLINE));
        vm.expectRevert(
            abi.encodeWithSelector(IRegistryErrors.InvalidSignature.selector, idOf(r, mallory), mallory, digest)
        );
        vm.prank(mallory);
        registry.registerSigned(r, mallory, DEADLINE, registerSignature);
        vm.prank(mallory);
        assertEq(registry.registerSigned(r, alice, DEADLINE, registerSignature), idOf(r, alice));
        assertEq(registry.leaseOf(idOf(r, alice)).owner, alice);
    }

    /// @dev After the transfer the signatures of the owner before are worth nothing, be they of the new epoch.
    function test_TheOwnerBeforeSignsOn() external {
        transferPayments("replica-1", bob);
        bytes32 digest = digestOf(deregisterHash(id, 1, DEADLINE));
        deregisterSignature = sign("alice", digest);
        vm.expectRevert(abi.encodeWithSelector(IRegistryErrors.InvalidSignature.selector, id, bob, digest));
        registry.deregisterSigned(key, DEADLINE, deregisterSignature);
    }

    /// @dev A recovery that fails answers with the zero address, which must not be taken for a signer.
    function test_TheZeroAddressSigns() external {
        vm.startPrank(alice);
        registry.setOperator(address(0), 7, type(uint40).max);
        registry.setInstanceOperator(id, address(0), 7, type(uint40).max);
        vm.stopPrank();
        bytes[] memory broken = brokenSignatures();
        for (uint256 i = 0; i < broken.length; ++i) {
            heartbeats[0].signature = broken[i];
            assertEq(registry.heartbeatSigned(heartbeats), 0);
            vm.expectRevert(invalid(id, deregisterHash(id, 0, DEADLINE)));
            registry.deregisterSigned(key, DEADLINE, broken[i]);
        }
    }
}
