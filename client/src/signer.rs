//! Makes envelopes: reads what a signature has to bind to, and signs. Needs a node, and no ether.

use domain::{Address, InstanceId, Lease, Status};

use crate::{
    error::ChainError,
    keys::Key,
    refusal::Refusal,
    registry::Registry,
    service::{Body, InputError, InstanceName, Registration},
    signed::{Envelope, Message},
};

/// Signs calls to one registry as one account.
#[derive(Debug, Clone)]
pub struct Signer {
    registry: Registry,
    key: Key,
}

impl Signer {
    /// Signs for this registry.
    pub fn new(registry: Registry, key: &Key) -> Self {
        Self { registry, key: key.clone() }
    }

    /// Who signs.
    pub fn account(&self) -> Address {
        self.key.account()
    }

    /// The registry, for its views.
    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    /// A registration by this account, to be sent until `deadline`, in seconds of chain time.
    ///
    /// # Errors
    /// [`Refusal::AlreadyRegistered`] if the instance is listed or was revoked, [`Refusal::NotOwner`] if it was
    /// transferred; [`InputError`]; other [`ChainError`]s.
    pub async fn register(&self, registration: &Registration, deadline: u64) -> Result<Envelope, ChainError> {
        registration.check()?;
        let name = registration.name(self.account());
        let lease = self.registry.lease(name.id()).await?;
        if let Some(lease) = lease {
            let (id, status) = (name.id(), Some(lease.status));
            if !matches!(lease.status, Status::Deregistered | Status::Reaped) {
                return Err(Refusal::AlreadyRegistered { id, status }.into());
            }
            if lease.owner != self.account() {
                return Err(Refusal::NotOwner { id, caller: self.account(), owner: lease.owner }.into());
            }
        }
        let epoch = lease.map_or(0, |lease| lease.epoch);
        self.sign(Message::Register { name, body: registration.body.clone(), epoch }, deadline)
    }

    /// A new record, in place of the one of now.
    ///
    /// # Errors
    /// [`Refusal::NotListed`]; [`InputError`]; other [`ChainError`]s.
    pub async fn update(&self, name: &InstanceName, body: &Body, deadline: u64) -> Result<Envelope, ChainError> {
        name.check()?;
        body.check()?;
        let epoch = self.listed(name.id()).await?.epoch;
        let prev_record_hash = self.registry.record_hash(name.id()).await?;
        self.sign(Message::Update { name: name.clone(), prev_record_hash, body: body.clone(), epoch }, deadline)
    }

    /// That an instance leaves its service.
    ///
    /// # Errors
    /// [`Refusal::NotListed`], [`Refusal::InstanceSuspended`]; [`InputError`]; other [`ChainError`]s.
    pub async fn deregister(&self, name: &InstanceName, deadline: u64) -> Result<Envelope, ChainError> {
        name.check()?;
        let lease = self.listed(name.id()).await?;
        if lease.status == Status::Suspended {
            return Err(Refusal::InstanceSuspended { id: name.id() }.into());
        }
        self.sign(Message::Deregister { name: name.clone(), epoch: lease.epoch }, deadline)
    }

    /// That a lease is renewed from `time` on: after the last heartbeat, and not in the future.
    ///
    /// # Errors
    /// [`Refusal::NotListed`]; [`InputError::NotAfter`]; other [`ChainError`]s.
    pub async fn heartbeat(&self, id: InstanceId, time: u64, deadline: u64) -> Result<Envelope, ChainError> {
        let lease = self.listed(id).await?;
        if time <= lease.last_heartbeat {
            return Err(InputError::NotAfter { time, last: lease.last_heartbeat }.into());
        }
        self.sign(Message::Heartbeat { id, epoch: lease.epoch, time }, deadline)
    }

    fn sign(&self, message: Message, deadline: u64) -> Result<Envelope, ChainError> {
        Envelope::sign(&self.key, self.registry.chain().chain_id(), self.registry.address(), message, deadline)
    }

    async fn listed(&self, id: InstanceId) -> Result<Lease, ChainError> {
        match self.registry.lease(id).await? {
            Some(lease) if lease.status.is_listed() => Ok(lease),
            lease => Err(Refusal::NotListed { id, status: lease.map(|lease| lease.status) }.into()),
        }
    }
}
