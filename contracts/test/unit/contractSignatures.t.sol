// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Signing} from "../Signing.sol";
import {IRegistryErrors} from "../../src/interfaces/IRegistryErrors.sol";
import {IRegistryTypes} from "../../src/interfaces/IRegistryTypes.sol";
import {
    AnsweringWallet,
    BurningWallet,
    GaugeWallet,
    HugeWallet,
    KeyWallet,
    MuteWallet,
    RevertingWallet,
    SlowWallet
} from "../Wallets.sol";

/// @notice The tree is in `contractSignatures.tree`. The key of the wallets is alice's, and mallory sends what it signs.
contract ContractSignaturesTest is Signing {
    uint40 internal constant NOW = START + 30;

    function setUp() public override {
        super.setUp();
        vm.prank(alice);
        registry.setNamespaceOpen(own(alice), true);
    }

    /// @dev The wallet registers `replica-1` in alice's namespace.
    function registerBy(address wallet) internal returns (bytes32 id) {
        vm.prank(wallet);
        return registry.register(payments("replica-1"));
    }

    /// @dev Those that do not say yes to what alice's key signed, whatever else they do.
    function refusing() internal returns (address[9] memory) {
        bytes4 magic = 0x1626ba7e;
        return [
            address(new KeyWallet(bob)),
            address(new RevertingWallet()),
            address(new BurningWallet()),
            address(new MuteWallet()),
            address(new HugeWallet()),
            // No answer, three bytes, the magic value at the wrong end, and with garbage after it.
            address(new AnsweringWallet("")),
            address(new AnsweringWallet(hex"1626ba")),
            address(new AnsweringWallet(abi.encode(uint32(magic)))),
            address(new AnsweringWallet(abi.encodePacked(magic, type(uint224).max)))
        ];
    }

    function heartbeatOf(bytes32 id) internal view returns (IRegistryTypes.SignedHeartbeat memory) {
        bytes memory signature = sign("alice", digestOf(heartbeatHash(id, 0, NOW, DEADLINE)));
        return IRegistryTypes.SignedHeartbeat(id, NOW, DEADLINE, signature);
    }

    // -------------------------------------------------------- isSignatureOf

    function test_IsSignatureOf_GivenTheAccountIsAKey() external view {
        bytes32 digest = keccak256("digest");
        assertTrue(registry.isSignatureOf(alice, digest, sign("alice", digest)));
        assertTrue(registry.isSignatureOf(alice, digest, signShort("alice", digest)));
        assertTrue(registry.isSignatureOf(alice, digest, signMalleated("alice", digest)));
        assertFalse(registry.isSignatureOf(bob, digest, sign("alice", digest)));
        assertFalse(registry.isSignatureOf(alice, keccak256("another"), sign("alice", digest)));
    }

    function test_IsSignatureOf_GivenTheAccountIsTheZeroAddress() external view {
        bytes[] memory broken = brokenSignatures();
        for (uint256 i = 0; i < broken.length; ++i) {
            assertFalse(registry.isSignatureOf(address(0), keccak256("digest"), broken[i]));
            assertFalse(registry.isSignatureOf(alice, keccak256("digest"), broken[i]));
        }
    }

    function test_IsSignatureOf_GivenTheAccountIsAContract() external {
        bytes32 digest = keccak256("digest");
        address wallet = address(new KeyWallet(alice));
        assertTrue(registry.isSignatureOf(wallet, digest, sign("alice", digest)));
        assertFalse(registry.isSignatureOf(wallet, digest, sign("bob", digest)));
        // Whatever the contract takes for a signature.
        wallet = address(new AnsweringWallet(abi.encode(bytes4(0x1626ba7e))));
        assertTrue(registry.isSignatureOf(wallet, digest, ""));
        assertTrue(registry.isSignatureOf(wallet, digest, blob(1000)));
        address[9] memory wallets = refusing();
        for (uint256 i = 0; i < wallets.length; ++i) {
            assertFalse(registry.isSignatureOf{gas: 1_000_000}(wallets[i], digest, sign("alice", digest)));
        }
    }

    /// @dev EIP-7702: the account has a key and code. Here the code says no, or cannot run.
    function test_GivenTheAccountIsAKeyWithCode() external {
        bytes memory delegation = abi.encodePacked(hex"ef0100", new BurningWallet());
        bytes[3] memory codes = [bytes(hex"00"), type(BurningWallet).runtimeCode, delegation];
        for (uint256 i = 0; i < codes.length; ++i) {
            uint256 snapshot = vm.snapshotState();
            vm.etch(alice, codes[i]);
            bytes32 digest = keccak256("digest");
            assertTrue(registry.isSignatureOf(alice, digest, sign("alice", digest)));
            IRegistryTypes.Registration memory r = payments("replica-1");
            bytes memory signature = sign("alice", digestOf(registerHash(r, alice, 0, DEADLINE)));
            bytes32 id = registry.registerSigned(r, alice, DEADLINE, signature);
            vm.warp(NOW);
            IRegistryTypes.SignedHeartbeat[] memory items = new IRegistryTypes.SignedHeartbeat[](1);
            items[0] = heartbeatOf(id);
            assertEq(registry.heartbeatSigned(items), 1);
            IRegistryTypes.RecordUpdate memory change = updateOf(r, alice);
            registry.updateSigned(change, DEADLINE, sign("alice", digestOf(updateHash(id, change, 0, DEADLINE))));
            signature = sign("alice", digestOf(deregisterHash(id, 0, DEADLINE)));
            registry.deregisterSigned(keyOf(r, alice), DEADLINE, signature);
            vm.revertToState(snapshot);
        }
    }

    // ---------------------------------------- register, update, deregister

    function test_WhenTheContractAccepts() external {
        KeyWallet wallet = new KeyWallet(alice);
        IRegistryTypes.Registration memory r = payments("replica-1");
        bytes32 id = idOf(r, address(wallet));
        bytes memory signature = sign("alice", digestOf(registerHash(r, address(wallet), 0, DEADLINE)));
        vm.prank(mallory);
        assertEq(registry.registerSigned(r, address(wallet), DEADLINE, signature), id);
        assertEq(registry.leaseOf(id).owner, address(wallet));

        IRegistryTypes.RecordUpdate memory change = updateOf(r, address(wallet));
        signature = sign("alice", digestOf(updateHash(id, change, 0, DEADLINE)));
        vm.prank(mallory);
        registry.updateSigned(change, DEADLINE, signature);
        assertEq(registry.recordHashOf(id), recordHash(change.prevRecordHash, r));

        signature = sign("alice", digestOf(deregisterHash(id, 0, DEADLINE)));
        vm.prank(mallory);
        registry.deregisterSigned(keyOf(r, address(wallet)), DEADLINE, signature);
        assertEq(uint8(registry.leaseOf(id).status), uint8(IRegistryTypes.Status.Deregistered));
    }

    function test_RevertWhen_TheContractDoesNotAccept() external {
        IRegistryTypes.Registration memory r = payments("replica-1");
        address[9] memory wallets = refusing();
        for (uint256 i = 0; i < wallets.length; ++i) {
            bytes32 id = idOf(r, wallets[i]);
            bytes32 digest = digestOf(registerHash(r, wallets[i], 0, DEADLINE));
            bytes memory signature = sign("alice", digest);
            vm.expectRevert(abi.encodeWithSelector(IRegistryErrors.InvalidSignature.selector, id, wallets[i], digest));
            registry.registerSigned{gas: 3_000_000}(r, wallets[i], DEADLINE, signature);

            registerBy(wallets[i]);
            IRegistryTypes.RecordUpdate memory change = updateOf(r, wallets[i]);
            digest = digestOf(updateHash(id, change, 0, DEADLINE));
            signature = sign("alice", digest);
            vm.expectRevert(abi.encodeWithSelector(IRegistryErrors.InvalidSignature.selector, id, wallets[i], digest));
            registry.updateSigned{gas: 3_000_000}(change, DEADLINE, signature);

            digest = digestOf(deregisterHash(id, 0, DEADLINE));
            signature = sign("alice", digest);
            vm.expectRevert(abi.encodeWithSelector(IRegistryErrors.InvalidSignature.selector, id, wallets[i], digest));
            registry.deregisterSigned{gas: 3_000_000}(keyOf(r, wallets[i]), DEADLINE, signature);
        }
    }

    /// @dev The wallets do not know whom they sign for: it is the digest that must.
    function test_RevertGiven_TwoContractsHaveTheSameKey() external {
        address first = address(new KeyWallet(alice));
        address second = address(new KeyWallet(alice));
        IRegistryTypes.Registration memory r = payments("replica-1");
        bytes memory signature = sign("alice", digestOf(registerHash(r, first, 0, DEADLINE)));
        bytes32 digest = digestOf(registerHash(r, second, 0, DEADLINE));
        bytes32 id = idOf(r, second);
        vm.expectRevert(abi.encodeWithSelector(IRegistryErrors.InvalidSignature.selector, id, second, digest));
        registry.registerSigned(r, second, DEADLINE, signature);

        bytes32 firstId = registerBy(first);
        registerBy(second);
        signature = sign("alice", digestOf(deregisterHash(firstId, 0, DEADLINE)));
        digest = digestOf(deregisterHash(id, 0, DEADLINE));
        vm.expectRevert(abi.encodeWithSelector(IRegistryErrors.InvalidSignature.selector, id, second, digest));
        registry.deregisterSigned(keyOf(r, second), DEADLINE, signature);

        vm.warp(NOW);
        IRegistryTypes.SignedHeartbeat[] memory items = new IRegistryTypes.SignedHeartbeat[](1);
        items[0] = heartbeatOf(firstId);
        items[0].id = id;
        assertEq(registry.heartbeatSigned(items), 0);
    }

    // ------------------------------------------------------ heartbeatSigned

    function test_Heartbeat_WhenTheContractAccepts() external {
        IRegistryTypes.SignedHeartbeat[] memory items = new IRegistryTypes.SignedHeartbeat[](2);
        items[0] = heartbeatOf(registerBy(address(new KeyWallet(alice))));
        // A costly one, still within its bound.
        items[1] = heartbeatOf(registerBy(address(new SlowWallet(alice, 180_000))));
        vm.warp(NOW);
        vm.prank(mallory);
        assertEq(registry.heartbeatSigned(items), 2);
        assertEq(registry.leaseOf(items[0].id).lastHeartbeat, NOW);
        assertEq(registry.leaseOf(items[1].id).lastHeartbeat, NOW);
    }

    /// @dev It gets 200,000 gas but for what the call to it costs, whatever the sender gives, as long as it is enough.
    function test_Heartbeat_WhateverGasTheSenderGives() external {
        IRegistryTypes.SignedHeartbeat[] memory items = new IRegistryTypes.SignedHeartbeat[](1);
        items[0] = heartbeatOf(registerBy(address(new GaugeWallet(190_500, 193_500))));
        vm.warp(NOW);
        uint256 snapshot = vm.snapshotState();
        uint24[4] memory gas = [240_000, 300_000, 1_000_000, 10_000_000];
        for (uint256 i = 0; i < gas.length; ++i) {
            assertEq(registry.heartbeatSigned{gas: gas[i]}(items), 1);
            vm.revertToState(snapshot);
        }
        // With too little the sender would make it fail.
        for (uint256 given = 60_000; given < 200_000; given += 20_000) {
            vm.expectPartialRevert(IRegistryErrors.GasTooLow.selector);
            registry.heartbeatSigned{gas: given}(items);
        }
        // Nor is there anything in between.
        bytes memory input = abi.encodeCall(registry.heartbeatSigned, (items));
        for (uint256 given = 200_000; given < 240_000; given += 400) {
            (bool success, bytes memory answer) = address(registry).call{gas: given}(input);
            if (success) assertEq(abi.decode(answer, (uint256)), 1);
            else assertEq(bytes4(answer), IRegistryErrors.GasTooLow.selector);
            vm.revertToState(snapshot);
        }
    }

    /// @dev All contracts of a batch have 5,000,000 gas: 24 that spend all that they get leave nothing for the next.
    function test_Heartbeat_WhenTheContractsHaveSpentAllTheirGas() external {
        IRegistryTypes.SignedHeartbeat[] memory items = new IRegistryTypes.SignedHeartbeat[](28);
        for (uint256 i = 0; i < 26; ++i) {
            items[i] = heartbeatOf(registerBy(i == 23 ? address(new KeyWallet(alice)) : address(new BurningWallet())));
        }
        items[26] = heartbeatOf(registerBy(address(new KeyWallet(alice))));
        items[27] = heartbeatOf(registerPayments("replica-1"));
        vm.warp(NOW);
        assertEq(registry.heartbeatSigned(items), 2);
        assertEq(registry.leaseOf(items[23].id).lastHeartbeat, NOW);
        assertEq(registry.leaseOf(items[26].id).lastHeartbeat, START);
        assertEq(registry.leaseOf(items[27].id).lastHeartbeat, NOW);
        // In a batch of its own it is asked.
        items[0] = items[26];
        assertEq(registry.heartbeatSigned(items), 1);
    }

    function test_Heartbeat_WhenTheContractTakesTooMuchGas() external {
        IRegistryTypes.SignedHeartbeat[] memory items = new IRegistryTypes.SignedHeartbeat[](1);
        items[0] = heartbeatOf(registerBy(address(new SlowWallet(alice, 200_000))));
        vm.warp(NOW);
        assertEq(registry.heartbeatSigned(items), 0);
        assertEq(registry.leaseOf(items[0].id).lastHeartbeat, START);
    }

    /// @dev Two of them spend all the gas that they get: the item after them is renewed all the same.
    function test_Heartbeat_WhenContractsDoNotAccept() external {
        address[9] memory wallets = refusing();
        IRegistryTypes.SignedHeartbeat[] memory items = new IRegistryTypes.SignedHeartbeat[](11);
        for (uint256 i = 0; i < wallets.length; ++i) {
            items[i] = heartbeatOf(registerBy(wallets[i]));
        }
        address second = address(new BurningWallet());
        items[9] = heartbeatOf(registerBy(second));
        items[10] = heartbeatOf(registerPayments("replica-1"));
        vm.warp(NOW);
        vm.prank(mallory);
        assertEq(registry.heartbeatSigned{gas: 1_000_000}(items), 1);
        for (uint256 i = 0; i < 10; ++i) {
            assertEq(registry.leaseOf(items[i].id).lastHeartbeat, START);
        }
        assertEq(registry.leaseOf(items[10].id).lastHeartbeat, NOW);
    }

    /// @dev To hand the signature on costs more than the bound, before the contract is asked.
    function test_Heartbeat_WhenTheSignatureIsHuge() external {
        IRegistryTypes.SignedHeartbeat[] memory items = new IRegistryTypes.SignedHeartbeat[](2);
        items[0] = heartbeatOf(registerBy(address(new AnsweringWallet(abi.encode(bytes4(0x1626ba7e))))));
        items[1] = heartbeatOf(registerPayments("replica-1"));
        items[0].signature = new bytes(400_000);
        vm.warp(NOW);
        assertEq(registry.heartbeatSigned(items), 1);
        assertEq(registry.leaseOf(items[0].id).lastHeartbeat, START);
        items[0].signature = new bytes(1000);
        assertEq(registry.heartbeatSigned(items), 1);
        assertEq(registry.leaseOf(items[0].id).lastHeartbeat, NOW);
    }

    /// @dev An operator of a contract's instances signs with its key, and the contract is not asked.
    function test_Heartbeat_WhenAnOperatorOfTheContractSigns() external {
        address wallet = address(new BurningWallet());
        bytes32 id = registerBy(wallet);
        vm.prank(wallet);
        registry.setOperator(alice, 1, NOW);
        vm.warp(NOW);
        IRegistryTypes.SignedHeartbeat[] memory items = new IRegistryTypes.SignedHeartbeat[](1);
        items[0] = heartbeatOf(id);
        assertEq(registry.heartbeatSigned{gas: 200_000}(items), 1);
    }

    /// @dev A contract as operator can send, and cannot sign: only the owner's is asked.
    function test_Heartbeat_WhenTheOperatorIsAContract() external {
        address wallet = address(new KeyWallet(bob));
        bytes32 id = registerPayments("replica-1");
        vm.prank(alice);
        registry.setOperator(wallet, 7, NOW);
        vm.warp(NOW);
        IRegistryTypes.SignedHeartbeat[] memory items = new IRegistryTypes.SignedHeartbeat[](1);
        items[0] = heartbeatOf(id);
        items[0].signature = sign("bob", digestOf(heartbeatHash(id, 0, NOW, DEADLINE)));
        assertEq(registry.heartbeatSigned(items), 0);
        vm.prank(wallet);
        registry.heartbeat(id);
        assertEq(registry.leaseOf(id).lastHeartbeat, NOW);
    }
}
