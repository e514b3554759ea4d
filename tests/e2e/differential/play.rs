//! A case, played: each transaction by the chain and by the model.

use std::collections::BTreeMap;

use alloy::{network::TransactionBuilder, primitives::B256, providers::Provider, rpc::types::TransactionRequest};
use anvil_fixtures::Chain;
use anyhow::{Context, Result, bail, ensure};
use e2e::{World, part::Part, world::start_indexer};
use indexer::check::check;
use serde_json::{Value, json};

use super::{
    act,
    agree::Index,
    encode::encode,
    model::{Model, Refusal},
    steps::{Plan, Settings, Step},
    views, words,
};

/// That many transactions fit into a block of Anvil's.
const FULL: usize = 8;
const GAS: u64 = 3_000_000;

/// The chain, the model of it, and the indexer.
struct Play {
    world: World,
    config: indexer::Config,
    indexer: Option<Part>,
    index: Index,
    /// After each block, from the one on with which all was deployed.
    blocks: Vec<Block>,
    /// The number of the first of them.
    first: u64,
    /// With the transactions that are not mined yet.
    next: Block,
    /// How many seconds after the last block the next one comes.
    gap: u64,
    /// The latest time of any block: Anvil's clock does not go back with the chain.
    clock: u64,
    tally: Tally,
}

/// How many calls of each kind were accepted, and how many refused; blocks that were taken back count too.
pub type Tally = BTreeMap<String, [u64; 2]>;

/// A transaction: its hash, what it is, and whether the contract has to accept it.
#[derive(Clone)]
struct Transaction {
    hash: B256,
    call: String,
    said: Result<(), Refusal>,
}

/// The transactions of a block, and what is there after them.
#[derive(Clone)]
struct Block {
    transactions: Vec<Transaction>,
    model: Model,
}

/// Plays a case.
///
/// # Errors
/// If model, chain and index do not agree, with what they do not agree about.
pub async fn play(plan: &Plan) -> Result<Tally> {
    let mut play = Play::start(&plan.settings).await?;
    for (n, step) in plan.steps.iter().enumerate() {
        play.step(step).await.with_context(|| format!("step {n}: {step:?}"))?;
    }
    play.compare().await.context("at the end")?;
    if let Some(indexer) = play.indexer.take() {
        indexer.stop().await?;
    }
    Ok(play.tally)
}

impl Play {
    async fn start(settings: &Settings) -> Result<Self> {
        let mut world = World::with_endorsements().await?;
        world.take_gateway()?.stop().await?;
        world.take_indexer()?.stop().await?;
        let mut config = indexer::Config {
            window: settings.window,
            max_range: settings.max_range,
            verify: settings.verify,
            ..world.indexer_config()
        };
        if settings.websocket {
            config.rpc_urls = vec![world.rpc_url().replace("http://", "ws://")];
        }
        let (head, time) = (world.chain.head().await?, world.chain.time().await?);
        let model = Model::default().in_block(head.number, time);
        Ok(Self {
            indexer: Some(start_indexer(config.clone())),
            index: Index::connect(&world.database_url).await?,
            next: Block::upon(&model, head.number + 1, time + 1),
            blocks: vec![Block { transactions: Vec::new(), model }],
            first: head.number,
            gap: 1,
            clock: time,
            tally: Tally::new(),
            world,
            config,
        })
    }

    async fn step(&mut self, step: &Step) -> Result<()> {
        match step {
            Step::Act(by, act) => {
                let (from, call) = act::resolve(&self.next.model, *by, act);
                let (to, data) = encode(&self.world.chain, &call).await?;
                let tx = TransactionRequest::default().with_from(from).with_to(to).with_input(data);
                // The same fees: they are mined in the order in which they come.
                let tx = tx.with_gas_limit(GAS).with_max_fee_per_gas(10_000_000_000).with_max_priority_fee_per_gas(1);
                let hash = self.world.chain.raw("eth_sendTransaction", json!([tx])).await?;
                let said = self.next.model.call(from, &call);
                let (hash, call) = (serde_json::from_value(hash)?, format!("{from} {call:?}"));
                self.next.transactions.push(Transaction { hash, call, said });
                if self.next.transactions.len() == FULL {
                    self.mine(1).await?;
                }
            }
            Step::Mine { then } => self.mine(*then).await?,
            Step::Wait { blocks } => {
                for _ in 0..*blocks {
                    self.mine(1).await?;
                }
            }
            Step::Reorg { depth } => {
                self.mine_pending().await?;
                let depth = self.depth(*depth);
                if depth > 0 {
                    self.world.chain.reorg(depth).await?;
                    self.take_back(depth);
                    for _ in 0..depth {
                        let number = self.first + self.blocks.len() as u64;
                        let time = self.time_of(number).await?;
                        let empty = Block::upon(&self.head().model, number, time);
                        self.blocks.push(empty);
                    }
                    self.head_is_ours().await?;
                }
            }
            Step::Rollback { depth } => {
                self.mine_pending().await?;
                let depth = self.depth(*depth);
                if depth > 0 {
                    self.world.chain.rollback(depth).await?;
                    self.take_back(depth);
                    self.head_is_ours().await?;
                    // A chain that ends in the middle of ours is taken for a node that lags.
                    self.mine(1).await?;
                }
            }
            Step::Stop { crash } => match self.indexer.take() {
                Some(indexer) if *crash => indexer.crash().await,
                Some(indexer) => indexer.stop().await?,
                None => {}
            },
            Step::Start => self.run_indexer(),
            Step::Compare => self.compare().await?,
        }
        Ok(())
    }

    fn run_indexer(&mut self) {
        self.indexer.get_or_insert_with(|| start_indexer(self.config.clone()));
    }

    /// How many blocks there are that can go.
    fn height(&self) -> u64 {
        self.blocks.len() as u64 - 1
    }

    /// How many of them go. Only deep reorgs take back all that there is.
    fn depth(&self, wanted: u64) -> u64 {
        let most = if wanted < 16 { self.height().div_ceil(2) } else { self.height() };
        wanted.min(most)
    }

    fn head(&self) -> &Block {
        &self.blocks[self.blocks.len() - 1]
    }

    /// Forgets the newest blocks.
    fn take_back(&mut self, depth: u64) {
        self.blocks.truncate(self.blocks.len() - depth as usize);
    }

    /// The next block goes upon the chain's head, which must be at the height of the model's.
    async fn head_is_ours(&mut self) -> Result<()> {
        let (head, time) = (self.world.chain.head().await?, self.world.chain.time().await?);
        ensure!(head.number == self.first + self.height(), "the chain's head is {head}");
        self.clock = self.clock.max(time);
        ensure!(self.head().model.time == time, "the time of {head} is {time}");
        self.next = Block::upon(&self.head().model, head.number + 1, self.clock + self.gap);
        Ok(())
    }

    async fn time_of(&self, number: u64) -> Result<u64> {
        let block = self.world.chain.provider().get_block(number.into()).await?;
        Ok(block.with_context(|| format!("there is no block {number}"))?.header.timestamp)
    }

    async fn mine_pending(&mut self) -> Result<()> {
        if self.next.transactions.is_empty() { Ok(()) } else { self.mine(1).await }
    }

    /// Mines what is pending, and compares who was refused.
    async fn mine(&mut self, gap: u64) -> Result<()> {
        self.clock = self.next.model.time;
        self.next.mine(&self.world.chain).await?;
        for transaction in &self.next.transactions {
            let kind = transaction.call.split_whitespace().nth(1).unwrap_or_default();
            self.tally.entry(kind.to_owned()).or_default()[usize::from(transaction.said.is_err())] += 1;
        }
        self.blocks.push(self.next.clone());
        self.gap = gap;
        self.head_is_ours().await
    }

    async fn compare(&mut self) -> Result<()> {
        self.mine_pending().await?;
        self.run_indexer();
        let head = self.world.chain.head().await?;
        let model = &self.blocks[self.blocks.len() - 1].model;
        if let Err(error) = self.index.stands_at(head).await {
            let ended = self.indexer.take().context("an indexer runs")?.stop().await;
            return Err(error.context(format!("told to stop, the indexer said {ended:?}")));
        }
        let storage = self.index.is(model).await.context("the index and the model")?;
        views::are(&self.world.chain, model).await.context("the contracts and the model")?;
        words::are(&self.world.chain, &storage).await.context("the index and the contracts' storage")?;
        let report = check(&self.config, |_| {}).await?;
        ensure!(report.agrees(), "{report:?}");
        ensure!(report.instances == model.instances.len() as u64, "{report:?}");
        Ok(())
    }
}

impl Block {
    fn upon(model: &Model, number: u64, time: u64) -> Self {
        Self { transactions: Vec::new(), model: model.in_block(number, time) }
    }

    /// Mines what was sent, and compares who was refused.
    async fn mine(&self, chain: &Chain) -> Result<()> {
        chain.mine_at(self.model.time).await?;
        let receipts = chain.raw("eth_getBlockReceipts", json!(["latest"])).await?;
        let receipts: Vec<Value> = serde_json::from_value(receipts)?;
        ensure!(receipts.len() == self.transactions.len(), "{} of {} mined", receipts.len(), self.transactions.len());
        for (Transaction { hash, call, said, .. }, receipt) in self.transactions.iter().zip(receipts) {
            ensure!(receipt["transactionHash"] == json!(hash), "mined in another order");
            match (said, receipt["status"] == "0x1") {
                (Ok(()), true) | (Err(_), false) => {}
                (Ok(()), false) => bail!("the contract refuses {call}, the model accepts it"),
                (Err(refusal), true) => bail!("the contract accepts {call}, the model says {refusal}"),
            }
        }
        Ok(())
    }
}
