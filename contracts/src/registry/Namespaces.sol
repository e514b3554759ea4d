// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IServiceRegistry} from "../interfaces/IServiceRegistry.sol";
import {Layout} from "./Layout.sol";
import {Records} from "./Records.sol";

/// @title Namespaces
/// @notice Who governs which names, and whom they admit.
abstract contract Namespaces is Layout {
    /// @inheritdoc IServiceRegistry
    function claimNamespace(string calldata label) external returns (bytes32 namespaceId) {
        Records.checkText(Field.Namespace, label, Records.NAME_CHARACTERS);
        bytes calldata raw = bytes(label);
        if (raw.length > 1 && raw[0] == "0" && raw[1] == "x") revert ReservedLabel(label);

        namespaceId = keccak256(raw);
        Namespace storage namespace = _namespaces[namespaceId];
        if (namespace.owner != address(0)) revert NamespaceTaken(namespaceId, namespace.owner);
        namespace.owner = msg.sender;

        emit NamespaceClaimed(namespaceId, msg.sender, label);
    }

    /// @inheritdoc IServiceRegistry
    function proposeNamespaceOwner(bytes32 namespaceId, address account) external {
        if (_isPersonal(namespaceId)) revert PersonalNamespace(namespaceId);
        uint24 epoch = _checkNamespaceOwner(namespaceId).epoch;
        _namespaceProposals[namespaceId][epoch] = Proposal(account, true);
        emit NamespaceOwnerProposed(namespaceId, epoch, account);
    }

    /// @inheritdoc IServiceRegistry
    function acceptNamespaceOwner(bytes32 namespaceId) external {
        uint24 epoch = _namespaces[namespaceId].epoch;
        address proposed = _namespaceProposals[namespaceId][epoch].account;
        if (proposed != msg.sender) revert NotProposed(namespaceId, msg.sender, proposed);
        epoch = _nextEpoch(namespaceId, epoch);
        _namespaces[namespaceId] = Namespace(msg.sender, false, epoch);
        emit NamespaceOwnerChanged(namespaceId, msg.sender, epoch);
    }

    /// @inheritdoc IServiceRegistry
    function setNamespaceOpen(bytes32 namespaceId, bool open) external {
        uint24 epoch = _checkNamespaceOwner(namespaceId).epoch;
        _namespaces[namespaceId] = Namespace(msg.sender, open, epoch);
        emit NamespaceOpenSet(namespaceId, msg.sender, open, epoch);
    }

    /// @inheritdoc IServiceRegistry
    function setRegistrar(bytes32 namespaceId, address registrar, uint40 expiry) external {
        if (expiry != 0 && expiry < block.timestamp) revert ExpiryPassed(expiry, block.timestamp);
        uint24 epoch = _checkNamespaceOwner(namespaceId).epoch;
        _registrars[namespaceId][epoch][registrar] = Grant(expiry, 0, true);
        emit RegistrarSet(namespaceId, epoch, registrar, expiry);
    }

    // ---------------------------------------------------------------- views

    /// @inheritdoc IServiceRegistry
    function namespaceOf(bytes32 namespaceId) public view returns (Namespace memory namespace) {
        namespace = _namespaces[namespaceId];
        // forge-lint: disable-next-line(unsafe-typecast): the id is the account's address
        if (_isPersonal(namespaceId)) namespace.owner = address(uint160(uint256(namespaceId)));
    }

    /// @inheritdoc IServiceRegistry
    function registrarExpiryOf(bytes32 namespaceId, address registrar) external view returns (uint40) {
        return _registrars[namespaceId][_namespaces[namespaceId].epoch][registrar].expiry;
    }

    /// @inheritdoc IServiceRegistry
    function proposedNamespaceOwnerOf(bytes32 namespaceId) external view returns (address) {
        return _namespaceProposals[namespaceId][_namespaces[namespaceId].epoch].account;
    }

    /// @inheritdoc IServiceRegistry
    function mayRegister(bytes32 namespaceId, address account) public view returns (bool) {
        // The namespace of an account's own address has no other owner, whatever is stored: no need to look.
        if (uint256(namespaceId) == uint160(account)) return true;
        Namespace memory namespace = _namespaces[namespaceId];
        return account == namespace.owner || namespace.open
            || block.timestamp <= _registrars[namespaceId][namespace.epoch][account].expiry;
    }

    // --------------------------------------------------------------- checks

    /// @dev Whether this is the namespace of an account's own address. No label has such an id: 96 bits of its hash
    /// would have to be zero.
    function _isPersonal(bytes32 namespaceId) private pure returns (bool) {
        return uint256(namespaceId) >> 160 == 0;
    }

    function _checkNamespaceOwner(bytes32 namespaceId) internal view returns (Namespace memory namespace) {
        namespace = namespaceOf(namespaceId);
        if (msg.sender != namespace.owner) revert NotNamespaceOwner(namespaceId, msg.sender, namespace.owner);
    }
}
