//! Who may act for an owner, and who may be the next one.

use std::{fmt, str::FromStr};

use alloy::primitives::aliases::U40;
use bindings::ServiceRegistry as abi;
use domain::{Address, InstanceId};

use crate::{
    error::ChainError,
    publish::{Outcome, Publisher},
    service::{InstanceName, check_time},
};

/// What an owner lets an operator do: a set of the three things below.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Permissions(u8);

impl Permissions {
    /// Nothing.
    pub const NONE: Self = Self(0);
    /// Renew leases.
    pub const HEARTBEAT: Self = Self(1);
    /// Replace records; another ttl takes `HEARTBEAT` too.
    pub const UPDATE: Self = Self(2);
    /// Take instances out of their service.
    pub const DEREGISTER: Self = Self(4);
    /// All of them.
    pub const ALL: Self = Self(7);

    const WORDS: [(&'static str, Self); 3] =
        [("heartbeat", Self::HEARTBEAT), ("update", Self::UPDATE), ("deregister", Self::DEREGISTER)];

    /// Those of the contract's number; bits that mean nothing are left out.
    pub fn from_bits(bits: u8) -> Self {
        Self(bits & Self::ALL.0)
    }

    /// The contract's number.
    pub fn bits(self) -> u8 {
        self.0
    }

    /// These and those.
    pub fn and(self, more: Self) -> Self {
        Self(self.0 | more.0)
    }

    /// Whether all of those are in these.
    pub fn allow(self, needed: Self) -> bool {
        self.0 & needed.0 == needed.0
    }

    /// Whether there are none.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The words for them.
    pub fn words(self) -> impl Iterator<Item = &'static str> {
        Self::WORDS.into_iter().filter(move |(_, one)| self.allow(*one)).map(|(word, _)| word)
    }
}

/// `heartbeat,update`, or `none`.
impl fmt::Display for Permissions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words: Vec<_> = self.words().collect();
        f.write_str(if words.is_empty() { "none" } else { "" })?;
        f.write_str(&words.join(","))
    }
}

/// Not the words for permissions.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected some of heartbeat, update, deregister, with commas between them")]
pub struct PermissionsError;

impl FromStr for Permissions {
    type Err = PermissionsError;

    fn from_str(text: &str) -> Result<Self, PermissionsError> {
        let one = |word: &str| Self::WORDS.into_iter().find(|(known, _)| *known == word.trim()).map(|(_, one)| one);
        text.split(',').try_fold(Self::NONE, |sum, word| Some(sum.and(one(word)?))).ok_or(PermissionsError)
    }
}

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn permissions_are_words_with_commas() {
        for (text, permissions) in [
            ("heartbeat", Permissions::HEARTBEAT),
            ("update,heartbeat", Permissions::HEARTBEAT.and(Permissions::UPDATE)),
            ("heartbeat, update, deregister", Permissions::ALL),
        ] {
            assert_eq!(text.parse(), Ok(permissions), "{text}");
        }
        assert_eq!(Permissions::ALL.to_string(), "heartbeat,update,deregister");
        assert_eq!(Permissions::NONE.to_string(), "none");
        for bad in ["", "all", "heartbeat,", "Update"] {
            assert_eq!(bad.parse::<Permissions>(), Err(PermissionsError), "{bad:?}");
        }
        assert_eq!(Permissions::from_bits(0xff), Permissions::ALL);
    }
}
