// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IRegistryTypes} from "./IRegistryTypes.sol";

/// @title IRegistryErrors
/// @notice Why a call failed, with the evidence.
interface IRegistryErrors is IRegistryTypes {
    /// @notice The label was claimed before.
    /// @param namespaceId The namespace of that label.
    /// @param owner Who owns it.
    error NamespaceTaken(bytes32 namespaceId, address owner);

    /// @notice This account may not register in this namespace.
    /// @param namespaceId The namespace.
    /// @param caller Who called, or signed.
    /// @param owner Who owns the namespace; the zero address if it was never claimed.
    error NamespaceClosed(bytes32 namespaceId, address caller, address owner);

    /// @notice Only the owner of the namespace, the authority of its instances, may do this.
    /// @param namespaceId The namespace.
    /// @param caller Who called.
    /// @param owner Who owns it; the zero address if it was never claimed.
    error NotNamespaceOwner(bytes32 namespaceId, address caller, address owner);

    /// @notice The namespace of an account's own address cannot be transferred.
    /// @param namespaceId The namespace.
    error PersonalNamespace(bytes32 namespaceId);

    /// @notice The caller was not proposed as the next owner of this instance or namespace in its epoch.
    /// @param key The instance or the namespace.
    /// @param caller Who called.
    /// @param proposed Who was proposed; the zero address if nobody is.
    error NotProposed(bytes32 key, address caller, address proposed);

    /// @notice The instance is listed, or it was revoked.
    /// @param id The instance.
    /// @param status What it is.
    error AlreadyRegistered(bytes32 id, Status status);

    /// @notice The instance is neither active nor suspended.
    /// @param id The instance.
    /// @param status What it is.
    error NotListed(bytes32 id, Status status);

    /// @notice Only the owner of the instance may do this. Of a registration: this instance left its service after it
    /// was transferred, so it cannot be registered again.
    /// @param id The instance.
    /// @param caller Who called, or signed.
    /// @param owner Who owns the instance.
    error NotOwner(bytes32 id, address caller, address owner);

    /// @notice The instance or the namespace is in its last epoch, the 16,777,216th: it can be neither transferred nor ended.
    /// @param key The instance or the namespace.
    error EpochsExhausted(bytes32 key);

    /// @notice The update was written for a record that is no longer the current one.
    /// @param id The instance.
    /// @param current The record hash that the registry holds.
    /// @param given The record hash that the update said it replaces.
    error RecordChanged(bytes32 id, bytes32 current, bytes32 given);

    /// @notice A text is empty, longer than 63 bytes, or holds a character that it may not hold.
    /// @param field Which text.
    /// @param value The text.
    error InvalidText(Field field, string value);

    /// @notice A namespace label may not start with `0x`: it could be taken for an account's own namespace.
    /// @param label The label.
    error ReservedLabel(string label);

    /// @notice There are no endpoints, or too many.
    /// @param count How many there are.
    /// @param max How many there may be.
    error EndpointCountOutOfRange(uint256 count, uint256 max);

    /// @notice An endpoint is empty or too long.
    /// @param index Which one.
    /// @param length Its length in bytes.
    /// @param max Its greatest length in bytes.
    error EndpointLengthOutOfRange(uint256 index, uint256 length, uint256 max);

    /// @notice The metadata is too long.
    /// @param length Its length in bytes.
    /// @param max Its greatest length in bytes.
    error MetadataTooLong(uint256 length, uint256 max);

    /// @notice The ttl is too short or too long.
    /// @param ttl The ttl in seconds.
    /// @param min The shortest in seconds.
    /// @param max The longest in seconds.
    error TtlOutOfRange(uint256 ttl, uint256 min, uint256 max);

    /// @notice The batch is empty or too large.
    /// @param size How many items it has.
    /// @param max How many it may have.
    error BatchSizeOutOfRange(uint256 size, uint256 max);

    /// @notice Of the whole batch, no instance could be renewed by the caller.
    /// @param size How many items it has.
    error NothingRenewed(uint256 size);

    /// @notice The caller is neither the owner of the instance nor an operator who may do this.
    /// @param id The instance.
    /// @param caller Who called.
    /// @param owner Who owns the instance.
    /// @param permissions The `Permissions` that an operator needs.
    error NotPermitted(bytes32 id, address caller, address owner, uint8 permissions);

    /// @notice The instance is suspended: only the authority of its namespace can end that.
    /// @param id The instance.
    error InstanceSuspended(bytes32 id);

    /// @notice An instance cannot go from this status to that one.
    /// @param id The instance.
    /// @param from What it is.
    /// @param to What was asked for.
    error InvalidTransition(bytes32 id, Status from, Status to);

    /// @notice There is no such permission.
    /// @param permissions What was given.
    /// @param max The sum of all permissions.
    error InvalidPermissions(uint8 permissions, uint8 max);

    /// @notice A grant that ends before it begins. Times are in seconds.
    /// @param expiry When it was to end.
    /// @param time The time now.
    error ExpiryPassed(uint40 expiry, uint256 time);

    /// @notice What was signed may no longer be sent. Times are in seconds.
    /// @param deadline Until when it could be.
    /// @param time The time now.
    error DeadlinePassed(uint40 deadline, uint256 time);

    /// @notice The signature is not one by this account over this digest, nor one by an operator of it who may do this.
    /// The digest holds the chain, the contract, and the epoch of the instance.
    /// @param id The instance.
    /// @param account Who should have signed: the owner.
    /// @param digest The EIP-712 digest that should have been signed.
    error InvalidSignature(bytes32 id, address account, bytes32 digest);

    /// @notice A contract is to be asked for its signature, and there is too little gas left for that.
    /// @param left How much gas was left.
    /// @param needed How much it takes, be it spent or not.
    error GasTooLow(uint256 left, uint256 needed);

    /// @notice The reason is too long.
    /// @param length Its length in bytes.
    /// @param max Its greatest length in bytes.
    error ReasonTooLong(uint256 length, uint256 max);

    /// @notice Of the whole batch, no instance could be reaped: none is active with a lease that expired long enough ago.
    /// @param size How many items it has.
    /// @param grace How long a lease must have been expired, in seconds.
    error NothingReaped(uint256 size, uint256 grace);
}
