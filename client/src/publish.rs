//! Claim a namespace; register, update, renew and deregister instances. Everything waits for its receipt.

use std::time::Duration;

use alloy::{
    primitives::{Address, B256, TxKind, aliases::U24, keccak256},
    rpc::types::TransactionReceipt,
    sol_types::{SolCall, SolEvent},
};
use bindings::{
    IRegistryTypes::{InstanceKey, RecordUpdate, Registration as RawRegistration},
    ServiceRegistry as abi,
};
use domain::{BlockRef, InstanceId, Namespace, NamespaceId, Status, record::record_hash};

use crate::{
    chain::Chain,
    error::ChainError,
    keys::Key,
    redact::SecretUrl,
    refusal::Refusal,
    registry::Registry,
    send::Sender,
    service::{Body, InputError, Registration, Service, check_label},
};

/// The most instances that one transaction renews.
pub const MAX_BATCH: usize = 500;

/// Publishes as one account. Clones share their order of transactions.
#[derive(Clone)]
pub struct Publisher {
    registry: Registry,
    sender: Sender,
}

/// A transaction that is in a block and succeeded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Done {
    /// The transaction.
    pub tx: B256,
    /// The block that it is in.
    pub block: BlockRef,
}

/// What a call did that may have been done before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It took a transaction.
    Done(Done),
    /// It was so already; nothing was sent.
    Already,
}

/// The instances that a batch renewed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Renewed {
    /// The transaction.
    pub done: Done,
    /// Those that were skipped: not listed, or not this account's.
    pub skipped: Vec<InstanceId>,
}

impl Publisher {
    /// How long to wait for a block by default.
    pub const PATIENCE: Duration = Duration::from_secs(90);

    /// Connects to a node and finds the registry there.
    ///
    /// # Errors
    /// As [`Registry::at`].
    pub async fn connect(rpc_url: &SecretUrl, contract: Address, key: &Key) -> Result<Self, ChainError> {
        let registry = Registry::at(Chain::connect(rpc_url).await?, contract).await?;
        Ok(Self::new(registry, key, Self::PATIENCE))
    }

    /// Publishes in this registry; waits at most `patience` for a transaction to get into a block.
    pub fn new(registry: Registry, key: &Key, patience: Duration) -> Self {
        let sender = Sender::new(registry.chain().clone(), key, patience);
        Self { registry, sender }
    }

    /// Who signs.
    pub fn account(&self) -> Address {
        self.sender.account()
    }

    /// The registry, for its views.
    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    /// The id of this account's instance of a service.
    pub fn instance(&self, service: &Service, label: &str) -> InstanceId {
        service.instance(self.account(), label)
    }

    /// Makes this account the owner of a label. It may be that already.
    ///
    /// # Errors
    /// [`Refusal::NamespaceTaken`] if it is another's; [`InputError`] for what is no label; other [`ChainError`]s.
    pub async fn claim_namespace(&self, label: &str) -> Result<Outcome, ChainError> {
        check_label(label)?;
        let namespace = Namespace::Label(label.to_owned());
        match self.registry.owner_of(namespace.id()).await? {
            Some(owner) if owner == self.account() => return Ok(Outcome::Already),
            Some(owner) => return Err(Refusal::NamespaceTaken { namespace: label.to_owned(), owner }.into()),
            None => {}
        }
        let call = abi::claimNamespaceCall { label: label.to_owned() };
        Ok(Outcome::Done(self.send(&call, Some(&namespace)).await?.0))
    }

    /// Registers an instance; its lease starts with the transaction's block. If it is active with the very same record
    /// and ttl, nothing is sent.
    ///
    /// # Errors
    /// [`Refusal::NamespaceClosed`], [`Refusal::AlreadyRegistered`] if it is listed with another record;
    /// [`InputError`]; other [`ChainError`]s.
    pub async fn register(&self, registration: &Registration) -> Result<Outcome, ChainError> {
        registration.check()?;
        let id = self.instance(&registration.service, &registration.label);
        if let Some(lease) = self.registry.lease(id).await?
            && lease.status == Status::Active
            && lease.owner == self.account()
            && lease.ttl == registration.body.ttl
            && self.is_current(id, &registration.body).await
        {
            return Ok(Outcome::Already);
        }
        let namespace = &registration.service.namespace;
        let call = abi::registerCall { registration: raw(registration) };
        Ok(Outcome::Done(self.send(&call, Some(namespace)).await?.0))
    }

    /// Replaces the record of one of this account's instances. `registrant` is who registered it: this account, unless
    /// the instance was transferred.
    ///
    /// # Errors
    /// [`Refusal::NotListed`], [`Refusal::NotOwner`], [`Refusal::RecordChanged`]; [`InputError`]; other
    /// [`ChainError`]s.
    pub async fn update(
        &self,
        service: &Service,
        registrant: Address,
        label: &str,
        body: &Body,
    ) -> Result<Done, ChainError> {
        body.check()?;
        let id = service.instance(registrant, label);
        let change = RecordUpdate {
            key: key(service, registrant, label),
            prevRecordHash: self.registry.record_hash(id).await?,
            version: body.version.clone(),
            endpoints: body.endpoints.clone(),
            metadata: body.metadata.clone(),
            ttl: U24::from(body.ttl),
        };
        Ok(self.send(&abi::updateCall { change }, Some(&service.namespace)).await?.0)
    }

    /// Renews one lease, from the transaction's block.
    ///
    /// # Errors
    /// [`Refusal::NotListed`], [`Refusal::NotOwner`]; other [`ChainError`]s.
    pub async fn heartbeat(&self, id: InstanceId) -> Result<Done, ChainError> {
        Ok(self.send(&abi::heartbeatCall { id: id.0 }, None).await?.0)
    }

    /// Renews up to [`MAX_BATCH`] leases in one transaction. The contract skips those that it cannot renew.
    ///
    /// # Errors
    /// [`Refusal::NothingRenewed`] if it skips all; [`InputError::NoInstances`]; other [`ChainError`]s.
    pub async fn heartbeat_batch(&self, ids: &[InstanceId]) -> Result<Renewed, ChainError> {
        if ids.is_empty() {
            return Err(InputError::NoInstances.into());
        }
        let call = abi::heartbeatBatchCall { ids: ids.iter().map(|id| id.0).collect() };
        let (done, receipt) = self.send(&call, None).await?;
        let renewed: Vec<B256> = self
            .logs(&receipt)
            .filter_map(|log| abi::HeartbeatBatch::decode_log_data(log).ok())
            .flat_map(|event| event.ids)
            .collect();
        Ok(Renewed { done, skipped: ids.iter().filter(|id| !renewed.contains(&id.0)).copied().collect() })
    }

    /// Takes an instance out of its service. `registrant` as at [`Publisher::update`].
    ///
    /// # Errors
    /// [`Refusal::NotListed`], [`Refusal::NotOwner`]; other [`ChainError`]s.
    pub async fn deregister(&self, service: &Service, registrant: Address, label: &str) -> Result<Done, ChainError> {
        let call = abi::deregisterCall { key: key(service, registrant, label) };
        Ok(self.send(&call, Some(&service.namespace)).await?.0)
    }

    /// Whether the registry holds just this record. A first record shows by its hash alone; a later one needs the logs,
    /// and where those cannot be had the answer is no.
    async fn is_current(&self, id: InstanceId, body: &Body) -> bool {
        let Ok(current) = self.registry.record_hash(id).await else {
            return false;
        };
        let hash = |prev| record_hash(prev, &body.version, &body.endpoints, &body.metadata);
        hash(B256::ZERO) == current
            || matches!(self.registry.current(id).await, Ok(Some(logged)) if hash(logged.prev_record_hash) == current)
    }

    async fn send(
        &self,
        call: &impl SolCall,
        known: Option<&Namespace>,
    ) -> Result<(Done, TransactionReceipt), ChainError> {
        let to = TxKind::Call(self.registry.address());
        let receipt = self.sender.send(to, call.abi_encode().into(), known).await?;
        Ok((done(&receipt)?, receipt))
    }

    fn logs<'a>(&self, receipt: &'a TransactionReceipt) -> impl Iterator<Item = &'a alloy::primitives::LogData> {
        let contract = self.registry.address();
        receipt.logs().iter().filter(move |log| log.address() == contract).map(|log| log.data())
    }
}

pub(crate) fn done(receipt: &TransactionReceipt) -> Result<Done, ChainError> {
    match (receipt.block_number, receipt.block_hash) {
        (Some(number), Some(hash)) => Ok(Done { tx: receipt.transaction_hash, block: BlockRef { number, hash } }),
        _ => Err(ChainError::Unexpected("a receipt without a block".to_owned())),
    }
}

fn key(service: &Service, registrant: Address, label: &str) -> InstanceKey {
    InstanceKey { service: service.key().0, registrant, labelHash: keccak256(label) }
}

fn raw(registration: &Registration) -> RawRegistration {
    let NamespaceId(namespace) = registration.service.namespace.id();
    RawRegistration {
        namespaceId: namespace,
        name: registration.service.name.clone(),
        label: registration.label.clone(),
        version: registration.body.version.clone(),
        endpoints: registration.body.endpoints.clone(),
        metadata: registration.body.metadata.clone(),
        ttl: U24::from(registration.body.ttl),
    }
}
