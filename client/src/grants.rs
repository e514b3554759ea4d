//! Who may act for an owner, and who may be the next one.

use alloy::primitives::aliases::U40;
use bindings::ServiceRegistry as abi;
use domain::{Address, InstanceId, Permissions};

use crate::{
    error::ChainError,
    publish::{Outcome, Publisher},
    service::{InstanceName, check_time},
};

/// What one account may do for another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Grant {
    /// What.
    pub permissions: Permissions,
    /// The last second at which it may.
    pub expires_at: u64,
}

impl Grant {
    /// Whether it lets anything be done at `now`.
    pub fn holds(&self, now: u64) -> bool {
        !self.permissions.is_empty() && now <= self.expires_at
    }
}

impl Publisher {
    /// Says what an operator may do until `expires_at`: for all of this account's instances, or for one of them in its
    /// present epoch. If just this was said, nothing is sent.
    ///
    /// # Errors
    /// [`crate::Refusal::NotOwner`], [`crate::Refusal::NotListed`] of the one instance,
    /// [`crate::Refusal::ExpiryPassed`]; [`crate::InputError::Time`]; other [`ChainError`]s.
    pub async fn set_operator(
        &self,
        operator: Address,
        instance: Option<InstanceId>,
        grant: Grant,
    ) -> Result<Outcome, ChainError> {
        check_time(grant.expires_at)?;
        let before = match instance {
            Some(id) => self.registry().instance_operator(id, operator).await?,
            None => self.registry().operator(self.account(), operator).await?,
        };
        if before == Some(grant) || (grant.permissions.is_empty() && before.is_none_or(|b| b.permissions.is_empty())) {
            return Ok(Outcome::Already);
        }
        let (permissions, expiry) = (grant.permissions.bits(), U40::saturating_from(grant.expires_at));
        let done = match instance {
            Some(InstanceId(id)) => {
                let call = abi::setInstanceOperatorCall { id, operator, permissions, expiry };
                self.send(&call, None).await?
            }
            None => self.send(&abi::setOperatorCall { operator, permissions, expiry }, None).await?,
        };
        Ok(Outcome::Done(done.0))
    }

    /// Proposes the next owner of one of this account's instances, in place of any proposed before; `None` takes the
    /// proposal back.
    ///
    /// # Errors
    /// [`crate::Refusal::NotOwner`], [`crate::Refusal::NotListed`]; other [`ChainError`]s.
    pub async fn propose_owner(&self, id: InstanceId, account: Option<Address>) -> Result<Outcome, ChainError> {
        let owned = self.registry().lease(id).await?.is_some_and(|lease| lease.owner == self.account());
        if owned && self.registry().proposed_owner(id).await? == account {
            return Ok(Outcome::Already);
        }
        let call = abi::proposeOwnerCall { id: id.0, account: account.unwrap_or_default() };
        Ok(Outcome::Done(self.send(&call, None).await?.0))
    }

    /// Makes this account, which was proposed, the owner of an instance. It may be that already.
    ///
    /// # Errors
    /// [`crate::Refusal::NotProposed`], [`crate::Refusal::NotListed`]; [`crate::InputError::Text`]; other [`ChainError`]s.
    pub async fn accept_owner(&self, name: &InstanceName) -> Result<Outcome, ChainError> {
        name.check()?;
        let id = name.id();
        let lease = self.registry().lease(id).await?;
        if lease.is_some_and(|lease| lease.status.is_listed() && lease.owner == self.account())
            && self.registry().proposed_owner(id).await? != Some(self.account())
        {
            return Ok(Outcome::Already);
        }
        let call = abi::acceptOwnerCall { key: crate::publish::key(name) };
        Ok(Outcome::Done(self.send(&call, Some(&name.service.namespace)).await?.0))
    }
}
