// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {NamespaceActions} from "./NamespaceActions.sol";
import {IRegistryTypes} from "../../src/interfaces/IRegistryTypes.sol";
import {Permissions} from "../../src/interfaces/Permissions.sol";

/// @notice What owners, operators, authorities and reapers do to instances.
abstract contract InstanceActions is NamespaceActions {
    function register(uint256 entropy) public {
        seed(entropy);
        address actor = pickActor();
        IRegistryTypes.Registration memory r = pickRegistration(actor);
        bytes32 id = idOf(r, actor);
        (bool success, bytes memory answer) =
            act("register", actor, mayRegisterAs(id, r, actor), abi.encodeCall(registry.register, (r)));
        if (success) {
            assertEq(abi.decode(answer, (bytes32)), id, "id");
            putRegistered(id, r, actor);
        }
        settle(id);
    }

    function update(uint256 entropy) external {
        seed(entropy);
        bytes32 id = pickListed();
        IRegistryTypes.Registration memory r = pickUpdate(id);
        IRegistryTypes.RecordUpdate memory change = changeOf(id, r);
        address actor = pickFor(id, updatePermissions(id, r.ttl));
        bool expected = isListedItem(id) && may(id, actor, updatePermissions(id, r.ttl)) && isTtl(r.ttl)
            && change.prevRecordHash == items[id].recordHash;
        (bool success,) = act("update", actor, expected, abi.encodeCall(registry.update, (change)));
        if (success) putUpdated(id, r);
        settle(id);
    }

    function deregister(uint256 entropy) external {
        seed(entropy);
        bytes32 id = pickListed();
        address actor = pickFor(id, Permissions.DEREGISTER);
        bool expected = items[id].lease.status == IRegistryTypes.Status.Active && may(id, actor, Permissions.DEREGISTER);
        (bool success,) = act("deregister", actor, expected, abi.encodeCall(registry.deregister, (keyOfItem(id))));
        if (success) putStatus(id, IRegistryTypes.Status.Deregistered);
        settle(id);
    }

    function setStatus(uint256 entropy) external {
        seed(entropy);
        bytes32 id = oneIn(3) ? pickId() : pickListed();
        address actor = mostly(realms[items[id].namespaceId].owner);
        IRegistryTypes.Status from = items[id].lease.status;
        IRegistryTypes.Status to =
            from == IRegistryTypes.Status.Suspended ? IRegistryTypes.Status.Active : IRegistryTypes.Status.Suspended;
        if (oneIn(5)) to = IRegistryTypes.Status(pick(6));
        IRegistryTypes.InstancePath memory path = IRegistryTypes.InstancePath(
            items[id].namespaceId,
            keccak256(bytes(items[id].name)),
            items[id].registrant,
            keccak256(bytes(items[id].label))
        );
        (bool success,) = act(
            statusKind(to),
            actor,
            maySetStatus(id, actor, to),
            abi.encodeCall(registry.setStatus, (path, to, blob(pick(20))))
        );
        if (success) putStatus(id, to);
        settle(id);
    }

    function statusKind(IRegistryTypes.Status to) private pure returns (string memory) {
        if (to == IRegistryTypes.Status.Active) return "reinstate";
        if (to == IRegistryTypes.Status.Suspended) return "suspend";
        return to == IRegistryTypes.Status.Revoked ? "revoke" : "setStatus to one that cannot be set";
    }

    function reap(uint256 entropy) external {
        seed(entropy);
        bytes32[] memory picked = pickIds();
        IRegistryTypes.InstanceKey[] memory keys = new IRegistryTypes.InstanceKey[](picked.length);
        bool[] memory isReaped = new bool[](picked.length);
        uint256 reaped = 0;
        for (uint256 i = 0; i < picked.length; ++i) {
            keys[i] = keyOfItem(picked[i]);
            // One that is given twice is reaped once.
            isReaped[i] = isLongDead(picked[i]) && !isAmong(picked, i);
            if (isReaped[i]) ++reaped;
        }
        (bool success, bytes memory answer) =
            act("reap", mostly(stranger), reaped > 0, abi.encodeCall(registry.reap, (keys)));
        if (success) assertEq(abi.decode(answer, (uint256)), reaped, "reaped");
        for (uint256 i = 0; i < picked.length; ++i) {
            if (isReaped[i]) putStatus(picked[i], IRegistryTypes.Status.Reaped);
        }
        settle(picked[0]);
    }

    // ----------------------------------------------------------- heartbeats

    function heartbeat(uint256 entropy) external {
        seed(entropy);
        bytes32 id = pickListed();
        address actor = pickFor(id, Permissions.HEARTBEAT);
        bool expected = isListedItem(id) && may(id, actor, Permissions.HEARTBEAT);
        (bool success,) = act("heartbeat", actor, expected, abi.encodeCall(registry.heartbeat, (id)));
        if (success) items[id].lease.lastHeartbeat = uint40(vm.getBlockTimestamp());
        settle(id);
    }

    function heartbeatBatch(uint256 entropy) external {
        seed(entropy);
        bytes32[] memory batch = pickIds();
        address actor = pickFor(batch[0], Permissions.HEARTBEAT);
        uint256 renewed = 0;
        for (uint256 i = 0; i < batch.length; ++i) {
            if (!isListedItem(batch[i]) || !may(batch[i], actor, Permissions.HEARTBEAT)) continue;
            items[batch[i]].lease.lastHeartbeat = uint40(vm.getBlockTimestamp());
            ++renewed;
        }
        (bool success, bytes memory answer) =
            act("heartbeatBatch", actor, renewed > 0, abi.encodeCall(registry.heartbeatBatch, (batch)));
        if (success) assertEq(abi.decode(answer, (uint256)), renewed, "renewed");
        settle(batch[0]);
    }

    // ---------------------------------------------------------------- picks

    function pickId() internal returns (bytes32) {
        return ids[pick(ids.length)];
    }

    /// @dev One that is listed, if there are some.
    function pickListed() internal returns (bytes32 id) {
        id = pickId();
        for (uint256 i = 0; i < 8 && !isListedItem(id); ++i) {
            id = pickId();
        }
    }

    function pickIds() internal returns (bytes32[] memory picked) {
        picked = new bytes32[](1 + pick(5));
        for (uint256 i = 0; i < picked.length; ++i) {
            picked[i] = pickListed();
        }
    }

    function isAmong(bytes32[] memory picked, uint256 before) private pure returns (bool) {
        for (uint256 i = 0; i < before; ++i) {
            if (picked[i] == picked[before]) return true;
        }
        return false;
    }

    /// @dev Half of the time one who may, but for the owner; else mostly the owner.
    function pickFor(bytes32 id, uint8 permissions) internal returns (address) {
        address owner = items[id].lease.owner;
        if (oneIn(2)) return mostly(owner);
        uint256 first = pick(actors.length);
        for (uint256 i = 0; i < actors.length; ++i) {
            address actor = actors[(first + i) % actors.length];
            if (actor != owner && may(id, actor, permissions)) return actor;
        }
        return mostly(owner);
    }

    /// @dev Mostly where the actor may register.
    function pickRegistration(address actor) internal returns (IRegistryTypes.Registration memory r) {
        r = pickContent();
        r.namespaceId = oneIn(2) ? own(actor) : pickNamespace();
        for (uint256 i = 0; i < 2 && !mayAdmit(r.namespaceId, actor); ++i) {
            r.namespaceId = pickNamespace();
        }
        r.name = names[pick(names.length)];
        r.label = labels[pick(labels.length)];
    }

    /// @dev Half of the time with the ttl of before.
    function pickUpdate(bytes32 id) internal returns (IRegistryTypes.Registration memory r) {
        r = pickContent();
        if (oneIn(2)) r.ttl = items[id].lease.ttl;
    }

    /// @dev One time in eight for a record that is no longer there.
    function changeOf(bytes32 id, IRegistryTypes.Registration memory r)
        internal
        returns (IRegistryTypes.RecordUpdate memory)
    {
        bytes32 prev = oneIn(8) ? keccak256("stale") : items[id].recordHash;
        return IRegistryTypes.RecordUpdate(keyOfItem(id), prev, r.version, r.endpoints, r.metadata, r.ttl);
    }

    function keyOfItem(bytes32 id) internal view returns (IRegistryTypes.InstanceKey memory) {
        return IRegistryTypes.InstanceKey(items[id].service, items[id].registrant, keccak256(bytes(items[id].label)));
    }
}
