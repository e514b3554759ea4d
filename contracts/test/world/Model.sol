// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Actors} from "./Actors.sol";
import {IEndorsements} from "../../src/interfaces/IEndorsements.sol";
import {IRegistryTypes} from "../../src/interfaces/IRegistryTypes.sol";
import {Permissions} from "../../src/interfaces/Permissions.sol";

/// @notice What the test itself remembers of all that was done, and who may do what by that. It asks the contracts
/// nothing. Where they keep a grant under an epoch and look past it later, this deletes it when the epoch ends.
abstract contract Model is Actors {
    struct Item {
        bytes32 namespaceId;
        string name;
        string label;
        address registrant;
        bytes32 service;
        IRegistryTypes.Lease lease;
        bytes32 recordHash;
        address proposed;
    }

    struct Realm {
        address owner;
        bool open;
        uint24 epoch;
        address proposed;
        mapping(address registrar => uint40 expiry) registrars;
    }

    bytes32[] internal ids;
    mapping(bytes32 id => Item) internal items;
    bytes32[] internal services;
    mapping(bytes32 service => IRegistryTypes.Roster) internal rosters;
    bytes32[] internal namespaceIds;
    mapping(bytes32 namespaceId => Realm) internal realms;

    mapping(address owner => mapping(address operator => IRegistryTypes.Grant)) internal operators;
    mapping(bytes32 id => mapping(address operator => IRegistryTypes.Grant)) internal instanceOperators;
    mapping(bytes32 id => mapping(address endorser => mapping(bytes32 topic => IEndorsements.Endorsement))) internal
        endorsed;

    constructor() {
        for (uint256 i = 0; i < actors.length; ++i) {
            namespaceIds.push(own(actors[i]));
            realms[own(actors[i])].owner = actors[i];
        }
        for (uint256 i = 0; i < claims.length; ++i) {
            namespaceIds.push(keccak256(bytes(claims[i])));
        }
    }

    // -------------------------------------------------------- who may what

    function hasPassed(uint40 time) internal view returns (bool) {
        return vm.getBlockTimestamp() > time;
    }

    function mayAdmit(bytes32 namespaceId, address account) internal view returns (bool) {
        Realm storage realm = realms[namespaceId];
        return realm.owner == account || realm.open || !hasPassed(realm.registrars[account]);
    }

    function isListedItem(bytes32 id) internal view returns (bool) {
        return isListed(items[id].lease.status);
    }

    /// @dev As owner, or by one grant that has all of these permissions.
    function may(bytes32 id, address account, uint8 permissions) internal view returns (bool) {
        address owner = items[id].lease.owner;
        return account == owner || holds(operators[owner][account], permissions)
            || holds(instanceOperators[id][account], permissions);
    }

    function holds(IRegistryTypes.Grant memory grant, uint8 permissions) private view returns (bool) {
        return grant.permissions & permissions == permissions && !hasPassed(grant.expiry);
    }

    /// @dev Whether a call that was signed has the right signer: an operator that is a contract can only send.
    function maySign(bytes32 id, address signer, uint8 permissions) internal view returns (bool) {
        if (signer == wallet) return items[id].lease.owner == wallet;
        return may(id, signer, permissions);
    }

    function isTtl(uint24 ttl) internal pure returns (bool) {
        return ttl >= 5 && ttl <= 30 days;
    }

    function updatePermissions(bytes32 id, uint24 ttl) internal view returns (uint8) {
        return ttl == items[id].lease.ttl ? Permissions.UPDATE : Permissions.UPDATE + Permissions.HEARTBEAT;
    }

    function isLongDead(bytes32 id) internal view returns (bool) {
        IRegistryTypes.Lease storage lease = items[id].lease;
        return lease.status == IRegistryTypes.Status.Active
            && vm.getBlockTimestamp() > uint256(lease.lastHeartbeat) + lease.ttl + 7 days;
    }

    function mayRegisterAs(bytes32 id, IRegistryTypes.Registration memory r, address owner)
        internal
        view
        returns (bool)
    {
        if (!mayAdmit(r.namespaceId, owner) || !isTtl(r.ttl)) return false;
        IRegistryTypes.Lease storage lease = items[id].lease;
        if (lease.status == IRegistryTypes.Status.None) return true;
        return lease.owner == owner
            && (lease.status == IRegistryTypes.Status.Deregistered || lease.status == IRegistryTypes.Status.Reaped);
    }

    function maySetStatus(bytes32 id, address account, IRegistryTypes.Status to) internal view returns (bool) {
        if (realms[items[id].namespaceId].owner != account) return false;
        IRegistryTypes.Status from = items[id].lease.status;
        if (from == IRegistryTypes.Status.Revoked || from == to) return false;
        return to == IRegistryTypes.Status.Revoked || (isListed(from) && isListed(to));
    }

    // -------------------------------------------------------- what was done

    function putRegistered(bytes32 id, IRegistryTypes.Registration memory r, address owner) internal {
        Item storage item = items[id];
        if (item.registrant == address(0)) {
            ids.push(id);
            (item.namespaceId, item.name, item.label) = (r.namespaceId, r.name, r.label);
            (item.registrant, item.service) = (owner, serviceOf(r));
            if (rosters[item.service].sequence == 0) services.push(item.service);
        }
        item.lease.owner = owner;
        item.lease.lastHeartbeat = uint40(vm.getBlockTimestamp());
        item.lease.ttl = r.ttl;
        item.lease.status = IRegistryTypes.Status.Active;
        item.recordHash = recordHash(item.recordHash, r);
        ++rosters[item.service].count;
        ++rosters[item.service].sequence;
    }

    function putUpdated(bytes32 id, IRegistryTypes.Registration memory r) internal {
        Item storage item = items[id];
        item.lease.ttl = r.ttl;
        item.recordHash = recordHash(item.recordHash, r);
        ++rosters[item.service].sequence;
    }

    function putStatus(bytes32 id, IRegistryTypes.Status status) internal {
        Item storage item = items[id];
        if (isListed(item.lease.status) && !isListed(status)) --rosters[item.service].count;
        ++rosters[item.service].sequence;
        item.lease.status = status;
        if (!isListed(status)) endEpoch(id);
    }

    function putOwner(bytes32 id, address owner) internal {
        items[id].lease.owner = owner;
        ++rosters[items[id].service].sequence;
        endEpoch(id);
    }

    /// @dev All that was granted is gone.
    function endEpoch(bytes32 id) private {
        ++items[id].lease.epoch;
        delete items[id].proposed;
        for (uint256 i = 0; i < actors.length; ++i) {
            delete instanceOperators[id][actors[i]];
            for (uint256 t = 0; t < topics.length; ++t) {
                delete endorsed[id][actors[i]][topics[t]];
            }
        }
    }

    function putNamespaceOwner(bytes32 namespaceId, address owner) internal {
        Realm storage realm = realms[namespaceId];
        (realm.owner, realm.open, realm.proposed) = (owner, false, address(0));
        ++realm.epoch;
        for (uint256 i = 0; i < actors.length; ++i) {
            delete realm.registrars[actors[i]];
        }
    }
}
