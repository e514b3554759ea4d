//! What readers see of a service without asking the index: its number of changes, and answers that are ready.
//!
//! An answer that was made once is served until something changes, bytes and all: no lock is taken and nothing is
//! written as JSON or compressed again.

use std::{
    fmt,
    sync::{
        Arc, Mutex, OnceLock, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use api::{Consistency, Health, Mode};
use arc_swap::ArcSwapOption;
use axum::{body::Bytes, http::HeaderValue};
use domain::B256;
use tokio::sync::watch;

use crate::{
    encoding::{Encoding, compress},
    service::Member,
};

/// So many changes that are none of the chain fit between two that are.
const BETWEEN: u32 = 16;

/// Of one service.
#[derive(Debug)]
pub(crate) struct Board {
    /// The index of the service: goes up with each change of it, and is never 0.
    index: AtomicU64,
    bell: watch::Sender<u64>,
    /// By health: healthy, all, healthy or else all.
    ready: [ArcSwapOption<Ready>; 3],
    /// As of the newest block that is safe, and of the newest that is finalized; by health.
    safe: [ArcSwapOption<AsOf>; 3],
    finalized: [ArcSwapOption<AsOf>; 3],
    /// What was told last to those who watch.
    delta: Mutex<Option<Delta>>,
}

/// An answer as of a block.
#[derive(Debug)]
struct AsOf {
    block: B256,
    ready: Arc<Ready>,
}

/// What made of one answer another one.
#[derive(Debug)]
struct Delta {
    from: (u64, Mode),
    to: Seen,
    text: Option<Arc<str>>,
}

impl Board {
    /// A board of a service that was as it is when so many changes had been written to the database.
    pub(crate) fn new(changes: u64) -> Arc<Self> {
        let index = (changes << BETWEEN).max(1);
        let bell = watch::Sender::new(index);
        let (ready, safe, finalized, delta) = Default::default();
        Arc::new(Self { index: AtomicU64::new(index), bell, ready, safe, finalized, delta })
    }

    /// The service changed: by one of so many changes in the database, or by the passing of time. Wakes who watches.
    ///
    /// Gateways of one database agree about the index but for changes that time makes: who goes from one to another
    /// misses none.
    pub(crate) fn change(&self, changes: u64) {
        let index = (changes << BETWEEN).max(self.index() + 1);
        self.index.store(index, Ordering::Release);
        self.bell.send_replace(index);
    }

    pub(crate) fn index(&self) -> u64 {
        self.index.load(Ordering::Acquire)
    }

    /// Sees each change, and misses none that comes after this.
    pub(crate) fn watch(&self) -> watch::Receiver<u64> {
        self.bell.subscribe()
    }

    /// The answer that is ready, if it still is the answer.
    pub(crate) fn ready(&self, health: Health, mode: Mode, now: u64) -> Option<Arc<Ready>> {
        let ready = self.ready[slot(health)].load_full()?;
        (ready.index == self.index() && ready.asked == mode && ready.due.is_none_or(|due| now < due)).then_some(ready)
    }

    /// The answer as of a block, if it is ready: neither the block nor what was up to it changes.
    pub(crate) fn ready_as_of(&self, asked: (Consistency, Health), block: B256, mode: Mode) -> Option<Arc<Ready>> {
        let kept = self.as_of(asked)?.load();
        let kept = kept.as_ref().filter(|kept| kept.block == block && kept.ready.mode == mode)?;
        Some(Arc::clone(&kept.ready))
    }

    pub(crate) fn keep_as_of(&self, asked: (Consistency, Health), block: B256, ready: Arc<Ready>) {
        if let Some(kept) = self.as_of(asked) {
            kept.store(Some(Arc::new(AsOf { block, ready })));
        }
    }

    fn as_of(&self, (consistency, health): (Consistency, Health)) -> Option<&ArcSwapOption<AsOf>> {
        match consistency {
            Consistency::Latest => None,
            Consistency::Safe => Some(&self.safe[slot(health)]),
            Consistency::Finalized => Some(&self.finalized[slot(health)]),
        }
    }

    /// What makes of one answer another one: made by the first who asks.
    pub(crate) fn delta(&self, from: &Seen, to: &Seen, make: impl FnOnce() -> Option<Arc<str>>) -> Option<Arc<str>> {
        let from = (from.index, from.mode);
        let is_same = |known: &Seen| Arc::ptr_eq(&known.members, &to.members) && known.mode == to.mode;
        let mut delta = self.delta.lock().unwrap_or_else(PoisonError::into_inner);
        match &*delta {
            Some(known) if known.from == from && is_same(&known.to) => known.text.clone(),
            _ => delta.insert(Delta { from, to: to.clone(), text: make() }).text.clone(),
        }
    }

    pub(crate) fn keep(&self, health: Health, ready: Arc<Ready>) {
        self.ready[slot(health)].store(Some(ready));
    }
}

fn slot(health: Health) -> usize {
    match health {
        Health::Healthy => 0,
        Health::All => 1,
        Health::HealthyOrElseAll => 2,
    }
}

/// What there is to know of an answer for who gets the next one.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    /// The index of the service.
    pub(crate) index: u64,
    /// The mode of the gateway, and that of the answer.
    pub(crate) asked: Mode,
    pub(crate) mode: Mode,
    /// Who is in it.
    pub(crate) members: Arc<Vec<Member>>,
}

/// An answer that is ready to be sent.
pub(crate) struct Ready {
    /// The index of the service that it is of.
    pub(crate) index: u64,
    /// The same, as it is sent.
    pub(crate) index_header: Option<HeaderValue>,
    /// The mode of the gateway, and that of the answer.
    pub(crate) asked: Mode,
    pub(crate) mode: Mode,
    /// From when on it may be another one.
    pub(crate) due: Option<u64>,
    /// When the first of the leases in it ends.
    pub(crate) first_expiry: Option<u64>,
    pub(crate) body: Bytes,
    /// Who is in it.
    members: Arc<Vec<Member>>,
    /// Compressed, once somebody asked for it.
    compressed: [OnceLock<Option<Bytes>>; 2],
    tags: [HeaderValue; 3],
}

impl Ready {
    /// An answer with these bytes, of no service, that nobody keeps.
    pub(crate) fn new(mode: Mode, first_expiry: Option<u64>, body: Bytes) -> Self {
        let hash = blake3::hash(&body).to_hex();
        let tags = ["", "-gzip", "-zstd"].map(|suffix| format!("\"{}{suffix}\"", &hash[..32]));
        // In one piece of memory with the body: an answer that nobody asked for lately is in no cache of the processor, and is
        // to be fetched but once.
        let mut whole = Vec::from(body);
        let length = whole.len();
        whole.reserve_exact(tags.iter().map(String::len).sum());
        tags.iter().for_each(|tag| whole.extend_from_slice(tag.as_bytes()));
        let whole = Bytes::from(whole);
        let mut end = length;
        let tags = tags.map(|tag| {
            let start = end;
            end += tag.len();
            // Hexadecimal digits are always a header.
            HeaderValue::from_maybe_shared(whole.slice(start..end)).unwrap_or(HeaderValue::from_static("\"\""))
        });
        let body = whole.slice(..length);
        let (index, index_header, due, members, compressed) = Default::default();
        Self { index, index_header, asked: mode, mode, due, first_expiry, body, members, compressed, tags }
    }

    /// The answer of a service, until something is `due`.
    pub(crate) fn of_service(self, seen: Seen, due: Option<u64>) -> Self {
        let Seen { index, asked, mode, members } = seen;
        Self { index, index_header: Some(index.into()), asked, mode, due, members, ..self }
    }

    pub(crate) fn seen(&self) -> Seen {
        Seen { index: self.index, asked: self.asked, mode: self.mode, members: Arc::clone(&self.members) }
    }

    /// The bytes to send to who accepts this encoding, and how they are encoded: small ones are as they are.
    pub(crate) fn encoded(&self, accepted: Encoding) -> (Bytes, Encoding) {
        let slot = match accepted {
            Encoding::Identity => return (self.body.clone(), Encoding::Identity),
            Encoding::Gzip => &self.compressed[0],
            Encoding::Zstd => &self.compressed[1],
        };
        match slot.get_or_init(|| compress(&self.body, accepted)) {
            Some(bytes) => (bytes.clone(), accepted),
            None => (self.body.clone(), Encoding::Identity),
        }
    }

    /// The strong tag of the bytes in an encoding.
    pub(crate) fn tag(&self, encoding: Encoding) -> &HeaderValue {
        match encoding {
            Encoding::Identity => &self.tags[0],
            Encoding::Gzip => &self.tags[1],
            Encoding::Zstd => &self.tags[2],
        }
    }

    /// Whether one of the tags in a line of `If-None-Match` is that of these bytes in an encoding.
    pub(crate) fn is_known(&self, if_none_match: &HeaderValue, encoding: Encoding) -> bool {
        let Ok(known) = if_none_match.to_str() else { return false };
        let ours = self.tag(encoding);
        known.split(',').map(|tag| tag.trim().trim_start_matches("W/")).any(|tag| tag == "*" || ours == tag)
    }
}

impl fmt::Debug for Ready {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ready").field("index", &self.index).field("bytes", &self.body.len()).finish_non_exhaustive()
    }
}
