//! What the owner of a namespace decides: who may register in it, who owns it next, and what becomes of its instances.

use alloy::primitives::{Bytes, aliases::U40, keccak256};
use bindings::{IRegistryTypes::InstancePath, ServiceRegistry as abi};
use domain::{Address, Namespace, Status};

use crate::{
    error::ChainError,
    publish::{Outcome, Publisher},
    refusal::Refusal,
    service::{InputError, InstanceName, MAX_REASON, check_label, check_time},
};

impl Publisher {
    /// Makes this account the owner of a label. It may be that already.
    ///
    /// # Errors
    /// [`Refusal::NamespaceTaken`] if it is another's; [`InputError`] for what is no label; other [`ChainError`]s.
    pub async fn claim_namespace(&self, label: &str) -> Result<Outcome, ChainError> {
        check_label(label)?;
        let namespace = Namespace::Label(label.to_owned());
        match self.registry().namespace(namespace.id()).await?.owner {
            Some(owner) if owner == self.account() => return Ok(Outcome::Already),
            Some(owner) => return Err(Refusal::NamespaceTaken { namespace: label.to_owned(), owner }.into()),
            None => {}
        }
        let call = abi::claimNamespaceCall { label: label.to_owned() };
        Ok(Outcome::Done(self.send(&call, Some(&namespace)).await?.0))
    }

    /// Proposes the next owner of one of this account's namespaces, in place of any proposed before; `None` takes the
    /// proposal back. With the namespace goes the authority over all instances in it.
    ///
    /// # Errors
    /// [`Refusal::NotNamespaceOwner`], [`Refusal::PersonalNamespace`]; other [`ChainError`]s.
    pub async fn propose_namespace_owner(
        &self,
        namespace: &Namespace,
        account: Option<Address>,
    ) -> Result<Outcome, ChainError> {
        let id = namespace.id();
        let is_label = matches!(namespace, Namespace::Label(_));
        if is_label
            && self.registry().namespace(id).await?.owner == Some(self.account())
            && self.registry().proposed_namespace_owner(id).await? == account
        {
            return Ok(Outcome::Already);
        }
        let call = abi::proposeNamespaceOwnerCall { namespaceId: id.0, account: account.unwrap_or_default() };
        Ok(Outcome::Done(self.send(&call, Some(namespace)).await?.0))
    }

    /// Makes this account, which was proposed, the owner of a namespace. It may be that already.
    ///
    /// # Errors
    /// [`Refusal::NotProposed`]; other [`ChainError`]s.
    pub async fn accept_namespace_owner(&self, namespace: &Namespace) -> Result<Outcome, ChainError> {
        let id = namespace.id();
        if self.registry().namespace(id).await?.owner == Some(self.account())
            && self.registry().proposed_namespace_owner(id).await? != Some(self.account())
        {
            return Ok(Outcome::Already);
        }
        let call = abi::acceptNamespaceOwnerCall { namespaceId: id.0 };
        Ok(Outcome::Done(self.send(&call, Some(namespace)).await?.0))
    }

    /// Opens one of this account's namespaces to all, or closes it. It may be so already.
    ///
    /// # Errors
    /// [`Refusal::NotNamespaceOwner`]; other [`ChainError`]s.
    pub async fn set_namespace_open(&self, namespace: &Namespace, open: bool) -> Result<Outcome, ChainError> {
        let id = namespace.id();
        let now = self.registry().namespace(id).await?;
        if now.owner == Some(self.account()) && now.open == open {
            return Ok(Outcome::Already);
        }
        let call = abi::setNamespaceOpenCall { namespaceId: id.0, open };
        Ok(Outcome::Done(self.send(&call, Some(namespace)).await?.0))
    }

    /// Admits an account to register in one of this account's namespaces until a time in seconds; `None` dismisses it.
    /// It may be so already.
    ///
    /// # Errors
    /// [`Refusal::NotNamespaceOwner`], [`Refusal::ExpiryPassed`]; [`InputError::Time`]; other [`ChainError`]s.
    pub async fn set_registrar(
        &self,
        namespace: &Namespace,
        registrar: Address,
        expires_at: Option<u64>,
    ) -> Result<Outcome, ChainError> {
        check_time(expires_at.unwrap_or_default())?;
        let id = namespace.id();
        if self.registry().namespace(id).await?.owner == Some(self.account())
            && self.registry().registrar_expiry(id, registrar).await? == expires_at
        {
            return Ok(Outcome::Already);
        }
        let expiry = U40::saturating_from(expires_at.unwrap_or_default());
        let call = abi::setRegistrarCall { namespaceId: id.0, registrar, expiry };
        Ok(Outcome::Done(self.send(&call, Some(namespace)).await?.0))
    }

    /// Suspends, reinstates or revokes an instance in one of this account's namespaces, for a reason that is public for
    /// ever. It may be so already. A revocation cannot be taken back.
    ///
    /// # Errors
    /// [`Refusal::NotNamespaceOwner`], [`Refusal::InvalidTransition`]; [`InputError`]; other [`ChainError`]s.
    pub async fn set_status(&self, name: &InstanceName, to: Status, reason: &str) -> Result<Outcome, ChainError> {
        name.check()?;
        if !matches!(to, Status::Active | Status::Suspended | Status::Revoked) {
            return Err(InputError::Status(to.as_str()).into());
        }
        if reason.len() > MAX_REASON {
            return Err(InputError::ReasonLength(reason.len()).into());
        }
        if self.registry().lease(name.id()).await?.is_some_and(|lease| lease.status == to) {
            return Ok(Outcome::Already);
        }
        let namespace = &name.service.namespace;
        let path = InstancePath {
            namespaceId: namespace.id().0,
            nameHash: keccak256(&name.service.name),
            registrant: name.registrant,
            labelHash: keccak256(&name.label),
        };
        let reason = Bytes::copy_from_slice(reason.as_bytes());
        let call = abi::setStatusCall { path, status: to as u8, reason };
        Ok(Outcome::Done(self.send(&call, Some(namespace)).await?.0))
    }
}
