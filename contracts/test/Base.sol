// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Test} from "forge-std/Test.sol";
import {ServiceRegistry} from "../src/ServiceRegistry.sol";
import {IRegistryTypes} from "../src/interfaces/IRegistryTypes.sol";

/// @notice What all tests of the registry share: three accounts, a registry, a registration, and ids, hashes and slots
/// derived a second time, from their definitions rather than from the contract.
abstract contract Base is Test {
    ServiceRegistry internal registry;

    address internal alice = makeAddr("alice");
    address internal bob = makeAddr("bob");
    address internal mallory = makeAddr("mallory");

    uint24 internal constant TTL = 60;
    uint40 internal constant START = 1_700_000_000;

    function setUp() public virtual {
        registry = new ServiceRegistry();
        vm.warp(START);
    }

    // ------------------------------------------------------------- fixtures

    /// @dev The registration that the gas figures are of: `payments`, version 1.2.0, two endpoints of 40 bytes and 80
    /// bytes of metadata, in alice's own namespace.
    function payments(string memory label) internal view returns (IRegistryTypes.Registration memory r) {
        r.namespaceId = own(alice);
        r.name = "payments";
        r.label = label;
        r.version = "1.2.0";
        r.endpoints = new bytes[](2);
        r.endpoints[0] = "https://pay-0.eu-west.example.com:443/v1";
        r.endpoints[1] = "grpcs://pay-0.eu-west.example.com:8443/x";
        r.metadata = '{"region":"eu-west-1","zone":"a","weight":10,"protocols":["http","grpc"],"ok":1}';
        r.ttl = TTL;
    }

    /// @dev Alice registers `payments` under this label.
    function registerPayments(string memory label) internal returns (bytes32 id) {
        IRegistryTypes.Registration memory r = payments(label);
        vm.prank(alice);
        return registry.register(r);
    }

    /// @dev An update of the record that `registrant` registered as `r`, replacing the record hash of now.
    function updateOf(IRegistryTypes.Registration memory r, address registrant)
        internal
        view
        returns (IRegistryTypes.RecordUpdate memory)
    {
        return IRegistryTypes.RecordUpdate({
            key: keyOf(r, registrant),
            prevRecordHash: registry.recordHashOf(idOf(r, registrant)),
            version: r.version,
            endpoints: r.endpoints,
            metadata: r.metadata,
            ttl: r.ttl
        });
    }

    /// @dev Alice, the authority of her namespace, sets the status of what she registered under this label.
    function setPayments(string memory label, IRegistryTypes.Status status) internal {
        IRegistryTypes.InstancePath memory path = pathOf(payments(label), alice);
        vm.prank(alice);
        registry.setStatus(path, status, "");
    }

    function deregisterPayments(string memory label) internal {
        IRegistryTypes.InstanceKey memory key = keyOf(payments(label), alice);
        vm.prank(alice);
        registry.deregister(key);
    }

    /// @dev A stranger reaps what alice registered under this label, as soon as that is possible. Then it is now again.
    function reapPayments(string memory label) internal {
        uint256 time = vm.getBlockTimestamp();
        IRegistryTypes.InstanceKey[] memory keys = new IRegistryTypes.InstanceKey[](1);
        keys[0] = keyOf(payments(label), alice);
        IRegistryTypes.Lease memory lease = registry.leaseOf(idOf(payments(label), alice));
        vm.warp(uint256(lease.lastHeartbeat) + lease.ttl + 7 days + 1);
        vm.prank(mallory);
        registry.reap(keys);
        vm.warp(time);
    }

    /// @dev Alice transfers to `next` what she owns and registered under this label.
    function transferPayments(string memory label, address next) internal {
        IRegistryTypes.InstanceKey memory key = keyOf(payments(label), alice);
        bytes32 id = idOf(payments(label), alice);
        vm.prank(alice);
        registry.proposeOwner(id, next);
        vm.prank(next);
        registry.acceptOwner(key);
    }

    /// @dev Brings what alice registered under this label to a status, by the call that leads there.
    function bring(string memory label, IRegistryTypes.Status status) internal {
        if (status == IRegistryTypes.Status.Deregistered) deregisterPayments(label);
        else if (status == IRegistryTypes.Status.Reaped) reapPayments(label);
        else if (status != IRegistryTypes.Status.Active) setPayments(label, status);
    }

    /// @dev The statuses of an instance that was registered once and is not listed.
    function unlisted() internal pure returns (IRegistryTypes.Status[3] memory) {
        return [IRegistryTypes.Status.Deregistered, IRegistryTypes.Status.Revoked, IRegistryTypes.Status.Reaped];
    }

    /// @dev A text of `length` times the letter `a`.
    function text(uint256 length) internal pure returns (string memory) {
        return string(blob(length));
    }

    /// @dev `length` times the byte `a`.
    function blob(uint256 length) internal pure returns (bytes memory b) {
        b = new bytes(length);
        for (uint256 i = 0; i < length; ++i) {
            b[i] = "a";
        }
    }

    // ---------------------------------------------------------- definitions

    /// @dev The namespace that an account owns without claiming it.
    function own(address account) internal pure returns (bytes32) {
        return bytes32(uint256(uint160(account)));
    }

    function serviceOf(IRegistryTypes.Registration memory r) internal pure returns (bytes32) {
        return keccak256(abi.encode(r.namespaceId, keccak256(bytes(r.name))));
    }

    function keyOf(IRegistryTypes.Registration memory r, address registrant)
        internal
        pure
        returns (IRegistryTypes.InstanceKey memory)
    {
        return IRegistryTypes.InstanceKey(serviceOf(r), registrant, keccak256(bytes(r.label)));
    }

    function idOf(IRegistryTypes.Registration memory r, address registrant) internal pure returns (bytes32) {
        return keccak256(abi.encode(serviceOf(r), registrant, keccak256(bytes(r.label))));
    }

    function pathOf(IRegistryTypes.Registration memory r, address registrant)
        internal
        pure
        returns (IRegistryTypes.InstancePath memory)
    {
        return
            IRegistryTypes.InstancePath(r.namespaceId, keccak256(bytes(r.name)), registrant, keccak256(bytes(r.label)));
    }

    function recordHash(bytes32 prev, string memory version, bytes[] memory endpoints, bytes memory metadata)
        internal
        pure
        returns (bytes32)
    {
        return keccak256(abi.encode(prev, keccak256(abi.encode(version, endpoints, metadata))));
    }

    function recordHash(bytes32 prev, IRegistryTypes.Registration memory r) internal pure returns (bytes32) {
        return recordHash(prev, r.version, r.endpoints, r.metadata);
    }

    // -------------------------------------------------------------- storage

    function slotOf(bytes32 key, uint256 mappingSlot) internal pure returns (bytes32) {
        return keccak256(abi.encode(key, mappingSlot));
    }

    function leaseWord(IRegistryTypes.Lease memory l) internal pure returns (bytes32) {
        return bytes32(
            uint256(uint160(l.owner)) | uint256(l.lastHeartbeat) << 160 | uint256(l.ttl) << 200
                | uint256(uint8(l.status)) << 224 | uint256(l.epoch) << 232
        );
    }

    function rosterWord(uint64 count, uint64 sequence) internal pure returns (bytes32) {
        return bytes32(uint256(count) | uint256(sequence) << 64);
    }

    /// @dev The place of a word under a key and an epoch.
    function slotOf(bytes32 key, uint24 epoch, uint256 mappingSlot) internal pure returns (bytes32) {
        return keccak256(abi.encode(epoch, slotOf(key, mappingSlot)));
    }

    /// @dev The place of a word under a key, an epoch and an account.
    function slotOf(bytes32 key, uint24 epoch, address account, uint256 mappingSlot) internal pure returns (bytes32) {
        return keccak256(abi.encode(account, slotOf(key, epoch, mappingSlot)));
    }

    /// @dev The place of what an owner granted to an operator.
    function operatorSlot(address owner, address operator) internal pure returns (bytes32) {
        return keccak256(abi.encode(operator, keccak256(abi.encode(owner, uint256(6)))));
    }

    function namespaceWord(address owner, bool open, uint24 epoch) internal pure returns (bytes32) {
        return bytes32(uint256(uint160(owner)) | (open ? 1 << 160 : 0) | uint256(epoch) << 168);
    }

    /// @dev Of a proposal that was made.
    function proposalWord(address account) internal pure returns (bytes32) {
        return bytes32(uint256(uint160(account)) | 1 << 160);
    }

    /// @dev Of a grant that was made.
    function grantWord(uint8 permissions, uint40 expiry) internal pure returns (bytes32) {
        return bytes32(uint256(expiry) | uint256(permissions) << 40 | 1 << 48);
    }

    function wordAt(bytes32 slot) internal view returns (bytes32) {
        return vm.load(address(registry), slot);
    }

    function slotB(bytes32 id) internal pure returns (bytes32) {
        return bytes32(uint256(slotOf(id, 0)) + 1);
    }

    // forge-lint: disable-start(unsafe-typecast): each cast cuts a field out of a word
    function leaseIn(bytes32 word) internal pure returns (IRegistryTypes.Lease memory) {
        uint256 w = uint256(word);
        return IRegistryTypes.Lease(
            address(uint160(w)),
            uint40(w >> 160),
            uint24(w >> 200),
            IRegistryTypes.Status(uint8(w >> 224)),
            uint24(w >> 232)
        );
    }

    function rosterIn(bytes32 word) internal pure returns (uint64 count, uint64 sequence) {
        return (uint64(uint256(word)), uint64(uint256(word) >> 64));
    }

    // forge-lint: disable-end(unsafe-typecast)

    /// @dev Slot A of an instance, as it is stored.
    function wordA(bytes32 id) internal view returns (bytes32) {
        return vm.load(address(registry), slotOf(id, 0));
    }

    /// @dev The epoch of an instance, as it is stored.
    function epochOf(bytes32 id) internal view returns (uint24) {
        return uint24(uint256(wordA(id)) >> 232);
    }

    /// @dev Slot B of an instance, as it is stored.
    function wordB(bytes32 id) internal view returns (bytes32) {
        return vm.load(address(registry), slotB(id));
    }
}
