// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IRegistryErrors} from "./IRegistryErrors.sol";
import {IRegistryEvents} from "./IRegistryEvents.sol";

/// @title IServiceRegistry
/// @notice A catalogue of services whose entries only their owners can write.
///
/// A **service** is a name in a **namespace**; an **instance** is one registration of a service, with its own version,
/// endpoints, metadata and **lease**. An instance is live while its lease runs: `now <= lastHeartbeat + ttl`.
///
/// The state holds a lease and a hash for each instance; the bodies of the records are in the logs. Every storage slot
/// is a function of the logs, so whoever has them can rebuild the whole storage of the contract and compare its root
/// with the chain's.
///
/// Warning: endpoints and metadata are arbitrary bytes. They may be invalid UTF-8, hold NUL bytes or markup, or name
/// hosts that are not the owner's. The registry proves who wrote a record, never that it is true.
///
/// A call that is signed instead of sent can be sent by anyone, until its deadline. What is signed is EIP-712 typed data
/// of this chain and this contract, and binds to the state that it changes, so that it works once.
///
/// Who may do what, and which status follows on which, is in docs/contract.md.
interface IServiceRegistry is IRegistryEvents, IRegistryErrors {
    // ----------------------------------------------------------- namespaces

    /// @notice Makes the caller the owner of the namespace `keccak256(bytes(label))`. First come, first served.
    ///
    /// Warning: a claim can be seen before it is mined, and another may then claim the label first. The namespace of
    /// the caller's own address, `bytes32(uint160(caller))`, needs no claim and cannot be lost that way.
    ///
    /// Warning: a label is no proof of who its owner is. Compare the owner's address with one known from elsewhere.
    /// @param label 1–63 characters of `[a-z0-9._-]`, the first a letter or digit, not starting with `0x`.
    /// @return namespaceId The namespace.
    function claimNamespace(string calldata label) external returns (bytes32 namespaceId);

    /// @notice Proposes the next owner of a namespace. Only its owner may. The transfer happens when that account accepts.
    /// A later proposal replaces this one; the zero address takes it back.
    ///
    /// Warning: with the namespace goes the authority over all instances in it.
    /// @param namespaceId The namespace of a label: that of an account's own address cannot be transferred.
    /// @param account Who may accept.
    function proposeNamespaceOwner(bytes32 namespaceId, address account) external;

    /// @notice Makes the caller, who was proposed, the owner of a namespace. Registrars and proposals of before are void
    /// and the namespace is closed; its instances stay as they are.
    /// @param namespaceId The namespace.
    function acceptNamespaceOwner(bytes32 namespaceId) external;

    /// @notice Opens a namespace to all, or closes it. Only its owner may. What is registered stays registered.
    ///
    /// Warning: in an open namespace a service's instances are from anyone. Consumers must look at their owners.
    /// @param namespaceId The namespace.
    /// @param open Whether anyone may register in it.
    function setNamespaceOpen(bytes32 namespaceId, bool open) external;

    /// @notice Admits an account to register in a namespace, or dismisses it. Only the owner of the namespace may.
    ///
    /// Warning: what a registrar has registered stays its own after it is dismissed. Revoke it if it must go.
    /// @param namespaceId The namespace.
    /// @param registrar Who.
    /// @param expiry Until when, in seconds, now or later; 0 dismisses.
    function setRegistrar(bytes32 namespaceId, address registrar, uint40 expiry) external;

    // ------------------------------------------------------------ instances

    /// @notice Registers an instance of a service, or registers anew one that was deregistered or reaped. The caller
    /// becomes its owner and its lease starts now. The caller must own the namespace, or be its registrar, or the
    /// namespace must be open.
    ///
    /// Warning: all of the record is public for ever, after a deregistration too.
    ///
    /// Warning: an instance that was transferred and then left its service is gone for ever: its registrant is not its
    /// owner, and its owner is not its registrant.
    /// @param registration What to register.
    /// @return id The instance.
    function register(Registration calldata registration) external returns (bytes32 id);

    /// @notice Replaces the record of a listed instance. Only its owner may, or an operator with `UPDATE`; one who changes
    /// the ttl needs `HEARTBEAT` as well.
    ///
    /// Warning: an update is no heartbeat. But the new ttl counts from the last heartbeat, so a longer one can make an
    /// instance live again whose lease had expired, and a shorter one can end its lease at once.
    /// @param change What to write, and the record hash that it replaces.
    function update(RecordUpdate calldata change) external;

    /// @notice Takes an active instance out of its service. Only its owner may, or an operator with `DEREGISTER`. Its
    /// registrant may register it again if it owned it to the end.
    ///
    /// Warning: a suspended instance cannot be deregistered: it would be a way around the suspension.
    ///
    /// Warning: `areLive` and caches of it answer for the block they were asked at; give consumers time to notice
    /// before the endpoints stop to answer.
    /// @param key The preimage of its id.
    function deregister(InstanceKey calldata key) external;

    /// @notice Proposes the next owner of a listed instance. Only its owner may. The transfer happens when that account
    /// accepts. A later proposal replaces this one; the zero address takes it back.
    ///
    /// Warning: the next owner can point the instance anywhere, under the name that consumers know.
    /// @param id The instance.
    /// @param account Who may accept.
    function proposeOwner(bytes32 id, address account) external;

    /// @notice Makes the caller, who was proposed, the owner of a listed instance. Proposals, operators of this instance,
    /// endorsements and signatures of before are void; its lease runs on.
    ///
    /// Warning: the operators that the caller has for all of its instances can act on this one at once.
    /// @param key The preimage of its id.
    function acceptOwner(InstanceKey calldata key) external;

    /// @notice Says what an operator may do for all of the caller's instances, those of later included.
    ///
    /// Warning: the grant stays when instances come and go. Set an expiry that is near, and renew it.
    /// @param operator The operator. It must be a key to sign; a contract as operator can only send.
    /// @param permissions A sum of `Permissions`; 0 withdraws the grant.
    /// @param expiry Until when, in seconds, now or later; of no meaning if `permissions` is 0.
    function setOperator(address operator, uint8 permissions, uint40 expiry) external;

    /// @notice Says what an operator may do for one listed instance, in its present epoch. Only its owner may.
    /// @param id The instance.
    /// @param operator The operator. It must be a key to sign; a contract as operator can only send.
    /// @param permissions A sum of `Permissions`; 0 withdraws the grant.
    /// @param expiry Until when, in seconds, now or later; of no meaning if `permissions` is 0.
    function setInstanceOperator(bytes32 id, address operator, uint8 permissions, uint40 expiry) external;

    /// @notice Suspends an active instance, reinstates a suspended one, or revokes one for ever, be it listed or not. Only
    /// the owner of the namespace may.
    ///
    /// Warning: a revocation cannot be taken back. The registrant may register under another label, if it is still
    /// admitted to the namespace.
    /// @param path The preimage of its id.
    /// @param status `Suspended`, `Active` or `Revoked`.
    /// @param reason Why: at most 256 arbitrary bytes, public for ever.
    function setStatus(InstancePath calldata path, Status status, bytes calldata reason) external;

    /// @notice Takes out of their services those active instances whose leases expired longer than 7 days ago. Anyone
    /// may.
    ///
    /// Warning: an instance that cannot be reaped is skipped. Only if all are skipped does the call fail.
    /// @param keys The preimages of the ids of 1–200 instances.
    /// @return reaped How many were reaped.
    function reap(InstanceKey[] calldata keys) external returns (uint256 reaped);

    // ----------------------------------------------------------- heartbeats

    /// @notice Renews the lease of a listed instance, from now. Only its owner may, or an operator with `HEARTBEAT`. An
    /// expired lease is renewed too.
    ///
    /// Warning: a heartbeat proves that a key was used, not that the service works.
    ///
    /// Warning: a suspended instance can be renewed, and is not live all the same.
    /// @param id The instance.
    function heartbeat(bytes32 id) external;

    /// @notice Renews the leases of many listed instances, from now.
    ///
    /// Warning: an instance that is not listed, or that the caller may not renew, is skipped, so that it does not let the
    /// leases of the others expire. Compare the result with the number of ids. Only if all are skipped does the call
    /// fail.
    /// @param ids 1–500 instances. One that is given twice is renewed once, but counted and logged twice.
    /// @return renewed How many of the ids were not skipped.
    function heartbeatBatch(bytes32[] calldata ids) external returns (uint256 renewed);

    // ----------------------------------------------------- signed variants

    /// @notice Registers as `register` does, for an owner who signed
    /// `Register(address owner,bytes32 namespaceId,string name,string label,string version,bytes[] endpoints,bytes metadata,uint24 ttl,uint24 epoch,uint40 deadline)`
    /// with the instance's present epoch, 0 if it is new.
    /// @param registration What to register.
    /// @param owner Who signed: a key, or a contract that implements ERC-1271.
    /// @param deadline Until when it may be sent, in seconds.
    /// @param signature 64 (EIP-2098) or 65 bytes of a key, any bytes of a contract.
    /// @return id The instance.
    function registerSigned(
        Registration calldata registration,
        address owner,
        uint40 deadline,
        bytes calldata signature
    ) external returns (bytes32 id);

    /// @notice Updates as `update` does, for an owner or operator who signed
    /// `Update(bytes32 id,bytes32 prevRecordHash,string version,bytes[] endpoints,bytes metadata,uint24 ttl,uint24 epoch,uint40 deadline)`
    /// with the instance's present epoch.
    /// @param change What to write, and the record hash that it replaces.
    /// @param deadline Until when it may be sent, in seconds.
    /// @param signature As in `registerSigned`.
    function updateSigned(RecordUpdate calldata change, uint40 deadline, bytes calldata signature) external;

    /// @notice Deregisters as `deregister` does, for an owner or operator who signed
    /// `Deregister(bytes32 id,uint24 epoch,uint40 deadline)` with the instance's present epoch.
    /// @param key The preimage of its id.
    /// @param deadline Until when it may be sent, in seconds.
    /// @param signature As in `registerSigned`.
    function deregisterSigned(InstanceKey calldata key, uint40 deadline, bytes calldata signature) external;

    /// @notice Renews the leases of listed instances, each from the time that its owner or operator signed.
    ///
    /// Warning: an item that is not valid is skipped and never fails the batch, even if it is the only one: not listed,
    /// not after the last heartbeat, in the future, past its deadline, or not signed by one who may. Compare the result
    /// with the number of items. A contract that is asked for its signature by ERC-1271 gets at most 200,000 gas, and
    /// all in a batch 5,000,000: what comes after that is skipped. With less gas left than it gets, the call fails.
    ///
    /// Warning: who has signatures made in advance can keep an instance live without its owner, until their deadlines.
    /// @param items 1–500 signed heartbeats.
    /// @return renewed How many of them were not skipped.
    function heartbeatSigned(SignedHeartbeat[] calldata items) external returns (uint256 renewed);

    // ---------------------------------------------------------------- views

    /// @notice Whether an instance is active and its lease runs: `now <= lastHeartbeat + ttl`.
    ///
    /// Warning: "now" is the timestamp of the block that the call is made at. An answer from a lagging node is as old
    /// as that node's head.
    /// @param id The instance.
    /// @return Whether it is live.
    function isLive(bytes32 id) external view returns (bool);

    /// @notice Whether each of many instances is live.
    /// @param ids The instances, any number of them.
    /// @return bitmap Bit `i % 256` of word `i / 256` is set if `ids[i]` is live.
    function areLive(bytes32[] calldata ids) external view returns (uint256[] memory bitmap);

    /// @notice The lease of an instance, as it is stored.
    ///
    /// Warning: a lease outlives its instance. It tells the last owner and the last heartbeat even of one that is
    /// deregistered; ask `status` first, or use `isLive`.
    /// @param id The instance.
    /// @return The lease; all zero if there never was such an instance.
    function leaseOf(bytes32 id) external view returns (Lease memory);

    /// @notice The hash that commits to the current record of an instance and to all of its records before.
    /// @param id The instance.
    /// @return The hash; zero if there never was such an instance.
    function recordHashOf(bytes32 id) external view returns (bytes32);

    /// @notice The roster of a service.
    ///
    /// Warning: expired instances are listed, and counted, until someone takes them out.
    /// @param service The service.
    /// @return count How many instances are listed.
    /// @return sequence How many changes the service has had, heartbeats aside.
    function countOf(bytes32 service) external view returns (uint64 count, uint64 sequence);

    /// @notice Who governs a namespace, and how.
    /// @param namespaceId The namespace.
    /// @return The owner is the account whose own namespace it is, or who owns its label; the zero address if nobody
    /// claimed it.
    function namespaceOf(bytes32 namespaceId) external view returns (Namespace memory);

    /// @notice Whether an account may register in a namespace now: it is open, or its own, or it is a registrar.
    /// @param namespaceId The namespace.
    /// @param account The account.
    /// @return Whether it may.
    function mayRegister(bytes32 namespaceId, address account) external view returns (bool);

    /// @notice Until when an account is admitted to register in a namespace.
    /// @param namespaceId The namespace.
    /// @param registrar The account.
    /// @return In seconds, passed or not; 0 if it was not admitted, or dismissed.
    function registrarExpiryOf(bytes32 namespaceId, address registrar) external view returns (uint40);

    /// @notice Who was proposed as the next owner of a namespace.
    /// @param namespaceId The namespace.
    /// @return The account; the zero address if nobody is proposed.
    function proposedNamespaceOwnerOf(bytes32 namespaceId) external view returns (address);

    /// @notice Who was proposed as the next owner of an instance.
    /// @param id The instance.
    /// @return The account; the zero address if nobody is proposed.
    function proposedOwnerOf(bytes32 id) external view returns (address);

    /// @notice What an operator may do for all of an owner's instances.
    /// @param owner The owner.
    /// @param operator The operator.
    /// @return The grant, expired or not.
    function operatorOf(address owner, address operator) external view returns (Grant memory);

    /// @notice What an operator may do for one instance, besides what it may do for all of its owner's.
    /// @param id The instance.
    /// @param operator The operator.
    /// @return The grant of the present epoch, expired or not.
    function instanceOperatorOf(bytes32 id, address operator) external view returns (Grant memory);

    /// @notice Whether an account may do all of this for an instance now: it is the owner, or one grant lets it.
    /// @param id The instance.
    /// @param account The account.
    /// @param permissions A sum of `Permissions`, not 0.
    /// @return Whether it may.
    function isPermitted(bytes32 id, address account, uint8 permissions) external view returns (bool);

    /// @notice Whether a signature is an account's over a digest: by its key, or by ERC-1271 if it has code.
    /// @param account The account.
    /// @param digest The digest.
    /// @param signature The signature.
    /// @return Whether it is.
    function isSignatureOf(address account, bytes32 digest, bytes calldata signature) external view returns (bool);

    /// @notice Whether this is the current record of an instance.
    ///
    /// Warning: it does not say that the instance is live, nor listed: the last record of one that is deregistered
    /// verifies as well. Ask `isLive` too.
    /// @param id The instance.
    /// @param registrant Who registered it; not its owner, if it was transferred.
    /// @param registration Its record: what was registered, with the last update written over it.
    /// @param prevRecordHash The record hash that this record replaced, as its event says; 0 for a first record.
    /// @return Whether the id is the one of this namespace, name, registrant and label, and the record hash and the ttl
    /// that the registry holds are those of this record.
    function verifyRecord(bytes32 id, address registrant, Registration calldata registration, bytes32 prevRecordHash)
        external
        view
        returns (bool);
}
