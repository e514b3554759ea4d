// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Vm} from "forge-std/Vm.sol";
import {Words} from "./replay/Words.sol";
import {IEndorsements} from "../src/interfaces/IEndorsements.sol";
import {IRegistryEvents} from "../src/interfaces/IRegistryEvents.sol";
import {IRegistryTypes} from "../src/interfaces/IRegistryTypes.sol";

/// @notice An indexer in Solidity: it knows the events and the layout, and rebuilds from them every word that the
/// registry and the endorsements store. It never reads the contracts until it compares.
///
/// Each event is also checked against the state before it: sequences have no gaps, counts move by one, an epoch is the one
/// before or the next, a status follows on the one before, a record hash names its predecessor, and ids are those of what
/// was registered. A log of either contract that is not known here fails.
abstract contract Replay is Words {
    /// @dev In which namespace a service is, and to which service an instance belongs, as their registrations say.
    mapping(bytes32 service => bytes32 namespaceId) private namespaceOf;
    mapping(bytes32 id => bytes32 service) private serviceIn;

    // --------------------------------------------------------------- events

    function replay(Vm.Log[] memory logs) internal {
        for (uint256 i = 0; i < logs.length; ++i) {
            if (logs[i].emitter == address(registry)) replay(logs[i], logs[i].topics[0]);
            else if (logs[i].emitter == address(endorsements)) replayEndorsement(logs[i], logs[i].topics[0]);
        }
    }

    function replay(Vm.Log memory log, bytes32 kind) private {
        if (kind == IRegistryEvents.NamespaceClaimed.selector) replayNamespaceClaimed(log);
        else if (kind == IRegistryEvents.NamespaceOwnerProposed.selector) replayNamespaceOwnerProposed(log);
        else if (kind == IRegistryEvents.NamespaceOwnerChanged.selector) replayNamespaceOwnerChanged(log);
        else if (kind == IRegistryEvents.NamespaceOpenSet.selector) replayNamespaceOpenSet(log);
        else if (kind == IRegistryEvents.RegistrarSet.selector) replayRegistrarSet(log);
        else if (kind == IRegistryEvents.Registered.selector) replayRegistered(log);
        else if (kind == IRegistryEvents.Updated.selector) replayUpdated(log);
        else if (kind == IRegistryEvents.Deregistered.selector) replayLeft(log, IRegistryTypes.Status.Deregistered);
        else if (kind == IRegistryEvents.Reaped.selector) replayLeft(log, IRegistryTypes.Status.Reaped);
        else if (kind == IRegistryEvents.StatusSet.selector) replayStatusSet(log);
        else if (kind == IRegistryEvents.OwnerProposed.selector) replayOwnerProposed(log);
        else if (kind == IRegistryEvents.OwnerChanged.selector) replayOwnerChanged(log);
        else if (kind == IRegistryEvents.OperatorSet.selector) replayOperatorSet(log);
        else if (kind == IRegistryEvents.InstanceOperatorSet.selector) replayInstanceOperatorSet(log);
        else if (kind == IRegistryEvents.Heartbeat.selector) replayHeartbeat(log);
        else if (kind == IRegistryEvents.HeartbeatBatch.selector) replayHeartbeatBatch(log);
        else if (kind == IRegistryEvents.SignedHeartbeatBatch.selector) replaySignedHeartbeatBatch(log);
        else revert("a log of the registry that the replay does not know");
    }

    // ----------------------------------------------------------- namespaces

    function replayNamespaceClaimed(Vm.Log memory log) private {
        assertEq(log.topics[1], keccak256(bytes(abi.decode(log.data, (string)))), "namespaceId");
        assertEq(rebuilt(slotOf(log.topics[1], 2)), 0, "claimed twice");
        write(slotOf(log.topics[1], 2), log.topics[2]);
    }

    function replayNamespaceOwnerProposed(Vm.Log memory log) private {
        bytes32 namespaceId = log.topics[1];
        bytes32 epoch = abi.decode(log.data, (bytes32));
        assertEq(uint256(epoch), namespaceEpoch(namespaceId), "epoch of the namespace");
        assertNotEq(uint256(namespaceId) >> 160, 0, "the namespace of an account was proposed to another");
        write(slotIn(namespaceId, epoch, 3), proposalWord(log.topics[2]));
    }

    function replayNamespaceOwnerChanged(Vm.Log memory log) private {
        bytes32 namespaceId = log.topics[1];
        uint256 epoch = abi.decode(log.data, (uint24));
        assertEq(epoch, namespaceEpoch(namespaceId) + 1, "epoch of the namespace");
        assertEq(
            rebuilt(slotIn(namespaceId, bytes32(epoch - 1), 3)), proposalWord(log.topics[2]), "it was not proposed"
        );
        write(slotOf(namespaceId, 2), bytes32(uint256(log.topics[2]) | epoch << 168));
    }

    function replayNamespaceOpenSet(Vm.Log memory log) private {
        (bool open, uint24 epoch) = abi.decode(log.data, (bool, uint24));
        assertEq(log.topics[2], namespaceOwner(log.topics[1]), "owner of the namespace");
        assertEq(epoch, namespaceEpoch(log.topics[1]), "epoch of the namespace");
        write(
            slotOf(log.topics[1], 2),
            bytes32(uint256(log.topics[2]) | uint256(open ? 1 : 0) << 160 | uint256(epoch) << 168)
        );
    }

    function replayRegistrarSet(Vm.Log memory log) private {
        (uint24 epoch, uint40 expiry) = abi.decode(log.data, (uint24, uint40));
        assertEq(epoch, namespaceEpoch(log.topics[1]), "epoch of the namespace");
        write(slotIn(log.topics[1], bytes32(uint256(epoch)), log.topics[2], 4), grantWord(expiry, 0));
    }

    function namespaceEpoch(bytes32 namespaceId) private view returns (uint256) {
        return uint256(rebuilt(slotOf(namespaceId, 2))) >> 168;
    }

    function namespaceOwner(bytes32 namespaceId) private view returns (bytes32) {
        if (uint256(namespaceId) >> 160 == 0) return namespaceId;
        return bytes32(uint256(uint160(uint256(rebuilt(slotOf(namespaceId, 2))))));
    }

    // ------------------------------------------------------------ instances

    function replayRegistered(Vm.Log memory log) private {
        (IRegistryTypes.Registration memory r, uint40 time, uint24 epoch, uint64 sequence, uint64 count, bytes32 prev) =
            abi.decode(log.data, (IRegistryTypes.Registration, uint40, uint24, uint64, uint64, bytes32));
        bytes32 id = log.topics[1];
        address owner = address(uint160(uint256(log.topics[3])));
        assertEq(log.topics[2], serviceOf(r), "service");
        assertEq(id, idOf(r, owner), "id");
        assertEq(prev, rebuilt(slotB(id)), "prevRecordHash");
        IRegistryTypes.Lease memory lease = rebuiltLease(id);
        assertEq(epoch, lease.epoch, "epoch");
        if (lease.status != IRegistryTypes.Status.None) {
            assertTrue(
                lease.status == IRegistryTypes.Status.Deregistered || lease.status == IRegistryTypes.Status.Reaped,
                "it was registered"
            );
            assertEq(lease.owner, owner, "registered anew by another");
            assertGe(time, lease.lastHeartbeat, "a registration moved time backwards");
        }

        namespaceOf[log.topics[2]] = r.namespaceId;
        serviceIn[id] = log.topics[2];
        write(slotOf(id, 0), leaseWord(IRegistryTypes.Lease(owner, time, r.ttl, IRegistryTypes.Status.Active, epoch)));
        write(slotB(id), recordHash(prev, r));
        writeRoster(log, sequence, count, 1);
    }

    function replayUpdated(Vm.Log memory log) private {
        (
            string memory version,
            bytes[] memory endpoints,
            bytes memory metadata,
            uint24 ttl,
            uint64 sequence,
            bytes32 prev
        ) = abi.decode(log.data, (string, bytes[], bytes, uint24, uint64, bytes32));
        bytes32 id = log.topics[1];
        assertEq(prev, rebuilt(slotB(id)), "prevRecordHash");

        IRegistryTypes.Lease memory lease = listedLease(id);
        lease.ttl = ttl;
        write(slotOf(id, 0), leaseWord(lease));
        write(slotB(id), recordHash(prev, version, endpoints, metadata));
        writeSequence(log, sequence);
    }

    function replayLeft(Vm.Log memory log, IRegistryTypes.Status status) private {
        (uint24 epoch, uint64 sequence, uint64 count) = abi.decode(log.data, (uint24, uint64, uint64));
        bytes32 id = log.topics[1];
        IRegistryTypes.Lease memory lease = rebuiltLease(id);
        assertEq(uint8(lease.status), uint8(IRegistryTypes.Status.Active), "it was not active");
        assertEq(epoch, lease.epoch + 1, "epoch");

        lease.status = status;
        lease.epoch = epoch;
        write(slotOf(id, 0), leaseWord(lease));
        writeRoster(log, sequence, count, -1);
    }

    function replayStatusSet(Vm.Log memory log) private {
        (IRegistryTypes.Status status, uint24 epoch, uint64 sequence, uint64 count,) =
            abi.decode(log.data, (IRegistryTypes.Status, uint24, uint64, uint64, bytes));
        IRegistryTypes.Lease memory lease = rebuiltLease(log.topics[1]);
        assertEq(log.topics[3], namespaceOwner(namespaceOf[log.topics[2]]), "authority");
        assertNotEq(uint8(lease.status), uint8(IRegistryTypes.Status.None), "it was never registered");
        assertNotEq(uint8(lease.status), uint8(IRegistryTypes.Status.Revoked), "it was revoked");
        assertNotEq(uint8(lease.status), uint8(status), "status");
        bool isRevoked = status == IRegistryTypes.Status.Revoked;
        if (!isRevoked) {
            assertTrue(isListed(status), "status");
            listedLease(log.topics[1]);
        }
        assertEq(epoch, lease.epoch + (isRevoked ? 1 : 0), "epoch");
        writeRoster(log, sequence, count, isRevoked && isListed(lease.status) ? int256(-1) : int256(0));

        lease.status = status;
        lease.epoch = epoch;
        write(slotOf(log.topics[1], 0), leaseWord(lease));
    }

    // --------------------------------------------------------------- grants

    function replayOwnerProposed(Vm.Log memory log) private {
        uint24 epoch = abi.decode(log.data, (uint24));
        assertEq(epoch, listedLease(log.topics[1]).epoch, "epoch");
        write(slotIn(log.topics[1], bytes32(uint256(epoch)), 5), proposalWord(log.topics[2]));
    }

    function replayOwnerChanged(Vm.Log memory log) private {
        (uint24 epoch, uint64 sequence) = abi.decode(log.data, (uint24, uint64));
        IRegistryTypes.Lease memory lease = listedLease(log.topics[1]);
        assertEq(epoch, lease.epoch + 1, "epoch");
        assertEq(
            rebuilt(slotIn(log.topics[1], bytes32(uint256(lease.epoch)), 5)),
            proposalWord(log.topics[3]),
            "it was not proposed"
        );

        lease.owner = address(uint160(uint256(log.topics[3])));
        lease.epoch = epoch;
        write(slotOf(log.topics[1], 0), leaseWord(lease));
        writeSequence(log, sequence);
    }

    function replayOperatorSet(Vm.Log memory log) private {
        (uint8 permissions, uint40 expiry) = abi.decode(log.data, (uint8, uint40));
        write(slotIn(log.topics[1], log.topics[2], 6), grantWord(expiry, permissions));
    }

    function replayInstanceOperatorSet(Vm.Log memory log) private {
        (uint24 epoch, uint8 permissions, uint40 expiry) = abi.decode(log.data, (uint24, uint8, uint40));
        assertEq(epoch, listedLease(log.topics[1]).epoch, "epoch");
        write(slotIn(log.topics[1], bytes32(uint256(epoch)), log.topics[2], 7), grantWord(expiry, permissions));
    }

    // ----------------------------------------------------------- heartbeats

    function replayHeartbeat(Vm.Log memory log) private {
        renew(log.topics[1], abi.decode(log.data, (uint40)), 0);
    }

    function replayHeartbeatBatch(Vm.Log memory log) private {
        (uint40 time, bytes32[] memory renewed) = abi.decode(log.data, (uint40, bytes32[]));
        for (uint256 i = 0; i < renewed.length; ++i) {
            renew(renewed[i], time, 0);
        }
    }

    function replaySignedHeartbeatBatch(Vm.Log memory log) private {
        (uint40[] memory times, bytes32[] memory renewed) = abi.decode(log.data, (uint40[], bytes32[]));
        assertEq(times.length, renewed.length, "as many times as ids");
        for (uint256 i = 0; i < renewed.length; ++i) {
            renew(renewed[i], times[i], 1);
        }
    }

    function renew(bytes32 id, uint40 time, uint40 atLeastLater) private {
        IRegistryTypes.Lease memory lease = listedLease(id);
        assertGe(time, lease.lastHeartbeat + atLeastLater, "a heartbeat did not move time forward");
        assertLe(time, vm.getBlockTimestamp(), "a heartbeat of the future");
        lease.lastHeartbeat = time;
        write(slotOf(id, 0), leaseWord(lease));
    }

    // --------------------------------------------------------- endorsements

    function replayEndorsement(Vm.Log memory log, bytes32 kind) private {
        (bytes32 id, bytes32 endorser, bytes32 topic) = (log.topics[1], log.topics[2], log.topics[3]);
        uint24 epoch = rebuiltLease(id).epoch;
        address account = address(endorsements);
        bytes32 slot = endorsementSlot(id, epoch, endorser, topic);
        bytes32 digestSlot = bytes32(uint256(slot) + 1);
        if (kind == IEndorsements.Endorsed.selector) {
            (uint24 given, uint40 expiry, bytes32 digest) = abi.decode(log.data, (uint24, uint40, bytes32));
            assertEq(given, epoch, "epoch of the endorsement");
            assertNotEq(own(listedLease(id).owner), endorser, "its owner endorsed it");
            writeAt(account, slot, bytes32(uint256(expiry)));
            writeAt(account, digestSlot, digest);
        } else if (kind == IEndorsements.Withdrawn.selector) {
            assertEq(abi.decode(log.data, (uint24)), epoch, "epoch of the withdrawal");
            assertNotEq(rebuiltAt(account, digestSlot), 0, "withdrawn without an endorsement");
            assertEq(uint256(rebuiltAt(account, slot)) >> 40, 0, "withdrawn twice");
            writeAt(account, slot, bytes32(uint256(rebuiltAt(account, slot)) | 1 << 40));
        } else {
            revert("a log of the endorsements that the replay does not know");
        }
    }

    // --------------------------------------------------------------- pieces

    function isListed(IRegistryTypes.Status status) internal pure returns (bool) {
        return status == IRegistryTypes.Status.Active || status == IRegistryTypes.Status.Suspended;
    }

    function listedLease(bytes32 id) private view returns (IRegistryTypes.Lease memory lease) {
        lease = rebuiltLease(id);
        assertTrue(isListed(lease.status), "it was not listed");
    }

    function writeSequence(Vm.Log memory log, uint64 sequence) private {
        (uint64 count,) = rosterIn(rebuilt(slotOf(log.topics[2], 1)));
        writeRoster(log, sequence, count, 0);
    }

    /// @dev The first topic of these events is an instance, the second its service.
    function writeRoster(Vm.Log memory log, uint64 sequence, uint64 count, int256 step) private {
        bytes32 service = log.topics[2];
        assertEq(service, serviceIn[log.topics[1]], "the service of another instance");
        (uint64 countBefore, uint64 sequenceBefore) = rosterIn(rebuilt(slotOf(service, 1)));
        assertEq(sequence, sequenceBefore + 1, "sequence");
        assertEq(int256(uint256(count)), int256(uint256(countBefore)) + step, "count");
        write(slotOf(service, 1), rosterWord(count, sequence));
    }
}
