// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {VmSafe} from "forge-std/Vm.sol";
import {Signing} from "../Signing.sol";
import {BurningWallet} from "../Wallets.sol";
import {Endorsements} from "../../src/Endorsements.sol";
import {IRegistryTypes} from "../../src/interfaces/IRegistryTypes.sol";
import {IServiceRegistry} from "../../src/interfaces/IServiceRegistry.sol";
import {Permissions} from "../../src/interfaces/Permissions.sol";

/// @notice What each operation costs as a whole transaction: 21,000, calldata and execution. The figures are written
/// to `contracts/snapshots/`, where the ci profile compares them; here each is held to the most that it may ever be.
contract GasTest is Signing {
    function snapshot(string memory operation, uint256 most) internal {
        // Coverage runs without the optimizer: its figures are of another contract.
        if (vm.isContext(VmSafe.ForgeContext.Coverage)) return;
        assertLe(vm.snapshotGasLastCall("ServiceRegistry", operation), most, operation);
    }

    function test_Register() external {
        registerPayments("replica-1");
        snapshot("register, first of a service", 123_000);
        registerPayments("replica-2");
        snapshot("register, next of a service", 106_000);
    }

    function test_Register_InAClaimedNamespace() external {
        IRegistryTypes.Registration memory r = payments("replica-1");
        vm.prank(alice);
        r.namespaceId = registry.claimNamespace("acme");
        snapshot("claimNamespace", 60_000);

        vm.prank(alice);
        registry.register(r);
        snapshot("register, first of a service in a claimed namespace", 123_000);
        r.label = "replica-2";
        vm.prank(alice);
        registry.register(r);
        snapshot("register, next of a service in a claimed namespace", 106_000);
    }

    function test_Register_Again() external {
        registerPayments("replica-1");
        vm.prank(alice);
        registry.deregister(keyOf(payments("replica-1"), alice));
        registerPayments("replica-1");
        snapshot("register, again", 73_000);
    }

    function test_Update() external {
        registerPayments("replica-1");
        IRegistryTypes.RecordUpdate memory change = updateOf(payments("replica-1"), alice);
        vm.prank(alice);
        registry.update(change);
        snapshot("update", 53_000);
    }

    function test_Deregister() external {
        registerPayments("replica-1");
        vm.prank(alice);
        registry.deregister(keyOf(payments("replica-1"), alice));
        snapshot("deregister", 38_000);
    }

    function test_Heartbeat() external {
        bytes32 id = registerPayments("replica-1");
        vm.warp(START + 30);
        vm.prank(alice);
        registry.heartbeat(id);
        snapshot("heartbeat", 29_000);
    }

    function test_Heartbeat_ByAnOperator() external {
        bytes32 id = registerPayments("replica-1");
        vm.prank(alice);
        registry.setOperator(bob, Permissions.HEARTBEAT, END);
        snapshot("setOperator", 60_000);
        vm.warp(START + 30);
        vm.prank(bob);
        registry.heartbeat(id);
        snapshot("heartbeat by an operator of all instances", 31_700);

        vm.prank(alice);
        registry.setInstanceOperator(id, mallory, Permissions.HEARTBEAT, END);
        snapshot("setInstanceOperator", 60_000);
        vm.warp(START + 60);
        vm.prank(mallory);
        registry.heartbeat(id);
        snapshot("heartbeat by an operator of the instance", 34_500);
    }

    function test_HeartbeatBatch() external {
        bytes32[] memory ids = fleetOf(50);
        vm.prank(alice);
        registry.setOperator(bob, Permissions.HEARTBEAT, END);
        vm.warp(START + 30);
        vm.prank(alice);
        registry.heartbeatBatch(ids);
        snapshot("heartbeatBatch of 50", 50 * 7000);
        vm.warp(START + 60);
        vm.prank(bob);
        registry.heartbeatBatch(ids);
        snapshot("heartbeatBatch of 50 by an operator of all instances", 50 * 7100);
    }

    function test_HeartbeatSigned() external {
        bytes32[] memory ids = fleetOf(50);
        vm.prank(alice);
        registry.setOperator(bob, Permissions.HEARTBEAT, END);
        vm.warp(START + 30);
        vm.prank(mallory);
        assertEq(registry.heartbeatSigned(signedHeartbeats(ids, "alice")), 50);
        snapshot("heartbeatSigned of 50", 50 * 14_600);
        vm.warp(START + 60);
        vm.prank(mallory);
        assertEq(registry.heartbeatSigned(signedHeartbeats(ids, "bob")), 50);
        snapshot("heartbeatSigned of 50 by an operator of all instances", 50 * 14_600);
    }

    function test_HeartbeatSigned_ByManyOwners() external {
        (bytes32[] memory ids, string[] memory owners) = fleetOfManyOwners(50);
        vm.warp(START + 30);
        IRegistryTypes.SignedHeartbeat[] memory items = new IRegistryTypes.SignedHeartbeat[](ids.length);
        for (uint256 i = 0; i < items.length; ++i) {
            items[i] = signedHeartbeat(ids[i], START + 30, owners[i]);
        }
        vm.prank(mallory);
        assertEq(registry.heartbeatSigned(items), 50);
        snapshot("heartbeatSigned of 50 by as many owners", 50 * 14_600);
    }

    function test_Signed() external {
        IRegistryTypes.Registration memory r = payments("replica-1");
        bytes memory signature = signShort("alice", digestOf(registerHash(r, alice, 0, DEADLINE)));
        vm.prank(mallory);
        bytes32 id = registry.registerSigned(r, alice, DEADLINE, signature);
        snapshot("registerSigned", 140_000);

        IRegistryTypes.RecordUpdate memory change = updateOf(r, alice);
        signature = signShort("alice", digestOf(updateHash(id, change, 0, DEADLINE)));
        vm.prank(mallory);
        registry.updateSigned(change, DEADLINE, signature);
        snapshot("updateSigned", 65_000);

        signature = signShort("alice", digestOf(deregisterHash(id, 0, DEADLINE)));
        vm.prank(mallory);
        registry.deregisterSigned(keyOf(r, alice), DEADLINE, signature);
        snapshot("deregisterSigned", 45_000);
    }

    function test_Transfer() external {
        bytes32 id = registerPayments("replica-1");
        vm.prank(alice);
        registry.proposeOwner(id, bob);
        snapshot("proposeOwner", 60_000);
        vm.prank(bob);
        registry.acceptOwner(keyOf(payments("replica-1"), alice));
        snapshot("acceptOwner", 45_000);
    }

    function test_SetStatus() external {
        registerPayments("replica-1");
        vm.prank(alice);
        registry.setStatus(path("replica-1"), IRegistryTypes.Status.Suspended, "under investigation");
        snapshot("setStatus, suspend", 45_000);
        vm.prank(alice);
        registry.setStatus(path("replica-1"), IRegistryTypes.Status.Revoked, "fraud");
        snapshot("setStatus, revoke", 45_000);
    }

    function test_Reap() external {
        registerPayments("replica-1");
        IRegistryTypes.InstanceKey[] memory keys = new IRegistryTypes.InstanceKey[](1);
        keys[0] = keyOf(payments("replica-1"), alice);
        vm.warp(START + TTL + 7 days + 1);
        registry.reap(keys);
        snapshot("reap", 45_000);
    }

    function test_Namespaces() external {
        vm.startPrank(alice);
        bytes32 namespaceId = registry.claimNamespace("acme");
        registry.setRegistrar(namespaceId, bob, END);
        snapshot("setRegistrar", 60_000);
        registry.setNamespaceOpen(namespaceId, true);
        snapshot("setNamespaceOpen", 40_000);
        registry.proposeNamespaceOwner(namespaceId, bob);
        snapshot("proposeNamespaceOwner", 60_000);
        vm.stopPrank();
        vm.prank(bob);
        registry.acceptNamespaceOwner(namespaceId);
        snapshot("acceptNamespaceOwner", 45_000);
    }

    function test_Endorse() external {
        bytes32 id = registerPayments("replica-1");
        Endorsements endorsements = new Endorsements(IServiceRegistry(address(registry)));
        vm.prank(bob);
        endorsements.endorse(id, 0, "audited", END, keccak256("report"));
        snapshot("endorse", 85_000);
        vm.prank(bob);
        endorsements.withdraw(id, "audited");
        snapshot("withdraw", 45_000);
    }

    // -------------------------------------------------- the most there can be

    /// @dev What a transaction may spend since EIP-7825.
    uint256 private constant MOST = 16_700_000;

    function test_Most_Records() external {
        IRegistryTypes.Registration memory r = largest();
        vm.prank(alice);
        registry.register(r);
        snapshot("register, as large as can be", MOST);
        IRegistryTypes.RecordUpdate memory change = updateOf(r, alice);
        vm.prank(alice);
        registry.update(change);
        snapshot("update, as large as can be", MOST);

        r.label = text(62);
        bytes memory signature = signShort("alice", digestOf(registerHash(r, alice, 0, DEADLINE)));
        vm.prank(mallory);
        registry.registerSigned(r, alice, DEADLINE, signature);
        snapshot("registerSigned, as large as can be", MOST);
        change = updateOf(r, alice);
        signature = signShort("alice", digestOf(updateHash(idOf(r, alice), change, 0, DEADLINE)));
        vm.prank(mallory);
        registry.updateSigned(change, DEADLINE, signature);
        snapshot("updateSigned, as large as can be", MOST);
    }

    /// @dev Each item has to look at two grants, and no two items look at the same.
    function test_Most_Heartbeats() external {
        (bytes32[] memory ids, string[] memory owners) = fleetOfManyOwners(500);
        for (uint256 i = 0; i < ids.length; ++i) {
            vm.prank(makeAddr(owners[i]));
            registry.setInstanceOperator(ids[i], bob, Permissions.HEARTBEAT, END);
        }
        vm.warp(START + 30);
        vm.prank(bob);
        assertEq(registry.heartbeatBatch(ids), 500);
        snapshot("heartbeatBatch of 500, each of another owner, by an operator of each instance", MOST);
        vm.warp(START + 60);
        vm.prank(mallory);
        assertEq(registry.heartbeatSigned(signedHeartbeats(ids, "bob")), 500);
        snapshot("heartbeatSigned of 500, each of another owner, by an operator of each instance", MOST);
    }

    /// @dev Half of the contracts spend all that they get, until all that a batch may spend is gone.
    function test_Most_Heartbeats_Contracts() external {
        (bytes32[] memory ids, string[] memory owners) = fleetOfManyOwners(500);
        for (uint256 i = 0; i < ids.length; ++i) {
            if (i % 2 == 0) {
                vm.etch(makeAddr(owners[i]), type(BurningWallet).runtimeCode);
            } else {
                vm.prank(makeAddr(owners[i]));
                registry.setInstanceOperator(ids[i], bob, Permissions.HEARTBEAT, END);
            }
        }
        vm.warp(START + 30);
        IRegistryTypes.SignedHeartbeat[] memory items = signedHeartbeats(ids, "bob");
        vm.prank(mallory);
        assertEq(registry.heartbeatSigned(items), 250);
        snapshot("heartbeatSigned of 500, each of another owner, half of them contracts that spend all gas", MOST);
    }

    function test_Most_Reap() external {
        IRegistryTypes.InstanceKey[] memory keys = new IRegistryTypes.InstanceKey[](200);
        for (uint256 i = 0; i < keys.length; ++i) {
            IRegistryTypes.Registration memory r = payments("replica-1");
            r.name = vm.toString(i);
            vm.prank(alice);
            registry.register(r);
            keys[i] = keyOf(r, alice);
        }
        vm.warp(START + TTL + 7 days + 1);
        assertEq(registry.reap(keys), 200);
        snapshot("reap of 200, each of another service", MOST);
    }

    function test_RuntimeSize() external view {
        if (vm.isContext(VmSafe.ForgeContext.Coverage)) return;
        assertLe(address(registry).code.length, 20_480);
    }

    // -------------------------------------------------------------- helpers

    uint40 private constant END = START + 365 days;

    function fleetOf(uint256 size) private returns (bytes32[] memory ids) {
        ids = new bytes32[](size);
        for (uint256 i = 0; i < size; ++i) {
            ids[i] = registerPayments(vm.toString(i));
        }
    }

    /// @dev One instance of each of many owners; an owner's name is its key's.
    function fleetOfManyOwners(uint256 size) private returns (bytes32[] memory ids, string[] memory owners) {
        (ids, owners) = (new bytes32[](size), new string[](size));
        for (uint256 i = 0; i < size; ++i) {
            owners[i] = string.concat("owner-", vm.toString(i));
            address owner = makeAddr(owners[i]);
            IRegistryTypes.Registration memory r = payments("replica-1");
            r.namespaceId = own(owner);
            vm.prank(owner);
            ids[i] = registry.register(r);
        }
    }

    function signedHeartbeat(bytes32 id, uint40 time, string memory name)
        private
        view
        returns (IRegistryTypes.SignedHeartbeat memory)
    {
        bytes memory signature = signShort(name, digestOf(heartbeatHash(id, 0, time, DEADLINE)));
        return IRegistryTypes.SignedHeartbeat(id, time, DEADLINE, signature);
    }

    function signedHeartbeats(bytes32[] memory ids, string memory name)
        private
        view
        returns (IRegistryTypes.SignedHeartbeat[] memory items)
    {
        items = new IRegistryTypes.SignedHeartbeat[](ids.length);
        for (uint256 i = 0; i < ids.length; ++i) {
            items[i] = signedHeartbeat(ids[i], uint40(vm.getBlockTimestamp()), name);
        }
    }

    function path(string memory label) private view returns (IRegistryTypes.InstancePath memory) {
        return IRegistryTypes.InstancePath(own(alice), keccak256("payments"), alice, keccak256(bytes(label)));
    }

    /// @dev All texts, endpoints and metadata of their greatest length, without a zero byte.
    function largest() private view returns (IRegistryTypes.Registration memory r) {
        r.namespaceId = own(alice);
        (r.name, r.label, r.version) = (text(63), text(63), text(63));
        r.endpoints = new bytes[](16);
        for (uint256 i = 0; i < r.endpoints.length; ++i) {
            r.endpoints[i] = blob(256);
        }
        r.metadata = blob(4096);
        r.ttl = 30 days;
    }
}
