//! Every event of both contracts at least once: who governs, who acts for whom, who endorses, and how instances end.

use alloy::primitives::{
    B256, Bytes,
    aliases::{U24, U40},
    keccak256,
};
use anyhow::{Context, Result};
use bindings::{
    Endorsements::{endorseCall, withdrawCall},
    IRegistryTypes::{InstanceKey, InstancePath, SignedHeartbeat},
    ServiceRegistry::{
        acceptNamespaceOwnerCall, acceptOwnerCall, deregisterCall, heartbeatBatchCall, heartbeatCall,
        heartbeatSignedCall, proposeNamespaceOwnerCall, proposeOwnerCall, reapCall, registerCall,
        setInstanceOperatorCall, setNamespaceOpenCall, setOperatorCall, setRegistrarCall, setStatusCall,
    },
};
use domain::{Address, InstanceId, Namespace, NamespaceId, Permissions, ServiceKey, Status, Topic};
use serde_json::json;

use crate::{
    chain::{ACCOUNTS, Chain},
    scenario::{claim, plain},
};

/// Longer than any chain of ours lasts, in seconds.
const FAR: u64 = 4_000_000_000;

/// A lease that expired longer ago can be reaped, in seconds.
const GRACE: u64 = 7 * 86_400;

/// The instances of `acme/payments`: each is named after what becomes of it.
const LABELS: [&str; 7] = ["suspended", "reinstated", "revoked", "transferred", "reaped", "left-and-revoked", "plain"];

pub(crate) async fn play(chain: &Chain) -> Result<Vec<InstanceId>> {
    let [relayer, first, registrar, authority, stranger] = ACCOUNTS;
    chain.deploy_endorsements().await?;

    // The namespace: opened, proposed, taken; what was before is void.
    let ns = claim(chain, first, "acme").await?;
    chain.send(first, &setNamespaceOpenCall { namespaceId: ns.0, open: true }).await?;
    chain.send(first, &registrar_set(ns, stranger, FAR)).await?;
    chain.send(first, &proposeNamespaceOwnerCall { namespaceId: ns.0, account: authority }).await?;
    chain.send(authority, &acceptNamespaceOwnerCall { namespaceId: ns.0 }).await?;
    chain.send(authority, &registrar_set(ns, registrar, FAR)).await?;
    chain.send(authority, &registrar_set(ns, relayer, FAR)).await?;
    chain.send(authority, &registrar_set(ns, relayer, 0)).await?;
    chain.send(authority, &proposeNamespaceOwnerCall { namespaceId: ns.0, account: first }).await?;
    let personal = Namespace::Account(stranger).id();
    chain.send(stranger, &setNamespaceOpenCall { namespaceId: personal.0, open: true }).await?;

    let owner = registrar;
    for label in LABELS {
        let registration = plain(ns, "payments", label, "1.0.0");
        chain.send(owner, &registerCall { registration }).await?;
    }
    let id = |label: &str| InstanceId::new(ServiceKey::new(ns, "payments"), owner, label);
    let status = |label: &str, status: Status, reason: &[u8]| setStatusCall {
        path: path(ns, owner, label),
        status: status as u8,
        reason: Bytes::copy_from_slice(reason),
    };

    // Operators of all instances, and of one.
    chain.send(owner, &operator_set(first, Permissions::ALL, FAR)).await?;
    chain.send(owner, &operator_set(stranger, Permissions::HEARTBEAT, FAR)).await?;
    chain.send(owner, &operator_set(stranger, Permissions::NONE, 0)).await?;
    for label in ["plain", "transferred"] {
        let call = setInstanceOperatorCall {
            id: id(label).0,
            operator: stranger,
            permissions: Permissions::HEARTBEAT.with(Permissions::UPDATE).bits(),
            expiry: U40::from(FAR),
        };
        chain.send(owner, &call).await?;
    }
    chain.send(stranger, &heartbeatCall { id: id("plain").0 }).await?;

    // Endorsements: one that stays, one that was withdrawn, one that a transfer ends.
    for (endorser, topic, label) in
        [(first, "audit", "plain"), (stranger, "region:eu", "plain"), (first, "audit", "transferred")]
    {
        chain.endorse(endorser, &endorse(id(label), topic)?).await?;
    }
    let topic: Topic = "region:eu".parse()?;
    chain.endorse(stranger, &withdrawCall { id: id("plain").0, topic: topic.0 }).await?;

    // Proposed and taken; proposed and still open.
    chain.send(owner, &proposeOwnerCall { id: id("transferred").0, account: first }).await?;
    chain.send(first, &acceptOwnerCall { key: key(ns, owner, "transferred") }).await?;
    chain.send(owner, &proposeOwnerCall { id: id("plain").0, account: stranger }).await?;

    // What the authority says.
    chain.send(authority, &status("suspended", Status::Suspended, b"key leaked \xff\x1b[31m<b>")).await?;
    chain.send(authority, &status("reinstated", Status::Suspended, b"under review")).await?;
    chain.send(authority, &status("reinstated", Status::Active, b"")).await?;
    chain.send(authority, &status("revoked", Status::Revoked, "für immer".as_bytes())).await?;
    chain.send(owner, &deregisterCall { key: key(ns, owner, "left-and-revoked") }).await?;
    chain.send(authority, &status("left-and-revoked", Status::Revoked, b"do not come back")).await?;

    // Long after, one is reaped; the others that are listed are renewed, some by a relayer.
    chain.mine_after(GRACE + 60).await?;
    chain.send(relayer, &reapCall { keys: vec![key(ns, owner, "reaped")] }).await?;
    let ids = ["suspended", "plain"].map(|label| id(label).0).to_vec();
    chain.send(owner, &heartbeatBatchCall { ids }).await?;
    let mut items = Vec::new();
    for (label, signer) in [("transferred", first), ("reinstated", owner)] {
        items.push(signed_heartbeat(chain, signer, id(label)).await?);
    }
    chain.send(relayer, &heartbeatSignedCall { items }).await?;
    Ok(LABELS.map(id).to_vec())
}

/// A heartbeat at the newest block's time, which anyone may send within an hour.
pub async fn signed_heartbeat(chain: &Chain, signer: Address, id: InstanceId) -> Result<SignedHeartbeat> {
    let lease = chain.contract().leaseOf(id.0).call().await?;
    let time = chain.time().await?;
    let chain_id = chain.raw("eth_chainId", json!([])).await?;
    let field = |name: &str, kind: &str| json!({ "name": name, "type": kind });
    let typed_data = json!({
        "types": {
            "EIP712Domain": [
                field("name", "string"), field("version", "string"), field("chainId", "uint256"),
                field("verifyingContract", "address"),
            ],
            "Heartbeat": [
                field("id", "bytes32"), field("epoch", "uint24"), field("time", "uint40"), field("deadline", "uint40"),
            ],
        },
        "primaryType": "Heartbeat",
        "domain": {
            "name": "Rollcall ServiceRegistry", "version": "1", "chainId": chain_id,
            "verifyingContract": chain.registry(),
        },
        "message": { "id": id.0, "epoch": lease.epoch.to::<u32>(), "time": time, "deadline": time + 3_600 },
    });
    let signature = chain.raw("eth_signTypedData_v4", json!([signer, typed_data])).await?;
    let signature = serde_json::from_value(signature).context("a signature")?;
    Ok(SignedHeartbeat { id: id.0, time: U40::from(time), deadline: U40::from(time + 3_600), signature })
}

/// An endorsement that does not expire.
pub fn endorse(id: InstanceId, topic: &str) -> Result<endorseCall> {
    let topic: Topic = topic.parse()?;
    Ok(endorseCall {
        id: id.0,
        epoch: U24::ZERO,
        topic: topic.0,
        expiry: U40::from(FAR),
        digest: keccak256("the report"),
    })
}

/// The preimage of the id of an instance of the service `payments`.
pub fn key(namespace: NamespaceId, registrant: Address, label: &str) -> InstanceKey {
    InstanceKey { service: ServiceKey::new(namespace, "payments").0, registrant, labelHash: keccak256(label) }
}

/// The same down to its namespace.
pub fn path(namespace: NamespaceId, registrant: Address, label: &str) -> InstancePath {
    let name_hash: B256 = keccak256("payments");
    InstancePath { namespaceId: namespace.0, nameHash: name_hash, registrant, labelHash: keccak256(label) }
}

fn registrar_set(namespace: NamespaceId, registrar: Address, expiry: u64) -> setRegistrarCall {
    setRegistrarCall { namespaceId: namespace.0, registrar, expiry: U40::from(expiry) }
}

fn operator_set(operator: Address, permissions: Permissions, expiry: u64) -> setOperatorCall {
    setOperatorCall { operator, permissions: permissions.bits(), expiry: U40::from(expiry) }
}
