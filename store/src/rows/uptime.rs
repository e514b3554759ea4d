//! Uptimes, and how far they go.

use domain::{InstanceId, Status};

/// The seconds of a day. Days are counted from 1970-01-01, in UTC.
pub const DAY: u64 = 86_400;

/// What an instance did on one day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct UptimeRow {
    /// The day.
    pub day: u64,
    /// The instance.
    pub instance: InstanceId,
    /// For how many seconds of the day it was live.
    pub seconds_up: u32,
    /// How many heartbeats came on that day.
    pub heartbeats: u64,
}

/// The part of a lease that says when it runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LeaseRow {
    /// The instance.
    pub instance: InstanceId,
    /// Chain time of the last heartbeat, or of the registration.
    pub last_heartbeat: u64,
    /// How long one heartbeat lasts, in seconds.
    pub ttl: u32,
    /// Listed or not, and why.
    pub status: Status,
}

/// How far the history is kept and rolled up.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Upkeep {
    /// Heartbeats of days before this one may be gone.
    pub heartbeats_from: u64,
    /// Of what blocks up to this one said, only the newest heartbeat of each instance is left from those days.
    pub thinned_to: u64,
    /// Uptimes are there of all days before this one.
    pub uptime_day: u64,
    /// The events of that day begin above this block.
    pub uptime_block: u64,
}
