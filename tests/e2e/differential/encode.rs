//! A call as the contracts take it.

use alloy::{
    primitives::{Address, Bytes, Uint, keccak256},
    sol_types::SolCall,
};
use anvil_fixtures::Chain;
use anyhow::Result;
use bindings::{
    Endorsements as endorsements,
    IRegistryTypes::{InstanceKey, InstancePath, RecordUpdate, Registration, SignedHeartbeat},
    ServiceRegistry as registry,
};
use serde_json::json;

use super::model::{Beat, Call, Key};

/// The contract that is called, and with what.
pub async fn encode(chain: &Chain, call: &Call) -> Result<(Address, Bytes)> {
    let data = match call.clone() {
        Call::Claim { label } => registry::claimNamespaceCall { label }.abi_encode(),
        Call::Open { namespace, open } => registry::setNamespaceOpenCall { namespaceId: namespace, open }.abi_encode(),
        Call::ProposeNamespaceOwner { namespace, account } => {
            registry::proposeNamespaceOwnerCall { namespaceId: namespace, account }.abi_encode()
        }
        Call::AcceptNamespaceOwner { namespace } => {
            registry::acceptNamespaceOwnerCall { namespaceId: namespace }.abi_encode()
        }
        Call::SetRegistrar { namespace, registrar, expiry } => {
            registry::setRegistrarCall { namespaceId: namespace, registrar, expiry: Uint::from(expiry) }.abi_encode()
        }
        Call::Register { namespace, name, label, body, ttl } => {
            let registration = Registration {
                namespaceId: namespace,
                name,
                label,
                version: body.version,
                endpoints: body.endpoints,
                metadata: body.metadata,
                ttl: Uint::from(ttl),
            };
            registry::registerCall { registration }.abi_encode()
        }
        Call::Update { key, previous, body, ttl } => {
            let change = RecordUpdate {
                key: instance_key(&key),
                prevRecordHash: previous,
                version: body.version,
                endpoints: body.endpoints,
                metadata: body.metadata,
                ttl: Uint::from(ttl),
            };
            registry::updateCall { change }.abi_encode()
        }
        Call::Deregister { key } => registry::deregisterCall { key: instance_key(&key) }.abi_encode(),
        Call::Heartbeat { id } => registry::heartbeatCall { id }.abi_encode(),
        Call::HeartbeatBatch { ids } => registry::heartbeatBatchCall { ids }.abi_encode(),
        Call::HeartbeatSigned { beats } => {
            let mut items = Vec::with_capacity(beats.len());
            for beat in &beats {
                items.push(sign(chain, beat).await?);
            }
            registry::heartbeatSignedCall { items }.abi_encode()
        }
        Call::ProposeOwner { id, account } => registry::proposeOwnerCall { id, account }.abi_encode(),
        Call::AcceptOwner { key } => registry::acceptOwnerCall { key: instance_key(&key) }.abi_encode(),
        Call::SetOperator { operator, grant } => {
            let expiry = Uint::from(grant.expiry);
            registry::setOperatorCall { operator, permissions: grant.permissions, expiry }.abi_encode()
        }
        Call::SetInstanceOperator { id, operator, grant } => {
            let expiry = Uint::from(grant.expiry);
            registry::setInstanceOperatorCall { id, operator, permissions: grant.permissions, expiry }.abi_encode()
        }
        Call::SetStatus { key, status, reason } => {
            let path = InstancePath {
                namespaceId: key.namespace,
                nameHash: keccak256(&key.name),
                registrant: key.registrant,
                labelHash: keccak256(&key.label),
            };
            registry::setStatusCall { path, status, reason }.abi_encode()
        }
        Call::Reap { keys } => registry::reapCall { keys: keys.iter().map(instance_key).collect() }.abi_encode(),
        Call::Endorse { id, epoch, topic, expiry, digest } => {
            let (epoch, expiry) = (Uint::from(epoch), Uint::from(expiry));
            let data = endorsements::endorseCall { id, epoch, topic, expiry, digest }.abi_encode();
            return Ok((chain.endorsements(), data.into()));
        }
        Call::Withdraw { id, topic } => {
            return Ok((chain.endorsements(), endorsements::withdrawCall { id, topic }.abi_encode().into()));
        }
    };
    Ok((chain.registry(), data.into()))
}

fn instance_key(key: &Key) -> InstanceKey {
    InstanceKey { service: key.service(), registrant: key.registrant, labelHash: keccak256(&key.label) }
}

/// Anvil has the keys of the actors.
async fn sign(chain: &Chain, beat: &Beat) -> Result<SignedHeartbeat> {
    let field = |(name, kind): (&str, &str)| json!({ "name": name, "type": kind });
    let domain = [("name", "string"), ("version", "string"), ("chainId", "uint256"), ("verifyingContract", "address")];
    let message = [("id", "bytes32"), ("epoch", "uint24"), ("time", "uint40"), ("deadline", "uint40")];
    let typed_data = json!({
        "types": { "EIP712Domain": domain.map(field), "Heartbeat": message.map(field) },
        "primaryType": "Heartbeat",
        "domain": {
            "name": "Rollcall ServiceRegistry", "version": "1", "chainId": chain.raw("eth_chainId", json!([])).await?,
            "verifyingContract": chain.registry(),
        },
        "message": { "id": beat.id, "epoch": beat.epoch, "time": beat.time, "deadline": beat.deadline },
    });
    let signature = chain.raw("eth_signTypedData_v4", json!([beat.signer, typed_data])).await?;
    Ok(SignedHeartbeat {
        id: beat.id,
        time: Uint::from(beat.time),
        deadline: Uint::from(beat.deadline),
        signature: serde_json::from_value(signature)?,
    })
}
