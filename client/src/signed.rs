//! Calls that one signs and another sends: EIP-712 messages, and the JSON in which they travel.
//!
//! An [`Envelope`] as JSON:
//!
//! ```json
//! {
//!   "chain_id": 31337,
//!   "contract": "0x…",
//!   "kind": "heartbeat",
//!   "message": { "id": "0x…", "epoch": 0, "time": 1795251987 },
//!   "deadline": 1795255587,
//!   "signature": "0x…"
//! }
//! ```
//!
//! | `kind` | `message` |
//! |---|---|
//! | `register` | `service`, `registrant` (who signs, and owns it then), `label`, `version`, `endpoints`, `metadata`, `ttl_s`, `epoch` |
//! | `update` | the same, and `prev_record_hash` |
//! | `deregister` | `service`, `registrant`, `label`, `epoch` |
//! | `heartbeat` | `id`, `epoch`, `time` |
//!
//! `service` is `namespace/name`; bytes are `0x` and hexadecimal digits; times are seconds of chain time. Nothing is secret.

use alloy::{
    primitives::{
        Signature,
        aliases::{U24, U40},
    },
    signers::SignerSync,
    sol_types::{Eip712Domain, SolStruct, eip712_domain},
};
use domain::{Address, B256, Bytes, InstanceId};
use serde::{Deserialize, Serialize};

use crate::{
    error::ChainError,
    keys::Key,
    service::{Body, InputError, InstanceName, check_time},
};

/// What `sol!` makes of the types that are signed; docs/contract.md has them.
mod typed {
    alloy::sol! {
        struct Register {
            address owner;
            bytes32 namespaceId;
            string name;
            string label;
            string version;
            bytes[] endpoints;
            bytes metadata;
            uint24 ttl;
            uint24 epoch;
            uint40 deadline;
        }

        struct Update {
            bytes32 id;
            bytes32 prevRecordHash;
            string version;
            bytes[] endpoints;
            bytes metadata;
            uint24 ttl;
            uint24 epoch;
            uint40 deadline;
        }

        struct Deregister {
            bytes32 id;
            uint24 epoch;
            uint40 deadline;
        }

        struct Heartbeat {
            bytes32 id;
            uint24 epoch;
            uint40 time;
            uint40 deadline;
        }
    }
}

/// A call that somebody signed, and that anybody can send.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Envelope {
    /// The chain that it is for.
    pub chain_id: u64,
    /// The registry that it is for.
    pub contract: Address,
    /// What is to be done.
    #[serde(flatten)]
    pub message: Message,
    /// The last second at which it can be sent.
    pub deadline: u64,
    /// Over all of the above.
    pub signature: Bytes,
}

/// What is to be done. `epoch` is the epoch of the instance: the signature is void in the next.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", content = "message", rename_all = "snake_case")]
pub enum Message {
    /// Register an instance; its registrant signs.
    Register {
        /// The instance.
        #[serde(flatten)]
        name: InstanceName,
        /// What it publishes.
        #[serde(flatten)]
        body: Body,
        /// Its epoch; 0 if it is new.
        epoch: u32,
    },
    /// Replace a record.
    Update {
        /// The instance.
        #[serde(flatten)]
        name: InstanceName,
        /// The record that is replaced.
        prev_record_hash: B256,
        /// What it publishes then.
        #[serde(flatten)]
        body: Body,
        /// Its epoch.
        epoch: u32,
    },
    /// Take an instance out of its service.
    Deregister {
        /// The instance.
        #[serde(flatten)]
        name: InstanceName,
        /// Its epoch.
        epoch: u32,
    },
    /// Renew a lease.
    Heartbeat {
        /// The instance.
        id: InstanceId,
        /// Its epoch.
        epoch: u32,
        /// From when on.
        time: u64,
    },
}

/// What was signed cannot be sent here.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EnvelopeError {
    /// For another chain.
    #[error("it was signed for chain {signed}, and this is chain {here}: send it there, or have it signed anew")]
    OtherChain {
        /// The chain that it is for.
        signed: u64,
        /// The chain that was asked.
        here: u64,
    },
    /// For another contract.
    #[error("it was signed for the registry {signed}, and this is {here}: send it there, or have it signed anew")]
    OtherContract {
        /// The registry that it is for.
        signed: Address,
        /// The one that was asked.
        here: Address,
    },
    /// Not the heartbeat of a batch.
    #[error("a {0} among heartbeats: only heartbeats are sent in batches")]
    NoHeartbeat(&'static str),
    /// Not signed by a key.
    #[error("its signature is none of a key")]
    NoKeySigned,
}

impl Message {
    /// The word for it in JSON.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Register { .. } => "register",
            Self::Update { .. } => "update",
            Self::Deregister { .. } => "deregister",
            Self::Heartbeat { .. } => "heartbeat",
        }
    }

    /// The instance that it is about.
    pub fn id(&self) -> InstanceId {
        match self {
            Self::Register { name, .. } | Self::Update { name, .. } | Self::Deregister { name, .. } => name.id(),
            Self::Heartbeat { id, .. } => *id,
        }
    }

    /// Checks all that the contract checks of the input alone.
    ///
    /// # Errors
    /// The first [`InputError`].
    pub fn check(&self) -> Result<(), InputError> {
        let epoch = match self {
            Self::Register { name, body, epoch } | Self::Update { name, body, epoch, .. } => {
                name.check()?;
                body.check()?;
                *epoch
            }
            Self::Deregister { name, epoch } => {
                name.check()?;
                *epoch
            }
            Self::Heartbeat { epoch, time, .. } => {
                check_time(*time)?;
                *epoch
            }
        };
        if epoch < 1 << 24 { Ok(()) } else { Err(InputError::Epoch(epoch)) }
    }

    fn digest(&self, deadline: u64, domain: &Eip712Domain) -> B256 {
        let deadline = U40::saturating_from(deadline);
        match self {
            Self::Register { name, body, epoch } => typed::Register {
                owner: name.registrant,
                namespaceId: name.service.namespace.id().0,
                name: name.service.name.clone(),
                label: name.label.clone(),
                version: body.version.clone(),
                endpoints: body.endpoints.clone(),
                metadata: body.metadata.clone(),
                ttl: U24::saturating_from(body.ttl),
                epoch: U24::saturating_from(*epoch),
                deadline,
            }
            .eip712_signing_hash(domain),
            Self::Update { name, prev_record_hash, body, epoch } => typed::Update {
                id: name.id().0,
                prevRecordHash: *prev_record_hash,
                version: body.version.clone(),
                endpoints: body.endpoints.clone(),
                metadata: body.metadata.clone(),
                ttl: U24::saturating_from(body.ttl),
                epoch: U24::saturating_from(*epoch),
                deadline,
            }
            .eip712_signing_hash(domain),
            Self::Deregister { name, epoch } => {
                typed::Deregister { id: name.id().0, epoch: U24::saturating_from(*epoch), deadline }
                    .eip712_signing_hash(domain)
            }
            Self::Heartbeat { id, epoch, time } => typed::Heartbeat {
                id: id.0,
                epoch: U24::saturating_from(*epoch),
                time: U40::saturating_from(*time),
                deadline,
            }
            .eip712_signing_hash(domain),
        }
    }
}

impl Envelope {
    /// Signs a message for the registry of a chain; it can be sent until `deadline`, in seconds.
    ///
    /// # Errors
    /// [`InputError`]; [`ChainError::Sign`].
    pub fn sign(
        key: &Key,
        chain_id: u64,
        contract: Address,
        message: Message,
        deadline: u64,
    ) -> Result<Self, ChainError> {
        message.check()?;
        check_time(deadline)?;
        let digest = message.digest(deadline, &domain(chain_id, contract));
        let signature = key
            .signer()
            .sign_hash_sync(&digest)
            .map_err(|e| ChainError::Sign { account: key.account(), reason: e.to_string() })?;
        Ok(Self { chain_id, contract, message, deadline, signature: signature.as_bytes().to_vec().into() })
    }

    /// Checks that it is for this registry, and all that the contract checks of the input alone.
    ///
    /// # Errors
    /// [`EnvelopeError`], [`InputError`].
    pub fn check(&self, chain_id: u64, contract: Address) -> Result<(), ChainError> {
        if self.chain_id != chain_id {
            return Err(EnvelopeError::OtherChain { signed: self.chain_id, here: chain_id }.into());
        }
        if self.contract != contract {
            return Err(EnvelopeError::OtherContract { signed: self.contract, here: contract }.into());
        }
        check_time(self.deadline)?;
        Ok(self.message.check()?)
    }

    /// What was signed: the EIP-712 digest.
    pub fn digest(&self) -> B256 {
        self.message.digest(self.deadline, &domain(self.chain_id, self.contract))
    }

    /// Whose key signed it.
    ///
    /// # Errors
    /// [`EnvelopeError::NoKeySigned`]: it is no signature, or one that a contract (ERC-1271) may understand.
    pub fn signer(&self) -> Result<Address, EnvelopeError> {
        let signature = match self.signature.len() {
            64 => Ok(Signature::from_erc2098(&self.signature)),
            _ => Signature::from_raw(&self.signature),
        };
        let signer = signature.map_err(|_| EnvelopeError::NoKeySigned)?.recover_address_from_prehash(&self.digest());
        signer.map_err(|_| EnvelopeError::NoKeySigned)
    }
}

/// The domain of what is signed for a registry.
pub fn domain(chain_id: u64, contract: Address) -> Eip712Domain {
    eip712_domain! {
        name: "Rollcall ServiceRegistry",
        version: "1",
        chain_id: chain_id,
        verifying_contract: contract,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> Key {
        Key::from_hex(&"11".repeat(32)).expect("a key")
    }

    fn name() -> InstanceName {
        let service = "acme/payments".parse().expect("a service");
        InstanceName { service, registrant: key().account(), label: "a1".into() }
    }

    fn body() -> Body {
        Body {
            version: "1.2.0".into(),
            endpoints: vec![Bytes::from_static(b"https://a.example"), Bytes::from_static(&[0xff])],
            metadata: Bytes::from_static(b"{}"),
            ttl: 30,
        }
    }

    fn messages() -> [Message; 4] {
        [
            Message::Register { name: name(), body: body(), epoch: 0 },
            Message::Update { name: name(), prev_record_hash: B256::repeat_byte(7), body: body(), epoch: 1 },
            Message::Deregister { name: name(), epoch: 2 },
            Message::Heartbeat { id: name().id(), epoch: 3, time: 1_795_251_987 },
        ]
    }

    #[test]
    fn the_types_are_those_of_the_contract() {
        let source = include_str!("../../contracts/src/registry/Signed.sol");
        for encoded in [
            typed::Register::eip712_encode_type(),
            typed::Update::eip712_encode_type(),
            typed::Deregister::eip712_encode_type(),
            typed::Heartbeat::eip712_encode_type(),
        ] {
            assert!(source.contains(&format!("\"{encoded}\"")), "{encoded}");
        }
    }

    #[test]
    fn an_envelope_survives_json_and_tells_its_signer() {
        let contract = Address::repeat_byte(9);
        for message in messages() {
            let kind = message.kind();
            let envelope = Envelope::sign(&key(), 31337, contract, message, 2_000_000_000).expect("signed");
            let text = serde_json::to_string(&envelope).expect("JSON");
            assert!(text.contains(&format!("\"kind\":\"{kind}\"")), "{text}");
            let read: Envelope = serde_json::from_str(&text).expect("an envelope");
            assert_eq!(read, envelope);
            assert_eq!(read.signer(), Ok(key().account()));
            let moved = Envelope { chain_id: 1, ..read.clone() };
            assert_ne!(moved.signer(), Ok(key().account()));
            assert!(matches!(
                moved.check(31337, contract),
                Err(ChainError::Envelope(EnvelopeError::OtherChain { .. }))
            ));
            let other = read.check(31337, Address::ZERO);
            assert!(matches!(other, Err(ChainError::Envelope(EnvelopeError::OtherContract { .. }))));
        }
    }

    #[test]
    fn numbers_that_the_contract_has_no_bits_for_are_refused() {
        let [.., heartbeat] = messages();
        assert!(Envelope::sign(&key(), 1, Address::ZERO, heartbeat, 1 << 40).is_err());
        let late = Message::Heartbeat { id: name().id(), epoch: 0, time: 1 << 40 };
        assert_eq!(late.check(), Err(InputError::Time(1 << 40)));
        let far = Message::Deregister { name: name(), epoch: 1 << 24 };
        assert_eq!(far.check(), Err(InputError::Epoch(1 << 24)));
    }
}
