// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Vm} from "forge-std/Vm.sol";
import {Replay} from "./Replay.sol";
import {IRegistryTypes} from "../src/interfaces/IRegistryTypes.sol";

/// @notice A small world of accounts, namespaces, names and labels, and one action for each function of the registry.
/// Seeds pick who acts on what: most often the right account, else any. After each action it holds that only those
/// instances moved that the caller may move, and that time and epochs went forward. It keeps all that ever was
/// registered, and rebuilds the storage from the logs.
contract World is Replay {
    address[] internal actors;
    string[3] internal labels = ["a", "b", "c"];
    string[2] internal names = ["payments", "ledger"];
    string[2] internal claims = ["acme", "umbrella"];

    /// @dev Every instance that was registered once, and what is in its id.
    bytes32[] public ids;
    mapping(bytes32 id => IRegistryTypes.InstanceKey) internal keys;
    mapping(bytes32 id => bool) internal isKnown;
    /// @dev Every service that had an instance once.
    bytes32[] public services;
    mapping(bytes32 service => bool) internal isServiceKnown;

    /// @dev How often each action went through, so that a run shows that it did something.
    mapping(bytes32 action => uint256) public done;

    constructor() {
        setUp();
        actors = [alice, bob, mallory, makeAddr("dave")];
    }

    // -------------------------------------------------------------- actions

    function claimNamespace(uint256 actorSeed, uint256 labelSeed) external {
        address actor = actors[actorSeed % actors.length];
        string memory label = claims[labelSeed % claims.length];
        before();
        vm.prank(actor);
        try registry.claimNamespace(label) {
            ++done["claimNamespace"];
        } catch {}
        settle(actor);
    }

    function register(uint256 actorSeed, uint256 placeSeed, uint256 content) external {
        IRegistryTypes.Registration memory r;
        address actor = actors[actorSeed % actors.length];
        // Own namespaces twice as often as claimed ones.
        r.namespaceId = placeSeed % 3 < 2
            ? own((placeSeed >> 8) % 4 > 0 ? actor : actors[(placeSeed >> 16) % actors.length])
            : keccak256(bytes(claims[(placeSeed >> 8) % claims.length]));
        r.name = names[(placeSeed >> 24) % names.length];
        r.label = labels[(placeSeed >> 32) % labels.length];
        (r.version, r.endpoints, r.metadata, r.ttl) = contentOf(content);

        before();
        vm.prank(actor);
        try registry.register(r) returns (bytes32 id) {
            ++done["register"];
            if (!isKnown[id]) {
                isKnown[id] = true;
                ids.push(id);
                keys[id] = keyOf(r, actor);
            }
            if (!isServiceKnown[serviceOf(r)]) {
                isServiceKnown[serviceOf(r)] = true;
                services.push(serviceOf(r));
            }
        } catch {}
        settle(actor);
    }

    function update(uint256 actorSeed, uint256 idSeed, uint256 content) external {
        if (ids.length == 0) return;
        bytes32 id = ids[idSeed % ids.length];
        address actor = pickActor(id, actorSeed);
        IRegistryTypes.RecordUpdate memory change;
        change.key = keys[id];
        // One time in eight, an update of a record that is no longer there.
        change.prevRecordHash = content % 8 == 0 ? keccak256("stale") : registry.recordHashOf(id);
        (change.version, change.endpoints, change.metadata, change.ttl) = contentOf(content);

        before();
        vm.prank(actor);
        try registry.update(change) {
            ++done["update"];
        } catch {}
        settle(actor);
    }

    function deregister(uint256 actorSeed, uint256 idSeed) external {
        if (ids.length == 0) return;
        bytes32 id = ids[idSeed % ids.length];
        address actor = pickActor(id, actorSeed);
        before();
        vm.prank(actor);
        try registry.deregister(keys[id]) {
            ++done["deregister"];
        } catch {}
        settle(actor);
    }

    function heartbeat(uint256 actorSeed, uint256 idSeed) external {
        if (ids.length == 0) return;
        bytes32 id = ids[idSeed % ids.length];
        address actor = pickActor(id, actorSeed);
        before();
        vm.prank(actor);
        try registry.heartbeat(id) {
            ++done["heartbeat"];
        } catch {}
        settle(actor);
    }

    function heartbeatBatch(uint256 actorSeed, uint256 idSeed) external {
        if (ids.length == 0) return;
        bytes32[] memory batch = new bytes32[](1 + (idSeed >> 128) % 6);
        for (uint256 i = 0; i < batch.length; ++i) {
            batch[i] = ids[(idSeed >> (16 * i)) % ids.length];
        }
        address actor = pickActor(batch[0], actorSeed);
        before();
        vm.prank(actor);
        try registry.heartbeatBatch(batch) {
            ++done["heartbeatBatch"];
        } catch {}
        settle(actor);
    }

    function wait(uint256 secondsSeed) external {
        vm.warp(vm.getBlockTimestamp() + secondsSeed % 120);
    }

    // ---------------------------------------------------------------- picks

    /// @dev The owner of the instance three times in four, else anyone.
    function pickActor(bytes32 id, uint256 seed) internal view returns (address) {
        return seed % 4 > 0 ? registry.leaseOf(id).owner : actors[(seed >> 8) % actors.length];
    }

    /// @dev Some content, in one case of sixteen with a ttl that is out of range.
    function contentOf(uint256 seed)
        internal
        pure
        returns (string memory version, bytes[] memory endpoints, bytes memory metadata, uint24 ttl)
    {
        version = vm.toString(seed % 1000);
        endpoints = new bytes[](1 + seed % 3);
        for (uint256 i = 0; i < endpoints.length; ++i) {
            endpoints[i] = abi.encodePacked(keccak256(abi.encode(seed, i)), blob((seed >> 8) % 40));
        }
        metadata = blob((seed >> 16) % 100);
        ttl = (seed >> 24) % 16 == 0 ? 4 : uint24(5 + (seed >> 32) % 100);
    }

    // --------------------------------------------------------------- checks

    /// @dev The two words of each known instance before the action.
    mapping(bytes32 id => bytes32) private beforeA;
    mapping(bytes32 id => bytes32) private beforeB;

    function before() private {
        for (uint256 i = 0; i < ids.length; ++i) {
            beforeA[ids[i]] = wordA(ids[i]);
            beforeB[ids[i]] = wordB(ids[i]);
        }
        vm.recordLogs();
    }

    function settle(address actor) private {
        replay(vm.getRecordedLogs());
        for (uint256 i = 0; i < ids.length; ++i) {
            bytes32 id = ids[i];
            bytes32 a = wordA(id);
            if (a == beforeA[id] && wordB(id) == beforeB[id]) continue;
            // A registration is its registrant's; everything else is the owner's.
            if (beforeA[id] == 0) {
                assertEq(keys[id].registrant, actor, "a stranger registered an instance");
                continue;
            }
            IRegistryTypes.Lease memory old = leaseIn(beforeA[id]);
            IRegistryTypes.Lease memory now_ = leaseIn(a);
            assertEq(old.owner, actor, "a stranger moved an instance");
            assertGe(now_.lastHeartbeat, old.lastHeartbeat, "time went backwards");
            assertLe(now_.lastHeartbeat, vm.getBlockTimestamp(), "a heartbeat from the future");
            assertGe(now_.epoch, old.epoch, "an epoch went backwards");
        }
    }

    function checkCounts() external view {
        for (uint256 s = 0; s < services.length; ++s) {
            uint256 listed = 0;
            for (uint256 i = 0; i < ids.length; ++i) {
                if (keys[ids[i]].service != services[s]) continue;
                IRegistryTypes.Status status = registry.leaseOf(ids[i]).status;
                if (status == IRegistryTypes.Status.Active || status == IRegistryTypes.Status.Suspended) ++listed;
            }
            (uint64 count,) = registry.countOf(services[s]);
            assertEq(count, listed, "the count is not the number of listed instances");
        }
    }

    function checkLiveness() external view {
        uint256[] memory live = registry.areLive(ids);
        for (uint256 i = 0; i < ids.length; ++i) {
            IRegistryTypes.Lease memory lease = registry.leaseOf(ids[i]);
            bool expected = lease.status == IRegistryTypes.Status.Active
                && vm.getBlockTimestamp() <= uint256(lease.lastHeartbeat) + lease.ttl;
            assertEq(registry.isLive(ids[i]), expected, "isLive");
            assertEq((live[i / 256] >> (i % 256)) & 1 == 1, expected, "areLive");
        }
    }

    function checkStorage() external view {
        assertStorageIsRebuilt();
    }

    function checkWrites(Vm.AccountAccess[] memory accesses) external view {
        assertWritesAreRebuilt(accesses);
    }
}
