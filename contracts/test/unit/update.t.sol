// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Base} from "../Base.sol";
import {IRegistryErrors} from "../../src/interfaces/IRegistryErrors.sol";
import {IRegistryEvents} from "../../src/interfaces/IRegistryEvents.sol";
import {IRegistryTypes} from "../../src/interfaces/IRegistryTypes.sol";

/// @notice The tree is in `update.tree`.
contract UpdateTest is Base {
    bytes32 internal id;
    IRegistryTypes.RecordUpdate internal change;

    function setUp() public override {
        super.setUp();
        id = registerPayments("replica-1");
        change = updateOf(payments("replica-1"), alice);
        vm.warp(START + 10);
    }

    function expectRefusal(bytes memory refusal) internal {
        vm.expectRevert(refusal);
        vm.prank(alice);
        registry.update(change);
    }

    function test_RevertGiven_TheInstanceIsNotListed() external {
        IRegistryTypes.Status[3] memory statuses = unlisted();
        for (uint256 i = 0; i < statuses.length; ++i) {
            uint256 snapshot = vm.snapshotState();
            bring("replica-1", statuses[i]);
            expectRefusal(abi.encodeWithSelector(IRegistryErrors.NotListed.selector, id, statuses[i]));
            vm.revertToState(snapshot);
        }
        change.key.labelHash = keccak256("never");
        expectRefusal(
            abi.encodeWithSelector(
                IRegistryErrors.NotListed.selector, idOf(payments("never"), alice), IRegistryTypes.Status.None
            )
        );
    }

    function test_RevertWhen_TheCallerIsNotPermitted() external {
        // An operator who may do all but that.
        vm.prank(alice);
        registry.setOperator(mallory, 5, START + 1 days);
        vm.expectRevert(abi.encodeWithSelector(IRegistryErrors.NotPermitted.selector, id, mallory, alice, 2));
        vm.prank(mallory);
        registry.update(change);
    }

    function test_RevertWhen_PrevRecordHashIsNotTheCurrentOne() external {
        change.prevRecordHash = 0;
        expectRefusal(
            abi.encodeWithSelector(IRegistryErrors.RecordChanged.selector, id, registry.recordHashOf(id), bytes32(0))
        );
    }

    function test_RevertWhen_TheVersionBreaksALimit() external {
        change.version = "1 2";
        expectRefusal(
            abi.encodeWithSelector(IRegistryErrors.InvalidText.selector, IRegistryTypes.Field.Version, change.version)
        );
    }

    function test_RevertWhen_TheEndpointsBreakALimit() external {
        change.endpoints[0] = "";
        expectRefusal(abi.encodeWithSelector(IRegistryErrors.EndpointLengthOutOfRange.selector, 0, 0, 256));
        delete change.endpoints;
        expectRefusal(abi.encodeWithSelector(IRegistryErrors.EndpointCountOutOfRange.selector, 0, 16));
    }

    function test_RevertWhen_TheMetadataBreaksALimit() external {
        change.metadata = blob(4097);
        expectRefusal(abi.encodeWithSelector(IRegistryErrors.MetadataTooLong.selector, 4097, 4096));
    }

    function test_RevertWhen_TheTtlBreaksALimit() external {
        change.ttl = 4;
        expectRefusal(abi.encodeWithSelector(IRegistryErrors.TtlOutOfRange.selector, 4, 5, 30 days));
    }

    function test_RevertWhen_AnOperatorWithoutHeartbeatChangesTheTtl() external {
        vm.prank(alice);
        registry.setOperator(mallory, 2, START + 1 days);
        // Two grants do not add up.
        vm.prank(alice);
        registry.setInstanceOperator(id, mallory, 1, START + 1 days);
        uint24[2] memory ttls = [TTL + 1, TTL - 1];
        for (uint256 i = 0; i < ttls.length; ++i) {
            change.ttl = ttls[i];
            vm.expectRevert(abi.encodeWithSelector(IRegistryErrors.NotPermitted.selector, id, mallory, alice, 3));
            vm.prank(mallory);
            registry.update(change);
        }
    }

    function updateAndCheck() internal {
        updateAndCheck(alice);
    }

    function updateAndCheck(address caller) internal {
        IRegistryTypes.Lease memory expected = registry.leaseOf(id);
        expected.ttl = change.ttl;
        bytes32 prev = registry.recordHashOf(id);

        vm.expectEmit(address(registry));
        emit IRegistryEvents.Updated(
            id, change.key.service, change.version, change.endpoints, change.metadata, change.ttl, 2, prev
        );
        vm.prank(caller);
        registry.update(change);

        assertEq(wordA(id), leaseWord(expected));
        assertEq(wordB(id), recordHash(prev, change.version, change.endpoints, change.metadata));
        assertEq(vm.load(address(registry), slotOf(change.key.service, 1)), rosterWord(1, 2));
    }

    function test_WhenTheTtlIsTheSame() external {
        change.version = "1.3.0";
        change.endpoints.push(hex"00ff");
        change.metadata = "";
        updateAndCheck();
    }

    function test_WhenTheTtlIsAnother() external {
        change.ttl = 30 days;
        updateAndCheck();
    }

    function test_WhenTheInstanceIsSuspended() external {
        setPayments("replica-1", IRegistryTypes.Status.Suspended);
        IRegistryTypes.Lease memory lease = registry.leaseOf(id);
        bytes32 prev = registry.recordHashOf(id);
        vm.expectEmit(address(registry));
        emit IRegistryEvents.Updated(
            id, change.key.service, change.version, change.endpoints, change.metadata, change.ttl, 3, prev
        );
        vm.prank(alice);
        registry.update(change);
        assertEq(wordA(id), leaseWord(lease));
        assertEq(wordB(id), recordHash(prev, change.version, change.endpoints, change.metadata));
        assertFalse(registry.isLive(id));
    }

    function test_WhenTheCallerIsAnOperator() external {
        vm.prank(alice);
        registry.setOperator(bob, 2, START + 10);
        change.version = "1.3.0";
        updateAndCheck(bob);
    }

    function test_WhenTheCallerIsAnOperatorOfTheInstance() external {
        vm.prank(alice);
        registry.setInstanceOperator(id, bob, 2, START + 10);
        change.version = "1.3.0";
        updateAndCheck(bob);
    }

    function test_WhenAnOperatorWithHeartbeatChangesTheTtl() external {
        vm.prank(alice);
        registry.setOperator(bob, 3, START + 10);
        change.ttl = 90;
        updateAndCheck(bob);
    }

    function test_RevertWhen_AnUpdateIsSentTwice() external {
        bytes32 prev = registry.recordHashOf(id);
        vm.prank(alice);
        registry.update(change);
        expectRefusal(
            abi.encodeWithSelector(IRegistryErrors.RecordChanged.selector, id, registry.recordHashOf(id), prev)
        );
    }

    function test_RevertWhen_AnOldRecordIsWrittenBackAndItsUpdateSentAgain() external {
        IRegistryTypes.RecordUpdate memory first = change;
        vm.prank(alice);
        registry.update(first);
        // The same record as the first time, but another hash: the hash commits to the history as well.
        change.prevRecordHash = registry.recordHashOf(id);
        vm.prank(alice);
        registry.update(change);
        vm.expectRevert();
        vm.prank(alice);
        registry.update(first);
    }
}
