//! Sends what others signed.

use std::collections::BTreeSet;

use alloy::{
    eips::BlockId,
    primitives::{TxKind, aliases::U40},
    sol_types::{SolCall, SolEvent},
};
use bindings::{IRegistryTypes::SignedHeartbeat, ServiceRegistry as abi};
use domain::{B256, Bytes, Namespace};

use crate::{
    error::ChainError,
    publish::{Done, MAX_BATCH, Publisher, change, done, key, raw},
    refusal::Refusal,
    send::Terms,
    service::InputError,
    signed::{Envelope, EnvelopeError, Message},
};

/// What a batch of signed heartbeats did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Relayed {
    /// The transaction.
    pub done: Done,
    /// Which were skipped, by their place in the batch: past the deadline, older than one that was sent, or of an
    /// instance that is gone, or not signed by one who may.
    pub skipped: Vec<usize>,
}

impl Publisher {
    /// Sends one envelope; this account pays. A lone heartbeat that would renew nothing is not sent.
    ///
    /// # Errors
    /// [`EnvelopeError`] if it is for another registry; [`Refusal::DeadlinePassed`], [`Refusal::InvalidSignature`] and
    /// what the call itself is refused for; [`Refusal::NothingRelayed`] also if a heartbeat was sent and skipped, since
    /// another was mined first; other [`ChainError`]s.
    pub async fn relay(&self, envelope: &Envelope) -> Result<Done, ChainError> {
        if let Message::Heartbeat { .. } = envelope.message {
            let Relayed { done, skipped } = self.relay_heartbeats(std::slice::from_ref(envelope)).await?;
            return if skipped.is_empty() { Ok(done) } else { Err(Refusal::NothingRelayed { size: 1 }.into()) };
        }
        self.relay_within(envelope, u64::MAX, &|_| ()).await
    }

    /// The most gas that an envelope would take if it were sent now; nothing is sent. What the contract refuses shows here
    /// (it skips heartbeats, and refuses none).
    ///
    /// # Errors
    /// As [`Publisher::relay`].
    pub async fn quote(&self, envelope: &Envelope) -> Result<u64, ChainError> {
        self.check(envelope)?;
        let (input, known) = self.call(envelope)?;
        self.sender.gas(TxKind::Call(self.registry().address()), input, known).await
    }

    /// Sends one envelope if it takes no more than `max_gas` at the worst; `sent` is told the hash as soon as a node has
    /// the transaction, and of any that has to take its place. A heartbeat that the contract skips is sent all the same.
    ///
    /// # Errors
    /// [`ChainError::TooMuchGas`]; as [`Publisher::relay`].
    pub async fn relay_within(
        &self,
        envelope: &Envelope,
        max_gas: u64,
        sent: &(dyn Fn(B256) + Send + Sync),
    ) -> Result<Done, ChainError> {
        self.check(envelope)?;
        let (input, known) = self.call(envelope)?;
        let to = TxKind::Call(self.registry().address());
        done(&self.sender.send_on(Terms { max_gas, sent }, to, input, known).await?)
    }

    /// Sends up to [`MAX_BATCH`] heartbeats in one transaction. The contract skips those that are not valid; a batch of
    /// which it would skip all is not sent.
    ///
    /// # Errors
    /// [`Refusal::NothingRelayed`] if it would skip all; [`EnvelopeError`], [`InputError`]; other [`ChainError`]s.
    pub async fn relay_heartbeats(&self, envelopes: &[Envelope]) -> Result<Relayed, ChainError> {
        match envelopes.len() {
            0 => return Err(InputError::NoInstances.into()),
            len if len > MAX_BATCH => return Err(InputError::BatchSize { len, max: MAX_BATCH }.into()),
            _ => {}
        }
        let items = envelopes.iter().map(|one| self.heartbeat_item(one)).collect::<Result<Vec<_>, _>>()?;
        // The contract does not refuse a batch of which it skips all: here it is found before it costs anything.
        let registry = self.registry();
        let call = registry.contract().heartbeatSigned(items.clone()).from(self.account()).block(BlockId::latest());
        if call.call().await.map_err(|e| registry.failed(e))?.is_zero() {
            return Err(Refusal::NothingRelayed { size: items.len() }.into());
        }
        let places: Vec<(B256, U40)> = items.iter().map(|item| (item.id, item.time)).collect();
        let (done, receipt) = self.send(&abi::heartbeatSignedCall { items }, None).await?;
        let events = self.logs(&receipt).filter_map(|log| abi::SignedHeartbeatBatch::decode_log_data(log).ok());
        let mut renewed: BTreeSet<_> = events.flat_map(|event| event.ids.into_iter().zip(event.times)).collect();
        // One that is there twice is renewed once: the second is no later than the first.
        let skipped = (0..places.len()).filter(|place| !renewed.remove(&places[*place])).collect();
        Ok(Relayed { done, skipped })
    }

    fn heartbeat_item(&self, envelope: &Envelope) -> Result<SignedHeartbeat, ChainError> {
        self.check(envelope)?;
        let Message::Heartbeat { id, time, .. } = envelope.message else {
            return Err(EnvelopeError::NoHeartbeat(envelope.message.kind()).into());
        };
        Ok(SignedHeartbeat {
            id: id.0,
            time: U40::saturating_from(time),
            deadline: U40::saturating_from(envelope.deadline),
            signature: envelope.signature.clone(),
        })
    }

    fn check(&self, envelope: &Envelope) -> Result<(), ChainError> {
        envelope.check(self.registry().chain().chain_id(), self.registry().address())
    }

    /// What an envelope says to the contract, and the namespace that it names.
    fn call<'a>(&self, envelope: &'a Envelope) -> Result<(Bytes, Option<&'a Namespace>), ChainError> {
        let (deadline, signature) = (U40::saturating_from(envelope.deadline), envelope.signature.clone());
        let (input, name) = match &envelope.message {
            Message::Register { name, body, .. } => {
                let registration = raw(&name.service, &name.label, body);
                let call = abi::registerSignedCall { registration, owner: name.registrant, deadline, signature };
                (call.abi_encode(), name)
            }
            Message::Update { name, prev_record_hash, body, .. } => {
                let change = change(name, *prev_record_hash, body);
                (abi::updateSignedCall { change, deadline, signature }.abi_encode(), name)
            }
            Message::Deregister { name, .. } => {
                (abi::deregisterSignedCall { key: key(name), deadline, signature }.abi_encode(), name)
            }
            Message::Heartbeat { .. } => {
                let items = vec![self.heartbeat_item(envelope)?];
                return Ok((abi::heartbeatSignedCall { items }.abi_encode().into(), None));
            }
        };
        Ok((input.into(), Some(&name.service.namespace)))
    }
}
