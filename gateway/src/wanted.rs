//! Which instances of a service a request wants, and the answer.

use std::sync::Arc;

use api::{Consistency, Health, InstancesAnswer, Mode, Observed, Tier};
use axum::{http::HeaderMap, response::Response};

use crate::{
    AppState,
    answer::{self, written},
    board::{Ready, Seen},
    error::{Error, Kind},
    filter::Filter,
    freshness::At,
    params::Params,
    routes::instances::Service,
    service::{self, Instance, Member},
};

/// The most instances of an answer.
const LIMIT: usize = 1_000;

/// An answer, and what it is true at.
pub(crate) struct Found {
    pub(crate) ready: Arc<Ready>,
    pub(crate) at: At,
}

impl Found {
    pub(crate) fn answer(&self, request: &HeaderMap) -> Response {
        answer::ready(request, &self.at, &self.ready)
    }
}

/// The plain answer of a service, if it is ready.
pub(crate) fn ready(state: &AppState, path: &str, health: Health) -> Option<Found> {
    let (at, board) = (state.at()?, state.board(path)?);
    Some(Found { ready: board.ready(health, at.mode, at.now)?, at })
}

/// The same as of the newest block that is so final.
fn ready_as_of(state: &AppState, path: &str, asked: (Consistency, Health)) -> Option<Found> {
    let (at, board) = (state.at_final(asked.0)?, state.board(path)?);
    Some(Found { ready: board.ready_as_of(asked, at.block.hash, at.mode)?, at })
}

/// Which instances of a service are wanted.
#[derive(Debug)]
pub(crate) struct Wanted {
    pub(crate) consistency: Consistency,
    health: Health,
    filter: Filter,
    limit: usize,
}

impl Wanted {
    pub(crate) fn from_params(params: &Params) -> Result<Self, Error> {
        let (health, filter) = (params.health()?, Filter::from_params(params)?);
        let consistency = params.consistency()?;
        Ok(Self { consistency, health, filter, limit: params.limit(1..=LIMIT, LIMIT)? })
    }

    /// Whether the answer is worth to be kept: others will ask for it.
    pub(crate) fn is_plain(&self) -> bool {
        self.filter.is_plain() && self.limit == LIMIT
    }

    pub(crate) fn answer(&self, state: &AppState, service: &Service) -> Result<Found, Error> {
        if self.consistency != Consistency::Latest {
            return self.answer_as_of(state, service);
        }
        if self.is_plain()
            && let Some(ready) = ready(state, &service.to_string(), self.health)
        {
            return Ok(ready);
        }
        let (ready, at) = state.read(|index, at| {
            let service = index.service(service.key()).ok_or_else(|| service.unknown())?;
            let ready = Arc::new(self.list(service, at).ready(at)?);
            if self.is_plain() {
                service.board.keep(self.health, Arc::clone(&ready));
            }
            Ok(ready)
        })?;
        Ok(Found { ready, at })
    }

    /// What is new in the answer, for who knows the one before: whom nobody else will ask for is not written as JSON.
    pub(crate) fn news(&self, state: &AppState, service: &Service) -> Result<(Seen, At), Error> {
        if self.is_plain() {
            let found = self.answer(state, service)?;
            return Ok((found.ready.seen(), found.at));
        }
        state.read(|index, at| {
            let service = index.service(service.key()).ok_or_else(|| service.unknown())?;
            Ok(self.list(service, at).seen(at))
        })
    }

    fn list<'a>(&self, service: &'a service::Service, at: &At) -> Listing<'a> {
        let (health, mut chosen) = self.choose(service, at.now);
        let tier = self.filter.keep_first_tier(&mut chosen, |member| &member.instance);
        let matched = chosen.len() as u64;
        chosen.truncate(self.limit);
        let mode = if at.mode == Mode::Normal && service.is_preserved() { Mode::Preserved } else { at.mode };
        Listing { service, mode, health, tier, matched, chosen }
    }

    /// The answer as it was at a block that is final, or as good as final: with the leases of then, at the time of then.
    fn answer_as_of(&self, state: &AppState, service: &Service) -> Result<Found, Error> {
        let asked = (self.consistency, self.health);
        if self.is_plain()
            && let Some(found) = ready_as_of(state, &service.to_string(), asked)
        {
            return Ok(found);
        }
        let ((ready, block), at) = state.read(|index, at| {
            let height = if self.consistency == Consistency::Finalized { at.finalized } else { at.safe };
            let Some(block) = index.head_at(height) else {
                let first = index.first_head().unwrap_or_default();
                let detail = format!(
                    "the chain calls block {height} {}, and this gateway has seen it from block {first} on: until that is \
                     {0}, ask another gateway, or for latest",
                    self.consistency.as_str()
                );
                return Err(Error::new(Kind::NotYet, detail));
            };
            let known = index.service(service.key()).ok_or_else(|| service.unknown())?;
            if known.past.from() > block.number {
                return Err(Error::new(Kind::NotYet, "the service changed too often since: ask for latest"));
            }
            let then = at.as_of(block).now;
            let mut chosen = known.at(block.number);
            chosen.retain(|instance| self.filter.matches(instance));
            let live = |instance: &Arc<Instance>| instance.lease.is_live(then);
            let health = match self.health {
                Health::HealthyOrElseAll if !chosen.iter().any(live) => Health::All,
                Health::HealthyOrElseAll => Health::Healthy,
                asked => asked,
            };
            if health == Health::Healthy {
                chosen.retain(live);
            }
            let tier = self.filter.keep_first_tier(&mut chosen, |instance| instance);
            self.filter.order(&mut chosen, |instance| instance);
            let matched = chosen.len() as u64;
            chosen.truncate(self.limit);
            let body = InstancesAnswer {
                namespace: known.namespace.to_string(),
                service: known.name.to_string(),
                block,
                mode: at.mode,
                health,
                tier,
                matched,
                instances: chosen.iter().map(|instance| instance.served(live(instance), Observed::default())).collect(),
            };
            let ready = Arc::new(Ready::new(at.mode, None, written(&body)?));
            if self.is_plain() {
                known.board.keep_as_of(asked, block.hash, Arc::clone(&ready));
            }
            Ok((ready, block))
        })?;
        Ok(Found { ready, at: at.as_of(block) })
    }

    /// The instances to answer with, the doubtful ones last, the nearest first, and what they are.
    pub(crate) fn choose<'a>(&self, service: &'a service::Service, now: u64) -> (Health, Vec<&'a Member>) {
        let mut matching: Vec<&Member> =
            service.members().filter(|member| self.filter.matches(&member.instance)).collect();
        matching.sort_by_cached_key(|member| (member.rank(now), self.filter.nearness(&member.instance)));
        let health = match self.health {
            Health::HealthyOrElseAll if !matching.iter().any(|member| member.serves()) => Health::All,
            Health::HealthyOrElseAll => Health::Healthy,
            asked => asked,
        };
        if health == Health::Healthy {
            matching.retain(|member| member.serves());
        }
        (health, matching)
    }
}

/// The instances that are wanted, and how they were found.
struct Listing<'a> {
    service: &'a service::Service,
    mode: Mode,
    health: Health,
    tier: Option<Tier>,
    matched: u64,
    chosen: Vec<&'a Member>,
}

impl Listing<'_> {
    fn ready(self, at: &At) -> Result<Ready, Error> {
        let Self { service, mode, health, matched, .. } = self;
        let bytes = written(&InstancesAnswer {
            namespace: service.namespace.to_string(),
            service: service.name.to_string(),
            block: at.block,
            mode,
            health,
            tier: self.tier.clone(),
            matched,
            instances: self.chosen.iter().map(|member| member.served(at.now)).collect(),
        })?;
        // What serves longer than its lease may end at any time that the service is due.
        let due = service.due().filter(|_| service.is_preserved()).map(|due| due.saturating_sub(1));
        let expiry = first_expiry(self.chosen.iter().map(|member| &*member.instance), at.now);
        let ready = Ready::new(mode, expiry.into_iter().chain(due).min(), bytes);
        Ok(ready.of_service(self.seen(at), service.due()))
    }

    fn seen(self, at: &At) -> Seen {
        let members = Arc::new(self.chosen.into_iter().cloned().collect());
        Seen { index: self.service.board.index(), asked: at.mode, mode: self.mode, members }
    }
}

/// When the first of the live leases ends.
pub(crate) fn first_expiry<'a>(instances: impl IntoIterator<Item = &'a Instance>, now: u64) -> Option<u64> {
    let live = instances.into_iter().filter(|instance| instance.lease.is_live(now));
    live.map(|instance| instance.lease.expires_at()).min()
}
