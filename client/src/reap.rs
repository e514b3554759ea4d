//! Takes instances out of their services whose leases expired long ago. Anyone may.

use std::collections::BTreeSet;

use alloy::sol_types::SolEvent;
use bindings::ServiceRegistry as abi;
use domain::{InstanceId, Lease, Status};

use crate::{
    error::ChainError,
    publish::{Done, Publisher},
    service::{InputError, InstanceName},
};

/// The most instances that one transaction reaps.
pub const MAX_REAP: usize = 200;
/// How long a lease must have been expired, in seconds.
pub const GRACE: u64 = 7 * 24 * 3600;

/// What one transaction reaped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reaped {
    /// The transaction.
    pub done: Done,
    /// Those that were reaped.
    pub ids: Vec<InstanceId>,
    /// Those that were skipped: not active, or not expired for long enough.
    pub skipped: Vec<InstanceId>,
}

/// Whether an instance with this lease can be reaped at `now`.
pub fn is_due(lease: &Lease, now: u64) -> bool {
    lease.status == Status::Active && now > lease.expires_at().saturating_add(GRACE)
}

impl Publisher {
    /// Reaps up to [`MAX_REAP`] instances in one transaction. The contract skips those that it cannot reap.
    ///
    /// # Errors
    /// [`crate::Refusal::NothingReaped`] if it skips all; [`InputError`]; other [`ChainError`]s.
    pub async fn reap(&self, names: &[InstanceName]) -> Result<Reaped, ChainError> {
        match names.len() {
            0 => return Err(InputError::NoInstances.into()),
            len if len > MAX_REAP => return Err(InputError::BatchSize { len, max: MAX_REAP }.into()),
            _ => {}
        }
        let call = abi::reapCall { keys: names.iter().map(crate::publish::key).collect() };
        let (done, receipt) = self.send(&call, None).await?;
        let events = self.logs(&receipt).filter_map(|log| abi::Reaped::decode_log_data(log).ok());
        let reaped: BTreeSet<_> = events.map(|event| InstanceId(event.id)).collect();
        let (ids, skipped) = names.iter().map(InstanceName::id).partition(|id| reaped.contains(id));
        Ok(Reaped { done, ids, skipped })
    }
}
