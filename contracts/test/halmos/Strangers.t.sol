// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Test} from "forge-std/Test.sol";
import {ServiceRegistry} from "../../src/ServiceRegistry.sol";
import {IRegistryTypes} from "../../src/interfaces/IRegistryTypes.sol";
import {svm} from "./Svm.sol";

/// @notice Proved by halmos: no call by a stranger changes the two words of a listed instance. In any state of the
/// registry, at any time, of any instance, and with any arguments, but for the lengths of texts and arrays.
///
/// A stranger is who is neither the owner, nor an operator whose grant holds, nor the proposed owner, nor the owner of the
/// namespace. To reap is anyone's right, so there the lease has not been dead for 7 days.
abstract contract Strangers is Test {
    ServiceRegistry internal registry;
    address internal stranger;

    IRegistryTypes.InstancePath internal path;
    IRegistryTypes.InstanceKey internal key;
    bytes32 internal id;
    address internal owner;
    uint256 internal word;
    bytes32 internal hash;

    function setUp() public virtual {
        registry = new ServiceRegistry();
        svm.enableSymbolicStorage(address(registry));
        stranger = svm.createAddress("stranger");
        vm.assume(stranger != address(0));
        uint256 now_ = svm.createUint(40, "now");
        vm.warp(now_);

        path.namespaceId = svm.createBytes32("namespaceId");
        path.nameHash = svm.createBytes32("nameHash");
        path.registrant = svm.createAddress("registrant");
        path.labelHash = svm.createBytes32("labelHash");
        key.service = keccak256(abi.encode(path.namespaceId, path.nameHash));
        key.registrant = path.registrant;
        key.labelHash = path.labelHash;
        id = keccak256(abi.encode(key));

        word = uint256(load(slotA()));
        hash = load(bytes32(uint256(slotA()) + 1));
        // forge-lint: disable-next-line(unsafe-typecast): a field of the word
        owner = address(uint160(word));
        uint256 status = word >> 224 & 0xff;
        vm.assume(either(status == 1, status == 2));
        vm.assume(owner != stranger);
        bytes32 epoch = bytes32(word >> 232);
        assumeNoGrant(load(slot(who(stranger), slot(who(owner), bytes32(uint256(6))))), now_);
        assumeNoGrant(load(slot(who(stranger), slot(epoch, slot(id, bytes32(uint256(7)))))), now_);
        vm.assume(address(uint160(uint256(load(slot(epoch, slot(id, bytes32(uint256(5)))))))) != stranger);
        vm.assume(path.namespaceId != who(stranger));
        vm.assume(address(uint160(uint256(load(slot(path.namespaceId, bytes32(uint256(2))))))) != stranger);
    }

    /// @dev The expiry is over, or there is none of the three permissions.
    function assumeNoGrant(bytes32 grant, uint256 now_) private pure {
        vm.assume(either(now_ > uint40(uint256(grant)), uint256(grant) >> 40 & 7 == 0));
    }

    /// @dev `a || b`, without a path for each.
    function either(bool a, bool b) internal pure returns (bool c) {
        assembly {
            c := or(a, b)
        }
    }

    // ------------------------------------------------------------- storage

    function slot(bytes32 k, bytes32 p) internal pure returns (bytes32) {
        return keccak256(abi.encode(k, p));
    }

    function who(address account) internal pure returns (bytes32) {
        return bytes32(uint256(uint160(account)));
    }

    function slotA() internal view returns (bytes32) {
        return slot(id, 0);
    }

    function load(bytes32 place) internal view returns (bytes32) {
        return vm.load(address(registry), place);
    }

    // --------------------------------------------------------------- calls

    function tryAs(address caller, bytes memory input) internal {
        vm.prank(caller);
        (bool success,) = address(registry).call(input);
        success;
        assert(uint256(load(slotA())) == word);
        assert(load(bytes32(uint256(slotA()) + 1)) == hash);
    }

    function tryIt(bytes memory input) internal {
        tryAs(stranger, input);
    }
}

/// @notice What takes only words.
contract StrangersCallsTest is Strangers {
    function check_proposeNamespaceOwner(bytes32 namespaceId, address account) external {
        tryIt(abi.encodeCall(registry.proposeNamespaceOwner, (namespaceId, account)));
    }

    function check_acceptNamespaceOwner(bytes32 namespaceId) external {
        tryIt(abi.encodeCall(registry.acceptNamespaceOwner, (namespaceId)));
    }

    function check_setNamespaceOpen(bytes32 namespaceId, bool open) external {
        tryIt(abi.encodeCall(registry.setNamespaceOpen, (namespaceId, open)));
    }

    function check_setRegistrar(bytes32 namespaceId, address registrar, uint40 expiry) external {
        tryIt(abi.encodeCall(registry.setRegistrar, (namespaceId, registrar, expiry)));
    }

    function check_proposeOwner(bytes32 other, address account) external {
        tryIt(abi.encodeCall(registry.proposeOwner, (other, account)));
    }

    function check_acceptOwner(IRegistryTypes.InstanceKey memory other) external {
        tryIt(abi.encodeCall(registry.acceptOwner, (other)));
    }

    function check_setOperator(address operator, uint8 permissions, uint40 expiry) external {
        tryIt(abi.encodeCall(registry.setOperator, (operator, permissions, expiry)));
    }

    function check_setInstanceOperator(bytes32 other, address operator, uint8 permissions, uint40 expiry) external {
        tryIt(abi.encodeCall(registry.setInstanceOperator, (other, operator, permissions, expiry)));
    }

    function check_deregister(IRegistryTypes.InstanceKey memory other) external {
        tryIt(abi.encodeCall(registry.deregister, (other)));
    }

    function check_setStatus(IRegistryTypes.InstancePath memory other, IRegistryTypes.Status status) external {
        tryIt(abi.encodeCall(registry.setStatus, (other, status, svm.createBytes(32, "reason"))));
    }

    function check_heartbeat(bytes32 other) external {
        tryIt(abi.encodeCall(registry.heartbeat, (other)));
    }
}
