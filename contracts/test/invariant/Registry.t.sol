// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Test} from "forge-std/Test.sol";
import {World} from "../World.sol";

/// @notice What always holds, whoever does what in whichever order; in words in `README.md`.
contract RegistryInvariants is Test {
    World internal world;

    function setUp() external {
        world = new World();
        targetContract(address(world));
        targetSelector(FuzzSelector(address(world), world.actions()));
    }

    /// @dev One function for all of it: forge plays the same sequences once for each. The rest is held in each action.
    function invariant_CountsAndLiveness() external view {
        world.checkCounts();
        world.checkLiveness();
    }

    /// @dev Each action checks the words that it wrote and the instance that it was about; here are all of them.
    function afterInvariant() external view {
        world.checkStorage();
        world.checkGrants();
    }
}
