// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Base} from "../Base.sol";
import {Endorsements} from "../../src/Endorsements.sol";
import {IEndorsements} from "../../src/interfaces/IEndorsements.sol";
import {IRegistryTypes} from "../../src/interfaces/IRegistryTypes.sol";
import {IServiceRegistry} from "../../src/interfaces/IServiceRegistry.sol";

/// @notice The tree is in `endorse.tree`.
contract EndorseTest is Base {
    Endorsements internal endorsements;
    bytes32 internal id;

    bytes32 internal constant TOPIC = "audited";
    bytes32 internal constant DIGEST = keccak256("report");

    function setUp() public override {
        super.setUp();
        endorsements = new Endorsements(IServiceRegistry(address(registry)));
        id = registerPayments("replica-1");
    }

    /// @dev In the epoch of now.
    function endorse(uint40 expiry, bytes32 digest) internal {
        uint24 epoch = epochOf(id);
        vm.prank(bob);
        endorsements.endorse(id, epoch, TOPIC, expiry, digest);
    }

    /// @dev The two words of what bob said in an epoch.
    function wordsIn(uint24 epoch) internal view returns (bytes32 first, bytes32 second) {
        uint256 slot = uint256(keccak256(abi.encode(keccak256(abi.encode(id, epoch, bob, TOPIC)), uint256(0))));
        return (vm.load(address(endorsements), bytes32(slot)), vm.load(address(endorsements), bytes32(slot + 1)));
    }

    function notEndorsed(address endorser, bytes32 topic, uint24 epoch) internal view returns (bytes memory) {
        return abi.encodeWithSelector(IEndorsements.NotEndorsed.selector, id, endorser, topic, epoch);
    }

    // -------------------------------------------------------------- endorse

    function test_RevertWhen_TheExpiryHasPassed() external {
        vm.expectRevert(abi.encodeWithSelector(IEndorsements.ExpiryPassed.selector, START - 1, START));
        endorse(START - 1, DIGEST);
    }

    function test_RevertWhen_TheDigestIsZero() external {
        vm.expectRevert(IEndorsements.EmptyDigest.selector);
        endorse(START, 0);
    }

    function test_RevertGiven_TheInstanceIsNotListed() external {
        IRegistryTypes.Status[3] memory statuses = unlisted();
        for (uint256 i = 0; i < statuses.length; ++i) {
            uint256 snapshot = vm.snapshotState();
            bring("replica-1", statuses[i]);
            vm.expectRevert(abi.encodeWithSelector(IEndorsements.NotListed.selector, id));
            endorse(START, DIGEST);
            vm.revertToState(snapshot);
        }
        id = keccak256("never");
        vm.expectRevert(abi.encodeWithSelector(IEndorsements.NotListed.selector, id));
        endorse(START, DIGEST);
    }

    /// @dev The owner whom bob looked at has given the instance away before bob's call is mined.
    function test_RevertWhen_TheEpochIsAnother() external {
        transferPayments("replica-1", mallory);
        vm.expectRevert(abi.encodeWithSelector(IEndorsements.EpochChanged.selector, id, 1, 0));
        vm.prank(bob);
        endorsements.endorse(id, 0, TOPIC, START, DIGEST);
        vm.expectRevert(abi.encodeWithSelector(IEndorsements.EpochChanged.selector, id, 1, 2));
        vm.prank(bob);
        endorsements.endorse(id, 2, TOPIC, START, DIGEST);
    }

    function test_RevertWhen_TheCallerIsTheOwner() external {
        vm.expectRevert(abi.encodeWithSelector(IEndorsements.OwnEndorsement.selector, id, alice));
        vm.prank(alice);
        endorsements.endorse(id, 0, TOPIC, START, DIGEST);
        transferPayments("replica-1", bob);
        vm.expectRevert(abi.encodeWithSelector(IEndorsements.OwnEndorsement.selector, id, bob));
        endorse(START, DIGEST);
        // The registrant is not the owner any more.
        vm.prank(alice);
        endorsements.endorse(id, 1, TOPIC, START, DIGEST);
        assertTrue(endorsements.isEndorsed(id, alice, TOPIC));
    }

    function test_WhenTheEndorsementIsValid() external {
        vm.expectEmit(address(endorsements));
        emit IEndorsements.Endorsed(id, bob, TOPIC, 0, START + 10, DIGEST);
        endorse(START + 10, DIGEST);
        (bytes32 first, bytes32 second) = wordsIn(0);
        assertEq(first, bytes32(uint256(START + 10)));
        assertEq(second, DIGEST);
        assertEq(
            abi.encode(endorsements.endorsementOf(id, bob, TOPIC)),
            abi.encode(IEndorsements.Endorsement(START + 10, false, DIGEST))
        );
        assertTrue(endorsements.isEndorsed(id, bob, TOPIC));
        // By nobody else, of nothing else, about nothing else.
        assertFalse(endorsements.isEndorsed(id, mallory, TOPIC));
        assertFalse(endorsements.isEndorsed(registerPayments("replica-2"), bob, TOPIC));
        assertFalse(endorsements.isEndorsed(id, bob, "another"));
    }

    function test_GivenTheInstanceIsSuspended() external {
        setPayments("replica-1", IRegistryTypes.Status.Suspended);
        endorse(START, DIGEST);
        assertTrue(endorsements.isEndorsed(id, bob, TOPIC));
    }

    function test_GivenTheExpiryComes() external {
        endorse(START + 10, DIGEST);
        vm.warp(START + 10);
        assertTrue(endorsements.isEndorsed(id, bob, TOPIC));
        vm.warp(START + 11);
        assertFalse(endorsements.isEndorsed(id, bob, TOPIC));
        assertEq(endorsements.endorsementOf(id, bob, TOPIC).digest, DIGEST);
    }

    function test_WhenThereIsAnEarlierOne() external {
        endorse(START + 10, DIGEST);
        vm.expectEmit(address(endorsements));
        emit IEndorsements.Endorsed(id, bob, TOPIC, 0, START, bytes32(uint256(1)));
        endorse(START, bytes32(uint256(1)));
        (bytes32 first, bytes32 second) = wordsIn(0);
        assertEq(first, bytes32(uint256(START)));
        assertEq(second, bytes32(uint256(1)));
    }

    function test_GivenTheInstanceIsInTheNextEpoch() external {
        endorse(START + 10, DIGEST);
        transferPayments("replica-1", mallory);
        assertFalse(endorsements.isEndorsed(id, bob, TOPIC));
        assertEq(endorsements.endorsementOf(id, bob, TOPIC).digest, 0);
        vm.expectEmit(address(endorsements));
        emit IEndorsements.Endorsed(id, bob, TOPIC, 1, START + 20, DIGEST);
        endorse(START + 20, DIGEST);
        (bytes32 first,) = wordsIn(0);
        assertEq(first, bytes32(uint256(START + 10)));
        (first,) = wordsIn(1);
        assertEq(first, bytes32(uint256(START + 20)));
    }

    // ------------------------------------------------------------- withdraw

    function test_Withdraw_RevertGiven_ThereIsNone() external {
        endorse(START, DIGEST);
        vm.expectRevert(notEndorsed(mallory, TOPIC, 0));
        vm.prank(mallory);
        endorsements.withdraw(id, TOPIC);
        vm.expectRevert(notEndorsed(bob, "another", 0));
        vm.prank(bob);
        endorsements.withdraw(id, "another");
        assertTrue(endorsements.isEndorsed(id, bob, TOPIC));
    }

    function test_Withdraw_RevertGiven_ItIsOfAnotherEpoch() external {
        endorse(START, DIGEST);
        deregisterPayments("replica-1");
        vm.expectRevert(notEndorsed(bob, TOPIC, 1));
        vm.prank(bob);
        endorsements.withdraw(id, TOPIC);
    }

    function test_Withdraw_GivenThereIsOne() external {
        endorse(START + 10, DIGEST);
        // It can be withdrawn after it expired, too.
        vm.warp(START + 11);
        vm.expectEmit(address(endorsements));
        emit IEndorsements.Withdrawn(id, bob, TOPIC, 0);
        vm.prank(bob);
        endorsements.withdraw(id, TOPIC);
        (bytes32 first, bytes32 second) = wordsIn(0);
        assertEq(first, bytes32(uint256(START + 10) | 1 << 40));
        assertEq(second, DIGEST);
        vm.warp(START + 10);
        assertFalse(endorsements.isEndorsed(id, bob, TOPIC));
    }

    function test_Withdraw_RevertWhen_ItIsWithdrawnTwice() external {
        endorse(START, DIGEST);
        vm.prank(bob);
        endorsements.withdraw(id, TOPIC);
        vm.expectRevert(notEndorsed(bob, TOPIC, 0));
        vm.prank(bob);
        endorsements.withdraw(id, TOPIC);
    }

    function test_Withdraw_WhenItIsEndorsedAgain() external {
        endorse(START, DIGEST);
        vm.prank(bob);
        endorsements.withdraw(id, TOPIC);
        endorse(START, DIGEST);
        assertTrue(endorsements.isEndorsed(id, bob, TOPIC));
        (bytes32 first,) = wordsIn(0);
        assertEq(first, bytes32(uint256(START)));
    }

    function test_Registry() external view {
        assertEq(endorsements.registry(), address(registry));
    }
}
