//! Looks at the nodes that are not asked: has one of them blocks that ours has not heard of?

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use domain::Clock;
use tokio::task::JoinSet;

use crate::{log::Contracts, source::Source};

/// For how long our node may not have a block that another one has.
const LAG: Duration = Duration::from_secs(1);

/// Between two looks at a node.
const EVERY: Duration = Duration::from_millis(300);

/// How many heads of a node are remembered.
const HEADS: usize = 64;

/// The heads of the other nodes, looked at as long as it lives.
pub(crate) struct Scout {
    nodes: Vec<Arc<Mutex<Heads>>>,
    clock: Arc<dyn Clock>,
    _looks: JoinSet<()>,
}

/// The heights that a node's head had, lowest first, and since when.
#[derive(Default)]
struct Heads {
    node: String,
    /// The connection, while it answers.
    source: Option<Arc<Source>>,
    heads: Vec<(u64, Duration)>,
}

impl Scout {
    pub(crate) fn start(urls: Vec<String>, contracts: Contracts, clock: Arc<dyn Clock>) -> Self {
        let (mut nodes, mut looks) = (Vec::new(), JoinSet::new());
        for url in urls {
            let heads = Arc::new(Mutex::new(Heads::default()));
            nodes.push(heads.clone());
            looks.spawn(look(url, contracts, heads, clock.clone()));
        }
        Self { nodes, clock, _looks: looks }
    }

    /// The other nodes that answer.
    pub(crate) fn others(&self) -> Vec<Arc<Source>> {
        let source = |node: &Arc<Mutex<Heads>>| node.lock().unwrap_or_else(PoisonError::into_inner).source.clone();
        self.nodes.iter().filter_map(source).collect()
    }

    /// A node that has had a block above this height for longer than it may take to get around.
    pub(crate) fn ahead_of(&self, head: u64) -> Option<(String, u64)> {
        let now = self.clock.monotonic();
        self.nodes.iter().find_map(|node| {
            let node = node.lock().unwrap_or_else(PoisonError::into_inner);
            let (number, since) = node.heads.iter().find(|(number, _)| *number > head)?;
            (now.saturating_sub(*since) >= LAG).then(|| (node.node.clone(), *number))
        })
    }
}

async fn look(url: String, contracts: Contracts, heads: Arc<Mutex<Heads>>, clock: Arc<dyn Clock>) {
    loop {
        if let Ok(source) = Source::connect(&url, contracts, true).await {
            let source = Arc::new(source);
            while let Ok(tip) = source.latest().await {
                heads.lock().unwrap_or_else(PoisonError::into_inner).saw(&source, tip.block.number, clock.monotonic());
                tokio::time::sleep(EVERY).await;
            }
        }
        *heads.lock().unwrap_or_else(PoisonError::into_inner) = Heads::default();
        tokio::time::sleep(EVERY).await;
    }
}

impl Heads {
    fn saw(&mut self, node: &Arc<Source>, number: u64, now: Duration) {
        self.node = node.to_string();
        self.source = Some(node.clone());
        // What is above its head now is gone.
        self.heads.retain(|(height, _)| *height <= number);
        if self.heads.last().is_none_or(|(height, _)| *height < number) {
            self.heads.push((number, now));
        }
        let more = self.heads.len().saturating_sub(HEADS);
        self.heads.drain(..more);
    }
}
