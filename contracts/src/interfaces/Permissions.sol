// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title Permissions
/// @notice What an owner may let an operator do. A grant holds a sum of them.
library Permissions {
    /// @notice Renew leases.
    uint8 internal constant HEARTBEAT = 1;
    /// @notice Replace records. To change the ttl as well takes `HEARTBEAT` too, since a longer ttl renews a lease.
    uint8 internal constant UPDATE = 2;
    /// @notice Take instances out of their service.
    uint8 internal constant DEREGISTER = 4;
    /// @notice All of them.
    uint8 internal constant ALL = 7;
}
