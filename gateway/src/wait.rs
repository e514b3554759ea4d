//! Waiting for a service to change: blocking queries and watches.

use std::{
    collections::{HashMap, hash_map::Entry},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use api::Mode;
use tokio::time::{sleep, timeout};

use crate::{
    AppState,
    board::Board,
    error::{Error, Kind},
    params::Params,
    peer::{Client, Peer},
};

/// The longest that a blocking query may ask to wait for, and what it waits if it does not say.
const LONGEST: Duration = Duration::from_secs(600);
const DEFAULT: Duration = Duration::from_secs(300);

/// For how long a query waits that has an index which this gateway has not reached.
const STRANGE: Duration = Duration::from_secs(1);

/// Until all who watch are told of another mode.
const MODE_WITHIN: Duration = Duration::from_millis(500);

/// How many may wait at once, and how many of one client.
const WAITERS: usize = 16_384;
const WAITERS_OF_ONE: usize = 2_048;

/// Those who wait.
#[derive(Debug, Clone, Default)]
pub(crate) struct Waiters(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    waiting: Mutex<Waiting>,
    count: AtomicU64,
}

#[derive(Debug, Default)]
struct Waiting {
    all: usize,
    of: HashMap<Client, usize>,
}

/// A turn to wait; the next one can wait once it is dropped.
#[derive(Debug)]
pub(crate) struct Turn {
    waiters: Waiters,
    client: Option<Client>,
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut waiting = self.waiters.waiting();
        waiting.all -= 1;
        let Some(client) = self.client else { return };
        if let Entry::Occupied(mut of) = waiting.of.entry(client) {
            *of.get_mut() -= 1;
            if *of.get() == 0 {
                of.remove();
            }
        }
    }
}

impl Waiters {
    /// A turn for who came over a connection.
    pub(crate) fn turn(&self, peer: Option<&Peer>) -> Result<Turn, Error> {
        let client = peer.map(Peer::client);
        let mut waiting = self.waiting();
        let full = |what: String| Err(Error::new(Kind::TooManyWatches, what));
        if waiting.all == WAITERS {
            return full(format!("{WAITERS} requests are waiting already: ask another gateway"));
        }
        if let Some(client) = client {
            let of = waiting.of.entry(client).or_default();
            if *of == WAITERS_OF_ONE {
                return full(format!("{WAITERS_OF_ONE} requests of this client are waiting already"));
            }
            *of += 1;
        }
        waiting.all += 1;
        drop(waiting);
        Ok(Turn { waiters: self.clone(), client })
    }

    /// How many wait.
    pub(crate) fn number(&self) -> usize {
        self.waiting().all
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.0.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Up to a sixteenth more, so that those who began together do not come back together.
    fn spread(&self, wait: Duration) -> Duration {
        wait + self.part(wait / 16)
    }

    /// A part of this time, for each who asks another one.
    fn part(&self, of: Duration) -> Duration {
        // The golden ratio spreads one after the other over all.
        let n = self.0.count.fetch_add(1, Ordering::Relaxed).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let part = u32::try_from(n >> 48).unwrap_or_default();
        of.saturating_mul(part) / 0x1_0000
    }
}

/// A blocking query.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Wait {
    /// The change that the client has seen.
    index: u64,
    wait: Duration,
}

impl Wait {
    /// Reads `index` and `wait`; none without `index`.
    pub(crate) fn from_params(params: &Params) -> Result<Option<Self>, Error> {
        let wait = params.read("wait", "a time from 1ms to 10m, such as 30s or 5m", duration)?;
        let index = params.read("index", "X-Registry-Index of an answer: a number, at least 1", |index| match index
            .parse::<u64>()
        {
            Ok(0) => Err("0 is no index of an answer"),
            Ok(index) => Ok(index),
            Err(_) => Err("this is no number"),
        })?;
        match (index, wait) {
            (Some(index), wait) => Ok(Some(Self { index, wait: wait.unwrap_or(DEFAULT) })),
            (None, Some(_)) => {
                let allowed = "a time, together with index";
                Err(Error::parameter("wait", params.get("wait").unwrap_or_default(), allowed, "there is no index"))
            }
            (None, None) => Ok(None),
        }
    }

    /// Waits until the service has changed since, or until the time is over.
    pub(crate) async fn until_changed(self, state: &AppState, board: &Board, peer: Option<&Peer>) -> Result<(), Error> {
        let mut bell = board.watch();
        let current = board.index();
        if current > self.index {
            return Ok(());
        }
        let _turn = state.waiters().turn(peer)?;
        // Told by a gateway that is ahead of this one, or that was one before it started anew, or by another registry: here
        // the changes that come may not reach it.
        let wait = if self.index > current { self.wait.min(STRANGE) } else { state.waiters().spread(self.wait) };
        // Over or not, the answer is what is now.
        tokio::select! {
            _ = timeout(wait, bell.wait_for(|now| *now > self.index)) => {}
            () = state.draining().cancelled() => {}
        }
        Ok(())
    }
}

/// Waits until the mode of the gateway is another one. It concerns all who watch anything: some are told at once, the last
/// ones after [`MODE_WITHIN`], and a mode that did not last is told to few.
pub(crate) async fn other_mode(state: &AppState, known: Mode) {
    let mut modes = state.modes();
    // It fails when the state is gone, and that is here.
    drop(modes.wait_for(|mode| *mode != known).await);
    sleep(state.waiters().part(MODE_WITHIN)).await;
}

/// Has leases end whose time has come, for ever, and looks at the mode: those who watch have to be told.
pub(crate) async fn lapse(state: AppState) {
    loop {
        sleep(Duration::from_millis(20)).await;
        if state.is_due() {
            state.lapse();
        }
        state.tell_mode();
    }
}

fn duration(text: &str) -> Result<Duration, &'static str> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let number: u64 = number.parse().map_err(|_| "it must begin with a number")?;
    let millis = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        _ => return Err("its unit must be ms, s or m"),
    };
    let duration = Duration::from_millis(number.saturating_mul(millis));
    if duration.is_zero() || duration > LONGEST { Err("it is not in this range") } else { Ok(duration) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_client_leaves_room_for_others() {
        let waiters = Waiters::default();
        let peer = |last| Peer { address: ([192, 0, 2, last], 1).into(), certificate: None };
        let mut turns: Vec<Turn> = (0..WAITERS_OF_ONE).map(|_| waiters.turn(Some(&peer(1))).expect("a turn")).collect();
        assert!(waiters.turn(Some(&peer(1))).is_err());
        turns.extend(
            (2..=8)
                .flat_map(|n| (0..WAITERS_OF_ONE).map(move |_| n))
                .map(|n| waiters.turn(Some(&peer(n))).expect("a turn of another one")),
        );
        assert_eq!(waiters.number(), WAITERS);
        assert!(waiters.turn(Some(&peer(9))).is_err() && waiters.turn(None).is_err());
        turns.pop();
        drop(waiters.turn(Some(&peer(9))).expect("there is room again"));
        drop(turns);
        assert_eq!(waiters.number(), 0);
        assert!(waiters.waiting().of.is_empty());
    }

    #[test]
    fn those_who_begin_together_do_not_come_back_together() {
        let waiters = Waiters::default();
        let minute = Duration::from_secs(60);
        let mut ends: Vec<Duration> = (0..100).map(|_| waiters.spread(minute)).collect();
        assert!(ends.iter().all(|end| (minute..minute * 17 / 16).contains(end)));
        ends.sort();
        let gaps = ends.windows(2).map(|pair| pair[1] - pair[0]);
        assert!(gaps.max() < Some(Duration::from_millis(100)), "{ends:?}");
    }
}
