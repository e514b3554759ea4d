//! Waiting for a service to change: blocking queries and watches.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{sleep, timeout},
};

use crate::{
    AppState,
    board::{BETWEEN, Board},
    error::{Error, Kind},
    params::Params,
};

/// The longest that a blocking query may ask to wait for, and what it waits if it does not say.
const LONGEST: Duration = Duration::from_secs(600);
const DEFAULT: Duration = Duration::from_secs(300);

/// For how long a query waits that has an index of another registry.
const STRANGE: Duration = Duration::from_secs(1);

/// How many may wait at once.
const WAITERS: usize = 16_384;

/// Those who wait.
#[derive(Debug)]
pub(crate) struct Waiters {
    turns: Arc<Semaphore>,
    count: AtomicU64,
}

impl Waiters {
    pub(crate) fn new() -> Self {
        Self { turns: Arc::new(Semaphore::new(WAITERS)), count: AtomicU64::new(0) }
    }

    /// A turn to wait; the next one can wait once it is dropped.
    pub(crate) fn turn(&self) -> Result<OwnedSemaphorePermit, Error> {
        Arc::clone(&self.turns).try_acquire_owned().map_err(|_| {
            Error::new(Kind::TooManyWatches, format!("{WAITERS} clients are waiting already: ask another gateway"))
        })
    }

    /// Up to a sixteenth more, so that those who began together do not come back together.
    fn spread(&self, wait: Duration) -> Duration {
        // The golden ratio spreads one after the other over all.
        let n = self.count.fetch_add(1, Ordering::Relaxed).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let part = u32::try_from(n >> 48).unwrap_or_default();
        wait + (wait / 16).saturating_mul(part) / 0x1_0000
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
    pub(crate) async fn until_changed(self, state: &AppState, board: &Board) -> Result<(), Error> {
        let mut bell = board.watch();
        let current = board.index();
        if current > self.index {
            return Ok(());
        }
        let _turn = state.waiters().turn()?;
        // Nobody has told this index yet: it is of another registry, or of a gateway that is ahead of this one.
        let strange = self.index >> BETWEEN > state.changes().max(current >> BETWEEN);
        let wait = if strange { self.wait.min(STRANGE) } else { state.waiters().spread(self.wait) };
        // Over or not, the answer is what is now.
        tokio::select! {
            _ = timeout(wait, bell.wait_for(|now| *now > self.index)) => {}
            () = state.draining().cancelled() => {}
        }
        Ok(())
    }
}

/// Has leases end whose time has come, for ever: those who watch have to be told.
pub(crate) async fn lapse(state: AppState) {
    loop {
        sleep(Duration::from_millis(20)).await;
        if state.is_due() {
            state.lapse();
        }
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
