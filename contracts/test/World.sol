// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {SignedActions} from "./world/SignedActions.sol";

/// @notice A small world of accounts, namespaces, names and labels, with an action for each function of the registry and
/// of the endorsements. A seed picks who acts on what: mostly one who may, else any.
///
/// In reading order: `world/Actors.sol` says who there is, `Model` remembers what was done and decides who may do what,
/// `Checks` does an action and holds what must hold after it, `Signing` is EIP-712; then the actions.
contract World is SignedActions {
    constructor() {
        setUp();
        // Something to act on.
        for (uint256 i = 0; i < 12; ++i) {
            register(i);
            if (i % 4 == 0) claimNamespace(i);
        }
    }

    /// @dev Seconds to minutes mostly; one time in eight longer than the grace of any lease.
    function wait(uint256 entropy) external {
        seed(entropy);
        uint256 time = vm.getBlockTimestamp();
        vm.warp(time + (oneIn(8) ? 7 days + pick(200) : pick(60)));
        settle();
    }

    /// @notice The actions, the common ones more than once: one of them is picked at random.
    function actions() external pure returns (bytes4[] memory list) {
        bytes4[29] memory all = [
            this.claimNamespace.selector,
            this.proposeNamespaceOwner.selector,
            this.acceptNamespaceOwner.selector,
            this.setNamespaceOpen.selector,
            this.setRegistrar.selector,
            this.register.selector,
            this.register.selector,
            this.registerSigned.selector,
            this.registerSigned.selector,
            this.update.selector,
            this.updateSigned.selector,
            this.deregister.selector,
            this.deregisterSigned.selector,
            this.setStatus.selector,
            this.setStatus.selector,
            this.reap.selector,
            this.heartbeat.selector,
            this.heartbeatBatch.selector,
            this.heartbeatSigned.selector,
            this.heartbeatSigned.selector,
            this.proposeOwner.selector,
            this.acceptOwner.selector,
            this.setOperator.selector,
            this.setInstanceOperator.selector,
            this.setInstanceOperator.selector,
            this.endorse.selector,
            this.withdraw.selector,
            this.wait.selector,
            this.wait.selector
        ];
        list = new bytes4[](all.length);
        for (uint256 i = 0; i < all.length; ++i) {
            list[i] = all[i];
        }
    }

    /// @notice One action, picked at random.
    function step(uint256 entropy) external {
        bytes4[] memory list = this.actions();
        (bool success, bytes memory reason) =
            address(this).call(abi.encodePacked(list[entropy % list.length], keccak256(abi.encode(entropy))));
        if (success) return;
        assembly {
            revert(add(reason, 0x20), mload(reason))
        }
    }
}
