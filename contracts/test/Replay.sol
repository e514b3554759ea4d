// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Vm} from "forge-std/Vm.sol";
import {Base} from "./Base.sol";
import {IRegistryEvents} from "../src/interfaces/IRegistryEvents.sol";
import {IRegistryTypes} from "../src/interfaces/IRegistryTypes.sol";

/// @notice An indexer in Solidity: it knows the events and the layout, and rebuilds from them every word that the
/// registry stores. It never reads the registry until it compares.
///
/// Each event is also checked against the state before it: sequences have no gaps, counts move by one, a record hash
/// names its predecessor, and ids are those of what was registered. A log of the registry that is not known here fails.
abstract contract Replay is Base {
    /// @dev Every slot that some event gave a word, and the words.
    bytes32[] internal rebuiltSlots;
    mapping(bytes32 slot => bytes32 word) internal rebuilt;
    mapping(bytes32 slot => bool) internal isRebuilt;

    // --------------------------------------------------------------- events

    function replay(Vm.Log[] memory logs) internal {
        for (uint256 i = 0; i < logs.length; ++i) {
            if (logs[i].emitter == address(registry)) replay(logs[i]);
        }
    }

    function replay(Vm.Log memory log) private {
        bytes32 kind = log.topics[0];
        if (kind == IRegistryEvents.Registered.selector) replayRegistered(log);
        else if (kind == IRegistryEvents.Updated.selector) replayUpdated(log);
        else if (kind == IRegistryEvents.Deregistered.selector) replayDeregistered(log);
        else if (kind == IRegistryEvents.Heartbeat.selector) replayHeartbeat(log);
        else if (kind == IRegistryEvents.HeartbeatBatch.selector) replayHeartbeatBatch(log);
        else if (kind == IRegistryEvents.NamespaceClaimed.selector) replayNamespaceClaimed(log);
        else revert("a log that the replay does not know");
    }

    function replayNamespaceClaimed(Vm.Log memory log) private {
        assertEq(log.topics[1], keccak256(bytes(abi.decode(log.data, (string)))), "namespaceId");
        assertEq(rebuilt[slotOf(log.topics[1], 2)], 0, "claimed twice");
        write(slotOf(log.topics[1], 2), log.topics[2]);
    }

    function replayRegistered(Vm.Log memory log) private {
        (IRegistryTypes.Registration memory r, uint40 time, uint24 epoch, uint64 sequence, uint64 count, bytes32 prev) =
            abi.decode(log.data, (IRegistryTypes.Registration, uint40, uint24, uint64, uint64, bytes32));
        bytes32 id = log.topics[1];
        address owner = address(uint160(uint256(log.topics[3])));
        assertEq(log.topics[2], serviceOf(r), "service");
        assertEq(id, idOf(r, owner), "id");
        assertEq(prev, rebuilt[slotB(id)], "prevRecordHash");
        assertEq(epoch, leaseIn(rebuilt[slotOf(id, 0)]).epoch, "epoch");

        write(slotOf(id, 0), leaseWord(IRegistryTypes.Lease(owner, time, r.ttl, IRegistryTypes.Status.Active, epoch)));
        write(slotB(id), recordHash(prev, r));
        writeRoster(log.topics[2], sequence, count, 1);
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
        assertEq(prev, rebuilt[slotB(id)], "prevRecordHash");

        IRegistryTypes.Lease memory lease = leaseIn(rebuilt[slotOf(id, 0)]);
        lease.ttl = ttl;
        write(slotOf(id, 0), leaseWord(lease));
        write(slotB(id), recordHash(prev, version, endpoints, metadata));
        (uint64 count,) = rosterIn(rebuilt[slotOf(log.topics[2], 1)]);
        writeRoster(log.topics[2], sequence, count, 0);
    }

    function replayDeregistered(Vm.Log memory log) private {
        (uint24 epoch, uint64 sequence, uint64 count) = abi.decode(log.data, (uint24, uint64, uint64));
        bytes32 id = log.topics[1];
        IRegistryTypes.Lease memory lease = leaseIn(rebuilt[slotOf(id, 0)]);
        assertEq(epoch, lease.epoch + 1, "epoch");

        lease.status = IRegistryTypes.Status.Deregistered;
        lease.epoch = epoch;
        write(slotOf(id, 0), leaseWord(lease));
        writeRoster(log.topics[2], sequence, count, -1);
    }

    function replayHeartbeat(Vm.Log memory log) private {
        renew(log.topics[1], abi.decode(log.data, (uint40)));
    }

    function replayHeartbeatBatch(Vm.Log memory log) private {
        (uint40 time, bytes32[] memory ids) = abi.decode(log.data, (uint40, bytes32[]));
        for (uint256 i = 0; i < ids.length; ++i) {
            renew(ids[i], time);
        }
    }

    function renew(bytes32 id, uint40 time) private {
        IRegistryTypes.Lease memory lease = leaseIn(rebuilt[slotOf(id, 0)]);
        assertGe(time, lease.lastHeartbeat, "a heartbeat moved time backwards");
        lease.lastHeartbeat = time;
        write(slotOf(id, 0), leaseWord(lease));
    }

    // ---------------------------------------------------------------- words

    function write(bytes32 slot, bytes32 word) private {
        if (!isRebuilt[slot]) {
            isRebuilt[slot] = true;
            rebuiltSlots.push(slot);
        }
        rebuilt[slot] = word;
    }

    function writeRoster(bytes32 service, uint64 sequence, uint64 count, int8 step) private {
        (uint64 countBefore, uint64 sequenceBefore) = rosterIn(rebuilt[slotOf(service, 1)]);
        assertEq(sequence, sequenceBefore + 1, "sequence");
        assertEq(int256(uint256(count)), int256(uint256(countBefore)) + (step == 0 ? int256(0) : int256(step)), "count");
        write(slotOf(service, 1), rosterWord(count, sequence));
    }

    // ----------------------------------------------------------- comparison

    /// @dev Every rebuilt word is the stored one, and none is zero.
    function assertStorageIsRebuilt() internal view {
        for (uint256 i = 0; i < rebuiltSlots.length; ++i) {
            bytes32 slot = rebuiltSlots[i];
            assertEq(rebuilt[slot], vm.load(address(registry), slot), "a rebuilt word is not the stored one");
            assertNotEq(rebuilt[slot], 0, "a word went back to zero");
        }
    }

    /// @dev Every word that these accesses wrote was rebuilt from the logs: the registry stores nothing else.
    function assertWritesAreRebuilt(Vm.AccountAccess[] memory accesses) internal view {
        uint256 writes = 0;
        for (uint256 i = 0; i < accesses.length; ++i) {
            Vm.StorageAccess[] memory storageAccesses = accesses[i].storageAccesses;
            for (uint256 j = 0; j < storageAccesses.length; ++j) {
                Vm.StorageAccess memory a = storageAccesses[j];
                if (a.account != address(registry) || !a.isWrite || a.reverted) continue;
                assertTrue(isRebuilt[a.slot], "a word was written that no log tells of");
                ++writes;
            }
        }
        assertGe(writes, rebuiltSlots.length, "the accesses are not those of this replay");
    }
}
