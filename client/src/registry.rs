//! The contract's views, at the newest block.

use alloy::{
    eips::BlockId,
    providers::{DynProvider, Provider},
    rpc::types::Filter,
    sol_types::Eip712Domain,
};
use bindings::{Event, IRegistryTypes, ServiceRegistry};
use domain::{Address, B256, InstanceId, Lease, NamespaceId, Permissions, ServiceKey, Status};

use crate::{chain::Chain, error::ChainError, grants::Grant, refusal, service::Body};

pub(crate) type Contract = ServiceRegistry::ServiceRegistryInstance<DynProvider>;

/// The registry on a chain.
#[derive(Debug, Clone)]
pub struct Registry {
    chain: Chain,
    contract: Contract,
}

/// The record of an instance as the chain's logs tell it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Current {
    /// What an update may replace.
    pub body: Body,
    /// The hash that this record replaced.
    pub prev_record_hash: B256,
}

/// Who governs a namespace, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NamespaceState {
    /// The authority over its instances, if anybody owns it.
    pub owner: Option<Address>,
    /// Whether anyone may register in it.
    pub open: bool,
    /// Goes up when it is transferred.
    pub epoch: u32,
}

impl Registry {
    /// The registry at an address; there must be one.
    ///
    /// # Errors
    /// [`ChainError::NoContract`], [`ChainError::OtherContract`], or as [`Chain::connect`].
    pub async fn at(chain: Chain, contract: Address) -> Result<Self, ChainError> {
        let code = chain.code(contract).await?;
        let chain_id = chain.chain_id();
        if code.is_empty() {
            return Err(ChainError::NoContract { contract, chain_id });
        }
        if code != ServiceRegistry::DEPLOYED_BYTECODE {
            return Err(ChainError::OtherContract { contract, chain_id });
        }
        let contract = ServiceRegistry::new(contract, chain.provider().clone());
        Ok(Self { chain, contract })
    }

    /// Where it is.
    pub fn address(&self) -> Address {
        *self.contract.address()
    }

    /// The chain that it is on.
    pub fn chain(&self) -> &Chain {
        &self.chain
    }

    /// Who governs a namespace, and how.
    ///
    /// # Errors
    /// As [`Chain::connect`].
    pub async fn namespace(&self, namespace: NamespaceId) -> Result<NamespaceState, ChainError> {
        let raw = self.contract.namespaceOf(namespace.0).block(BlockId::latest()).call().await;
        let raw = raw.map_err(|e| self.failed(e))?;
        Ok(NamespaceState { owner: somebody(raw.owner), open: raw.open, epoch: raw.epoch.to() })
    }

    /// Whether an account may register in a namespace now.
    ///
    /// # Errors
    /// As [`Chain::connect`].
    pub async fn may_register(&self, namespace: NamespaceId, account: Address) -> Result<bool, ChainError> {
        let call = self.contract.mayRegister(namespace.0, account).block(BlockId::latest()).call().await;
        call.map_err(|e| self.failed(e))
    }

    /// The last second at which an account is admitted to register in a namespace, if it ever was and not dismissed.
    ///
    /// # Errors
    /// As [`Chain::connect`].
    pub async fn registrar_expiry(
        &self,
        namespace: NamespaceId,
        registrar: Address,
    ) -> Result<Option<u64>, ChainError> {
        let call = self.contract.registrarExpiryOf(namespace.0, registrar).block(BlockId::latest()).call().await;
        let expiry: u64 = call.map_err(|e| self.failed(e))?.to();
        Ok((expiry != 0).then_some(expiry))
    }

    /// Who was proposed as the next owner of a namespace.
    ///
    /// # Errors
    /// As [`Chain::connect`].
    pub async fn proposed_namespace_owner(&self, namespace: NamespaceId) -> Result<Option<Address>, ChainError> {
        let call = self.contract.proposedNamespaceOwnerOf(namespace.0).block(BlockId::latest()).call().await;
        Ok(somebody(call.map_err(|e| self.failed(e))?))
    }

    /// Who was proposed as the next owner of an instance.
    ///
    /// # Errors
    /// As [`Chain::connect`].
    pub async fn proposed_owner(&self, id: InstanceId) -> Result<Option<Address>, ChainError> {
        let call = self.contract.proposedOwnerOf(id.0).block(BlockId::latest()).call().await;
        Ok(somebody(call.map_err(|e| self.failed(e))?))
    }

    /// What an operator may do for all of an owner's instances; `None` if it was never said.
    ///
    /// # Errors
    /// As [`Chain::connect`].
    pub async fn operator(&self, owner: Address, operator: Address) -> Result<Option<Grant>, ChainError> {
        let call = self.contract.operatorOf(owner, operator).block(BlockId::latest()).call().await;
        Ok(grant(call.map_err(|e| self.failed(e))?))
    }

    /// What an operator may do for one instance in its present epoch, besides what it may do for all of the owner's.
    ///
    /// # Errors
    /// As [`Chain::connect`].
    pub async fn instance_operator(&self, id: InstanceId, operator: Address) -> Result<Option<Grant>, ChainError> {
        let call = self.contract.instanceOperatorOf(id.0, operator).block(BlockId::latest()).call().await;
        Ok(grant(call.map_err(|e| self.failed(e))?))
    }

    /// Whether an account may do all of this for a listed instance now: it is the owner, or one grant lets it.
    ///
    /// # Errors
    /// As [`Chain::connect`].
    pub async fn is_permitted(
        &self,
        id: InstanceId,
        account: Address,
        permissions: Permissions,
    ) -> Result<bool, ChainError> {
        let call = self.contract.isPermitted(id.0, account, permissions.bits()).block(BlockId::latest()).call().await;
        call.map_err(|e| self.failed(e))
    }

    /// The EIP-712 domain that the contract says it has.
    ///
    /// # Errors
    /// As [`Chain::connect`].
    pub async fn domain(&self) -> Result<Eip712Domain, ChainError> {
        let raw = self.contract.eip712Domain().block(BlockId::latest()).call().await.map_err(|e| self.failed(e))?;
        Ok(Eip712Domain::new(
            Some(raw.name.into()),
            Some(raw.version.into()),
            Some(raw.chainId),
            Some(raw.verifyingContract),
            None,
        ))
    }

    /// The lease of an instance; `None` if there never was such an instance.
    ///
    /// # Errors
    /// As [`Chain::connect`].
    pub async fn lease(&self, id: InstanceId) -> Result<Option<Lease>, ChainError> {
        let raw = self.contract.leaseOf(id.0).block(BlockId::latest()).call().await.map_err(|e| self.failed(e))?;
        Ok(Status::from_u8(raw.status).map(|status| Lease {
            owner: raw.owner,
            last_heartbeat: raw.lastHeartbeat.to(),
            ttl: raw.ttl.to(),
            status,
            epoch: raw.epoch.to(),
        }))
    }

    /// The hash that commits to the record of an instance and all before; zero if there never was one.
    ///
    /// # Errors
    /// As [`Chain::connect`].
    pub async fn record_hash(&self, id: InstanceId) -> Result<B256, ChainError> {
        self.contract.recordHashOf(id.0).block(BlockId::latest()).call().await.map_err(|e| self.failed(e))
    }

    /// How many instances of a service are listed; expired ones are.
    ///
    /// # Errors
    /// As [`Chain::connect`].
    pub async fn count(&self, service: ServiceKey) -> Result<u64, ChainError> {
        let roster = self.contract.countOf(service.0).block(BlockId::latest()).call().await;
        Ok(roster.map_err(|e| self.failed(e))?.count)
    }

    /// The current record of an instance, from the logs; `None` if the node has no log of it.
    ///
    /// # Errors
    /// [`ChainError::Node`] where a node refuses to search all blocks; or as [`Chain::connect`].
    pub async fn current(&self, id: InstanceId) -> Result<Option<Current>, ChainError> {
        let filter = Filter::new().address(self.address()).topic1(id.0).from_block(0).event_signature(vec![
            <ServiceRegistry::Registered as alloy::sol_types::SolEvent>::SIGNATURE_HASH,
            <ServiceRegistry::Updated as alloy::sol_types::SolEvent>::SIGNATURE_HASH,
        ]);
        let logs = self.chain.provider().get_logs(&filter).await.map_err(|e| self.chain.failure(e))?;
        let Some(last) = logs.iter().max_by_key(|log| (log.block_number, log.log_index)) else {
            return Ok(None);
        };
        let event = bindings::decode(last.topics(), &last.data().data);
        match event.map_err(|e| ChainError::Unexpected(e.to_string()))? {
            Event::Registered { record, ttl, prev_record_hash, .. } => Ok(Some(Current {
                body: Body { version: record.version, endpoints: record.endpoints, metadata: record.metadata, ttl },
                prev_record_hash,
            })),
            Event::Updated { version, endpoints, metadata, ttl, prev_record_hash, .. } => {
                Ok(Some(Current { body: Body { version, endpoints, metadata, ttl }, prev_record_hash }))
            }
            other => Err(ChainError::Unexpected(format!("a {} log where none was asked for", other.kind()))),
        }
    }

    pub(crate) fn contract(&self) -> &Contract {
        &self.contract
    }

    pub(crate) fn failed(&self, error: alloy::contract::Error) -> ChainError {
        match error {
            alloy::contract::Error::TransportError(error) => {
                match error.as_error_resp().and_then(|e| e.as_revert_data()) {
                    Some(data) => refusal::decode(&data, None).into(),
                    None => self.chain.failure(error),
                }
            }
            other => ChainError::Unexpected(other.to_string()),
        }
    }
}

fn somebody(account: Address) -> Option<Address> {
    (!account.is_zero()).then_some(account)
}

fn grant(raw: IRegistryTypes::Grant) -> Option<Grant> {
    let permissions = Permissions::from_u8(raw.permissions).unwrap_or_default();
    raw.made.then(|| Grant { permissions, expires_at: raw.expiry.to() })
}
