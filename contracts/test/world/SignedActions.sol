// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {GrantActions} from "./GrantActions.sol";
import {IRegistryTypes} from "../../src/interfaces/IRegistryTypes.sol";
import {Permissions} from "../../src/interfaces/Permissions.sol";

/// @notice What one signs and anyone sends. Some signatures are by the wrong one, cut, too late, or of an epoch before.
abstract contract SignedActions is GrantActions {
    /// @dev Who signs, for which epoch, until when it may be sent, and whether it may be sent now in this epoch.
    struct Form {
        address signer;
        uint24 epoch;
        uint40 deadline;
        bool holds;
    }

    /// @dev A heartbeat that was signed once, and by whom and for which epoch.
    struct Written {
        IRegistryTypes.SignedHeartbeat item;
        address signer;
        uint24 epoch;
    }

    Written[] private _written;

    function registerSigned(uint256 entropy) external {
        seed(entropy);
        address owner = pickActor();
        IRegistryTypes.Registration memory r = pickRegistration(owner);
        bytes32 id = idOf(r, owner);
        Form memory form = pickForm(id, mostly(owner));
        bytes memory signature = sign(form.signer, registerHash(r, owner, form.epoch, form.deadline));
        (bool success,) = act(
            "registerSigned",
            mostly(stranger),
            form.holds && form.signer == owner && mayRegisterAs(id, r, owner),
            abi.encodeCall(registry.registerSigned, (r, owner, form.deadline, signature))
        );
        if (success) putRegistered(id, r, owner);
        settle(id);
    }

    function updateSigned(uint256 entropy) external {
        seed(entropy);
        bytes32 id = pickListed();
        IRegistryTypes.Registration memory r = pickUpdate(id);
        IRegistryTypes.RecordUpdate memory change = changeOf(id, r);
        uint8 permissions = updatePermissions(id, r.ttl);
        Form memory form = pickForm(id, pickFor(id, permissions));
        bytes memory signature = sign(form.signer, updateHash(id, change, form.epoch, form.deadline));
        (bool success,) = act(
            "updateSigned",
            mostly(stranger),
            form.holds && isListedItem(id) && maySign(id, form.signer, permissions) && isTtl(r.ttl)
                && change.prevRecordHash == items[id].recordHash,
            abi.encodeCall(registry.updateSigned, (change, form.deadline, signature))
        );
        if (success) putUpdated(id, r);
        settle(id);
    }

    function deregisterSigned(uint256 entropy) external {
        seed(entropy);
        bytes32 id = pickListed();
        Form memory form = pickForm(id, pickFor(id, Permissions.DEREGISTER));
        bytes memory signature = sign(form.signer, deregisterHash(id, form.epoch, form.deadline));
        (bool success,) = act(
            "deregisterSigned",
            mostly(stranger),
            form.holds && items[id].lease.status == IRegistryTypes.Status.Active
                && maySign(id, form.signer, Permissions.DEREGISTER),
            abi.encodeCall(registry.deregisterSigned, (keyOfItem(id), form.deadline, signature))
        );
        if (success) putStatus(id, IRegistryTypes.Status.Deregistered);
        settle(id);
    }

    /// @dev Some of the items were sent before: they are sent again as they are.
    function heartbeatSigned(uint256 entropy) external {
        seed(entropy);
        IRegistryTypes.SignedHeartbeat[] memory batch = new IRegistryTypes.SignedHeartbeat[](1 + pick(4));
        uint256 renewed = 0;
        for (uint256 i = 0; i < batch.length; ++i) {
            if (_written.length == 0 || !oneIn(4)) _written.push(write(pickListed()));
            Written memory written = _written[_written.length - 1 - pick(_written.length < 6 ? _written.length : 6)];
            batch[i] = written.item;
            if (!isValid(written)) continue;
            items[written.item.id].lease.lastHeartbeat = written.item.time;
            ++renewed;
        }
        (, bytes memory answer) = act(
            renewed > 0 ? "heartbeatSigned" : "heartbeatSigned of none",
            mostly(stranger),
            true,
            abi.encodeCall(registry.heartbeatSigned, (batch))
        );
        assertEq(abi.decode(answer, (uint256)), renewed, "renewed");
        settle(batch[0].id);
    }

    function write(bytes32 id) private returns (Written memory written) {
        Form memory form = pickForm(id, pickFor(id, Permissions.HEARTBEAT));
        uint40 time = uint40(vm.getBlockTimestamp()) - uint40(pick(3));
        if (oneIn(8)) time += uint40(10 + pick(60));
        bytes memory signature = sign(form.signer, heartbeatHash(id, form.epoch, time, form.deadline));
        if (oneIn(16)) {
            // As good as none.
            form.signer = stranger;
            assembly {
                mstore(signature, 63)
            }
        }
        written.item = IRegistryTypes.SignedHeartbeat(id, time, form.deadline, signature);
        (written.signer, written.epoch) = (form.signer, form.epoch);
    }

    function isValid(Written memory written) private view returns (bool) {
        IRegistryTypes.SignedHeartbeat memory item = written.item;
        IRegistryTypes.Lease storage lease = items[item.id].lease;
        return isListedItem(item.id) && item.time > lease.lastHeartbeat && item.time <= vm.getBlockTimestamp()
            && !hasPassed(item.deadline) && written.epoch == lease.epoch
            && maySign(item.id, written.signer, Permissions.HEARTBEAT);
    }

    /// @dev For the epoch of now, but one time in eight for that before, if there is one.
    function pickForm(bytes32 id, address signer) private returns (Form memory form) {
        form.signer = signer;
        form.deadline = pickExpiry();
        form.epoch = items[id].lease.epoch;
        form.holds = !hasPassed(form.deadline);
        if (form.epoch > 0 && oneIn(8)) {
            --form.epoch;
            form.holds = false;
        }
    }
}
