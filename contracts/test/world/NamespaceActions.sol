// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Signing} from "./Signing.sol";

/// @notice Claims, transfers and admissions.
abstract contract NamespaceActions is Signing {
    function claimNamespace(uint256 entropy) public {
        seed(entropy);
        address actor = pickActor();
        string memory label = claims[pick(claims.length)];
        bytes32 namespaceId = keccak256(bytes(label));
        bool free = realms[namespaceId].owner == address(0);
        (bool success,) = act("claimNamespace", actor, free, abi.encodeCall(registry.claimNamespace, (label)));
        if (success) realms[namespaceId].owner = actor;
        settle();
        assertNamespace(namespaceId);
    }

    function proposeNamespaceOwner(uint256 entropy) external {
        seed(entropy);
        bytes32 namespaceId = pickNamespace();
        address actor = mostly(realms[namespaceId].owner);
        address next = oneIn(8) ? address(0) : pickActor();
        (bool success,) = act(
            "proposeNamespaceOwner",
            actor,
            realms[namespaceId].owner == actor && !isPersonal(namespaceId),
            abi.encodeCall(registry.proposeNamespaceOwner, (namespaceId, next))
        );
        if (success) realms[namespaceId].proposed = next;
        settle();
        assertNamespace(namespaceId);
    }

    function acceptNamespaceOwner(uint256 entropy) external {
        seed(entropy);
        bytes32 namespaceId = pickNamespace();
        for (uint256 i = 0; i < 8 && realms[namespaceId].proposed == address(0); ++i) {
            namespaceId = pickNamespace();
        }
        address actor = mostly(realms[namespaceId].proposed);
        (bool success,) = act(
            "acceptNamespaceOwner",
            actor,
            realms[namespaceId].proposed == actor,
            abi.encodeCall(registry.acceptNamespaceOwner, (namespaceId))
        );
        if (success) putNamespaceOwner(namespaceId, actor);
        settle();
        assertNamespace(namespaceId);
    }

    function setNamespaceOpen(uint256 entropy) external {
        seed(entropy);
        bytes32 namespaceId = pickNamespace();
        address actor = mostly(realms[namespaceId].owner);
        bool open = oneIn(2);
        (bool success,) = act(
            "setNamespaceOpen",
            actor,
            realms[namespaceId].owner == actor,
            abi.encodeCall(registry.setNamespaceOpen, (namespaceId, open))
        );
        if (success) realms[namespaceId].open = open;
        settle();
        assertNamespace(namespaceId);
    }

    function setRegistrar(uint256 entropy) external {
        seed(entropy);
        bytes32 namespaceId = pickNamespace();
        address actor = mostly(realms[namespaceId].owner);
        address registrar = pickActor();
        uint40 expiry = oneIn(8) ? 0 : pickExpiry();
        (bool success,) = act(
            "setRegistrar",
            actor,
            realms[namespaceId].owner == actor && (expiry == 0 || !hasPassed(expiry)),
            abi.encodeCall(registry.setRegistrar, (namespaceId, registrar, expiry))
        );
        if (success) realms[namespaceId].registrars[registrar] = expiry;
        settle();
        assertNamespace(namespaceId);
    }

    /// @dev One of a label half of the time, else one of an account.
    function pickNamespace() internal returns (bytes32) {
        if (oneIn(2)) return keccak256(bytes(claims[pick(claims.length)]));
        return own(pickActor());
    }

    function isPersonal(bytes32 namespaceId) private pure returns (bool) {
        return uint256(namespaceId) <= type(uint160).max;
    }
}
