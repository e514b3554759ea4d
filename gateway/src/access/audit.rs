//! A log line for each refused request, and a counter. Strangers cannot fill the disk with them: each source and all
//! together have so many lines and no more, and a line says how many were left out before it.

use std::{
    num::NonZeroU32,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use axum::http::Method;
use domain::Clock;
use governor::{Quota, RateLimiter};

use super::{
    identity::Identity,
    limits::{LimitClock, Limiter, Limits},
    refusal::Reason,
};
use crate::peer::{Client, Peer};

/// Lines of one source at once, and then one for each `PAUSE`.
const BURST: NonZeroU32 = NonZeroU32::new(10).expect("not zero");
const PAUSE: Duration = Duration::from_secs(10);

/// Lines of all sources together, in a second.
const ALL: NonZeroU32 = NonZeroU32::new(50).expect("not zero");

/// Who is refused: an identity, or whoever is at an address.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Source {
    Identity(Arc<str>),
    Client(Client),
    Unknown,
}

/// Tells of refused requests.
#[derive(Debug)]
pub(super) struct Audit {
    sources: Limits<Source>,
    all: Limiter,
    left_out: AtomicU64,
}

/// A refused request. Of it nothing is told that the client chose, but for its method.
pub(super) struct Refused<'a> {
    pub(super) reason: Reason,
    pub(super) identity: Option<&'a Identity>,
    pub(super) peer: Option<&'a Peer>,
    pub(super) method: &'a Method,
    /// The route's template.
    pub(super) route: &'a str,
}

impl Audit {
    pub(super) fn new(clock: Arc<dyn Clock>) -> Self {
        let all = RateLimiter::direct_with_clock(Quota::per_second(ALL), LimitClock(Arc::clone(&clock)));
        Self { sources: Limits::new(clock), all, left_out: AtomicU64::new(0) }
    }

    pub(super) fn refused(&self, refused: &Refused<'_>) {
        let Refused { reason, identity, peer, method, route } = refused;
        let quota = Quota::with_period(PAUSE).unwrap_or(Quota::per_second(BURST)).allow_burst(BURST);
        if self.sources.of(source(*identity, *peer), quota).check().is_err() || self.all.check().is_err() {
            self.left_out.fetch_add(1, Ordering::Relaxed);
            return;
        }
        let left_out = self.left_out.swap(0, Ordering::Relaxed);
        let identity = identity.map_or("none", |identity| &identity.id);
        let address = peer.map(|peer| peer.address.ip().to_canonical().to_string());
        let address = address.as_deref().unwrap_or("unknown");
        let (method, reason) = (crate::surround::known_method(method), reason.as_str());
        // Quoted: the subject of a token may hold anything.
        tracing::warn!(target: "rollcall::audit", ?identity, address, method, route, reason, left_out, "refused");
    }
}

fn source(identity: Option<&Identity>, peer: Option<&Peer>) -> Source {
    match (identity, peer) {
        (Some(identity), _) => Source::Identity(Arc::clone(&identity.id)),
        (None, Some(peer)) => Source::Client(peer.client()),
        (None, None) => Source::Unknown,
    }
}
