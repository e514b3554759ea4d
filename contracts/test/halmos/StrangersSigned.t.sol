// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IRegistryTypes} from "../../src/interfaces/IRegistryTypes.sol";
import {StrangersData} from "./StrangersData.t.sol";
import {svm} from "./Svm.sol";

/// @notice What a stranger signed, sent by anyone, the owner too. To halmos ecrecover is some function; here it is one
/// that answers the stranger for what is signed and these 65 bytes. The owner is a key: a contract says by itself what
/// it signed.
contract StrangersSignedTest is StrangersData {
    bytes internal signature;
    address internal relayer;

    function setUp() public override {
        super.setUp();
        signature = svm.createBytes(65, "signature");
        relayer = svm.createAddress("relayer");
        vm.assume(relayer != address(0));
        assumeNoContract(owner);
        assumeNoContract(stranger);
    }

    function assumeNoContract(address account) private view {
        vm.assume(account != address(registry));
        vm.assume(account != address(this));
        vm.assume(account != address(vm));
        vm.assume(account != address(svm));
    }

    function epochOf(bytes32 other) private view returns (uint24) {
        return uint24(uint256(load(slot(other, 0))) >> 232);
    }

    function assumeSigned(bytes32 structHash) private view {
        bytes32 domain = keccak256(
            abi.encode(
                keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"),
                keccak256("Rollcall ServiceRegistry"),
                keccak256("1"),
                block.chainid,
                address(registry)
            )
        );
        bytes32 digest = keccak256(abi.encodePacked(hex"1901", domain, structHash));
        bytes memory bytes_ = signature;
        bytes32 r;
        bytes32 s;
        uint8 v;
        assembly {
            r := mload(add(bytes_, 0x20))
            s := mload(add(bytes_, 0x40))
            v := byte(0, mload(add(bytes_, 0x60)))
        }
        vm.assume(ecrecover(digest, v, r, s) == stranger);
    }

    function check_deregisterSigned(IRegistryTypes.InstanceKey memory other, uint40 deadline) external {
        bytes32 otherId = keccak256(abi.encode(other));
        assumeSigned(
            keccak256(
                abi.encode(
                    keccak256("Deregister(bytes32 id,uint24 epoch,uint40 deadline)"),
                    otherId,
                    epochOf(otherId),
                    deadline
                )
            )
        );
        tryAs(relayer, abi.encodeCall(registry.deregisterSigned, (other, deadline, signature)));
    }

    function check_heartbeatSigned(uint40 time, uint40 deadline) external {
        IRegistryTypes.SignedHeartbeat[] memory items = new IRegistryTypes.SignedHeartbeat[](1);
        items[0] = IRegistryTypes.SignedHeartbeat(id, time, deadline, signature);
        assumeSigned(
            keccak256(
                abi.encode(
                    keccak256("Heartbeat(bytes32 id,uint24 epoch,uint40 time,uint40 deadline)"),
                    id,
                    epochOf(id),
                    time,
                    deadline
                )
            )
        );
        tryAs(relayer, abi.encodeCall(registry.heartbeatSigned, (items)));
    }

    /// @dev The record of `anyUpdate` or `anyRegistration`.
    function hashRecord(string memory version, bytes[] memory endpoints, bytes memory metadata)
        private
        pure
        returns (bytes memory)
    {
        return
            abi.encode(keccak256(bytes(version)), keccak256(abi.encode(keccak256(endpoints[0]))), keccak256(metadata));
    }

    function check_updateSigned(bytes32 prev, uint24 ttl, uint40 deadline) external {
        IRegistryTypes.RecordUpdate memory change = anyUpdate(key, prev, ttl);
        bytes memory head = abi.encode(
            keccak256(
                "Update(bytes32 id,bytes32 prevRecordHash,string version,bytes[] endpoints,bytes metadata,uint24 ttl,uint24 epoch,uint40 deadline)"
            ),
            id,
            prev
        );
        bytes memory record = hashRecord(change.version, change.endpoints, change.metadata);
        assumeSigned(keccak256(bytes.concat(head, record, abi.encode(ttl, epochOf(id), deadline))));
        tryAs(relayer, abi.encodeCall(registry.updateSigned, (change, deadline, signature)));
    }

    /// @dev For whomever, whatever they signed: the instance is listed.
    function check_registerSigned(bytes32 namespaceId, uint24 ttl, uint40 deadline) external {
        address registrant = svm.createAddress("registrant");
        assumeNoContract(registrant);
        IRegistryTypes.Registration memory r = anyRegistration(namespaceId, ttl);
        tryAs(relayer, abi.encodeCall(registry.registerSigned, (r, registrant, deadline, signature)));
    }
}
