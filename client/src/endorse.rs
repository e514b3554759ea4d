//! What others than its owner say of an instance: the second contract.

use alloy::{
    eips::BlockId,
    primitives::{
        TxKind,
        aliases::{U24, U40},
    },
    providers::DynProvider,
    sol_types::SolCall,
};
use bindings::Endorsements as abi;
use domain::{Address, B256, InstanceId, Topic};

use crate::{
    error::ChainError,
    publish::{Done, Outcome, Publisher},
    registry::Registry,
    service::{InputError, check_time},
};

/// What stands in the artifact where the code of a deployed contract has the registry's address: PUSH32 of zero, which
/// the compiler writes for nothing but immutables.
const IMMUTABLE: [u8; 33] = {
    let mut push = [0; 33];
    push[0] = 0x7f;
    push
};

/// One endorsement of an instance's present epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Endorsement {
    /// The last second at which it holds.
    pub expires_at: u64,
    /// Whether it was withdrawn.
    pub withdrawn: bool,
    /// What it says or points to.
    pub digest: B256,
}

/// The endorsements of one registry's instances.
#[derive(Debug, Clone)]
pub struct Endorsements {
    registry: Registry,
    contract: abi::EndorsementsInstance<DynProvider>,
}

impl Endorsements {
    /// The contract at an address; there must be one, for this registry.
    ///
    /// # Errors
    /// [`ChainError::NoContract`], [`ChainError::OtherEndorsements`], or as [`crate::Chain::connect`].
    pub async fn at(registry: Registry, contract: Address) -> Result<Self, ChainError> {
        let chain = registry.chain();
        let (code, chain_id) = (chain.code(contract).await?, chain.chain_id());
        if code.is_empty() {
            return Err(ChainError::NoContract { contract, chain_id });
        }
        if *code != runtime_code(registry.address()) {
            return Err(ChainError::OtherEndorsements { contract, chain_id, registry: registry.address() });
        }
        let contract = abi::new(contract, chain.provider().clone());
        Ok(Self { registry, contract })
    }

    /// Where it is.
    pub fn address(&self) -> Address {
        *self.contract.address()
    }

    /// Whose instances are endorsed here.
    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    /// What an account says about a topic of an instance in its present epoch, expired and withdrawn or not.
    ///
    /// # Errors
    /// As [`crate::Chain::connect`].
    pub async fn endorsement(
        &self,
        id: InstanceId,
        endorser: Address,
        topic: Topic,
    ) -> Result<Option<Endorsement>, ChainError> {
        let call = self.contract.endorsementOf(id.0, endorser, topic.0).block(BlockId::latest()).call().await;
        let raw = call.map_err(|e| self.registry.failed(e))?;
        Ok((!raw.digest.is_zero()).then(|| Endorsement {
            expires_at: raw.expiry.to(),
            withdrawn: raw.withdrawn,
            digest: raw.digest,
        }))
    }

    /// Whether an endorsement holds now.
    ///
    /// # Errors
    /// As [`crate::Chain::connect`].
    pub async fn is_endorsed(&self, id: InstanceId, endorser: Address, topic: Topic) -> Result<bool, ChainError> {
        let call = self.contract.isEndorsed(id.0, endorser, topic.0).block(BlockId::latest()).call().await;
        call.map_err(|e| self.registry.failed(e))
    }
}

impl Publisher {
    /// Endorses a listed instance, as it was looked at in `epoch`, until `expires_at`, in place of what this account
    /// said about the topic before. If it said just this, nothing is sent.
    ///
    /// # Errors
    /// [`crate::Refusal::OwnEndorsement`], [`crate::Refusal::NotListed`], [`crate::Refusal::EpochChanged`],
    /// [`crate::Refusal::ExpiryPassed`]; [`InputError`]; other [`ChainError`]s.
    pub async fn endorse(
        &self,
        endorsements: &Endorsements,
        id: InstanceId,
        epoch: u32,
        topic: Topic,
        expires_at: u64,
        digest: B256,
    ) -> Result<Outcome, ChainError> {
        check_time(expires_at)?;
        if digest.is_zero() {
            return Err(InputError::EmptyDigest.into());
        }
        let said = Endorsement { expires_at, withdrawn: false, digest };
        let present = endorsements.registry().lease(id).await?.map(|lease| lease.epoch);
        if present == Some(epoch) && endorsements.endorsement(id, self.account(), topic).await? == Some(said) {
            return Ok(Outcome::Already);
        }
        let (epoch, expiry) = (U24::saturating_from(epoch), U40::saturating_from(expires_at));
        let call = abi::endorseCall { id: id.0, epoch, topic: topic.0, expiry, digest };
        Ok(Outcome::Done(self.send_to(endorsements, &call).await?))
    }

    /// Withdraws what this account said about a topic in the instance's present epoch; it may be withdrawn already.
    ///
    /// # Errors
    /// [`crate::Refusal::NotEndorsed`]; other [`ChainError`]s.
    pub async fn withdraw_endorsement(
        &self,
        endorsements: &Endorsements,
        id: InstanceId,
        topic: Topic,
    ) -> Result<Outcome, ChainError> {
        if endorsements.endorsement(id, self.account(), topic).await?.is_some_and(|said| said.withdrawn) {
            return Ok(Outcome::Already);
        }
        let call = abi::withdrawCall { id: id.0, topic: topic.0 };
        Ok(Outcome::Done(self.send_to(endorsements, &call).await?))
    }

    async fn send_to(&self, endorsements: &Endorsements, call: &impl SolCall) -> Result<Done, ChainError> {
        let to = TxKind::Call(endorsements.address());
        crate::publish::done(&self.sender.send(to, call.abi_encode().into(), None).await?)
    }
}

/// The code of the endorsements of a registry, once they are deployed.
fn runtime_code(registry: Address) -> Vec<u8> {
    let mut code = abi::DEPLOYED_BYTECODE.to_vec();
    let mut at = 0;
    while let Some(place) = code.get_mut(at..at + IMMUTABLE.len()) {
        if *place == IMMUTABLE {
            place[1..].copy_from_slice(registry.into_word().as_slice());
        }
        at += 1;
    }
    code
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_registry_is_where_the_artifact_says() {
        let artifact = include_str!("../../contracts/abi/Endorsements.json");
        let artifact: serde_json::Value = serde_json::from_str(artifact).expect("JSON");
        let references = artifact["deployedBytecode"]["immutableReferences"].as_array().expect("a list");
        assert!(!references.is_empty());
        let registry = Address::repeat_byte(0xab);
        let mut expected = abi::DEPLOYED_BYTECODE.to_vec();
        for reference in references {
            let at = |key: &str| usize::try_from(reference[key].as_u64().expect("a number")).expect("small");
            expected[at("start")..at("start") + at("length")].copy_from_slice(registry.into_word().as_slice());
        }
        assert_eq!(runtime_code(registry), expected);
    }
}
