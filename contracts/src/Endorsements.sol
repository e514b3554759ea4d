// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IEndorsements} from "./interfaces/IEndorsements.sol";
import {IRegistryTypes} from "./interfaces/IRegistryTypes.sol";
import {IServiceRegistry} from "./interfaces/IServiceRegistry.sol";

/// @title Endorsements
/// @notice The endorsements of the instances of one registry. It has no admin and no proxy.
///
/// @dev Storage layout: a mapping at slot 0, by `keccak256(abi.encode(id, epoch, endorser, topic))`, of two words:
/// expiry 0–39 and withdrawn 40–47 in the first, the digest in the second. As in the registry, every word is a function
/// of the logs and none becomes zero again.
contract Endorsements is IEndorsements {
    mapping(bytes32 key => Endorsement) private _endorsements;
    IServiceRegistry private immutable _registry;

    constructor(IServiceRegistry registry_) {
        _registry = registry_;
    }

    /// @inheritdoc IEndorsements
    function endorse(bytes32 id, uint24 epoch, bytes32 topic, uint40 expiry, bytes32 digest) external {
        if (expiry < block.timestamp) revert ExpiryPassed(expiry, block.timestamp);
        if (digest == 0) revert EmptyDigest();
        IRegistryTypes.Lease memory lease = _registry.leaseOf(id);
        if (lease.status != IRegistryTypes.Status.Active && lease.status != IRegistryTypes.Status.Suspended) {
            revert NotListed(id);
        }
        if (lease.epoch != epoch) revert EpochChanged(id, lease.epoch, epoch);
        if (lease.owner == msg.sender) revert OwnEndorsement(id, msg.sender);

        _endorsements[_keyOf(id, epoch, msg.sender, topic)] = Endorsement(expiry, false, digest);
        emit Endorsed(id, msg.sender, topic, epoch, expiry, digest);
    }

    /// @inheritdoc IEndorsements
    function withdraw(bytes32 id, bytes32 topic) external {
        uint24 epoch = _registry.leaseOf(id).epoch;
        Endorsement storage endorsement = _endorsements[_keyOf(id, epoch, msg.sender, topic)];
        if (endorsement.digest == 0 || endorsement.withdrawn) revert NotEndorsed(id, msg.sender, topic, epoch);
        endorsement.withdrawn = true;
        emit Withdrawn(id, msg.sender, topic, epoch);
    }

    /// @inheritdoc IEndorsements
    function isEndorsed(bytes32 id, address endorser, bytes32 topic) external view returns (bool) {
        Endorsement memory endorsement = endorsementOf(id, endorser, topic);
        return endorsement.digest != 0 && !endorsement.withdrawn && block.timestamp <= endorsement.expiry;
    }

    /// @inheritdoc IEndorsements
    function endorsementOf(bytes32 id, address endorser, bytes32 topic) public view returns (Endorsement memory) {
        return _endorsements[_keyOf(id, _registry.leaseOf(id).epoch, endorser, topic)];
    }

    /// @inheritdoc IEndorsements
    function registry() external view returns (address) {
        return address(_registry);
    }

    function _keyOf(bytes32 id, uint24 epoch, address endorser, bytes32 topic) private pure returns (bytes32) {
        return keccak256(abi.encode(id, epoch, endorser, topic));
    }
}
