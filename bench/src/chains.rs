//! Chains with many real events of the registry, on a fresh Anvil: the crowd (`contracts/test/crowd/Crowd.sol`) registers
//! some hundred instances, then renews and updates them.
//!
//! - here: what a chain is, and the command that makes one and leaves it running
//! - `plan`: which transactions make a shape
//! - `rpc`: JSON-RPC by the batch

mod plan;
mod rpc;

use std::collections::HashSet;

use alloy::{
    primitives::{Address, B256, Bytes, U64, U256},
    sol_types::{SolCall, SolValue},
};
use anyhow::{Context, Result, bail, ensure};
use bindings::ServiceRegistry;
use domain::{Clock, SystemClock};
use serde_json::{Value, json};
use tools::{Anvil, AnvilConfig, Tools};

pub use crate::world::Database;

pub use plan::{Call, Shape};
pub use rpc::Rpc;

mod abi {
    alloy::sol!(Crowd, "abi/Crowd.json");
}
use abi::Crowd;

/// Each transaction may spend a whole block's gas, so that a block holds one of them.
const GAS: u64 = 30_000_000;
/// More than the base fee ever is.
const GAS_PRICE: u64 = 2_000_000_000;
/// How many transactions wait in Anvil's pool at most: mining a block looks at all of them.
const BATCH: usize = 100;
/// Of the first block: the others come a second later each, and must not be in the future of the wall clock.
const GENESIS_TIME: u64 = 1_700_000_000;
/// Blocks asked for at once when the logs are counted.
const RANGE: u64 = 2_000;

/// The arguments of `bench chain`.
#[derive(clap::Args)]
pub struct Args {
    /// What chain
    #[arg(long, value_enum, default_value = "dense")]
    shape: Shape,
    /// The port of its node; 0 takes a free one
    #[arg(long, default_value_t = 8545)]
    port: u16,
    /// Start a Postgres beside it, for indexers to work on
    #[arg(long)]
    postgres: bool,
}

/// Makes a chain, says in a line of JSON where it is, and keeps it until it is interrupted.
pub async fn run(args: Args) -> Result<Value> {
    let tools = Tools::ensure().context("installing the pinned tools")?;
    let clock = SystemClock::new();
    let started = clock.monotonic();
    let chain = Chain::generate(&tools, args.shape, Some(args.port).filter(|port| *port != 0)).await?;
    eprintln!("made in {:.1} s; interrupt to stop", (clock.monotonic() - started).as_secs_f64());
    let database = if args.postgres { Some(Database::start(&tools).await?) } else { None };
    let mut found = chain.describe();
    found["database_url"] = json!(database.as_ref().map(|database| database.url("postgres")));
    println!("{found}");
    tokio::signal::ctrl_c().await?;
    let line = json!({ "bench": "chain", "figures": { "events": chain.events, "blocks": chain.head } });
    if let Some(database) = database {
        database.stop().await?;
    }
    chain.stop().await?;
    Ok(line)
}

/// A running Anvil with the registry and its crowd.
pub struct Chain {
    anvil: Anvil,
    pub rpc: Rpc,
    account: Address,
    nonce: u64,
    pub registry: Address,
    crowd: Address,
    pub deploy_block: u64,
    /// The newest block.
    pub head: u64,
    /// How many events of the registry there are.
    pub events: u64,
    /// How many there are up to each block.
    up_to: Vec<u64>,
}

impl Chain {
    /// The whole of a shape. Fails unless the chain has the events that the plan says, each in a log of its own.
    pub async fn generate(tools: &Tools, shape: Shape, port: Option<u16>) -> Result<Self> {
        let mut chain = Self::start(tools, port).await?;
        chain.mine(plan::calls(shape)).await?;
        let found = chain.count_logs().await?;
        ensure!(found == chain.events, "the chain has {found} logs of the registry, {} were planned", chain.events);
        Ok(chain)
    }

    /// The registry and a crowd without instances.
    pub async fn start(tools: &Tools, port: Option<u16>) -> Result<Self> {
        let config =
            AnvilConfig { port, timestamp: Some(GENESIS_TIME), extra_args: options(), ..AnvilConfig::default() };
        let anvil = Anvil::spawn(tools, config).await?;
        let rpc = Rpc::new(&anvil.rpc_url());
        let accounts: Vec<Address> = rpc.ask("eth_accounts", json!([])).await?;
        let account = *accounts.first().context("Anvil has no account")?;
        let zero = Address::ZERO;
        let mut chain = Self {
            anvil,
            rpc,
            account,
            nonce: 0,
            registry: zero,
            crowd: zero,
            deploy_block: 0,
            head: 0,
            events: 0,
            up_to: vec![0],
        };
        (chain.registry, chain.deploy_block) = chain.deploy(ServiceRegistry::BYTECODE.clone()).await?;
        let argument = chain.registry.abi_encode();
        (chain.crowd, _) = chain.deploy([Crowd::BYTECODE.as_ref(), &argument].concat().into()).await?;
        Ok(chain)
    }

    pub fn rpc_url(&self) -> String {
        self.anvil.rpc_url()
    }

    pub fn ws_url(&self) -> String {
        self.anvil.ws_url()
    }

    pub async fn stop(self) -> Result<()> {
        Ok(self.anvil.kill().await?)
    }

    /// For those who work with it by hand, and for other programs.
    pub fn describe(&self) -> Value {
        json!({
            "rpc_url": self.rpc_url(),
            "ws_url": self.ws_url(),
            "contract": self.registry,
            "crowd": self.crowd,
            "account": self.account,
            "deploy_block": self.deploy_block,
            "head": self.head,
            "events": self.events,
        })
    }

    /// Mines a block for each call.
    pub async fn mine(&mut self, calls: impl Iterator<Item = Call>) -> Result<()> {
        let mut calls = calls.peekable();
        while calls.peek().is_some() {
            let batch: Vec<Call> = calls.by_ref().take(BATCH).collect();
            let size = batch.len() as u64;
            for call in &batch {
                self.events += call.events;
                self.up_to.push(self.events);
            }
            let sent =
                batch.into_iter().map(|call| ("eth_sendTransaction", self.transaction(Some(call.input)))).collect();
            self.rpc.ask_all(sent).await?;
            let () = self.rpc.ask("anvil_mine", json!([size, 1])).await?;
            self.head += size;
        }
        let head: U64 = self.rpc.ask("eth_blockNumber", json!([])).await?;
        ensure!(head.to::<u64>() == self.head, "the chain's head is {head}, not {}", self.head);
        Ok(())
    }

    /// Puts a call into the pool: the next block has it.
    pub async fn send(&mut self, call: Call) -> Result<()> {
        self.events += call.events;
        let params = self.transaction(Some(call.input));
        let _: B256 = self.rpc.ask("eth_sendTransaction", params).await?;
        Ok(())
    }

    /// Mines one block, a second later than the last; returns when Anvil says that it is there.
    pub async fn mine_one(&mut self) -> Result<()> {
        let () = self.rpc.ask("anvil_mine", json!([1, 1])).await?;
        self.head += 1;
        self.up_to.push(self.events);
        Ok(())
    }

    /// How many events the blocks up to this one have.
    pub fn events_up_to(&self, block: u64) -> u64 {
        usize::try_from(block).ok().and_then(|block| self.up_to.get(block)).copied().unwrap_or(self.events)
    }

    /// The id of an instance.
    pub async fn instance(&self, i: u64) -> Result<B256> {
        let input = encode(&Crowd::idOfCall { i: U256::from(i) });
        self.rpc.ask("eth_call", json!([{ "to": self.crowd, "input": input }, "latest"])).await
    }

    /// Counts the registry's logs, and that no position has two.
    async fn count_logs(&self) -> Result<u64> {
        let mut count = 0;
        for from in (0..=self.head).step_by(RANGE as usize) {
            let to = self.head.min(from + RANGE - 1);
            let filter = json!({ "address": self.registry, "fromBlock": U64::from(from), "toBlock": U64::from(to) });
            let logs: Vec<alloy::rpc::types::Log> = self.rpc.ask("eth_getLogs", json!([filter])).await?;
            let places: HashSet<_> = logs.iter().map(|log| (log.block_number, log.log_index)).collect();
            ensure!(places.len() == logs.len(), "two logs of blocks {from} to {to} have the same place");
            count += logs.len() as u64;
        }
        Ok(count)
    }

    async fn deploy(&mut self, code: Bytes) -> Result<(Address, u64)> {
        let mut params = self.transaction(None);
        params[0]["input"] = json!(code);
        let hash: B256 = self.rpc.ask("eth_sendTransaction", params).await?;
        self.mine_one().await?;
        let receipt: Value = self.rpc.ask("eth_getTransactionReceipt", json!([hash])).await?;
        let Some(address) = receipt["contractAddress"].as_str().filter(|_| receipt["status"] == "0x1") else {
            bail!("a deployment failed: {receipt}");
        };
        Ok((address.parse()?, self.head))
    }

    fn transaction(&mut self, input: Option<Bytes>) -> Value {
        let nonce = U64::from(self.nonce);
        self.nonce += 1;
        let mut transaction = json!({
            "from": self.account,
            "nonce": nonce,
            "gas": U64::from(GAS),
            "gasPrice": U64::from(GAS_PRICE),
        });
        if let Some(input) = input {
            transaction["to"] = json!(self.crowd);
            transaction["input"] = json!(input);
        }
        json!([transaction])
    }
}

fn options() -> Vec<String> {
    // States of old are copies of all storage: some are needed for proofs at the finalized block. Later hard forks keep
    // a storage word for each block, and Anvil hashes all storage anew with each block: 20,000 blocks would take minutes.
    let options = "--no-mining --hardfork shanghai --prune-history 256 --no-request-size-limit --gas-limit";
    options.split(' ').map(str::to_owned).chain([GAS.to_string()]).collect()
}

fn encode(call: &impl SolCall) -> Bytes {
    call.abi_encode().into()
}
