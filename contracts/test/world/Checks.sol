// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Model} from "./Model.sol";
import {IEndorsements} from "../../src/interfaces/IEndorsements.sol";
import {IRegistryTypes} from "../../src/interfaces/IRegistryTypes.sol";

/// @notice How an action is done, and what must hold after each: what the model says, and what needs no model.
abstract contract Checks is Model {
    /// @dev How often an action of each kind went through, and how often it was refused.
    mapping(string kind => uint256) public done;
    mapping(string kind => uint256) public refused;

    /// @dev Slot A of each instance after the action before.
    mapping(bytes32 id => bytes32 word) private _wordsBefore;

    // -------------------------------------------------------------- actions

    /// @dev Calls as `actor`. It must go through just if the model says so, and write nothing but what its logs tell of.
    function act(string memory kind, address actor, bool expected, bytes memory input)
        internal
        returns (bool success, bytes memory answer)
    {
        return actOn(address(registry), kind, actor, expected, input);
    }

    function actOn(address target, string memory kind, address actor, bool expected, bytes memory input)
        internal
        returns (bool success, bytes memory answer)
    {
        vm.recordLogs();
        vm.startStateDiffRecording();
        vm.prank(actor);
        (success, answer) = target.call(input);
        replay(vm.getRecordedLogs());
        uint256 writes = assertWritesAreRebuilt(vm.stopAndReturnStateDiff());
        if (success) {
            assertTrue(expected, string.concat(kind, ": one went through that may not"));
            ++done[kind];
        } else {
            assertFalse(expected, string.concat(kind, ": one was refused that may"));
            assertEq(writes, 0, "a call that failed wrote");
            ++refused[kind];
        }
    }

    // ------------------------------------------------------- after each one

    /// @dev Every instance is what the model says, so none moved but by one who may; and none went back.
    function settle() internal {
        uint256 now_ = vm.getBlockTimestamp();
        for (uint256 i = 0; i < ids.length; ++i) {
            bytes32 id = ids[i];
            bytes32 word = wordA(id);
            assertEq(word, leaseWord(items[id].lease), "an instance moved otherwise than by one who may");
            assertEq(wordB(id), items[id].recordHash, "a record changed otherwise than by one who may");

            IRegistryTypes.Lease memory lease = leaseIn(word);
            IRegistryTypes.Lease memory old = leaseIn(_wordsBefore[id]);
            assertGe(lease.lastHeartbeat, old.lastHeartbeat, "time went backwards");
            assertLe(lease.lastHeartbeat, now_, "a heartbeat from the future");
            assertGe(lease.epoch, old.epoch, "an epoch went backwards");
            if (old.status == IRegistryTypes.Status.Revoked) {
                assertEq(word, _wordsBefore[id], "it was revoked for ever");
            }
            _wordsBefore[id] = word;
        }
    }

    /// @dev As `settle`, and all that was granted of this instance is what the model says: nothing, if its epoch ended.
    function settle(bytes32 id) internal {
        settle();
        assertGrants(id);
    }

    function assertGrants(bytes32 id) internal view {
        assertEq(registry.proposedOwnerOf(id), items[id].proposed, "proposed owner");
        for (uint256 i = 0; i < actors.length; ++i) {
            address actor = actors[i];
            assertGrant(registry.instanceOperatorOf(id, actor), instanceOperators[id][actor]);
            for (uint8 permissions = 1; permissions < 8; permissions = permissions * 2 + permissions % 2) {
                assertEq(
                    registry.isPermitted(id, actor, permissions),
                    isListedItem(id) && may(id, actor, permissions),
                    "isPermitted"
                );
            }
            for (uint256 t = 0; t < topics.length; ++t) {
                assertEndorsement(id, actor, topics[t]);
            }
        }
        assertFalse(registry.isPermitted(id, stranger, 1), "a stranger is permitted");
    }

    function assertGrant(IRegistryTypes.Grant memory got, IRegistryTypes.Grant memory expected) internal pure {
        assertEq(got.expiry, expected.expiry, "expiry of a grant");
        assertEq(got.permissions, expected.permissions, "permissions of a grant");
        assertEq(got.made, expected.made, "a grant outlived its epoch, or is missing");
    }

    function assertEndorsement(bytes32 id, address endorser, bytes32 topic) private view {
        IEndorsements.Endorsement memory got = endorsements.endorsementOf(id, endorser, topic);
        IEndorsements.Endorsement memory expected = endorsed[id][endorser][topic];
        assertEq(got.digest, expected.digest, "an endorsement outlived its epoch, or is missing");
        assertEq(got.expiry, expected.expiry, "expiry of an endorsement");
        assertEq(got.withdrawn, expected.withdrawn, "withdrawal of an endorsement");
        assertEq(
            endorsements.isEndorsed(id, endorser, topic),
            expected.digest != 0 && !expected.withdrawn && !hasPassed(expected.expiry),
            "isEndorsed"
        );
    }

    function assertNamespace(bytes32 namespaceId) internal view {
        IRegistryTypes.Namespace memory got = registry.namespaceOf(namespaceId);
        Realm storage realm = realms[namespaceId];
        assertEq(got.owner, realm.owner, "owner of a namespace");
        assertEq(got.open, realm.open, "open");
        assertEq(got.epoch, realm.epoch, "epoch of a namespace");
        assertEq(registry.proposedNamespaceOwnerOf(namespaceId), realm.proposed, "proposed owner of a namespace");
        for (uint256 i = 0; i < actors.length; ++i) {
            assertEq(registry.registrarExpiryOf(namespaceId, actors[i]), realm.registrars[actors[i]], "registrar");
            assertEq(registry.mayRegister(namespaceId, actors[i]), mayAdmit(namespaceId, actors[i]), "mayRegister");
        }
    }

    // ---------------------------------------------------- of the whole world

    function checkCounts() external view {
        for (uint256 s = 0; s < services.length; ++s) {
            uint64 listed = 0;
            for (uint256 i = 0; i < ids.length; ++i) {
                if (items[ids[i]].service == services[s] && isListed(leaseIn(wordA(ids[i])).status)) ++listed;
            }
            (uint64 count, uint64 sequence) = registry.countOf(services[s]);
            assertEq(count, listed, "the count is not the number of listed instances");
            assertEq(sequence, rosters[services[s]].sequence, "the sequence is not the number of changes");
        }
    }

    function checkLiveness() external view {
        uint256[] memory live = registry.areLive(ids);
        for (uint256 i = 0; i < ids.length; ++i) {
            IRegistryTypes.Lease storage lease = items[ids[i]].lease;
            bool expected = lease.status == IRegistryTypes.Status.Active
                && vm.getBlockTimestamp() <= uint256(lease.lastHeartbeat) + lease.ttl;
            assertEq(registry.isLive(ids[i]), expected, "isLive");
            assertEq((live[i / 256] >> (i % 256)) & 1 == 1, expected, "areLive");
        }
    }

    function checkGrants() external view {
        for (uint256 i = 0; i < ids.length; ++i) {
            assertGrants(ids[i]);
        }
        for (uint256 i = 0; i < namespaceIds.length; ++i) {
            assertNamespace(namespaceIds[i]);
        }
    }

    function checkStorage() external view {
        assertStorageIsRebuilt();
    }
}
