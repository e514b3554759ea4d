//! The world and its parts.

use std::{path::PathBuf, sync::Arc, time::Duration};

use alloy::primitives::{Address, U256, aliases::U24};
use anvil_fixtures::{Chain, GENESIS_TIME, Scenario, chain::ACCOUNTS, scenario::plain};
use anyhow::{Context, Result, ensure};
use bindings::{
    IRegistryTypes::Registration,
    ServiceRegistry::{heartbeatCall, registerCall},
};
use domain::{InstanceId, ManualClock, Namespace, NamespaceId, ServiceKey, SystemClock};
use serde_json::Value;
use tools::{Anvil, AnvilConfig, TestPostgres};

use crate::{database, eventually, part::Part};

/// Who registers in most tests; its personal namespace needs no claim.
pub const OWNER: Address = ACCOUNTS[1];

/// A gateway that runs.
struct Gateway {
    part: Part,
    url: String,
    admin_url: String,
}

/// Anvil with the registry on it, a database, an indexer and a gateway.
pub struct World {
    /// The chain and the registry on it.
    pub chain: Chain,
    /// The gateway's clock: stands still unless a test moves it.
    pub clock: Arc<ManualClock>,
    /// Where the index is.
    pub database_url: String,
    /// For how many days the indexer keeps heartbeats, when it is started.
    pub keep_heartbeats: u64,
    /// How often the gateway looks for news though nobody rings, when it is started.
    pub gateway_poll: Duration,
    /// Where the gateway keeps what it knows, when it is started.
    pub snapshot: Option<PathBuf>,
    anvil: Option<Anvil>,
    anvil_config: AnvilConfig,
    rpc_url: String,
    deploy_block: Option<u64>,
    endorsements: Option<Address>,
    own_postgres: Option<TestPostgres>,
    indexer: Option<Part>,
    gateway: Option<Gateway>,
    http: reqwest::Client,
}

impl World {
    /// A fresh chain with the registry on it, indexed and served.
    pub async fn start() -> Result<Self> {
        Self::start_at(GENESIS_TIME).await
    }

    /// The same with a gateway that looks for news all the time, for a test that moves the clock and waits each time until
    /// the gateway has heard that the chain has no new block.
    pub async fn start_eager() -> Result<Self> {
        let mut world = Self::empty(anvil_config(GENESIS_TIME)).await?;
        world.gateway_poll = Duration::from_millis(5);
        world.deploy_and_run().await?;
        Ok(world)
    }

    /// The same with a genesis at another time, and so with another hash.
    pub async fn start_at(genesis_time: u64) -> Result<Self> {
        let mut world = Self::empty(anvil_config(genesis_time)).await?;
        world.deploy_and_run().await?;
        Ok(world)
    }

    /// The same with the endorsements of the registry.
    pub async fn with_endorsements() -> Result<Self> {
        let mut world = Self::empty(anvil_config(GENESIS_TIME)).await?;
        world.chain.deploy().await?;
        world.chain.deploy_endorsements().await?;
        world.endorsements = Some(world.chain.endorsements());
        world.run().await?;
        Ok(world)
    }

    /// The same on a Postgres of its own, which [`World::postgres`] can stop.
    pub async fn with_own_postgres() -> Result<Self> {
        let postgres = TestPostgres::start(database::tools()?).await?;
        let mut world = Self::empty(anvil_config(GENESIS_TIME)).await?;
        world.database_url = database::create_on(&postgres.url("postgres")).await?;
        world.own_postgres = Some(postgres);
        world.deploy_and_run().await?;
        Ok(world)
    }

    /// The same on an Anvil that keeps its chain in `state` over [`World::restart_anvil`].
    pub async fn with_kept_chain(state: PathBuf) -> Result<Self> {
        let config = AnvilConfig { state: Some(state), ..anvil_config(GENESIS_TIME) };
        let mut world = Self::empty(config).await?;
        world.deploy_and_run().await?;
        Ok(world)
    }

    /// The chain that a scenario left behind, indexed and served.
    pub async fn load(scenario: Scenario) -> Result<Self> {
        let mut world = Self::empty(anvil_config(GENESIS_TIME)).await?;
        world.chain.load(scenario.state()).await?;
        // A loaded chain has no old states to look for the contract's first block in.
        world.deploy_block = Some(1);
        world.endorsements = scenario.has_endorsements().then(|| world.chain.endorsements());
        world.run().await?;
        Ok(world)
    }

    /// The chain of a scenario, played: unlike a loaded one it has old states, which a reorg needs.
    pub async fn play(scenario: Scenario) -> Result<Self> {
        let mut world = Self::empty(anvil_config(GENESIS_TIME)).await?;
        scenario.play(&world.chain).await?;
        world.endorsements = scenario.has_endorsements().then(|| world.chain.endorsements());
        world.run().await?;
        Ok(world)
    }

    async fn empty(anvil_config: AnvilConfig) -> Result<Self> {
        let anvil = Anvil::spawn(database::tools()?, anvil_config.clone()).await?;
        let rpc_url = anvil.rpc_url();
        let chain = Chain::connect(&rpc_url)?;
        chain.manual_mining().await?;
        Ok(Self {
            chain,
            clock: ManualClock::new(),
            database_url: database::create().await?,
            keep_heartbeats: 30,
            gateway_poll: Duration::from_millis(50),
            snapshot: None,
            // Started again, it must be found where it was.
            anvil_config: AnvilConfig { port: Some(anvil.port()), ..anvil_config },
            anvil: Some(anvil),
            rpc_url,
            deploy_block: None,
            endorsements: None,
            own_postgres: None,
            indexer: None,
            gateway: None,
            http: reqwest::Client::new(),
        })
    }

    async fn deploy_and_run(&mut self) -> Result<()> {
        self.chain.deploy().await?;
        self.run().await
    }

    async fn run(&mut self) -> Result<()> {
        self.start_indexer();
        self.start_gateway().await?;
        self.synced().await
    }

    /// Stops Anvil and starts it again on the same port.
    pub async fn restart_anvil(&mut self) -> Result<()> {
        self.anvil.take().context("no Anvil runs")?.stop().await?;
        self.anvil = Some(Anvil::spawn(database::tools()?, self.anvil_config.clone()).await?);
        self.chain.manual_mining().await
    }

    /// Puts another chain on the same port, with the registry on it.
    pub async fn replace_anvil(&mut self, genesis_time: u64) -> Result<()> {
        self.anvil_config.timestamp = Some(genesis_time);
        self.restart_anvil().await?;
        self.chain.deploy().await
    }

    /// The Postgres of [`World::with_own_postgres`].
    pub fn postgres(&mut self) -> Result<&mut TestPostgres> {
        self.own_postgres.as_mut().context("this world shares its Postgres")
    }

    /// Where the chain answers.
    pub fn rpc_url(&self) -> &str {
        &self.rpc_url
    }

    /// How the indexer of this world is configured.
    pub fn indexer_config(&self) -> indexer::Config {
        indexer::Config {
            poll_interval: Duration::from_millis(20),
            deploy_block: self.deploy_block,
            endorsements: self.endorsements,
            keep_heartbeats: self.keep_heartbeats,
            ..indexer::Config::new(self.rpc_url.clone(), self.database_url.clone(), self.chain.registry())
        }
    }

    /// Starts the indexer.
    pub fn start_indexer(&mut self) {
        self.indexer = Some(start_indexer(self.indexer_config()));
    }

    /// Takes the indexer out, for the test to stop, crash or wait for.
    pub fn take_indexer(&mut self) -> Result<Part> {
        self.indexer.take().context("no indexer runs")
    }

    /// How the gateway of this world is configured: on free ports.
    pub fn gateway_config(&self) -> Result<gateway::Config> {
        Ok(gateway::Config {
            listen: ([127, 0, 0, 1], 0).into(),
            admin_listen: Some(([127, 0, 0, 1], 0).into()),
            database_url: database::reader(&self.database_url)?,
            poll_interval: self.gateway_poll,
            snapshot: self.snapshot.clone(),
            ..gateway::Config::default()
        })
    }

    /// Starts a gateway.
    pub async fn start_gateway(&mut self) -> Result<()> {
        self.start_gateway_with(self.gateway_config()?).await
    }

    /// Starts a gateway that is configured in another way.
    pub async fn start_gateway_with(&mut self, config: gateway::Config) -> Result<()> {
        let gateway = gateway::Gateway::bind(config, self.clock.clone()).await?;
        let url = format!("http://{}", gateway.local_addr());
        let admin_url = format!("http://{}", gateway.admin_addr().context("no address for operators")?);
        let part = Part::start(|token| async move { Ok(gateway.serve(token).await?) });
        self.gateway = Some(Gateway { part, url, admin_url });
        Ok(())
    }

    /// Takes the gateway out, for the test to stop or crash.
    pub fn take_gateway(&mut self) -> Result<Part> {
        Ok(self.gateway.take().context("no gateway runs")?.part)
    }

    /// Waits until the gateway answers as of the chain's newest block.
    pub async fn synced(&self) -> Result<()> {
        let head = self.chain.head().await?;
        let hash = head.hash.to_string();
        let what = format!("the gateway at block {head}");
        let synced = eventually(&what, async || {
            let (status, body) = self.get("/v1/services").await.ok()?;
            (status == 200 && body["block"]["hash"] == hash.as_str()).then_some(())
        });
        match synced.await {
            Ok(()) => Ok(()),
            // Which of the two is behind.
            Err(error) => {
                let (next, answer) = (database::next_block(&self.database_url).await, self.get("/v1/services").await);
                Err(error.context(format!("next in the index is {next:?}; the gateway says {answer:?}")))
            }
        }
    }

    /// Waits until all days before this one are rolled up, and heartbeats that need not be kept are gone.
    pub async fn kept_up(&self, day: u64) -> Result<()> {
        eventually(&format!("the uptimes of the days before {day}"), async || {
            let upkeep = database::upkeep(&self.database_url).await.ok()?;
            let from = if self.keep_heartbeats == 0 { 0 } else { day.saturating_sub(self.keep_heartbeats) };
            (upkeep.uptime_day >= day && upkeep.heartbeats_from >= from).then_some(())
        })
        .await
    }

    /// Asks the gateway; answers status and JSON body.
    pub async fn get(&self, path: &str) -> Result<(u16, Value)> {
        let response = self.response(path).await?;
        let status = response.status().as_u16();
        Ok((status, response.json().await?))
    }

    /// Asks the gateway; answers the response as it is.
    pub async fn response(&self, path: &str) -> Result<reqwest::Response> {
        Ok(self.http.get(self.url(path)?).send().await?)
    }

    /// Asks the gateway as operators do.
    pub async fn admin(&self, path: &str) -> Result<reqwest::Response> {
        let Gateway { admin_url, .. } = self.gateway.as_ref().context("no gateway runs")?;
        Ok(self.http.get(format!("{admin_url}{path}")).send().await?)
    }

    /// The gateway's URL for a path.
    pub fn url(&self, path: &str) -> Result<String> {
        let Gateway { url, .. } = self.gateway.as_ref().context("no gateway runs")?;
        Ok(format!("{url}{path}"))
    }

    /// The labels of the instances of one of [`OWNER`]'s services, in the answer's order; all must be live.
    pub async fn live(&self, service: &str) -> Result<Vec<String>> {
        self.labels(&format!("/v1/namespaces/{OWNER}/services/{service}/instances")).await
    }

    /// The labels in an instances answer.
    pub async fn labels(&self, path: &str) -> Result<Vec<String>> {
        let (status, body) = self.get(path).await?;
        ensure!(status == 200, "{path}: {status}: {body}");
        let list = body["instances"].as_array().with_context(|| format!("{path}: {body}"))?;
        let mut labels = Vec::new();
        for instance in list {
            labels.push(instance["label"].as_str().context("label")?.to_owned());
        }
        Ok(labels)
    }

    /// Registers an instance with a ttl of 30 s in [`OWNER`]'s namespace; it is visible when this returns.
    pub async fn register(&self, service: &str, label: &str) -> Result<InstanceId> {
        self.register_as(plain(self.namespace(), service, label, "1.0.0")).await
    }

    /// Registers as [`OWNER`]; it is visible when this returns.
    pub async fn register_as(&self, registration: Registration) -> Result<InstanceId> {
        let service = ServiceKey::new(NamespaceId(registration.namespaceId), &registration.name);
        let id = InstanceId::new(service, OWNER, &registration.label);
        self.chain.send(OWNER, &registerCall { registration }).await?;
        self.synced().await?;
        Ok(id)
    }

    /// Renews a lease; it is visible when this returns.
    pub async fn heartbeat(&self, id: InstanceId) -> Result<()> {
        self.chain.send(OWNER, &heartbeatCall { id: id.0 }).await?;
        self.synced().await
    }

    /// [`OWNER`]'s personal namespace.
    pub fn namespace(&self) -> NamespaceId {
        Namespace::Account(OWNER).id()
    }

    /// A ttl for registrations.
    pub fn ttl(seconds: u32) -> U24 {
        U24::from(seconds)
    }

    /// The contract's own opinion, by the chain's newest block.
    pub async fn is_live_on_chain(&self, id: InstanceId) -> Result<bool> {
        let bitmap = self.chain.contract().areLive(vec![id.0]).call().await?;
        Ok(bitmap == [U256::from(1)])
    }
}

/// Starts an indexer as a part.
pub fn start_indexer(config: indexer::Config) -> Part {
    Part::start(|token| async move { Ok(indexer::run(config, SystemClock::new(), token).await?) })
}

fn anvil_config(genesis_time: u64) -> AnvilConfig {
    AnvilConfig { timestamp: Some(genesis_time), ..AnvilConfig::default() }
}
