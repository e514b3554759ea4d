// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Base} from "../Base.sol";
import {IRegistryTypes} from "../../src/interfaces/IRegistryTypes.sol";

/// @notice Who may act, for arbitrary grants, times and words.
contract GrantsFuzzTest is Base {
    /// @dev Words of grants that are written as such: what is in them need not be what a call would let in.
    function grantWord(uint40 expiry, uint8 permissions) private pure returns (bytes32) {
        return bytes32(uint256(expiry) | uint256(permissions) << 40 | 1 << 48);
    }

    function putOperator(address owner, address operator, bytes32 word) private {
        vm.store(address(registry), keccak256(abi.encode(operator, keccak256(abi.encode(owner, uint256(6))))), word);
    }

    function putInstanceOperator(bytes32 id, uint24 epoch, address operator, bytes32 word) private {
        bytes32 outer = keccak256(abi.encode(epoch, keccak256(abi.encode(id, uint256(7)))));
        vm.store(address(registry), keccak256(abi.encode(operator, outer)), word);
    }

    function testFuzz_SetOperator_AcceptsWhatHolds(uint8 permissions, uint40 expiry, uint40 time) external {
        vm.warp(time);
        vm.prank(alice);
        (bool success,) = address(registry).call(abi.encodeCall(registry.setOperator, (bob, permissions, expiry)));
        assertEq(success, permissions < 8 && (permissions == 0 || expiry >= time));
        if (!success) return;
        IRegistryTypes.Grant memory grant = registry.operatorOf(alice, bob);
        assertEq(abi.encode(grant), abi.encode(IRegistryTypes.Grant(expiry, permissions, true)));
    }

    /// @dev One of the grants must have all of the permissions: half from each is not enough.
    function testFuzz_IsPermitted_ByOneGrantThatHasAll(
        uint40[2] memory expiries,
        uint8[2] memory granted,
        uint8 asked,
        uint40 time
    ) external {
        bytes32 id = registerPayments("replica-1");
        putOperator(alice, bob, grantWord(expiries[0], granted[0]));
        putInstanceOperator(id, 0, bob, grantWord(expiries[1], granted[1]));
        // Half of the time right at the end of a grant.
        vm.warp(time % 2 == 0 ? bound(time, expiries[0], uint256(expiries[0]) + 1) : time);
        uint256 now_ = vm.getBlockTimestamp();
        bool byFirst = now_ <= expiries[0] && granted[0] & asked == asked;
        bool bySecond = now_ <= expiries[1] && granted[1] & asked == asked;
        assertEq(registry.isPermitted(id, bob, asked), byFirst || bySecond);
        assertTrue(registry.isPermitted(id, alice, asked));
    }

    /// @dev Whatever is granted, an operator goes through with just what the permissions say.
    function testFuzz_AnOperatorDoesWhatItMay(uint8 granted, bool forAll, bool otherTtl) external {
        granted %= 8;
        bytes32 id = registerPayments("replica-1");
        IRegistryTypes.Registration memory r = payments("replica-1");
        if (granted != 0) {
            vm.prank(alice);
            if (forAll) registry.setOperator(bob, granted, START);
            else registry.setInstanceOperator(id, bob, granted, START);
        }
        if (otherTtl) ++r.ttl;
        assertEq(asBob(abi.encodeCall(registry.heartbeat, (id))), granted & 1 != 0);
        bytes32[] memory ids = new bytes32[](1);
        ids[0] = id;
        assertEq(asBob(abi.encodeCall(registry.heartbeatBatch, (ids))), granted & 1 != 0);
        assertEq(
            asBob(abi.encodeCall(registry.update, (updateOf(r, alice)))),
            granted & 2 != 0 && (!otherTtl || granted & 1 != 0)
        );
        assertFalse(asBob(abi.encodeCall(registry.proposeOwner, (id, bob))));
        assertFalse(asBob(abi.encodeCall(registry.setInstanceOperator, (id, bob, 7, START))));
        assertFalse(asBob(abi.encodeCall(registry.acceptOwner, (keyOf(r, alice)))));
        assertEq(asBob(abi.encodeCall(registry.deregister, (keyOf(r, alice)))), granted & 4 != 0);
    }

    function asBob(bytes memory input) private returns (bool success) {
        vm.prank(bob);
        (success,) = address(registry).call(input);
    }

    /// @dev A grant of any other epoch is none.
    function testFuzz_AGrantOfAnotherEpochIsVoid(uint256 word, uint24 epoch) external {
        bytes32 id = keccak256("id");
        IRegistryTypes.Lease memory lease = leaseIn(bytes32(word & ~(uint256(0xff) << 224) | uint256(1) << 224));
        vm.assume(lease.owner != bob);
        vm.store(address(registry), slotOf(id, 0), leaseWord(lease));
        putInstanceOperator(id, epoch, bob, grantWord(type(uint40).max, 7));
        assertEq(registry.isPermitted(id, bob, 7), epoch == lease.epoch);
        assertEq(asBob(abi.encodeCall(registry.heartbeat, (id))), epoch == lease.epoch);
    }

    // ----------------------------------------------------------- namespaces

    function testFuzz_MayRegister(address owner, bool open, uint24 epoch, uint24 grantEpoch, uint40 expiry, uint40 time)
        external
    {
        bytes32 namespaceId = keccak256("acme");
        bytes32 word = bytes32(uint256(uint160(owner)) | uint256(open ? 1 : 0) << 160 | uint256(epoch) << 168);
        vm.store(address(registry), slotOf(namespaceId, 2), word);
        bytes32 outer = keccak256(abi.encode(grantEpoch, keccak256(abi.encode(namespaceId, uint256(4)))));
        vm.store(address(registry), keccak256(abi.encode(bob, outer)), grantWord(expiry, 0));
        // At time 0 every expiry that was never set would hold.
        vm.warp(bound(time, 1, type(uint40).max));
        bool admitted = epoch == grantEpoch && vm.getBlockTimestamp() <= expiry;
        assertEq(registry.mayRegister(namespaceId, bob), owner == bob || open || admitted);
        assertTrue(registry.mayRegister(own(bob), bob));
        assertFalse(registry.mayRegister(own(alice), bob));
    }
}
