// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Base} from "../Base.sol";
import {IServiceRegistry} from "../../src/interfaces/IServiceRegistry.sol";
import {IRegistryTypes} from "../../src/interfaces/IRegistryTypes.sol";

/// @notice The tree is in `views.tree`.
contract ViewsTest is Base {
    function test_IsLive_GivenTheInstanceIsActive() external {
        bytes32 id = registerPayments("replica-1");
        assertTrue(registry.isLive(id));
        vm.warp(START + TTL);
        assertTrue(registry.isLive(id));
        vm.warp(START + TTL + 1);
        assertFalse(registry.isLive(id));
    }

    function test_IsLive_GivenTheInstanceIsAnythingElse() external {
        bytes32 id;
        for (uint8 status = 0; status <= uint8(type(IRegistryTypes.Status).max); ++status) {
            uint256 snapshot = vm.snapshotState();
            id = status == 0 ? keccak256("never") : registerPayments("replica-1");
            if (status > 0) bring("replica-1", IRegistryTypes.Status(status));
            assertEq(uint8(registry.leaseOf(id).status), status);
            assertEq(registry.isLive(id), status == uint8(IRegistryTypes.Status.Active));
            vm.revertToState(snapshot);
        }
    }

    function test_AreLive_WhenThereAreNoIds() external view {
        assertEq(registry.areLive(new bytes32[](0)).length, 0);
    }

    function test_AreLive_WhenThereAreIds() external {
        bytes32[] memory ids = new bytes32[](257);
        ids[0] = registerPayments("replica-1");
        ids[255] = ids[0];
        ids[256] = registerPayments("replica-2");
        uint256[] memory live = registry.areLive(ids);
        assertEq(live.length, 2);
        assertEq(live[0], 1 | 1 << 255);
        assertEq(live[1], 1);
    }

    function test_GivenNothingWasRegistered() external view {
        IRegistryTypes.Lease memory none;
        assertEq(abi.encode(registry.leaseOf(0)), abi.encode(none));
        assertEq(registry.recordHashOf(0), 0);
        (uint64 count, uint64 sequence) = registry.countOf(0);
        assertEq(count, 0);
        assertEq(sequence, 0);
    }

    function test_VerifyRecord_WhenAllIsAsRegisteredOrAsLastUpdated() external {
        IRegistryTypes.Registration memory r = payments("replica-1");
        bytes32 id = registerPayments("replica-1");
        assertTrue(registry.verifyRecord(id, alice, r, 0));

        bytes32 prev = registry.recordHashOf(id);
        r.version = "2.0.0";
        r.ttl = 90;
        IRegistryTypes.RecordUpdate memory change = updateOf(r, alice);
        vm.prank(alice);
        registry.update(change);
        assertTrue(registry.verifyRecord(id, alice, r, prev));
        assertFalse(registry.verifyRecord(id, alice, payments("replica-1"), 0));

        IRegistryTypes.Status[3] memory statuses = unlisted();
        for (uint256 i = 0; i < statuses.length; ++i) {
            uint256 snapshot = vm.snapshotState();
            bring("replica-1", statuses[i]);
            assertTrue(registry.verifyRecord(id, alice, r, prev));
            vm.revertToState(snapshot);
        }
    }

    function test_VerifyRecord_WhenAnyOnePartIsAnother() external {
        bytes32 id = registerPayments("replica-1");
        bytes32 other = registerPayments("replica-2");
        IRegistryTypes.Registration memory r = payments("replica-1");
        assertFalse(registry.verifyRecord(other, alice, r, 0), "id");
        assertFalse(registry.verifyRecord(id, bob, r, 0), "registrant");
        assertFalse(registry.verifyRecord(id, alice, r, bytes32(uint256(1))), "prevRecordHash");
        r.namespaceId = own(bob);
        assertFalse(registry.verifyRecord(id, alice, r, 0), "namespace");
        r = payments("replica-1");
        r.name = "payment";
        assertFalse(registry.verifyRecord(id, alice, r, 0), "name");
        r = payments("replica-1x");
        assertFalse(registry.verifyRecord(id, alice, r, 0), "label");
        r = payments("replica-1");
        r.version = "1.2.1";
        assertFalse(registry.verifyRecord(id, alice, r, 0), "version");
        r = payments("replica-1");
        (r.endpoints[0], r.endpoints[1]) = (r.endpoints[1], r.endpoints[0]);
        assertFalse(registry.verifyRecord(id, alice, r, 0), "endpoints");
        r = payments("replica-1");
        r.metadata = "";
        assertFalse(registry.verifyRecord(id, alice, r, 0), "metadata");
        r = payments("replica-1");
        r.ttl += 1;
        assertFalse(registry.verifyRecord(id, alice, r, 0), "ttl");
    }

    function test_VerifyRecord_GivenNothingWasRegistered() external view {
        IRegistryTypes.Registration memory r = payments("replica-1");
        assertFalse(registry.verifyRecord(idOf(r, alice), alice, r, 0));
    }

    // ----------------------------------------------------------- interfaces

    /// @dev The interface id by its definition: the selectors of all functions of `IServiceRegistry`, from their
    /// signatures, XORed.
    function test_SupportsInterface() external view {
        string memory r = "(bytes32,string,string,string,bytes[],bytes,uint24)";
        string memory u = "((bytes32,address,bytes32),bytes32,string,bytes[],bytes,uint24";
        string[35] memory functions = [
            "claimNamespace(string)",
            "proposeNamespaceOwner(bytes32,address)",
            "acceptNamespaceOwner(bytes32)",
            "setNamespaceOpen(bytes32,bool)",
            "setRegistrar(bytes32,address,uint40)",
            string.concat("register(", r, ")"),
            string.concat("update(", u, "))"),
            "deregister((bytes32,address,bytes32))",
            "proposeOwner(bytes32,address)",
            "acceptOwner((bytes32,address,bytes32))",
            "setOperator(address,uint8,uint40)",
            "setInstanceOperator(bytes32,address,uint8,uint40)",
            "setStatus((bytes32,bytes32,address,bytes32),uint8,bytes)",
            "reap((bytes32,address,bytes32)[])",
            "heartbeat(bytes32)",
            "heartbeatBatch(bytes32[])",
            string.concat("registerSigned(", r, ",address,uint40,bytes)"),
            string.concat("updateSigned(", u, "),uint40,bytes)"),
            "deregisterSigned((bytes32,address,bytes32),uint40,bytes)",
            "heartbeatSigned((bytes32,uint40,uint40,bytes)[])",
            "isLive(bytes32)",
            "areLive(bytes32[])",
            "leaseOf(bytes32)",
            "recordHashOf(bytes32)",
            "countOf(bytes32)",
            "namespaceOf(bytes32)",
            "mayRegister(bytes32,address)",
            "registrarExpiryOf(bytes32,address)",
            "proposedNamespaceOwnerOf(bytes32)",
            "proposedOwnerOf(bytes32)",
            "operatorOf(address,address)",
            "instanceOperatorOf(bytes32,address)",
            "isPermitted(bytes32,address,uint8)",
            "isSignatureOf(address,bytes32,bytes)",
            string.concat("verifyRecord(bytes32,address,", r, ",bytes32)")
        ];
        bytes4 id;
        for (uint256 i = 0; i < functions.length; ++i) {
            id ^= bytes4(keccak256(bytes(functions[i])));
        }
        assertEq(id, type(IServiceRegistry).interfaceId);
        assertTrue(registry.supportsInterface(id));
        assertTrue(registry.supportsInterface(bytes4(keccak256("supportsInterface(bytes4)"))));
        assertTrue(registry.supportsInterface(bytes4(keccak256("eip712Domain()"))));
        bytes4[3] memory others = [bytes4(0xffffffff), bytes4(0), bytes4(0x1626ba7e)];
        for (uint256 i = 0; i < others.length; ++i) {
            assertFalse(registry.supportsInterface(others[i]));
        }
    }

    function test_Eip712Domain() external {
        vm.chainId(8453);
        (
            bytes1 fields,
            string memory name,
            string memory version,
            uint256 chainId,
            address verifyingContract,
            bytes32 salt,
            uint256[] memory extensions
        ) = registry.eip712Domain();
        // Bits 0–3: name, version, chainId, verifyingContract.
        assertEq(fields, hex"0f");
        assertEq(name, "Rollcall ServiceRegistry");
        assertEq(version, "1");
        assertEq(chainId, 8453);
        assertEq(verifyingContract, address(registry));
        assertEq(salt, 0);
        assertEq(extensions.length, 0);
    }
}
