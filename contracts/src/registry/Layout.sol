// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IServiceRegistry} from "../interfaces/IServiceRegistry.sol";

/// @title Layout
/// @notice What the registry stores, and how the words are taken apart.
///
/// @dev It is part of the interface: light clients prove these words, and indexers rebuild them from the logs.
/// `slot(k, p)` is `keccak256(abi.encode(k, p))`, the place of key `k` in the mapping at slot `p`; in a mapping of
/// mappings `p` is the place of the inner one.
///
/// ```
/// slot  mapping                                            word
///  0    instance id                                  A     owner 0–159, lastHeartbeat 160–199, ttl 200–223,
///                                                          status 224–231, epoch 232–255
///                                                    B     recordHash, in the next slot
///  1    service                                            count 0–63, sequence 64–127
///  2    namespace                                          owner 0–159, open 160–167, epoch 168–191
///  3    namespace, its epoch                               proposed owner 0–159, made 160–167
///  4    namespace, its epoch, registrar                    expiry 0–39, permissions 40–47 (zero), made 48–55
///  5    instance id, its epoch                             proposed owner 0–159, made 160–167
///  6    owner, operator                                    expiry 0–39, permissions 40–47, made 48–55
///  7    instance id, its epoch, operator                   expiry 0–39, permissions 40–47, made 48–55
/// ```
///
/// Three rules hold for every word:
/// - it is a pure function of the logs of this contract;
/// - once it is nonzero it is never zero again, since nodes differ in what they prove of a zeroed slot. A roster of
///   count 0 keeps its sequence, an instance that has left keeps its lease under another status, what was granted or
///   proposed once stays `made`;
/// - what an epoch granted is kept under that epoch, so nothing has to be cleared when the next begins.
abstract contract Layout is IServiceRegistry {
    /// @dev The two words of an instance.
    struct Instance {
        Lease lease;
        bytes32 recordHash;
    }

    mapping(bytes32 id => Instance) internal _instances;
    // slither-disable-next-line uninitialized-state: it is written in assembly, by `_advance`
    mapping(bytes32 service => Roster) internal _rosters;
    mapping(bytes32 namespaceId => Namespace) internal _namespaces;
    mapping(bytes32 namespaceId => mapping(uint24 epoch => Proposal)) internal _namespaceProposals;
    mapping(bytes32 namespaceId => mapping(uint24 epoch => mapping(address registrar => Grant))) internal _registrars;
    mapping(bytes32 id => mapping(uint24 epoch => Proposal)) internal _proposals;
    mapping(address owner => mapping(address operator => Grant)) internal _operators;
    mapping(bytes32 id => mapping(uint24 epoch => mapping(address operator => Grant))) internal _instanceOperators;

    // -------------------------------------------------------------- rosters

    /// @dev One change of a service, in the word of its roster.
    uint256 private constant _CHANGE = 1 << 64;

    function _enter(bytes32 service) internal returns (uint64 count, uint64 sequence) {
        return _advance(service, _CHANGE + 1);
    }

    function _leave(bytes32 service) internal returns (uint64 count, uint64 sequence) {
        return _advance(service, _CHANGE - 1);
    }

    /// @dev A change of an instance that neither enters nor leaves.
    function _touch(bytes32 service) internal returns (uint64 count, uint64 sequence) {
        return _advance(service, _CHANGE);
    }

    /// @dev Adds to the word as a whole: the compiler would read and write it once for each of its fields. No field runs
    /// over. The sequence goes up by one at a time, and no chain has room for 2^64 of them; the count is never more than
    /// the sequence; and only a listed instance leaves, which is in the count since it entered.
    function _advance(bytes32 service, uint256 step) private returns (uint64 count, uint64 sequence) {
        Roster storage roster = _rosters[service];
        uint256 word;
        assembly ("memory-safe") {
            word := add(sload(roster.slot), step)
            sstore(roster.slot, word)
        }
        // forge-lint: disable-next-line(unsafe-typecast): each cast cuts a field out of the word
        return (uint64(word), uint64(word >> 64));
    }

    // -------------------------------------------------------------- slot A

    // The compiler reads and writes a word again for each of its fields. These do it once and take it apart by the
    // layout above: it is what keeps a heartbeat under its bar.
    // forge-lint: disable-start(unsafe-typecast)

    function _load(Lease storage lease) internal view returns (uint256 word) {
        assembly ("memory-safe") {
            word := sload(lease.slot)
        }
    }

    function _store(Lease storage lease, uint256 word) internal {
        assembly ("memory-safe") {
            sstore(lease.slot, word)
        }
    }

    function _renew(Lease storage lease, uint256 word, uint256 time) internal {
        _store(lease, (word & ~(uint256(type(uint40).max) << 160)) | (uint256(uint40(time)) << 160));
    }

    function _ownerIn(uint256 word) internal pure returns (address) {
        return address(uint160(word));
    }

    function _lastHeartbeatIn(uint256 word) internal pure returns (uint40) {
        return uint40(word >> 160);
    }

    function _ttlIn(uint256 word) internal pure returns (uint24) {
        return uint24(word >> 200);
    }

    function _statusIn(uint256 word) internal pure returns (Status) {
        return Status(uint8(word >> 224));
    }

    function _epochIn(uint256 word) internal pure returns (uint24) {
        return uint24(word >> 232);
    }

    /// @dev `Active` and `Suspended` are 1 and 2.
    function _isListed(uint256 word) internal pure returns (bool) {
        uint256 status = uint8(word >> 224);
        return status == uint256(Status.Active) || status == uint256(Status.Suspended);
    }

    // forge-lint: disable-end(unsafe-typecast)

    /// @dev Writes slot A anew but for the owner, the last heartbeat and the ttl.
    function _setStatus(Lease storage lease, uint256 word, Status status, uint24 epoch) internal {
        _store(lease, (word & ((1 << 224) - 1)) | (uint256(status) << 224) | (uint256(epoch) << 232));
    }

    function _loadListed(bytes32 id, Lease storage lease) internal view returns (uint256 word) {
        word = _load(lease);
        if (!_isListed(word)) revert NotListed(id, _statusIn(word));
    }

    /// @dev It must not wrap: what was granted in the first epochs would be valid again.
    function _nextEpoch(bytes32 key, uint24 epoch) internal pure returns (uint24) {
        if (epoch == type(uint24).max) revert EpochsExhausted(key);
        unchecked {
            return epoch + 1;
        }
    }

    function _checkOwner(bytes32 id, uint256 word) internal view {
        if (_ownerIn(word) != msg.sender) revert NotOwner(id, msg.sender, _ownerIn(word));
    }
}
