// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title TextbookRegistry
/// @notice The service registry that articles print, in its later version that checks the owner: what the figures of
/// `cargo run -p bench -- gas` are compared with. Nobody should use it. Its faults are meant to be in it:
///
/// - the id is made by `encodePacked`, so ("pay", "ments1") and ("payments", "1") have the same;
/// - the name belongs to nobody: each account gets another id for it;
/// - to register again pushes the id a second time;
/// - nothing is limited in size, and a ttl may be so long that its end overflows;
/// - `isActive` stays true long after the ttl;
/// - the events tell neither endpoints nor metadata nor ttl, so that the state cannot be rebuilt from the logs;
/// - a lookup by name asks for the caller's own.
///
/// Left out is `cleanupExpiredServices`, which loops over a mapping and so does not compile.
contract TextbookRegistry {
    struct Service {
        string name;
        string version;
        string[] endpoints;
        string metadata;
        address owner;
        uint256 registeredAt;
        uint256 lastHeartbeat;
        uint256 ttl;
        bool isActive;
    }

    mapping(bytes32 id => Service) public services;
    mapping(string name => bytes32[]) public servicesByName;
    mapping(address owner => bytes32[]) public servicesByOwner;

    event ServiceRegistered(bytes32 indexed id, string name, address indexed owner);
    event ServiceUpdated(bytes32 indexed id, string version);
    event ServiceDeregistered(bytes32 indexed id, string name);
    event HeartbeatReceived(bytes32 indexed id, string name, uint256 time);

    modifier exists(bytes32 id) {
        require(services[id].registeredAt != 0, "Service does not exist");
        _;
    }

    modifier onlyOwner(bytes32 id) {
        require(services[id].owner == msg.sender, "Not the owner");
        _;
    }

    function registerService(
        string memory name,
        string memory version,
        string[] memory endpoints,
        string memory metadata,
        uint256 ttl
    ) external returns (bytes32 id) {
        id = keccak256(abi.encodePacked(name, version, msg.sender));
        Service storage service = services[id];
        service.name = name;
        service.version = version;
        service.endpoints = endpoints;
        service.metadata = metadata;
        service.owner = msg.sender;
        service.registeredAt = block.timestamp;
        service.lastHeartbeat = block.timestamp;
        service.ttl = ttl;
        service.isActive = true;
        servicesByName[name].push(id);
        servicesByOwner[msg.sender].push(id);
        emit ServiceRegistered(id, name, msg.sender);
    }

    function updateService(bytes32 id, string memory version, string[] memory endpoints, string memory metadata)
        external
        exists(id)
        onlyOwner(id)
    {
        services[id].version = version;
        services[id].endpoints = endpoints;
        services[id].metadata = metadata;
        emit ServiceUpdated(id, version);
    }

    function heartbeat(bytes32 id) external exists(id) onlyOwner(id) {
        require(services[id].isActive, "Service not active");
        services[id].lastHeartbeat = block.timestamp;
        emit HeartbeatReceived(id, services[id].name, block.timestamp);
    }

    function deregisterService(bytes32 id) external exists(id) onlyOwner(id) {
        services[id].isActive = false;
        emit ServiceDeregistered(id, services[id].name);
    }

    function getServicesByName(string memory name) external view returns (bytes32[] memory) {
        return servicesByName[name];
    }

    function isServiceActive(string memory name, string memory version) external view returns (bool) {
        return services[keccak256(abi.encodePacked(name, version, msg.sender))].isActive;
    }
}
