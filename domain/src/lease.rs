//! The lease of an instance, and the one definition of "live".

use alloy_primitives::Address;
use serde::{Deserialize, Serialize};

/// What an instance is now, as the contract's `Status`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[repr(u8)]
pub enum Status {
    /// Listed, and discoverable while its lease runs.
    Active = 1,
    /// Listed, but the authority asks consumers to stay away.
    Suspended = 2,
    /// Its owner took it out.
    Deregistered = 3,
    /// The authority took it out for good.
    Revoked = 4,
    /// Somebody retired its long dead lease.
    Reaped = 5,
}

impl Status {
    /// The status with the contract's number, if there is one.
    pub fn from_u8(n: u8) -> Option<Self> {
        [Self::Active, Self::Suspended, Self::Deregistered, Self::Revoked, Self::Reaped]
            .into_iter()
            .find(|s| *s as u8 == n)
    }

    /// The word for it in JSON, SQL and logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Suspended => "suspended",
            Self::Deregistered => "deregistered",
            Self::Revoked => "revoked",
            Self::Reaped => "reaped",
        }
    }

    /// Whether the roster of the service counts the instance.
    pub fn is_listed(self) -> bool {
        matches!(self, Self::Active | Self::Suspended)
    }
}

/// Slot A of an instance: all that a heartbeat touches. Times are seconds of chain time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lease {
    /// Who holds the instance.
    pub owner: Address,
    /// The block time of the last heartbeat, or of the registration.
    pub last_heartbeat: u64,
    /// How long one heartbeat lasts, in seconds: 5 s to 30 days.
    pub ttl: u32,
    /// Listed or not, and why.
    pub status: Status,
    /// Goes up whenever the instance leaves the roster or changes hands; no grant outlives it.
    pub epoch: u32,
}

impl Lease {
    /// The last second at which the lease still runs.
    pub fn expires_at(&self) -> u64 {
        self.last_heartbeat.saturating_add(u64::from(self.ttl))
    }

    /// Whether the lease has run out at `now`, whatever the status.
    pub fn is_expired(&self, now: u64) -> bool {
        now > self.expires_at()
    }

    /// live ⇔ status active and `now <= last_heartbeat + ttl`: computed at read, never stored.
    pub fn is_live(&self, now: u64) -> bool {
        self.status == Status::Active && !self.is_expired(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lease() -> Lease {
        Lease { owner: Address::ZERO, last_heartbeat: 1_000, ttl: 30, status: Status::Active, epoch: 0 }
    }

    #[test]
    fn the_last_second_of_the_ttl_is_still_live() {
        assert!(lease().is_live(1_030));
        assert!(!lease().is_live(1_031));
    }

    #[test]
    fn only_active_is_live() {
        for n in 0..=255 {
            let Some(status) = Status::from_u8(n) else {
                assert!(n == 0 || n > 5);
                continue;
            };
            assert_eq!(Lease { status, ..lease() }.is_live(1_000), status == Status::Active);
        }
    }
}
