// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Test} from "forge-std/Test.sol";
import {World} from "../World.sol";

/// @notice What always holds, whoever does what in whichever order; in words in `README.md`.
contract RegistryInvariants is Test {
    World internal world;

    function setUp() external {
        world = new World();
        bytes4[] memory actions = new bytes4[](7);
        actions[0] = World.claimNamespace.selector;
        actions[1] = World.register.selector;
        actions[2] = World.update.selector;
        actions[3] = World.deregister.selector;
        actions[4] = World.heartbeat.selector;
        actions[5] = World.heartbeatBatch.selector;
        actions[6] = World.wait.selector;
        targetContract(address(world));
        targetSelector(FuzzSelector(address(world), actions));
    }

    function invariant_CountsAreTrue() external view {
        world.checkCounts();
    }

    function invariant_TheLogsTellEverything() external view {
        world.checkStorage();
    }

    function invariant_LiveIsWhatTheLeaseSays() external view {
        world.checkLiveness();
    }
}
