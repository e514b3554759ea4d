// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Script, console} from "forge-std/Script.sol";
import {Endorsements} from "../src/Endorsements.sol";
import {ServiceRegistry} from "../src/ServiceRegistry.sol";

/// @notice Deploys the registry and its endorsements at addresses that follow from their code alone, through the CREATE2
/// deployer that most chains have at the same address. Sending it again changes nothing: it finds them and says so.
///
/// ```
/// forge script contracts/script/Deploy.s.sol --rpc-url "$RPC_URL" --broadcast --account "$ACCOUNT"
/// ```
///
/// On a chain without that deployer they are created plainly. Their addresses then depend on the account and its nonce,
/// and each run creates other ones.
contract Deploy is Script {
    function run() external returns (ServiceRegistry registry, Endorsements endorsements) {
        registry = ServiceRegistry(_create("registry", type(ServiceRegistry).creationCode));
        require(address(registry).codehash == keccak256(type(ServiceRegistry).runtimeCode), "not the registry's code");
        bytes memory code = bytes.concat(type(Endorsements).creationCode, abi.encode(registry));
        endorsements = Endorsements(_create("endorsements", code));
        require(endorsements.registry() == address(registry), "endorsements of another registry");
    }

    /// @dev Only this init code can have made what is at its CREATE2 address.
    function _create(string memory name, bytes memory initCode) private returns (address deployed) {
        deployed = vm.computeCreate2Address(0, keccak256(initCode), CREATE2_FACTORY);
        if (deployed.code.length > 0) {
            console.log("Already there, %s:", name, deployed);
            return deployed;
        }
        vm.startBroadcast();
        if (CREATE2_FACTORY.code.length > 0) {
            (bool success,) = CREATE2_FACTORY.call(bytes.concat(bytes32(0), initCode));
            require(success && deployed.code.length > 0, "the CREATE2 deployer failed");
            console.log("Deployed through CREATE2, %s:", name, deployed);
        } else {
            assembly {
                deployed := create(0, add(initCode, 0x20), mload(initCode))
            }
            require(deployed != address(0), "the creation failed");
            console.log("No CREATE2 deployer on this chain; created plainly, %s:", name, deployed);
        }
        vm.stopBroadcast();
    }
}
