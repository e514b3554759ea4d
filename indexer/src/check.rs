//! Is the index what the chain says? Everything in it is looked at, as of one moment.
//!
//! - the words of both contracts, rebuilt from the events in the index, must have the storage root that the chain has at
//!   a finalized block, or, on a chain that has none yet, at the head of the index (`words`);
//! - the events must be the node's logs, column by column (`events`);
//! - the state in the tables must be the one that follows from the events (`tables`), and so must heartbeats, but for
//!   those that are old, and uptimes (`history`).
//!
//! The roots alone say whether state was lost or made up, whatever the node withholds. The rest names what differs, and
//! covers what the contract does not keep: bodies of records, hashes of transactions, heartbeats of old.
//!
//! - `events`, `tables`: as above
//! - `roots`: a shorter check, of the state in the tables alone; `schedule`: that one, again and again

use std::collections::{BTreeMap, VecDeque};

use domain::{Address, B256, BlockRef, InstanceId};
use store::{audit::Audit, rows::Checkpoint, schema};

use crate::{
    Config, IndexerError, Verify,
    apply::State,
    guard,
    log::Contracts,
    range::Range,
    source::Source,
    storage::{Storage, Subject, Word},
};

mod events;
mod history;
mod roots;
mod schedule;
mod tables;
mod words;

pub(crate) use roots::{Found, roots, wrong};
pub(crate) use schedule::watch;

use history::History;

/// How many differences are told.
const TOLD: usize = 100;

/// What a check found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// Up to where the index goes.
    pub head: BlockRef,
    /// As of which block the roots are.
    pub at: BlockRef,
    /// Whether the chain calls that block finalized.
    pub finalized: bool,
    /// The storage roots of the registry.
    pub registry: Roots,
    /// Those of the endorsements, if they are indexed and there is code at their address.
    pub endorsements: Option<Roots>,
    /// How many events were looked at.
    pub events: u64,
    /// How many instances there are.
    pub instances: u64,
    /// What differs, in the order in which it was found; at most 100.
    pub differences: Vec<Difference>,
    /// How many more differ.
    pub more: u64,
}

/// Two storage roots of one contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Roots {
    /// Rebuilt from the index.
    pub index: B256,
    /// The chain's.
    pub chain: B256,
    /// How many words of zero the node was seen to keep: they are in both roots. Some nodes for development do that, where
    /// a chain would have nothing.
    pub zero_words: u64,
}

/// Something in the index that is not as the chain says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// In words.
    pub what: String,
    /// The instance that it is about, if it is about one.
    pub instance: Option<InstanceId>,
}

impl Report {
    /// Whether the index is what the chain says.
    pub fn agrees(&self) -> bool {
        let agree = |roots: &Roots| roots.index == roots.chain;
        self.differences.is_empty() && agree(&self.registry) && self.endorsements.as_ref().is_none_or(agree)
    }

    /// The first instance, in the order of the chain, that something differs of.
    pub fn first_instance(&self) -> Option<InstanceId> {
        self.differences.iter().find_map(|difference| difference.instance)
    }
}

/// How far a check is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// The height up to which the events were looked at.
    pub block: u64,
    /// Where they end.
    pub head: u64,
    /// How many there were.
    pub events: u64,
}

/// Checks the index of the settings against the chain of the first node that answers. Writes nothing, and may be run while an indexer
/// works.
///
/// # Errors
/// [`IndexerError::WrongOrigin`] if the database mirrors another chain; [`IndexerError::Incoherent`] if the chain was
/// reorganised meanwhile: try again; [`IndexerError::Rpc`], [`IndexerError::Store`].
pub async fn check(config: &Config, told: impl FnMut(Progress)) -> Result<Report, IndexerError> {
    let contracts = Contracts { registry: config.contract, endorsements: config.endorsements };
    let source = first_node(config, contracts).await?;
    let pool = schema::connect(&config.database_url).await?;
    let mut audit = Audit::begin(&pool).await?;
    let stored = audit.checkpoint().clone();
    guard::check(&source, &stored.origin).await?;
    guard::headers(&source, &stored)?;
    let history = History::new(audit.upkeep());
    let (found, state) = Default::default();
    let range = Range::new(config.max_range);
    let mut check = Check { source, range, stored, found, state, history, events: 0 };
    check.run(&mut audit, told).await
}

async fn first_node(config: &Config, contracts: Contracts) -> Result<Source, IndexerError> {
    let mut last = IndexerError::Config { setting: "rpc_url", reason: "there is none".to_owned() };
    for url in &config.rpc_urls {
        let connected = async {
            let mut source = Source::connect(url, contracts, false).await?;
            source.verify(Verify::Headers).await?;
            Ok(source)
        };
        match connected.await {
            Err(error @ IndexerError::Rpc { .. }) => last = error,
            other => return other,
        }
    }
    Err(last)
}

struct Check {
    source: Source,
    range: Range,
    stored: Checkpoint,
    found: Differences,
    /// What follows from the events so far.
    state: State,
    history: History,
    events: u64,
}

/// What differs.
#[derive(Default)]
struct Differences {
    differences: VecDeque<Difference>,
    more: u64,
}

impl Differences {
    fn note(&mut self, instance: Option<InstanceId>, what: impl Into<String>) {
        if self.differences.len() < TOLD {
            self.differences.push_back(Difference { what: what.into(), instance });
        } else {
            self.more += 1;
        }
    }
}

impl Check {
    async fn run(&mut self, audit: &mut Audit, mut told: impl FnMut(Progress)) -> Result<Report, IndexerError> {
        let head = self.stored.head;
        self.still_there(head).await?;
        let (at, finalized) = self.moment().await?;
        let mut above = self.stored.origin.deploy_block.number.saturating_sub(1);
        let mut roots = None;
        while above < head.number {
            // The last range goes up to the head: events may be missing at the end.
            let mut to = audit.next_events(above).await?.unwrap_or(head.number).min(head.number);
            if above < at.number && to > at.number {
                to = at.number;
            }
            above = self.look_at(audit, above, to).await?;
            if above == at.number {
                roots = Some(self.roots(at).await?);
            }
            told(Progress { block: above, head: head.number, events: self.events });
        }
        let (registry, endorsements) = match roots {
            Some(roots) => roots,
            None => self.roots(at).await?,
        };
        if let Some(block) = audit.next_events(head.number).await? {
            self.found.note(None, format!("there are events above the head, up to block {block}"));
        }
        self.compare_tables(audit).await?;
        self.compare_history(audit).await?;
        self.still_there(head).await?;
        let Differences { differences, more } = std::mem::take(&mut self.found);
        Ok(Report {
            head,
            at,
            finalized,
            registry,
            endorsements,
            events: self.events,
            instances: self.state.instances.len() as u64,
            differences: differences.into(),
            more,
        })
    }

    /// Where the roots are compared, and whether that is final.
    async fn moment(&self) -> Result<(BlockRef, bool), IndexerError> {
        let head = self.stored.head;
        let tip = self.source.latest().await?.block.number;
        let finalized = self.source.heads(tip).await?.finalized.min(head.number);
        if finalized < self.stored.origin.deploy_block.number {
            return Ok((head, false));
        }
        let block = self.source.block(finalized).await?;
        Ok((block.ok_or_else(|| self.source.incoherent(format!("it has no block {finalized}")))?.block, true))
    }

    /// The chain must have the head of the index, else one of them moves.
    async fn still_there(&self, head: BlockRef) -> Result<(), IndexerError> {
        match self.source.block(head.number).await? {
            Some(block) if block.block == head => Ok(()),
            _ => Err(self.source.incoherent(format!(
                "it does not have the head of the index, block {head}: the index is behind a reorg, or the node is behind \
                 the index; try again"
            ))),
        }
    }
}

impl Check {
    /// Both roots of each contract.
    async fn roots(&mut self, at: BlockRef) -> Result<(Roots, Option<Roots>), IndexerError> {
        let Storage { registry, endorsements } = Storage::of(&self.state);
        let registry = self.roots_of(self.source.contract(), registry, at).await?;
        let Some(address) = self.source.endorsements() else { return Ok((registry, None)) };
        if endorsements.is_empty() && self.source.code(address, at.number).await?.is_empty() {
            return Ok((registry, None));
        }
        Ok((registry, Some(self.roots_of(address, endorsements, at).await?)))
    }

    async fn roots_of(
        &mut self,
        contract: Address,
        words: BTreeMap<B256, Word>,
        at: BlockRef,
    ) -> Result<Roots, IndexerError> {
        let (roots, differences) = words::compare(&self.source, contract, words, at).await?;
        if roots.index != roots.chain {
            self.found.note(None, format!("the storage root of {contract} at block {at} is not the chain's"));
        }
        differences.into_iter().for_each(|Difference { instance, what }| self.found.note(instance, what));
        Ok(roots)
    }
}

impl Subject {
    fn instance(self) -> Option<InstanceId> {
        match self {
            Self::Lease(id) | Self::RecordHash(id) | Self::Instance(id) => Some(id),
            _ => None,
        }
    }
}
