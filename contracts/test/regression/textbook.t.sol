// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Vm} from "forge-std/Vm.sol";
import {Base} from "../Base.sol";
import {IRegistryErrors} from "../../src/interfaces/IRegistryErrors.sol";
import {IRegistryTypes} from "../../src/interfaces/IRegistryTypes.sol";

/// @notice The faults of the registry contract that articles print, each with the test that would have caught it.
contract TextbookTest is Base {
    /// @dev With `encodePacked`, `("pay", "ments1")` and `("payments", "1")` are one id.
    function test_IdByEncodePacked() external {
        IRegistryTypes.Registration memory first = payments("ments1");
        first.name = "pay";
        IRegistryTypes.Registration memory second = payments("1");
        second.name = "payments";
        vm.startPrank(alice);
        assertNotEq(registry.register(first), registry.register(second));
        vm.stopPrank();
    }

    function test_AnyoneMayHeartbeat() external {
        bytes32 id = registerPayments("replica-1");
        bytes32[] memory ids = new bytes32[](1);
        ids[0] = id;
        vm.startPrank(mallory);
        vm.expectRevert(abi.encodeWithSelector(IRegistryErrors.NotPermitted.selector, id, mallory, alice, 1));
        registry.heartbeat(id);
        vm.expectRevert(abi.encodeWithSelector(IRegistryErrors.NothingRenewed.selector, 1));
        registry.heartbeatBatch(ids);
        vm.stopPrank();
    }

    function test_AnyoneMayDeregister() external {
        bytes32 id = registerPayments("replica-1");
        vm.expectRevert(abi.encodeWithSelector(IRegistryErrors.NotPermitted.selector, id, mallory, alice, 4));
        vm.prank(mallory);
        registry.deregister(keyOf(payments("replica-1"), alice));
    }

    /// @dev The textbook walks all that ever registered. Here the work of a call does not grow with the catalogue.
    function test_WorkGrowsWithTheCatalogue() external {
        bytes32 id = registerPayments("replica-1");
        vm.warp(START + 1);
        vm.prank(alice);
        registry.heartbeat(id);
        uint256 gasBefore = vm.lastCallGas().gasTotalUsed;
        for (uint256 i = 0; i < 200; ++i) {
            registerPayments(vm.toString(i));
        }
        vm.warp(START + 2);
        vm.prank(alice);
        registry.heartbeat(id);
        assertEq(vm.lastCallGas().gasTotalUsed, gasBefore);
    }

    /// @dev The textbook pushes the id onto a list at each registration, and so lists it twice.
    function test_RegisteringAgainListsTwice() external {
        IRegistryTypes.Registration memory r = payments("replica-1");
        bytes32 id = registerPayments("replica-1");
        for (uint256 i = 0; i < 3; ++i) {
            vm.prank(alice);
            registry.deregister(keyOf(r, alice));
            assertEq(registerPayments("replica-1"), id);
        }
        (uint64 count, uint64 sequence) = registry.countOf(serviceOf(r));
        assertEq(count, 1);
        assertEq(sequence, 7);
    }

    /// @dev The textbook derives what it looks up from `msg.sender`.
    function test_LookupDependsOnTheCaller() external {
        bytes32 id = registerPayments("replica-1");
        address[3] memory callers = [alice, mallory, address(0)];
        for (uint256 i = 0; i < callers.length; ++i) {
            vm.startPrank(callers[i]);
            assertTrue(registry.isLive(id));
            assertEq(registry.leaseOf(id).owner, alice);
            assertTrue(registry.verifyRecord(id, alice, payments("replica-1"), 0));
            (uint64 count,) = registry.countOf(serviceOf(payments("replica-1")));
            assertEq(count, 1);
            vm.stopPrank();
        }
    }

    /// @dev With unowned names, 50 squatters make 51 instances of one service.
    function test_FiftySquatters() external {
        IRegistryTypes.Registration memory r = payments("replica-1");
        vm.prank(alice);
        r.namespaceId = registry.claimNamespace("acme");
        vm.prank(alice);
        registry.register(r);
        for (uint256 i = 0; i < 50; ++i) {
            address squatter = makeAddr(vm.toString(i));
            vm.expectRevert(
                abi.encodeWithSelector(IRegistryErrors.NamespaceClosed.selector, r.namespaceId, squatter, alice)
            );
            vm.prank(squatter);
            registry.register(r);
        }
        (uint64 count,) = registry.countOf(serviceOf(r));
        assertEq(count, 1);
    }

    /// @dev Nobody can take the id of a registration that waits to be mined: the registrant is in it.
    function test_TheIdCanBeFrontRun() external pure {
        IRegistryTypes.Registration memory r;
        assertNotEq(idOf(r, address(1)), idOf(r, address(2)));
    }

    function test_NoSizeLimits() external {
        IRegistryTypes.Registration memory r = payments("replica-1");
        r.metadata = new bytes(1 << 20);
        vm.expectRevert(abi.encodeWithSelector(IRegistryErrors.MetadataTooLong.selector, 1 << 20, 4096));
        vm.prank(alice);
        registry.register(r);

        r = payments("replica-1");
        r.endpoints = new bytes[](10_000);
        vm.expectRevert(abi.encodeWithSelector(IRegistryErrors.EndpointCountOutOfRange.selector, 10_000, 16));
        vm.prank(alice);
        registry.register(r);
    }

    /// @dev The textbook stores `isActive` as a flag, and it is still true a year after the ttl.
    function test_ActiveAYearAfterTheTtl() external {
        bytes32 id = registerPayments("replica-1");
        vm.warp(START + 365 days);
        assertFalse(registry.isLive(id));
    }

    /// @dev One ttl of 2^256-1 overflows `lastHeartbeat + ttl`, and every call that adds them reverts.
    function test_ATtlThatOverflows() external {
        IRegistryTypes.Registration memory r = payments("replica-1");
        bytes memory input = abi.encodeCall(registry.register, (r));
        // The ttl is the seventh word of the struct, which starts after the selector and one offset.
        assembly {
            mstore(add(input, add(0x20, add(4, add(0x20, mul(6, 0x20))))), not(0))
        }
        vm.prank(alice);
        (bool success,) = address(registry).call(input);
        assertFalse(success);

        r.ttl = 30 days;
        vm.warp(type(uint40).max);
        vm.prank(alice);
        bytes32 id = registry.register(r);
        assertTrue(registry.isLive(id));
        vm.warp(uint256(type(uint40).max) + 30 days + 1);
        assertFalse(registry.isLive(id));
    }

    /// @dev The textbook's events omit endpoints, metadata and ttl. Here the log alone gives a record that verifies.
    function test_EventsOmitTheRecord() external {
        vm.recordLogs();
        bytes32 id = registerPayments("replica-1");
        Vm.Log memory log = vm.getRecordedLogs()[0];
        (IRegistryTypes.Registration memory r,,,,, bytes32 prev) =
            abi.decode(log.data, (IRegistryTypes.Registration, uint40, uint24, uint64, uint64, bytes32));
        assertEq(log.topics[1], id);
        assertTrue(registry.verifyRecord(id, address(uint160(uint256(log.topics[3]))), r, prev));
    }
}
