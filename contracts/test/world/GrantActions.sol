// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {InstanceActions} from "./InstanceActions.sol";
import {IEndorsements} from "../../src/interfaces/IEndorsements.sol";
import {IRegistryTypes} from "../../src/interfaces/IRegistryTypes.sol";

/// @notice Transfers, operators, and what others say of an instance.
abstract contract GrantActions is InstanceActions {
    function proposeOwner(uint256 entropy) external {
        seed(entropy);
        bytes32 id = pickListed();
        address actor = mostly(items[id].lease.owner);
        address next = oneIn(8) ? address(0) : pickActor();
        (bool success,) = act(
            "proposeOwner",
            actor,
            isListedItem(id) && items[id].lease.owner == actor,
            abi.encodeCall(registry.proposeOwner, (id, next))
        );
        if (success) items[id].proposed = next;
        settle(id);
    }

    function acceptOwner(uint256 entropy) external {
        seed(entropy);
        bytes32 id = pickId();
        for (uint256 i = 0; i < 30 && items[id].proposed == address(0); ++i) {
            id = pickId();
        }
        address actor = mostly(items[id].proposed);
        (bool success,) = act(
            "acceptOwner",
            actor,
            isListedItem(id) && items[id].proposed == actor,
            abi.encodeCall(registry.acceptOwner, (keyOfItem(id)))
        );
        if (success) putOwner(id, actor);
        settle(id);
    }

    function setOperator(uint256 entropy) external {
        seed(entropy);
        address owner = pickActor();
        address operator = pickActor();
        IRegistryTypes.Grant memory grant = pickGrant();
        (bool success,) = act(
            "setOperator",
            owner,
            isGrant(grant),
            abi.encodeCall(registry.setOperator, (operator, grant.permissions, grant.expiry))
        );
        if (success) operators[owner][operator] = grant;
        settle();
        assertGrant(registry.operatorOf(owner, operator), operators[owner][operator]);
    }

    function setInstanceOperator(uint256 entropy) external {
        seed(entropy);
        bytes32 id = pickListed();
        address actor = mostly(items[id].lease.owner);
        address operator = pickActor();
        IRegistryTypes.Grant memory grant = pickGrant();
        (bool success,) = act(
            "setInstanceOperator",
            actor,
            isListedItem(id) && items[id].lease.owner == actor && isGrant(grant),
            abi.encodeCall(registry.setInstanceOperator, (id, operator, grant.permissions, grant.expiry))
        );
        if (success) instanceOperators[id][operator] = grant;
        settle(id);
    }

    // --------------------------------------------------------- endorsements

    function endorse(uint256 entropy) external {
        seed(entropy);
        bytes32 id = pickListed();
        address actor = oneIn(8) ? items[id].lease.owner : pickActor();
        bytes32 topic = topics[pick(topics.length)];
        // As `leaseOf` says it now, or said it before, or will.
        uint24 epoch = items[id].lease.epoch;
        if (oneIn(8)) epoch = epoch > 0 && oneIn(2) ? epoch - 1 : epoch + 1;
        IEndorsements.Endorsement memory given =
            IEndorsements.Endorsement(pickExpiry(), false, oneIn(16) ? bytes32(0) : bytes32(pick(1000) + 1));
        bool expected = isListedItem(id) && items[id].lease.owner != actor && epoch == items[id].lease.epoch
            && !hasPassed(given.expiry) && given.digest != 0;
        (bool success,) = actOn(
            address(endorsements),
            "endorse",
            actor,
            expected,
            abi.encodeCall(endorsements.endorse, (id, epoch, topic, given.expiry, given.digest))
        );
        if (success) endorsed[id][actor][topic] = given;
        settle(id);
    }

    function withdraw(uint256 entropy) external {
        seed(entropy);
        (bytes32 id, address actor, bytes32 topic) = (pickId(), pickActor(), topics[pick(topics.length)]);
        for (uint256 i = 0; i < 100 && endorsed[id][actor][topic].digest == 0; ++i) {
            (id, actor, topic) = (pickId(), pickActor(), topics[pick(topics.length)]);
        }
        IEndorsements.Endorsement storage given = endorsed[id][actor][topic];
        (bool success,) = actOn(
            address(endorsements),
            "withdraw",
            actor,
            given.digest != 0 && !given.withdrawn,
            abi.encodeCall(endorsements.withdraw, (id, topic))
        );
        if (success) given.withdrawn = true;
        settle(id);
    }

    // ---------------------------------------------------------------- picks

    /// @dev Permissions often all of them, one time in sixteen too many, one in eight none.
    function pickGrant() private returns (IRegistryTypes.Grant memory) {
        uint256 permissions = oneIn(3) ? 7 : 1 + pick(7);
        if (oneIn(16)) permissions = 8 + pick(248);
        if (oneIn(8)) permissions = 0;
        // forge-lint: disable-next-line(unsafe-typecast): at most 255
        return IRegistryTypes.Grant(pickExpiry(), uint8(permissions), true);
    }

    function isGrant(IRegistryTypes.Grant memory grant) private view returns (bool) {
        return grant.permissions == 0 || (grant.permissions < 8 && !hasPassed(grant.expiry));
    }
}
