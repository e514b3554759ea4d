// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Replay} from "../Replay.sol";
import {IRegistryTypes} from "../../src/interfaces/IRegistryTypes.sol";

/// @notice A contract that holds instances, and signs with a key of its own by ERC-1271.
contract Wallet {
    address private immutable _key;

    constructor(address key) {
        _key = key;
    }

    function isValidSignature(bytes32 digest, bytes calldata signature) external view returns (bytes4) {
        if (signature.length != 65) return 0xffffffff;
        bytes32 r = bytes32(signature[0:32]);
        bytes32 s = bytes32(signature[32:64]);
        address signer = ecrecover(digest, uint8(signature[64]), r, s);
        return signer == _key ? this.isValidSignature.selector : bytes4(0xffffffff);
    }
}

/// @notice Who and what there is in the world, and how a seed picks from it.
abstract contract Actors is Replay {
    address[] internal actors;
    /// @dev Whom no grant ever names and who owns nothing: only reaping and relaying are open to it.
    address internal stranger;
    address internal wallet;
    mapping(address actor => uint256) internal privateKeys;

    string[2] internal labels = ["a", "b"];
    string[2] internal names = ["payments", "ledger"];
    string[3] internal claims = ["acme", "umbrella", "initech"];
    bytes32[2] internal topics;

    uint256 private _entropy;

    constructor() {
        (topics[0], topics[1]) = ("audited", "eu");
        string[4] memory people = ["alice", "bob", "mallory", "dave"];
        for (uint256 i = 0; i < people.length; ++i) {
            (address actor, uint256 privateKey) = makeAddrAndKey(people[i]);
            actors.push(actor);
            privateKeys[actor] = privateKey;
        }
        uint256 strangerKey;
        (stranger, strangerKey) = makeAddrAndKey("stranger");
        privateKeys[stranger] = strangerKey;
        (address key, uint256 walletKey) = makeAddrAndKey("the wallet's key");
        wallet = address(new Wallet(key));
        actors.push(wallet);
        privateKeys[wallet] = walletKey;
    }

    // --------------------------------------------------------------- chance

    function seed(uint256 entropy) internal {
        _entropy = entropy;
    }

    /// @dev A number below `n`, the next one that follows from the seed.
    function pick(uint256 n) internal returns (uint256) {
        _entropy = uint256(keccak256(abi.encode(_entropy)));
        return _entropy % n;
    }

    function oneIn(uint256 n) internal returns (bool) {
        return pick(n) == 0;
    }

    // ---------------------------------------------------------------- picks

    function pickActor() internal returns (address) {
        return actors[pick(actors.length)];
    }

    /// @dev This account most often, else anyone, a stranger too.
    function mostly(address account) internal returns (address) {
        if (account != address(0) && !oneIn(5)) return account;
        return oneIn(6) ? stranger : pickActor();
    }

    /// @dev A text, some endpoints and some bytes, in one case of sixteen with a ttl that is out of range.
    function pickContent() internal returns (IRegistryTypes.Registration memory r) {
        r.version = vm.toString(pick(1000));
        r.endpoints = new bytes[](1 + pick(2));
        for (uint256 i = 0; i < r.endpoints.length; ++i) {
            r.endpoints[i] = abi.encodePacked(bytes32(pick(type(uint256).max)), blob(pick(8)));
        }
        r.metadata = blob(pick(40));
        r.ttl = oneIn(16) ? 4 : uint24(5 + pick(100));
    }

    /// @dev A time to come, in one case of eight one that has passed.
    function pickExpiry() internal returns (uint40) {
        uint256 now_ = vm.getBlockTimestamp();
        return uint40(oneIn(8) ? now_ - 1 - pick(100) : now_ + pick(400));
    }
}
