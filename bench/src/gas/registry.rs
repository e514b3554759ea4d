//! The registry, on the input that its bars are of.

use alloy::{
    primitives::{
        Address, B256, Bytes,
        aliases::{U24, U40},
        keccak256,
    },
    providers::Provider,
    sol_types::{SolStruct, SolValue, eip712_domain},
};
use anyhow::{Context, Result, ensure};
use bindings::{
    IRegistryTypes::{InstanceKey, RecordUpdate, Registration, SignedHeartbeat},
    ServiceRegistry as Abi,
};

use super::chain::Chain;

/// Two endpoints of 40 bytes.
pub const ENDPOINTS: [&str; 2] =
    ["https://pay-0.eu-west.example.com:443/v1", "grpcs://pay-0.eu-west.example.com:8443/x"];
/// 80 bytes.
pub const METADATA: &str = r#"{"region":"eu-west-1","zone":"a","weight":10,"protocols":["http","grpc"],"ok":1}"#;
const BATCH: usize = 50;
const HEARTBEAT: u8 = 1;
const EXPIRY: u64 = (1 << 40) - 1;

alloy::sol! {
    struct Heartbeat {
        bytes32 id;
        uint24 epoch;
        uint40 time;
        uint40 deadline;
    }
}

pub struct Figures {
    pub heartbeat: u64,
    pub heartbeat_operator: u64,
    pub batch_each: u64,
    pub batch_operator_each: u64,
    pub signed_each: u64,
    pub register_first: u64,
    pub register_next: u64,
    pub update: u64,
    pub deregister: u64,
    pub runtime_bytes: u64,
}

/// All by one owner in its own namespace; the operator is that of all of the owner's instances.
pub async fn measure(chain: &Chain) -> Result<Figures> {
    let registry = chain.deploy(&Abi::BYTECODE).await?;
    let [owner, operator, relayer] = [chain.accounts[0], chain.accounts[1], chain.accounts[2]];
    let register_first = chain.gas(owner, registry, &register(owner, "replica-1")).await?;
    let register_next = chain.gas(owner, registry, &register(owner, "replica-2")).await?;
    let id = id_of(owner, "replica-1");

    chain.wait(30).await?;
    let heartbeat = chain.gas(owner, registry, &Abi::heartbeatCall { id }).await?;
    let grant = Abi::setOperatorCall { operator, permissions: HEARTBEAT, expiry: U40::from(EXPIRY) };
    chain.gas(owner, registry, &grant).await?;
    chain.wait(30).await?;
    let heartbeat_operator = chain.gas(operator, registry, &Abi::heartbeatCall { id }).await?;

    let update = chain.gas(owner, registry, &update(chain, registry, owner).await?).await?;
    let deregister = Abi::deregisterCall { key: key_of(owner, "replica-1") };
    let deregister = chain.gas(owner, registry, &deregister).await?;

    let mut ids = Vec::with_capacity(BATCH);
    for i in 0..BATCH {
        let label = i.to_string();
        chain.gas(owner, registry, &register(owner, &label)).await?;
        ids.push(id_of(owner, &label));
    }
    let batch = Abi::heartbeatBatchCall { ids: ids.clone() };
    chain.wait(30).await?;
    let batch_each = each(chain.gas(owner, registry, &batch).await?);
    chain.wait(30).await?;
    let batch_operator_each = each(chain.gas(operator, registry, &batch).await?);

    let time = chain.wait(30).await?;
    let items = sign(chain, registry, &ids, time).await?;
    let signed_each = each(chain.gas(relayer, registry, &Abi::heartbeatSignedCall { items }).await?);
    let contract = Abi::new(registry, chain.provider.clone());
    for id in ids {
        let last: u64 = contract.leaseOf(id).call().await?.lastHeartbeat.to();
        ensure!(last == time, "the signed heartbeat of {id} was skipped: its last is at {last}, not at {time}");
    }
    let runtime_bytes = chain.code_len(registry).await?;
    Ok(Figures {
        heartbeat,
        heartbeat_operator,
        batch_each,
        batch_operator_each,
        signed_each,
        register_first,
        register_next,
        update,
        deregister,
        runtime_bytes,
    })
}

fn register(owner: Address, label: &str) -> Abi::registerCall {
    let registration = Registration {
        namespaceId: owner.into_word(),
        name: "payments".to_owned(),
        label: label.to_owned(),
        version: "1.2.0".to_owned(),
        endpoints: ENDPOINTS.iter().map(|uri| Bytes::from_static(uri.as_bytes())).collect(),
        metadata: Bytes::from_static(METADATA.as_bytes()),
        ttl: U24::from(60),
    };
    Abi::registerCall { registration }
}

async fn update(chain: &Chain, registry: Address, owner: Address) -> Result<Abi::updateCall> {
    let contract = Abi::new(registry, chain.provider.clone());
    let change = RecordUpdate {
        key: key_of(owner, "replica-1"),
        prevRecordHash: contract.recordHashOf(id_of(owner, "replica-1")).call().await?,
        version: "1.2.1".to_owned(),
        endpoints: ENDPOINTS.iter().map(|uri| Bytes::from(uri.replace("pay-0", "pay-1").into_bytes())).collect(),
        metadata: METADATA.replace("\"a\"", "\"b\"").into_bytes().into(),
        ttl: U24::from(60),
    };
    Ok(Abi::updateCall { change })
}

/// By the first account, who is the owner.
async fn sign(chain: &Chain, registry: Address, ids: &[B256], time: u64) -> Result<Vec<SignedHeartbeat>> {
    let domain = eip712_domain! {
        name: "Rollcall ServiceRegistry",
        version: "1",
        chain_id: chain.provider.get_chain_id().await?,
        verifying_contract: registry,
    };
    let deadline = time + 600;
    let mut items = Vec::with_capacity(ids.len());
    for &id in ids {
        let message = Heartbeat { id, epoch: U24::ZERO, time: U40::from(time), deadline: U40::from(deadline) };
        let signature = chain.sign(&message.eip712_signing_hash(&domain)).context("signing a heartbeat")?;
        items.push(SignedHeartbeat { id, time: message.time, deadline: message.deadline, signature });
    }
    Ok(items)
}

fn key_of(owner: Address, label: &str) -> InstanceKey {
    let service = keccak256((owner.into_word(), keccak256("payments")).abi_encode());
    InstanceKey { service, registrant: owner, labelHash: keccak256(label) }
}

fn id_of(owner: Address, label: &str) -> B256 {
    let key = key_of(owner, label);
    keccak256((key.service, key.registrant, key.labelHash).abi_encode())
}

fn each(gas: u64) -> u64 {
    gas.div_ceil(BATCH as u64)
}
