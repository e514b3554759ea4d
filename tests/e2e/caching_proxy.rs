//! Nobody who has expired is served as live, neither by a gateway nor by the caches before it.
//!
//! Services live a random life; blocks come at random times, some of them late. A cache asks the gateway, a second cache
//! asks the first, and each answer in mode `normal` is compared with the plain truth at the chain time of that moment.
//!
//! Each run begins with another seed and says it. `PROPTEST_RNG_SEED=<seed> cargo test -p e2e caching_proxy` plays the same
//! life again.
//!
//! - `fleet`: the lives, and the truth about them

use std::{
    collections::BTreeSet,
    hash::{BuildHasher, RandomState},
    io::Read,
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use domain::{Clock, InstanceId};
use e2e::{World, cache::CachingProxy, pace::Pace, wait::unix_seconds, world::OWNER};
use flate2::read::GzDecoder;
use rand::{Rng, SeedableRng, rngs::StdRng};
use reqwest::header::{ACCEPT_ENCODING, CONTENT_ENCODING};
use serde_json::Value;

mod fleet;

use fleet::{Fleet, SERVICES};

/// How many times time moves on.
const STEPS: u32 = 300;

/// For how long a cache may serve somebody who has deregistered: the longest `max-age`, and the second that `Age` leaves out.
const LEFT_FOR: Duration = Duration::from_secs(6);

/// An instances answer.
struct Answer {
    mode: String,
    now: u64,
    instances: Vec<(InstanceId, u64)>,
}

/// What was seen.
#[derive(Debug, Default)]
struct Seen {
    normal: u64,
    preserved: u64,
    /// How many leases ran out, of instances that had been answered with.
    expired: u64,
    cached: u64,
    compressed: u64,
}

/// The world, and all who answer in it.
struct Play<'a> {
    world: &'a World,
    pace: Pace<'a>,
    fleet: Fleet,
    http: reqwest::Client,
    near: CachingProxy,
    far: CachingProxy,
    seen: Seen,
    /// The time of the newest block.
    head: u64,
    /// Who was answered with, and had not expired.
    known: BTreeSet<InstanceId>,
}

#[tokio::test]
async fn nobody_who_has_expired_is_served_neither_by_the_gateway_nor_by_a_cache() -> Result<()> {
    let given = std::env::var("PROPTEST_RNG_SEED").ok().map(|seed| seed.parse()).transpose()?;
    let seed: u64 = given.unwrap_or_else(|| RandomState::new().hash_one(0));
    println!("PROPTEST_RNG_SEED={seed}");

    let world = World::start_eager().await?;
    let far = CachingProxy::start(world.url("")?, world.clock.clone()).await?;
    let mut play = Play {
        world: &world,
        pace: Pace::of(&world).await?,
        fleet: Fleet::new(&world, StdRng::seed_from_u64(seed)),
        http: reqwest::Client::new(),
        near: CachingProxy::start(far.url(), world.clock.clone()).await?,
        far,
        seen: Seen::default(),
        head: world.chain.time().await?,
        known: BTreeSet::new(),
    };
    play.pace.pass(Duration::from_secs(1)).await?;
    play.block().await?;
    let mut next = play.pace.time() + 1;
    for _ in 0..STEPS {
        let step = play.fleet.rng.random_range(100..2_500);
        world.clock.advance(Duration::from_millis(step));
        // Before and after the gateway has heard that the chain has no new block: until then its time runs on.
        play.ask().await?;
        if play.pace.time() >= next {
            play.block().await?;
            next = play.pace.time() + play.fleet.rng.random_range(1..=12);
        } else {
            play.pace.confirmed().await?;
        }
        play.ask().await?;
    }

    let (near, far, seen) = (play.near.served(), play.far.served(), play.seen);
    println!("near {near:?}, far {far:?}, {seen:?}, instances: {}", play.fleet.instances.len());
    ensure!(near.fresh > 100 && far.fresh > 100, "the caches were of no use: {near:?} {far:?}");
    ensure!(near.revalidated > 10 && far.revalidated > 10, "nothing was asked for again: {near:?} {far:?}");
    ensure!(seen.normal > 600 && seen.cached > 500 && seen.compressed > 100, "{seen:?}");
    ensure!(seen.expired >= 3, "nobody died: {seen:?}");
    Ok(())
}

impl Play<'_> {
    async fn block(&mut self) -> Result<()> {
        // The first blocks tell the gateway how early blocks can be.
        let is_late = self.seen.normal > 0 && self.fleet.rng.random_bool(0.5);
        let late = if is_late { self.fleet.rng.random_range(0..=3) } else { 0 };
        let late = late.min(self.pace.time().saturating_sub(self.head + 1));
        let calls = self.fleet.calls(self.pace.time() - late, self.world.clock.monotonic());
        self.pace.late_block(calls, late).await?;
        self.head = self.world.chain.time().await?;
        Ok(())
    }

    /// Asks the gateway and one of the caches for each service.
    async fn ask(&mut self) -> Result<()> {
        for service in SERVICES {
            let path = format!("/v1/namespaces/{OWNER}/services/{service}/instances");
            let direct = self.get(&self.world.url(&path)?).await?;
            let now = direct.now;
            let live: BTreeSet<InstanceId> = self.fleet.live(service, now).into_iter().collect();
            let served: BTreeSet<InstanceId> = direct.instances.iter().map(|(id, _)| *id).collect();
            let head = self.head;
            ensure!((head..=self.pace.time()).contains(&now), "{now} is not between {head} and {}", self.pace.time());
            if direct.mode == "normal" {
                self.seen.normal += 1;
                ensure!(served == live, "{service} at {now}: {served:?} instead of {live:?}");
            } else {
                self.seen.preserved += 1;
                ensure!(served.is_superset(&live), "{service} at {now}: {served:?} lacks some of {live:?}");
            }
            for id in &served {
                ensure!(self.fleet.instances[id].left.is_none(), "{id} has left");
            }
            for gone in self.known.difference(&served) {
                let one = &self.fleet.instances[gone];
                self.seen.expired += u64::from(one.service == service && one.left.is_none());
            }
            self.known.retain(|id| self.fleet.instances[id].service != service);
            self.known.extend(live);
            self.ask_cache(&path, now).await?;
        }
        Ok(())
    }

    /// Asks a cache, when the chain time is `now`.
    async fn ask_cache(&mut self, path: &str, now: u64) -> Result<()> {
        let cache = if self.fleet.rng.random() { &self.near } else { &self.far };
        let url = format!("{}{path}", cache.url());
        let before = (self.near.served().fetched, self.far.served().fetched);
        let answer = self.get(&url).await?;
        if before == (self.near.served().fetched, self.far.served().fetched) {
            self.seen.cached += 1;
        }
        for (id, expires_at) in answer.instances {
            let one = &self.fleet.instances[&id];
            match one.left {
                Some(left) => ensure!(self.world.clock.monotonic() - left <= LEFT_FOR, "{one:?} left long ago"),
                None if answer.mode != "normal" => {}
                None => {
                    ensure!(one.is_live(now), "{one:?} has expired by {now}, and a cache serves it");
                    ensure!(
                        now <= expires_at,
                        "{one:?} is served with a lease that ended at {expires_at}: it is {now}"
                    );
                }
            }
        }
        Ok(())
    }

    async fn get(&mut self, url: &str) -> Result<Answer> {
        let encoding = if self.fleet.rng.random() { "gzip" } else { "identity" };
        let response = self.http.get(url).header(ACCEPT_ENCODING, encoding).send().await?;
        ensure!(response.status() == 200, "{url}: {}", response.status());
        let text = |name: &str| Some(response.headers().get(name)?.to_str().ok()?.to_owned());
        let mode = text("x-registry-mode").context("a mode")?;
        let now = text("x-registry-now").context("a chain time")?.parse()?;
        let is_compressed = response.headers().contains_key(CONTENT_ENCODING);
        let mut bytes = response.bytes().await?.to_vec();
        if is_compressed {
            self.seen.compressed += 1;
            let mut plain = Vec::new();
            GzDecoder::new(&*bytes).read_to_end(&mut plain)?;
            bytes = plain;
        }
        let body: Value = serde_json::from_slice(&bytes)?;
        ensure!(body["mode"] == mode.as_str(), "{url}: {mode}, {body}");
        let list = body["instances"].as_array().context("instances")?;
        let mut instances = Vec::new();
        for one in list {
            instances.push((one["id"].as_str().context("an id")?.parse()?, unix_seconds(&one["expires_at"])?));
        }
        Ok(Answer { mode, now, instances })
    }
}
