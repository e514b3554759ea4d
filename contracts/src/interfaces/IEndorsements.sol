// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title IEndorsements
/// @notice What others than its owner say of an instance: that it was audited, that it keeps to a policy, that it serves
/// their region. An endorsement is bound to the instance's epoch, so it does not outlive a transfer or a deregistration.
///
/// Warning: anyone may endorse anything. An endorsement is worth what its endorser is worth to you.
interface IEndorsements {
    /// @notice One endorsement, two storage words.
    struct Endorsement {
        /// Until when it holds, in seconds: `now <= expiry`. First word, bits 0–39.
        uint40 expiry;
        /// Whether it was withdrawn. First word, bits 40–47.
        bool withdrawn;
        /// What it says or points to, such as the hash of a report. Second word; never zero of one that was given.
        bytes32 digest;
    }

    /// @notice An instance was endorsed, or an endorsement was replaced.
    /// @param id The instance.
    /// @param endorser Who endorsed it.
    /// @param topic What about.
    /// @param epoch The instance's epoch: the endorsement is void in the next.
    /// @param expiry Until when it holds, in seconds.
    /// @param digest What it says or points to.
    event Endorsed(
        bytes32 indexed id, address indexed endorser, bytes32 indexed topic, uint24 epoch, uint40 expiry, bytes32 digest
    );

    /// @notice An endorsement was withdrawn. It keeps its expiry and its digest.
    /// @param id The instance.
    /// @param endorser Who had endorsed it.
    /// @param topic What about.
    /// @param epoch The instance's epoch.
    event Withdrawn(bytes32 indexed id, address indexed endorser, bytes32 indexed topic, uint24 epoch);

    /// @notice Only a listed instance can be endorsed.
    /// @param id The instance.
    error NotListed(bytes32 id);

    /// @notice The endorsement was meant for another epoch: the instance changed hands or left its service meanwhile.
    /// @param id The instance.
    /// @param current The epoch that the instance is in.
    /// @param given The epoch that the endorsement was meant for.
    error EpochChanged(bytes32 id, uint24 current, uint24 given);

    /// @notice An owner cannot endorse its own instance.
    /// @param id The instance.
    /// @param owner Who owns it.
    error OwnEndorsement(bytes32 id, address owner);

    /// @notice An endorsement that ends before it begins. Times are in seconds.
    /// @param expiry When it was to end.
    /// @param time The time now.
    error ExpiryPassed(uint40 expiry, uint256 time);

    /// @notice The digest is zero. Of nothing, endorse `keccak256("")`.
    error EmptyDigest();

    /// @notice The caller has given no such endorsement in the instance's epoch, or has withdrawn it.
    /// @param id The instance.
    /// @param endorser Who called.
    /// @param topic What about.
    /// @param epoch The instance's epoch.
    error NotEndorsed(bytes32 id, address endorser, bytes32 topic, uint24 epoch);

    /// @notice Endorses a listed instance in its present epoch, in place of what the caller said about the topic before.
    /// The caller names the epoch that it looked at, so the endorsement never falls to an owner who came meanwhile.
    ///
    /// Warning: it covers what the instance is, not what it publishes: its owner can update the record. Put the record
    /// hash into what the digest is of, if it matters.
    /// @param id The instance.
    /// @param epoch The instance's epoch, as `leaseOf` says it.
    /// @param topic What about: by custom a text of at most 31 bytes, left-aligned.
    /// @param expiry Until when it holds, in seconds, now or later.
    /// @param digest What it says or points to, not zero.
    function endorse(bytes32 id, uint24 epoch, bytes32 topic, uint40 expiry, bytes32 digest) external;

    /// @notice Withdraws what the caller said about a topic in the instance's present epoch.
    /// @param id The instance.
    /// @param topic What about.
    function withdraw(bytes32 id, bytes32 topic) external;

    /// @notice Whether an endorsement holds now: it was given in the instance's present epoch, has not expired, and was
    /// not withdrawn.
    /// @param id The instance.
    /// @param endorser Who.
    /// @param topic What about.
    /// @return Whether it holds.
    function isEndorsed(bytes32 id, address endorser, bytes32 topic) external view returns (bool);

    /// @notice An endorsement of the instance's present epoch.
    /// @param id The instance.
    /// @param endorser Who.
    /// @param topic What about.
    /// @return The endorsement, expired and withdrawn or not; all zero if there is none.
    function endorsementOf(bytes32 id, address endorser, bytes32 topic) external view returns (Endorsement memory);

    /// @notice Whose instances are endorsed here.
    /// @return The address of the registry.
    function registry() external view returns (address);
}
