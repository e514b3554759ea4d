// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Test} from "forge-std/Test.sol";
import {World} from "../World.sol";

/// @notice Sequences of actions that a seed decides, longer than those of the invariants and with more heed to what is
/// common; and that these actions do go through.
contract StorageFromLogsTest is Test {
    World internal world;

    function setUp() external {
        world = new World();
    }

    /// @dev The whole storage of both contracts is a function of their logs.
    /// forge-config: default.fuzz.runs = 16
    /// forge-config: ci.fuzz.runs = 256
    function testFuzz_TheStorageIsAFunctionOfTheLogs(uint256 seed) external {
        act(seed, 60);
        world.checkStorage();
        world.checkCounts();
        world.checkLiveness();
        world.checkGrants();
    }

    /// @dev Each action goes through in a long sequence, and each that can be refused is refused. A longer sequence would
    /// come to the gas that forge gives a test, when it measures coverage.
    function test_EveryActionGoesThroughAndIsRefused() external {
        act(1, 1000);
        string[24] memory kinds = [
            "claimNamespace",
            "proposeNamespaceOwner",
            "acceptNamespaceOwner",
            "setNamespaceOpen",
            "setRegistrar",
            "register",
            "registerSigned",
            "update",
            "updateSigned",
            "deregister",
            "deregisterSigned",
            "suspend",
            "reinstate",
            "revoke",
            "reap",
            "heartbeat",
            "heartbeatBatch",
            "heartbeatSigned",
            "proposeOwner",
            "acceptOwner",
            "setOperator",
            "setInstanceOperator",
            "endorse",
            "withdraw"
        ];
        for (uint256 i = 0; i < kinds.length; ++i) {
            emit log_named_string(
                kinds[i],
                string.concat(
                    vm.toString(world.done(kinds[i])), " done, ", vm.toString(world.refused(kinds[i])), " refused"
                )
            );
            assertGt(world.done(kinds[i]), 0, string.concat(kinds[i], " never went through"));
            if (keccak256(bytes(kinds[i])) == keccak256("heartbeatSigned")) continue;
            assertGt(world.refused(kinds[i]), 0, string.concat(kinds[i], " was never refused"));
        }
        assertGt(world.done("heartbeatSigned of none"), 0);
    }

    function act(uint256 seed, uint256 steps) private {
        for (uint256 i = 0; i < steps; ++i) {
            world.step(uint256(keccak256(abi.encode(seed, i))));
        }
    }
}
