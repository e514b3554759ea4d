// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Script, console} from "forge-std/Script.sol";
import {ServiceRegistry} from "../src/ServiceRegistry.sol";

/// @notice Deploys the registry at an address that follows from its code alone, through the CREATE2 deployer that most
/// chains have at the same address. Sending it again changes nothing: it finds the registry and says so.
///
/// ```
/// forge script contracts/script/Deploy.s.sol --rpc-url "$RPC_URL" --broadcast --private-key "$KEY"
/// ```
///
/// On a chain without that deployer the registry is created plainly. Its address then depends on the account and its
/// nonce, and each run creates another one.
contract Deploy is Script {
    function run() external returns (ServiceRegistry registry) {
        bytes32 codeHash = keccak256(type(ServiceRegistry).creationCode);
        address expected = vm.computeCreate2Address(0, codeHash, CREATE2_FACTORY);

        if (expected.code.length > 0) {
            require(expected.codehash == keccak256(type(ServiceRegistry).runtimeCode), "other code is there");
            console.log("The registry is already there:", expected);
            return ServiceRegistry(expected);
        }

        vm.startBroadcast();
        if (CREATE2_FACTORY.code.length > 0) {
            registry = new ServiceRegistry{salt: 0}();
            require(address(registry) == expected, "not where it should be");
            console.log("Deployed the registry through CREATE2:", expected);
        } else {
            registry = new ServiceRegistry();
            console.log("This chain has no CREATE2 deployer. Created the registry plainly:", address(registry));
            console.log("Another run creates another registry.");
        }
        vm.stopBroadcast();
    }
}
