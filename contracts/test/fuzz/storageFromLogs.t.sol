// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Test} from "forge-std/Test.sol";
import {Vm} from "forge-std/Vm.sol";
import {World} from "../World.sol";

/// @notice The whole storage of the registry is a function of its logs, after any sequence of actions. What the
/// invariants cannot see is held here: that no word is written that no log tells of.
contract StorageFromLogsTest is Test {
    uint256 internal constant ACTIONS = 40;

    World internal world;

    function setUp() external {
        world = new World();
    }

    /// forge-config: default.fuzz.runs = 64
    /// forge-config: ci.fuzz.runs = 1000
    function testFuzz_TheStorageIsAFunctionOfTheLogs(uint256 seed) external {
        vm.startStateDiffRecording();
        act(seed);
        world.checkWrites(vm.stopAndReturnStateDiff());
        world.checkStorage();
        world.checkCounts();
    }

    /// @dev The sequences do something: each action goes through at least once in a long one.
    function test_EveryActionGoesThrough() external {
        for (uint256 seed = 0; seed < 8; ++seed) {
            act(seed);
        }
        string[6] memory actions = ["claimNamespace", "register", "update", "deregister", "heartbeat", "heartbeatBatch"];
        for (uint256 i = 0; i < actions.length; ++i) {
            assertGt(world.done(bytes32(bytes(actions[i]))), 0, actions[i]);
        }
    }

    function act(uint256 seed) private {
        for (uint256 i = 0; i < ACTIONS; ++i) {
            uint256 x = uint256(keccak256(abi.encode(seed, i, "x")));
            uint256 y = uint256(keccak256(abi.encode(seed, i, "y")));
            uint256 z = uint256(keccak256(abi.encode(seed, i, "z")));
            uint256 action = z % 16;
            z >>= 8;
            if (action == 0) world.claimNamespace(x, y);
            else if (action < 6) world.register(x, y, z);
            else if (action < 9) world.update(x, y, z);
            else if (action < 11) world.deregister(x, y);
            else if (action < 13) world.heartbeat(x, y);
            else if (action < 15) world.heartbeatBatch(x, y);
            else world.wait(x);
        }
    }
}
