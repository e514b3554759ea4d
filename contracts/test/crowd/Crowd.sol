// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IRegistryTypes} from "../../src/interfaces/IRegistryTypes.sol";
import {ServiceRegistry} from "../../src/ServiceRegistry.sol";
import {LibString} from "solady/utils/LibString.sol";

/// @title Crowd
/// @notice Many instances of one owner, who is this contract, in its personal namespace: one transaction makes many events
/// of the registry. It makes the chains that `cargo run -p bench -- backfill` reads, and is not deployed elsewhere.
///
/// @dev It stores nothing, so that a chain's state stays small: instance `i` is labelled `i`, of the service
/// `i % SERVICES`.
contract Crowd {
    uint256 public constant SERVICES = 10;
    uint24 public constant TTL = 1 days;

    ServiceRegistry public immutable registry;

    constructor(ServiceRegistry registry_) {
        registry = registry_;
    }

    /// @notice Registers the instances `from` to `from + count`: an event each.
    function join(uint256 from, uint256 count) external {
        for (uint256 i = from; i < from + count; ++i) {
            registry.register(
                IRegistryTypes.Registration({
                    namespaceId: _namespace(),
                    name: _name(i),
                    label: LibString.toString(i),
                    version: "1.0.0",
                    endpoints: _endpoints(i),
                    metadata: '{"region":"eu-west-1","zone":"a"}',
                    ttl: TTL
                })
            );
        }
    }

    /// @notice Renews the leases of the instances `from` to `from + count`, modulo `size`: an event each.
    function beat(uint256 from, uint256 count, uint256 size) external {
        for (uint256 i = from; i < from + count; ++i) {
            registry.heartbeat(idOf(i % size));
        }
    }

    /// @notice Updates the instance `i` to the version `1.0.<patch>`: one event.
    function update(uint256 i, uint256 patch) external {
        _update(i, patch);
    }

    /// @notice `beat` of `count` instances, then `update` of the first: `count + 1` events.
    function beatAndUpdate(uint256 from, uint256 count, uint256 size, uint256 patch) external {
        for (uint256 i = from; i < from + count; ++i) {
            registry.heartbeat(idOf(i % size));
        }
        _update(from % size, patch);
    }

    /// @notice The id of the instance `i`.
    function idOf(uint256 i) public view returns (bytes32) {
        IRegistryTypes.InstanceKey memory key = _key(i);
        return keccak256(abi.encode(key.service, key.registrant, key.labelHash));
    }

    function _update(uint256 i, uint256 patch) private {
        registry.update(
            IRegistryTypes.RecordUpdate({
                key: _key(i),
                prevRecordHash: registry.recordHashOf(idOf(i)),
                version: string.concat("1.0.", LibString.toString(patch)),
                endpoints: _endpoints(i),
                metadata: '{"region":"eu-west-1","zone":"b"}',
                ttl: TTL
            })
        );
    }

    function _key(uint256 i) private view returns (IRegistryTypes.InstanceKey memory) {
        return IRegistryTypes.InstanceKey({
            service: keccak256(abi.encode(_namespace(), keccak256(bytes(_name(i))))),
            registrant: address(this),
            labelHash: keccak256(bytes(LibString.toString(i)))
        });
    }

    function _namespace() private view returns (bytes32) {
        return bytes32(uint256(uint160(address(this))));
    }

    function _name(uint256 i) private pure returns (string memory) {
        return string.concat("service-", LibString.toString(i % SERVICES));
    }

    function _endpoints(uint256 i) private pure returns (bytes[] memory endpoints) {
        endpoints = new bytes[](1);
        endpoints[0] = bytes(string.concat("https://10-0-0-", LibString.toString(i), ".example.com:8443"));
    }
}
