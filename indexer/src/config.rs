//! What to mirror, from where, into what.

use std::time::Duration;

use domain::Address;
use store::schema::Place;

use crate::Verify;

/// The settings of an indexer. [`Config::new`] gives all that has a default.
#[derive(Clone)]
pub struct Config {
    /// The nodes: `http://`, `https://`, `ws://` or `wss://`. One is asked at a time; the next takes its place if it does
    /// not answer, lags or lies. They may hold secrets, so they are never logged whole.
    pub rpc_urls: Vec<String>,
    /// The database: `postgres://user:password@host:port/database`. The schema is made by the indexer itself.
    pub database_url: String,
    /// For how long the database may say nothing at all until its connections are given up and made anew. It is asked
    /// something small every second, whatever else it works on.
    pub database_patience: Duration,
    /// Which index of the database: the one that gateways read, unless one is built anew beside it
    /// ([`reindex`](mod@crate::reindex)).
    pub place: Place,
    /// The contract.
    pub contract: Address,
    /// The contract with the endorsements of its instances. None: they are not indexed. An index keeps to it.
    pub endorsements: Option<Address>,
    /// The block in which it was deployed. None: found by binary search over `eth_getCode`, which asks the node for
    /// old states; a node that forgets them needs the number.
    pub deploy_block: Option<u64>,
    /// How long to wait between two looks at the chain's head.
    pub poll_interval: Duration,
    /// The most blocks per `eth_getLogs`; halved when the node refuses.
    pub max_range: u64,
    /// How far nodes are believed. None: not at all about blocks that are followed one by one, and in everything about
    /// ranges of blocks that are final, or deep: a check of the roots covers these.
    pub verify: Option<Verify>,
    /// How many blocks below the head are applied one by one and remembered by hash. A reorg that is deeper is
    /// survived too, from the last event that the chain still has.
    pub window: u64,
    /// For how many days heartbeats are kept one by one; 0: for ever. Uptimes are kept for ever.
    pub keep_heartbeats: u64,
    /// How often the storage roots of the state are compared with the chain's. None: never.
    pub check_every: Option<Duration>,
    /// Whether an index whose roots are not the chain's is mended.
    pub rebuild: bool,
    /// How old the chain's head may become before the indexer is not ready. None: a chain may be as slow as it likes.
    pub max_head_age: Option<Duration>,
}

impl Config {
    /// The settings with their defaults: look every 500 ms, 2,000 blocks per request, a window of 256 blocks, heartbeats of
    /// 30 days, roots every ten minutes, ten seconds for a database that says nothing.
    pub fn new(rpc_url: impl Into<String>, database_url: impl Into<String>, contract: Address) -> Self {
        Self {
            rpc_urls: vec![rpc_url.into()],
            database_url: database_url.into(),
            database_patience: Duration::from_secs(10),
            place: Place::Live,
            contract,
            endorsements: None,
            deploy_block: None,
            poll_interval: Duration::from_millis(500),
            max_range: 2_000,
            verify: None,
            window: 256,
            keep_heartbeats: 30,
            check_every: Some(Duration::from_secs(600)),
            rebuild: true,
            max_head_age: None,
        }
    }
}

impl std::fmt::Debug for Config {
    /// Without the URLs: both may hold secrets.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Config")
            .field("database_patience", &self.database_patience)
            .field("place", &self.place)
            .field("contract", &self.contract)
            .field("endorsements", &self.endorsements)
            .field("deploy_block", &self.deploy_block)
            .field("poll_interval", &self.poll_interval)
            .field("max_range", &self.max_range)
            .field("verify", &self.verify)
            .field("window", &self.window)
            .field("keep_heartbeats", &self.keep_heartbeats)
            .field("check_every", &self.check_every)
            .field("rebuild", &self.rebuild)
            .field("max_head_age", &self.max_head_age)
            .finish_non_exhaustive()
    }
}
