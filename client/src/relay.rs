//! Sends what others signed.

use std::collections::BTreeSet;

use alloy::{eips::BlockId, primitives::aliases::U40, sol_types::SolEvent};
use bindings::{IRegistryTypes::SignedHeartbeat, ServiceRegistry as abi};
use domain::B256;

use crate::{
    error::ChainError,
    publish::{Done, MAX_BATCH, Publisher, change, key, raw},
    refusal::Refusal,
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
        self.check(envelope)?;
        let (deadline, signature) = (U40::saturating_from(envelope.deadline), envelope.signature.clone());
        let (done, _) = match &envelope.message {
            Message::Register { name, body, .. } => {
                let registration = raw(&name.service, &name.label, body);
                let call = abi::registerSignedCall { registration, owner: name.registrant, deadline, signature };
                self.send(&call, Some(&name.service.namespace)).await?
            }
            Message::Update { name, prev_record_hash, body, .. } => {
                let change = change(name, *prev_record_hash, body);
                let call = abi::updateSignedCall { change, deadline, signature };
                self.send(&call, Some(&name.service.namespace)).await?
            }
            Message::Deregister { name, .. } => {
                let call = abi::deregisterSignedCall { key: key(name), deadline, signature };
                self.send(&call, Some(&name.service.namespace)).await?
            }
            Message::Heartbeat { .. } => {
                let Relayed { done, skipped } = self.relay_heartbeats(std::slice::from_ref(envelope)).await?;
                return if skipped.is_empty() { Ok(done) } else { Err(Refusal::NothingRelayed { size: 1 }.into()) };
            }
        };
        Ok(done)
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
}
