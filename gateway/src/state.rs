//! What the gateway knows, how fresh it is, and in which mode it serves it.

use std::{
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard, TryLockError},
    time::Duration,
};

use api::{Consistency, Mode};
use arc_swap::ArcSwapOption;
use domain::Clock;
use store::{
    StoreError,
    query::{Delta, Snapshot, Update},
    rows::Checkpoint,
};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use self::moment::Moment;
use crate::{
    board::Board,
    error::{Error, Kind},
    feed::FeedError,
    freshness::{At, Freshness, lag},
    history::Histories,
    index::{Boards, Counts, Index},
    relay::{Desk, Relay},
    telemetry::Telemetry,
    wait::Waiters,
};

mod moment;

/// The feed ticks at least this often, or it hangs. Longer than any read of the database may take.
const TICKS_WITHIN: Duration = Duration::from_secs(180);

/// What the gateway knows. Cheap to clone; all clones are one.
#[derive(Debug, Clone)]
pub struct AppState(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    clock: Arc<dyn Clock>,
    view: RwLock<View>,
    /// Held by whoever puts another index in the place of one, or changes it: one at a time.
    feeding: Mutex<()>,
    /// What answers are true at, and the answers of services that are ready: for who takes no lock.
    moment: ArcSwapOption<Moment>,
    boards: Arc<Boards>,
    telemetry: Telemetry,
    waiters: Waiters,
    /// The mode, as who watches was told last.
    mode: watch::Sender<Mode>,
    draining: CancellationToken,
    histories: OnceLock<Histories>,
    desk: OnceLock<Arc<Desk>>,
}

#[derive(Debug)]
struct View {
    loaded: Option<Loaded>,
    /// Why the database could not be read last time, in words for strangers.
    fault: Option<String>,
    /// When the feed last began to read.
    ticked: Duration,
}

/// Index and moment change together, so that no reader sees half of an update.
#[derive(Debug)]
struct Loaded {
    index: Index,
    moment: Arc<Moment>,
}

/// How the gateway feels, all at one moment.
#[derive(Debug, Clone)]
pub(crate) struct Vitals {
    /// Where the index stands, if one is loaded.
    pub(crate) loaded: Option<(Checkpoint, At)>,
    pub(crate) counts: Counts,
    /// Why not to send requests here; none when ready.
    pub(crate) not_ready: Option<String>,
}

impl AppState {
    /// Knows nothing yet: not ready.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        let view = View { loaded: None, fault: None, ticked: clock.monotonic() };
        Self(Arc::new(Inner {
            clock,
            view: RwLock::new(view),
            feeding: Mutex::default(),
            moment: ArcSwapOption::empty(),
            boards: Arc::default(),
            telemetry: Telemetry::new(),
            histories: OnceLock::new(),
            desk: OnceLock::new(),
            waiters: Waiters::default(),
            mode: watch::Sender::new(Mode::Normal),
            draining: CancellationToken::new(),
        }))
    }

    /// Who answers questions about the past; without, nobody does. Counts the first time.
    #[must_use]
    pub fn with_histories(self, histories: Histories) -> Self {
        self.0.histories.get_or_init(|| histories);
        self
    }

    pub(crate) fn histories(&self) -> Option<&Histories> {
        self.0.histories.get()
    }

    /// Takes in what a read of the database found, in one step. False if it is of no use: an index that the indexer
    /// has just begun to fill never replaces a full one of the same contract.
    pub fn update(&self, update: Update) -> bool {
        match update {
            Update::Snapshot(snapshot) => self.replace(snapshot),
            Update::Delta(delta) => self.change(delta),
        }
    }

    fn replace(&self, snapshot: Snapshot) -> bool {
        let _alone = self.alone();
        let checkpoint = snapshot.checkpoint.clone();
        let monotonic = self.0.clock.monotonic();
        let view = self.view();
        let same = view.loaded.as_ref().filter(|known| known.moment.checkpoint.origin == checkpoint.origin);
        if checkpoint.confirmations == 0 && same.is_some_and(|known| !known.moment.is_filling()) {
            return false;
        }
        let (freshness, before) = match same {
            Some(Loaded { moment, index }) => {
                (moment.freshness.next(&moment.checkpoint, &checkpoint, monotonic), Some(index.to_go_on()))
            }
            None => (Freshness::first(&checkpoint, monotonic), None),
        };
        drop(view);
        // Nobody waits for that: nobody else changes the index meanwhile but time, which is judged again when it is in place.
        let index = Index::new(snapshot, &freshness.at(&checkpoint, monotonic), Arc::clone(&self.0.boards), before);
        self.put_in_place(index, checkpoint, freshness);
        self.write().fault = None;
        true
    }

    fn put_in_place(&self, mut index: Index, checkpoint: Checkpoint, freshness: Freshness) {
        let moment = Arc::new(Moment::new(checkpoint, freshness, &index));
        let mut view = self.write();
        index.lapse(&moment.at(self.0.clock.monotonic()));
        index.publish(view.loaded.as_ref().map(|old| &old.index));
        let old = view.loaded.replace(Loaded { index, moment: Arc::clone(&moment) });
        // Last: whoever reads the new moment is not to find the old answers.
        self.0.moment.store(Some(moment));
        drop(view);
        drop(old);
    }

    fn change(&self, delta: Delta) -> bool {
        let _alone = self.alone();
        let mut view = self.write();
        let monotonic = self.0.clock.monotonic();
        view.fault = None;
        let Some(Loaded { index, moment }) = &mut view.loaded else { return false };
        if !moment.is_followed_by(&delta.checkpoint) {
            return false;
        }
        let freshness = moment.freshness.next(&moment.checkpoint, &delta.checkpoint, monotonic);
        let checkpoint = delta.checkpoint.clone();
        index.apply(delta, &freshness.at(&checkpoint, monotonic));
        *moment = Arc::new(Moment::new(checkpoint, freshness, index));
        // Last: whoever reads the new moment is not to find the old answers.
        self.0.moment.store(Some(Arc::clone(moment)));
        true
    }

    /// Takes in what was on disk, the age of its head with it. False if it is of no use: the database was faster, and
    /// has a whole index, or one of another contract.
    pub(crate) fn restore(&self, snapshot: Snapshot, head_age: Duration) -> bool {
        let (checkpoint, monotonic) = (snapshot.checkpoint.clone(), self.0.clock.monotonic());
        let _alone = self.alone();
        let view = self.view();
        let other = |known: &Loaded| !known.moment.is_filling() || known.moment.checkpoint.origin != checkpoint.origin;
        if view.loaded.as_ref().is_some_and(other) {
            return false;
        }
        let before = view.loaded.as_ref().map(|filling| filling.index.to_go_on());
        drop(view);
        let freshness = Freshness::kept(&checkpoint, head_age, monotonic);
        let index = Index::new(snapshot, &freshness.at(&checkpoint, monotonic), Arc::clone(&self.0.boards), before);
        self.put_in_place(index, checkpoint, freshness);
        true
    }

    /// Lets leases end whose time has come.
    pub(crate) fn lapse(&self) {
        let mut view = match self.0.view.try_write() {
            Ok(view) => view,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            // Whoever writes does it; a reader comes again.
            Err(TryLockError::WouldBlock) => return,
        };
        if let Some(Loaded { index, moment }) = &mut view.loaded {
            index.lapse(&moment.at(self.0.clock.monotonic()));
        }
    }

    /// Whether [`lapse`](Self::lapse) has something to do.
    pub(crate) fn is_due(&self) -> bool {
        self.view().is_due(self.0.clock.monotonic())
    }

    /// Tells who watches if the mode is another one than it was.
    pub(crate) fn tell_mode(&self) {
        if let Some(At { mode, .. }) = self.at() {
            self.0.mode.send_if_modified(|told| std::mem::replace(told, mode) != mode);
        }
    }

    /// Sees each change of the mode.
    pub(crate) fn modes(&self) -> watch::Receiver<Mode> {
        self.0.mode.subscribe()
    }

    /// What an answer is true at; none if there is none yet.
    pub(crate) fn at(&self) -> Option<At> {
        let moment = self.0.moment.load();
        let moment = moment.as_ref().filter(|moment| !moment.is_filling())?;
        Some(moment.at(self.0.clock.monotonic()))
    }

    /// What an answer is true at as of the newest block that is so final; none if there is none yet.
    pub(crate) fn at_final(&self, consistency: Consistency) -> Option<At> {
        let moment = self.0.moment.load();
        let moment = moment.as_ref().filter(|moment| !moment.is_filling())?;
        Some(moment.at(self.0.clock.monotonic()).as_of(moment.newest(consistency)?))
    }

    /// The board of a service, by `namespace/name`.
    pub(crate) fn board(&self, service: &str) -> Option<Arc<Board>> {
        self.0.boards.pin().get(service).cloned()
    }

    /// Takes note that the database could not be read. What is known stays.
    pub(crate) fn fault(&self, error: &FeedError) {
        self.write().fault = Some(public_reason(error));
    }

    /// Takes note that the feed is at work.
    pub(crate) fn tick(&self) {
        let monotonic = self.0.clock.monotonic();
        self.write().ticked = monotonic;
    }

    /// Reads the index under its lock. Nothing else may be waited for in `read`.
    pub(crate) fn read<T>(&self, read: impl FnOnce(&Index, &At) -> Result<T, Error>) -> Result<(T, At), Error> {
        let (view, monotonic) = self.settled();
        let Some(loaded) = view.loaded.as_ref().filter(|loaded| !loaded.moment.is_filling()) else {
            return Err(Error::new(Kind::NotReady, view.why_not_ready(monotonic).unwrap_or_default()));
        };
        let at = loaded.moment.at(monotonic);
        match read(&loaded.index, &at) {
            Ok(answer) => Ok((answer, at)),
            Err(error) => Err(error.at(at)),
        }
    }

    pub(crate) fn vitals(&self) -> Vitals {
        let (view, monotonic) = self.settled();
        Vitals {
            loaded: view.loaded.as_ref().map(|loaded| (loaded.moment.checkpoint.clone(), loaded.moment.at(monotonic))),
            counts: view.loaded.as_ref().map(|loaded| loaded.index.counts()).unwrap_or_default(),
            not_ready: match self.0.draining.is_cancelled() {
                true => Some("the gateway is shutting down".to_owned()),
                false => view.why_not_ready(monotonic),
            },
        }
    }

    /// Whether the feed is at work.
    pub(crate) fn is_alive(&self) -> bool {
        self.0.clock.monotonic().saturating_sub(self.view().ticked) <= TICKS_WITHIN
    }

    /// From now on signed registrations are sent. Only the first call counts.
    pub fn relay_by(&self, relay: &Relay) {
        self.0.desk.get_or_init(|| Arc::new(Desk::new(relay, Arc::clone(&self.0.clock))));
    }

    /// Where signed registrations are handed in, if anybody sends them.
    pub(crate) fn desk(&self) -> Option<&Arc<Desk>> {
        self.0.desk.get()
    }

    pub(crate) fn clock(&self) -> &dyn Clock {
        self.0.clock.as_ref()
    }

    /// Those who wait for a service to change.
    pub(crate) fn waiters(&self) -> &Waiters {
        &self.0.waiters
    }

    pub(crate) fn telemetry(&self) -> &Telemetry {
        &self.0.telemetry
    }

    /// Cancelled when the gateway has been told to stop: whoever answers only when something happens must then answer at
    /// once, and streams must end.
    pub(crate) fn draining(&self) -> &CancellationToken {
        &self.0.draining
    }

    /// The view with all leases ended that have, and when.
    fn settled(&self) -> (RwLockReadGuard<'_, View>, Duration) {
        let monotonic = self.0.clock.monotonic();
        let view = self.view();
        if !view.is_due(monotonic) {
            return (view, monotonic);
        }
        drop(view);
        if let Some(Loaded { index, moment }) = &mut self.write().loaded {
            index.lapse(&moment.at(monotonic));
        }
        (self.view(), monotonic)
    }

    fn alone(&self) -> MutexGuard<'_, ()> {
        self.0.feeding.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A panic while the lock was held leaves the index as a whole update left it, or is repaired by the next
    /// snapshot: better served than not.
    fn view(&self) -> RwLockReadGuard<'_, View> {
        self.0.view.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, View> {
        self.0.view.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl View {
    fn is_due(&self, monotonic: Duration) -> bool {
        let due = |loaded: &Loaded| loaded.index.first_due().is_some_and(|due| due <= loaded.moment.at(monotonic).now);
        self.loaded.as_ref().is_some_and(due)
    }

    fn why_not_ready(&self, monotonic: Duration) -> Option<String> {
        let Some(Loaded { moment, .. }) = &self.loaded else {
            let reason = self.fault.as_deref().unwrap_or("the database has not been read yet");
            return Some(format!("the gateway cannot answer yet: {reason}"));
        };
        if moment.at(monotonic).mode == Mode::Stale {
            let reason = self.fault.as_deref().unwrap_or("the database does not answer");
            return Some(format!("the gateway serves from memory: {reason}"));
        }
        let checkpoint = &moment.checkpoint;
        if checkpoint.problem.is_some() {
            // Which one is not for strangers: it may name hosts and roles, or quote a provider that quotes our key.
            return Some("the indexer reports a problem: its log and the table checkpoint say which".into());
        }
        let (head, behind) = (checkpoint.head.number, lag(checkpoint));
        moment.is_filling().then(|| {
            format!("the indexer reads the chain for the first time: it is at block {head}, {behind} blocks to go")
        })
    }
}

/// What strangers may know of an error: the log has it all, with names of hosts and roles.
fn public_reason(error: &FeedError) -> String {
    match error {
        FeedError::Store(StoreError::NoIndex | StoreError::Corrupt { .. }) | FeedError::Refilling => error.to_string(),
        FeedError::Store(_) | FeedError::Silent(_) => "the database does not answer".to_owned(),
    }
}
