//! A chain with the registry on it, a database, an indexer; and the question whether they agree.

use std::{
    sync::{
        LazyLock,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use crate::governance::FAR;
use alloy::{
    network::TransactionBuilder,
    primitives::{Address, B256, Bytes, U64, Uint},
    providers::{DynProvider, Provider, ProviderBuilder},
    rpc::types::TransactionRequest,
    sol_types::SolCall,
};
use anyhow::{Context, Result, ensure};
use bindings::{
    IRegistryTypes, IRegistryTypes::SignedHeartbeat, ServiceRegistry, ServiceRegistry::ServiceRegistryInstance,
    canonical,
};
use domain::{BlockRef, InstanceId, Namespace, Record, SystemClock};
use indexer::{Config, IndexerError, Phase, Progress};
use serde_json::{Value, json};
use store::{
    query::{Reader, Snapshot, Update},
    rows::Checkpoint,
    schema,
};
use tokio::{
    runtime::Runtime,
    sync::{OnceCell, watch},
    task::JoinHandle,
};
use tokio_util::sync::CancellationToken;
use tools::{Anvil, AnvilConfig, TestPostgres, Tools};

/// Longer than anything here takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// Outlives the runtimes of the tests: the server belongs to all of them.
static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| Runtime::new().expect("a runtime"));
static TOOLS: LazyLock<Tools> = LazyLock::new(|| Tools::ensure().expect("the tools"));
static SERVER: OnceCell<TestPostgres> = OnceCell::const_new();
static DATABASES: AtomicU32 = AtomicU32::new(0);
static REORGS: AtomicU32 = AtomicU32::new(1);

/// Anvil's first account; unlocked.
pub const OWNER: Address = alloy::primitives::address!("f39Fd6e51aad88F6F4ce6aB8827279cffFb92266");

pub struct World {
    pub anvil: Option<Anvil>,
    pub chain: Chain,
    pub database_url: String,
    pub config: Config,
}

impl World {
    /// Without an indexer yet.
    pub async fn new() -> Result<Self> {
        Self::with(AnvilConfig::default()).await
    }

    /// On another kind of node.
    pub async fn with(node: AnvilConfig) -> Result<Self> {
        let server = SERVER
            .get_or_try_init(async || {
                RUNTIME.spawn(async { TestPostgres::start(&TOOLS).await }).await?.context("server")
            })
            .await?;
        let name = format!("indexer_{}", DATABASES.fetch_add(1, Ordering::Relaxed));
        Self::on(&server.url(&name), anvil(node).await?).await
    }

    /// The same chain on another database.
    pub async fn beside(&self) -> Result<Self> {
        let server = SERVER.get().context("a server")?;
        let database_url = server.url(&format!("indexer_{}", DATABASES.fetch_add(1, Ordering::Relaxed)));
        schema::ensure_database(&database_url).await?;
        let config = Config { database_url: database_url.clone(), ..self.config.clone() };
        Ok(Self { anvil: None, chain: self.chain.clone(), database_url, config })
    }

    /// Deploys the registry's endorsements, and has them indexed.
    pub async fn deploy_endorsements(&mut self) -> Result<()> {
        let address = self.chain.deploy(canonical::endorsements_code(self.chain.registry).into()).await?;
        (self.chain.endorsements, self.config.endorsements) = (Some(address), Some(address));
        Ok(())
    }

    /// At the address that they have on every chain.
    pub async fn deploy_canonical_endorsements(&mut self) -> Result<()> {
        let input = [B256::ZERO.as_slice(), &canonical::endorsements_code(self.chain.registry)].concat();
        let tx = TransactionRequest::default().with_from(OWNER).with_to(canonical::CREATE2_DEPLOYER);
        let tx = tx.with_input(input).with_gas_limit(10_000_000);
        self.chain.raw("eth_sendTransaction", json!([tx])).await?;
        self.chain.mine(1).await?;
        self.chain.endorsements = Some(canonical::endorsements(self.chain.registry));
        Ok(())
    }

    pub async fn on(database_url: &str, anvil: Anvil) -> Result<Self> {
        schema::ensure_database(database_url).await?;
        let chain = Chain::with_registry(&anvil.rpc_url()).await?;
        let config = Config {
            poll_interval: Duration::from_millis(20),
            ..Config::new(anvil.rpc_url(), database_url, chain.registry)
        };
        Ok(Self { anvil: Some(anvil), chain, database_url: database_url.to_owned(), config })
    }

    pub fn index(&self) -> Running {
        Running::start(self.config.clone())
    }

    pub async fn checkpoint(&self) -> Result<Checkpoint> {
        Ok(self.snapshot().await?.checkpoint)
    }

    pub async fn snapshot(&self) -> Result<Snapshot> {
        let reader = Reader::connect(&self.database_url).await?;
        match reader.read(None).await? {
            Update::Snapshot(snapshot) => Ok(snapshot),
            Update::Delta(_) => anyhow::bail!("a first read is a snapshot"),
        }
    }

    /// Waits for the index to stand at the chain's head, then compares all of it with what the contract says.
    pub async fn agrees(&self) -> Result<Snapshot> {
        let head = self.chain.head().await?;
        let reader = Reader::connect(&self.database_url).await?;
        let at_head = async || match reader.read(None).await.ok()? {
            Update::Snapshot(snapshot) => {
                (snapshot.checkpoint.head == head && snapshot.checkpoint.problem.is_none()).then_some(snapshot)
            }
            Update::Delta(_) => None,
        };
        let snapshot = match eventually(&format!("the index at {head}"), at_head).await {
            Ok(snapshot) => snapshot,
            Err(e) => {
                let (chain, index) = (self.chain.head().await, self.checkpoint().await);
                return Err(e.context(format!("the chain's head is {chain:?}, the index is {index:?}")));
            }
        };
        let contract = self.chain.contract();
        for row in &snapshot.instances {
            let lease = contract.leaseOf(row.id.0).call().await?;
            ensure!(lease.owner == row.lease.owner, "owner of {}", row.id);
            ensure!(lease.lastHeartbeat.to::<u64>() == row.lease.last_heartbeat, "heartbeat of {}", row.id);
            ensure!(lease.ttl.to::<u32>() == row.lease.ttl, "ttl of {}", row.id);
            ensure!(lease.status == row.lease.status as u8, "status of {}", row.id);
            ensure!(lease.epoch.to::<u32>() == row.lease.epoch, "epoch of {}", row.id);
            ensure!(contract.recordHashOf(row.id.0).call().await? == row.record_hash, "record hash of {}", row.id);
        }
        for row in &snapshot.services {
            let roster = contract.countOf(row.key.0).call().await?;
            ensure!((roster.count, roster.sequence) == (row.count, row.sequence), "roster of {}", row.key);
            let listed = snapshot.instances.iter().filter(|i| i.service == row.key && i.lease.status.is_listed());
            ensure!(listed.count() as u64 == row.count, "count of {}", row.key);
        }
        for row in &snapshot.namespaces {
            ensure!(contract.namespaceOf(row.id.0).call().await?.owner == row.owner, "owner of {}", row.id);
        }
        Ok(snapshot)
    }
}

/// Starts an Anvil with a block per transaction.
pub async fn anvil(config: AnvilConfig) -> Result<Anvil> {
    Ok(Anvil::spawn(&TOOLS, config).await?)
}

/// A Postgres of a test's own.
pub async fn postgres() -> Result<TestPostgres> {
    Ok(TestPostgres::start(&TOOLS).await?)
}

/// An indexer as a task.
pub struct Running {
    token: CancellationToken,
    task: JoinHandle<Result<(), IndexerError>>,
    progress: watch::Receiver<Progress>,
}

impl Running {
    pub fn start(config: Config) -> Self {
        // A test that fails shows what the indexer said.
        let _ = tracing_subscriber::fmt().with_test_writer().with_max_level(tracing::Level::INFO).try_init();
        let token = CancellationToken::new();
        let (sender, progress) = watch::channel(Progress::default());
        let task = tokio::spawn(indexer::run_with_progress(config, SystemClock::new(), token.clone(), sender));
        Self { token, task, progress }
    }

    /// Waits for a phase.
    pub async fn reaches(&mut self, phase: Phase) -> Result<()> {
        let reached = tokio::time::timeout(PATIENCE, self.progress.wait_for(|progress| progress.phase == phase));
        reached.await.with_context(|| format!("waited in vain: {phase:?}"))?.context("it ended")?;
        Ok(())
    }

    /// As a signal does.
    pub async fn stop(self) -> Result<()> {
        self.token.cancel();
        Ok(self.end().await?)
    }

    /// In the middle of whatever it does after it has gone on a few times.
    pub async fn crash(mut self) {
        for _ in 0..4 {
            let _ = tokio::time::timeout(PATIENCE, self.progress.changed()).await;
        }
        self.kill().await;
    }

    /// At once, wherever it is.
    pub async fn kill(self) {
        self.task.abort();
        let _ = self.task.await;
    }

    /// Waits until it ends by itself.
    pub async fn end(self) -> Result<(), IndexerError> {
        tokio::time::timeout(PATIENCE, self.task).await.expect("it ends").expect("it does not panic")
    }
}

/// Asks again and again until the answer is `Some`.
pub async fn eventually<T>(what: &str, mut ask: impl AsyncFnMut() -> Option<T>) -> Result<T> {
    let mut every = tokio::time::interval(Duration::from_millis(20));
    let answered = async {
        loop {
            every.tick().await;
            if let Some(answer) = ask().await {
                return answer;
            }
        }
    };
    tokio::time::timeout(PATIENCE, answered).await.with_context(|| format!("waited in vain: {what}"))
}

/// An Anvil and the registry on it.
#[derive(Clone)]
pub struct Chain {
    pub provider: DynProvider,
    pub registry: Address,
    pub endorsements: Option<Address>,
}

impl Chain {
    pub async fn with_registry(rpc_url: &str) -> Result<Self> {
        let provider = ProviderBuilder::new().connect_http(rpc_url.parse()?).erased();
        let chain = Self { provider, registry: Address::ZERO, endorsements: None };
        // Else a transaction is mined some time after it was sent.
        chain.raw("evm_setAutomine", json!([false])).await?;
        Ok(Self { registry: chain.deploy(ServiceRegistry::BYTECODE.clone()).await?, ..chain })
    }

    pub async fn deploy(&self, code: Bytes) -> Result<Address> {
        let tx = TransactionRequest::default().with_from(OWNER).with_deploy_code(code).with_gas_limit(10_000_000);
        let hash = self.raw("eth_sendTransaction", json!([tx])).await?;
        self.mine(1).await?;
        let receipt = self.raw("eth_getTransactionReceipt", json!([hash])).await?;
        Ok(serde_json::from_value(receipt["contractAddress"].clone())?)
    }

    pub fn contract(&self) -> ServiceRegistryInstance<DynProvider> {
        ServiceRegistry::new(self.registry, self.provider.clone())
    }

    pub async fn head(&self) -> Result<BlockRef> {
        self.block_at(json!("latest")).await
    }

    pub async fn block(&self, number: u64) -> Result<BlockRef> {
        self.block_at(json!(format!("{number:#x}"))).await
    }

    async fn block_at(&self, which: Value) -> Result<BlockRef> {
        let block = self.raw("eth_getBlockByNumber", json!([which, false])).await?;
        let number: alloy::primitives::U64 = serde_json::from_value(block["number"].clone())?;
        Ok(BlockRef { number: number.to(), hash: serde_json::from_value(block["hash"].clone())? })
    }

    pub async fn mine(&self, blocks: u64) -> Result<()> {
        self.raw("anvil_mine", json!([blocks])).await.map(drop)
    }

    /// Replaces the newest blocks by others without logs, and mines one more. A transaction in the lowest one gives all
    /// of them other hashes: empty ones in place of empty ones would be the same.
    pub async fn reorg(&self, depth: u64) -> Result<()> {
        let lowest = self.head().await?.number + 1 - depth;
        let was = self.block(lowest).await?;
        let value = format!("{:#x}", REORGS.fetch_add(1, Ordering::Relaxed));
        let tx = json!({ "from": OWNER, "to": OWNER, "value": value, "gas": "0x5208" });
        self.raw("anvil_reorg", json!([depth, [[tx, 0]]])).await?;
        ensure!(self.block(lowest).await? != was, "block {lowest} is still there");
        self.mine(1).await
    }

    pub async fn rollback(&self, depth: u64) -> Result<()> {
        self.raw("anvil_rollback", json!([depth])).await.map(drop)
    }

    /// Sends a call; whether it succeeded.
    pub async fn send(&self, call: &impl SolCall) -> Result<bool> {
        self.send_from(OWNER, self.registry, call).await
    }

    pub async fn send_from(&self, from: Address, to: Address, call: &impl SolCall) -> Result<bool> {
        let tx = TransactionRequest::default()
            .with_from(from)
            .with_to(to)
            .with_gas_limit(5_000_000)
            .with_input(call.abi_encode());
        let hash: B256 = serde_json::from_value(self.raw("eth_sendTransaction", json!([tx])).await?)?;
        self.mine(1).await?;
        let receipt = self.raw("eth_getTransactionReceipt", json!([hash])).await?;
        Ok(receipt["status"] == "0x1")
    }

    /// Timestamp of the newest block.
    pub async fn time(&self) -> Result<u64> {
        let block = self.raw("eth_getBlockByNumber", json!(["latest", false])).await?;
        Ok(serde_json::from_value::<U64>(block["timestamp"].clone())?.to())
    }

    /// A heartbeat of a time, which anyone may send.
    pub async fn signed_heartbeat(&self, signer: Address, id: InstanceId, time: u64) -> Result<SignedHeartbeat> {
        let epoch: u32 = self.contract().leaseOf(id.0).call().await?.epoch.to();
        let chain_id = self.raw("eth_chainId", json!([])).await?;
        let field = |name: &str, kind: &str| json!({ "name": name, "type": kind });
        let domain =
            [("name", "string"), ("version", "string"), ("chainId", "uint256"), ("verifyingContract", "address")];
        let beat = [("id", "bytes32"), ("epoch", "uint24"), ("time", "uint40"), ("deadline", "uint40")];
        let typed_data = json!({
            "types": {
                "EIP712Domain": domain.map(|(name, kind)| field(name, kind)),
                "Heartbeat": beat.map(|(name, kind)| field(name, kind)),
            },
            "primaryType": "Heartbeat",
            "domain": {
                "name": "Rollcall ServiceRegistry", "version": "1", "chainId": chain_id,
                "verifyingContract": self.registry,
            },
            "message": { "id": id.0, "epoch": epoch, "time": time, "deadline": FAR },
        });
        let signature = self.raw("eth_signTypedData_v4", json!([signer, typed_data])).await?;
        let (time, deadline) = (Uint::from(time), Uint::from(FAR));
        Ok(SignedHeartbeat { id: id.0, time, deadline, signature: serde_json::from_value(signature)? })
    }

    pub async fn raw(&self, method: &'static str, params: Value) -> Result<Value> {
        self.provider.raw_request(method.into(), params).await.context(method)
    }
}

/// Instance `n % 3` of service `n % 2`, in the owner's own namespace, with hostile bytes in it.
pub fn record(n: u8, version: u8) -> Record {
    Record {
        namespace: Namespace::Account(OWNER).id(),
        name: format!("service-{}", n % 2),
        label: format!("label-{}", n % 3),
        registrant: OWNER,
        version: format!("1.0.{version}"),
        endpoints: vec![Bytes::from(vec![0, 0xff, version]), Bytes::from_static(b"<script>\x1b[31m")],
        metadata: Bytes::from(vec![version; usize::from(version) * 7]),
    }
}

pub fn register(record: Record, ttl: u32) -> ServiceRegistry::registerCall {
    ServiceRegistry::registerCall {
        registration: IRegistryTypes::Registration {
            namespaceId: record.namespace.0,
            name: record.name,
            label: record.label,
            version: record.version,
            endpoints: record.endpoints,
            metadata: record.metadata,
            ttl: Uint::from(ttl),
        },
    }
}
