//! Register, update, renew and deregister instances. Everything waits for its receipt.

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
    registry::Registry,
    send::Sender,
    service::{Body, InputError, InstanceName, Registration, Service},
};

/// The most instances that one transaction renews.
pub const MAX_BATCH: usize = 500;

/// Publishes as one account. Clones share their order of transactions.
#[derive(Clone)]
pub struct Publisher {
    registry: Registry,
    pub(crate) sender: Sender,
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
    /// Those that were skipped: not listed, or of an owner who does not let this account.
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

    /// Registers an instance; its lease starts with the transaction's block. If it is active with the very same record
    /// and ttl, nothing is sent.
    ///
    /// # Errors
    /// [`crate::Refusal::NamespaceClosed`], [`crate::Refusal::AlreadyRegistered`] if it is listed with another record;
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
        let call =
            abi::registerCall { registration: raw(&registration.service, &registration.label, &registration.body) };
        Ok(Outcome::Done(self.send(&call, Some(namespace)).await?.0))
    }

    /// Replaces the record of an instance that is this account's, or of an owner who lets it.
    ///
    /// # Errors
    /// [`crate::Refusal::NotListed`], [`crate::Refusal::NotPermitted`], [`crate::Refusal::RecordChanged`];
    /// [`InputError`]; other [`ChainError`]s.
    pub async fn update(&self, name: &InstanceName, body: &Body) -> Result<Done, ChainError> {
        name.check()?;
        body.check()?;
        let prev_record_hash = self.registry.record_hash(name.id()).await?;
        let call = abi::updateCall { change: change(name, prev_record_hash, body) };
        Ok(self.send(&call, Some(&name.service.namespace)).await?.0)
    }

    /// Renews one lease, from the transaction's block.
    ///
    /// # Errors
    /// [`crate::Refusal::NotListed`], [`crate::Refusal::NotPermitted`]; other [`ChainError`]s.
    pub async fn heartbeat(&self, id: InstanceId) -> Result<Done, ChainError> {
        Ok(self.send(&abi::heartbeatCall { id: id.0 }, None).await?.0)
    }

    /// Renews up to [`MAX_BATCH`] leases in one transaction. The contract skips those that it cannot renew.
    ///
    /// # Errors
    /// [`crate::Refusal::NothingRenewed`] if it skips all; [`InputError::NoInstances`]; other [`ChainError`]s.
    pub async fn heartbeat_batch(&self, ids: &[InstanceId]) -> Result<Renewed, ChainError> {
        match ids.len() {
            0 => return Err(InputError::NoInstances.into()),
            len if len > MAX_BATCH => return Err(InputError::BatchSize { len, max: MAX_BATCH }.into()),
            _ => {}
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

    /// Takes an active instance out of its service: this account's, or an owner's who lets it.
    ///
    /// # Errors
    /// [`crate::Refusal::NotListed`], [`crate::Refusal::NotPermitted`], [`crate::Refusal::InstanceSuspended`];
    /// [`InputError::Text`]; other [`ChainError`]s.
    pub async fn deregister(&self, name: &InstanceName) -> Result<Done, ChainError> {
        name.check()?;
        let call = abi::deregisterCall { key: key(name) };
        Ok(self.send(&call, Some(&name.service.namespace)).await?.0)
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

    pub(crate) async fn send(
        &self,
        call: &impl SolCall,
        known: Option<&Namespace>,
    ) -> Result<(Done, TransactionReceipt), ChainError> {
        let to = TxKind::Call(self.registry.address());
        let receipt = self.sender.send(to, call.abi_encode().into(), known).await?;
        Ok((done(&receipt)?, receipt))
    }

    pub(crate) fn logs<'a>(
        &self,
        receipt: &'a TransactionReceipt,
    ) -> impl Iterator<Item = &'a alloy::primitives::LogData> {
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

pub(crate) fn key(name: &InstanceName) -> InstanceKey {
    InstanceKey { service: name.service.key().0, registrant: name.registrant, labelHash: keccak256(&name.label) }
}

pub(crate) fn raw(service: &Service, label: &str, body: &Body) -> RawRegistration {
    let NamespaceId(namespace) = service.namespace.id();
    RawRegistration {
        namespaceId: namespace,
        name: service.name.clone(),
        label: label.to_owned(),
        version: body.version.clone(),
        endpoints: body.endpoints.clone(),
        metadata: body.metadata.clone(),
        ttl: U24::saturating_from(body.ttl),
    }
}

pub(crate) fn change(name: &InstanceName, prev_record_hash: B256, body: &Body) -> RecordUpdate {
    RecordUpdate {
        key: key(name),
        prevRecordHash: prev_record_hash,
        version: body.version.clone(),
        endpoints: body.endpoints.clone(),
        metadata: body.metadata.clone(),
        ttl: U24::saturating_from(body.ttl),
    }
}
