//! Looks at the nodes that are not asked: has one of them blocks that ours has not heard of? That it says so is not enough.

use std::{
    convert::Infallible,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use domain::{BlockRef, Clock};
use tokio::{sync::watch, task::JoinSet};

use crate::{
    IndexerError,
    log::Contracts,
    source::{Source, WITHOUT},
};

/// For how long our node may not have a block that another one has.
const LAG: Duration = Duration::from_secs(1);

/// Between two looks at a node.
const EVERY: Duration = Duration::from_millis(300);

/// How many heads of a node are remembered.
const HEADS: usize = 64;

/// The heads of the other nodes, looked at as long as it lives.
pub(crate) struct Scout {
    nodes: Vec<Arc<Mutex<Heads>>>,
    /// The head of our node, when it was asked last.
    ours: Arc<AtomicU64>,
    /// How many of the nodes were looked at, also in vain.
    looked: watch::Sender<usize>,
    clock: Arc<dyn Clock>,
    _looks: JoinSet<Infallible>,
}

/// The heights that a node's head had, lowest first, and since when: those that are not above our node's head, and those
/// that it was asked for and has.
#[derive(Default)]
struct Heads {
    node: String,
    /// The connection, while it answers.
    source: Option<Arc<Source>>,
    heads: Vec<(u64, Duration)>,
    /// How many times in a row it did not have what it claims to have.
    without: u32,
    /// What it said that is not so, for whoever tells of it.
    lie: Option<IndexerError>,
}

impl Scout {
    /// `head` is the one of the index.
    pub(crate) fn start(urls: Vec<String>, contracts: Contracts, head: u64, clock: Arc<dyn Clock>) -> Self {
        let (mut nodes, mut looks, ours) = (Vec::new(), JoinSet::new(), Arc::new(AtomicU64::new(head)));
        let looked = watch::Sender::new(0);
        for url in urls {
            let heads = Arc::new(Mutex::new(Heads::default()));
            nodes.push(heads.clone());
            let (ours, looked) = (ours.clone(), looked.clone());
            looks.spawn(Look { url, contracts, heads, ours, clock: clock.clone() }.look(looked));
        }
        Self { nodes, ours, looked, clock, _looks: looks }
    }

    /// The other nodes that answer, once each of them has had the time to.
    pub(crate) async fn others(&self) -> Vec<Arc<Source>> {
        // An error would be the end of what we hold ourselves.
        let _ = self.looked.subscribe().wait_for(|looked| *looked >= self.nodes.len()).await;
        let source = |node: &Arc<Mutex<Heads>>| node.lock().unwrap_or_else(PoisonError::into_inner).source.clone();
        self.nodes.iter().filter_map(source).collect()
    }

    /// What was found to be lies since this was asked last. Each is told once, as long as it goes on.
    pub(crate) fn lies(&self) -> Vec<IndexerError> {
        let lie = |node: &Arc<Mutex<Heads>>| node.lock().unwrap_or_else(PoisonError::into_inner).lie.take();
        self.nodes.iter().filter_map(lie).collect()
    }

    /// A node that has had a block above this height, where our node's head is, for longer than it may take to get around.
    pub(crate) fn ahead_of(&self, head: u64) -> Option<(String, u64)> {
        self.ours.store(head, Ordering::Relaxed);
        let now = self.clock.monotonic();
        self.nodes.iter().find_map(|node| {
            let node = node.lock().unwrap_or_else(PoisonError::into_inner);
            let (number, since) = node.heads.iter().find(|(number, _)| *number > head)?;
            (now.saturating_sub(*since) >= LAG).then(|| (node.node.clone(), *number))
        })
    }
}

/// Looks at a node, again and again.
struct Look {
    url: String,
    contracts: Contracts,
    heads: Arc<Mutex<Heads>>,
    ours: Arc<AtomicU64>,
    clock: Arc<dyn Clock>,
}

impl Look {
    /// The first look is said, whatever came of it.
    async fn look(self, looked: watch::Sender<usize>) -> Infallible {
        let mut first = Some(looked);
        let mut source = None;
        loop {
            if source.is_none() {
                source = Source::connect(&self.url, self.contracts, true).await.ok().map(Arc::new);
            }
            if let Some(node) = &source {
                let seen = seen(node, self.ours.load(Ordering::Relaxed)).await;
                let mut heads = self.heads.lock().unwrap_or_else(PoisonError::into_inner);
                match seen {
                    Ok(seen) => heads.saw(node, &seen, self.clock.monotonic()),
                    Err(lie @ IndexerError::Lied { .. }) => heads.lied(lie),
                    Err(_) => {
                        *heads = Heads::default();
                        source = None;
                    }
                }
            }
            if let Some(looked) = first.take() {
                looked.send_modify(|looked| *looked += 1);
            }
            tokio::time::sleep(EVERY).await;
        }
    }
}

/// A look at a node.
struct Seen {
    head: BlockRef,
    /// A block above our node's head that it does not have, although its own head is not below it.
    lacks: Option<u64>,
}

async fn seen(source: &Source, ours: u64) -> Result<Seen, IndexerError> {
    let head = source.latest().await?.block;
    if head.number > ours {
        for number in [ours + 1, head.number] {
            if source.block(number).await?.is_none() {
                return Ok(Seen { head, lacks: Some(number) });
            }
        }
    }
    Ok(Seen { head, lacks: None })
}

impl Heads {
    fn saw(&mut self, node: &Arc<Source>, seen: &Seen, now: Duration) {
        self.node = node.to_string();
        self.source = Some(node.clone());
        match seen.lacks {
            None => self.without = 0,
            Some(_) if self.without < WITHOUT => self.without += 1,
            Some(block) => self.lied(node.claims(seen.head, block)),
        }
        let number = seen.head.number;
        // What is above its head now is gone.
        self.heads.retain(|(height, _)| *height <= number);
        if seen.lacks.is_none() && self.heads.last().is_none_or(|(height, _)| *height < number) {
            self.heads.push((number, now));
        }
        let more = self.heads.len().saturating_sub(HEADS);
        self.heads.drain(..more);
    }

    /// Nothing that it says of its head counts.
    fn lied(&mut self, lie: IndexerError) {
        if self.without <= WITHOUT {
            self.lie = Some(lie);
        }
        self.without = WITHOUT + 1;
    }
}
