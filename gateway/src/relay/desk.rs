//! Where registrations are handed in: tried before they are sent, sent once, and no more than can be paid.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use api::{RegistrationAnswer, RegistrationStatus, SignedRegistration};
use domain::{B256, Clock, InstanceId};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, watch},
    time::timeout,
};
use tracing::Instrument;

use super::{Mined, Relay, RelayRefusal, Relayer, budget::Budget};
use crate::traces;

/// How many may be handed in at once; more are turned away.
const QUEUE: usize = 32;

/// How many of these are tried at once.
const TRIED_AT_ONCE: usize = 4;

/// How many may be on their way at once.
const PENDING: usize = 64;

/// The most gas that one may take: more than twice what the largest registration takes with a key's signature. Contracts
/// that sign take what they like, and it is not theirs.
const MAX_GAS: u64 = 1_000_000;

/// How long it may take to try one, and how long then to wait for its transaction. Together less than a request may take.
const TRY_WITHIN: Duration = Duration::from_secs(5);
const SEND_WITHIN: Duration = Duration::from_secs(3);

/// For how long it is remembered what became of one.
const REMEMBER: Duration = Duration::from_secs(3600);

/// Takes registrations and answers what became of them.
#[derive(Debug)]
pub(crate) struct Desk {
    relayer: Arc<dyn Relayer>,
    clock: Arc<dyn Clock>,
    queue: Semaphore,
    tried: Semaphore,
    pending: Arc<Semaphore>,
    books: Mutex<Books>,
}

#[derive(Debug)]
struct Books {
    budget: Budget,
    /// One entry for each instance: of two registrations of one instance, the contract would refuse the second.
    sent: HashMap<InstanceId, Entry>,
}

/// A registration that was tried, paid for, and is on its way or was mined.
#[derive(Debug, Clone)]
struct Entry {
    signed: Arc<SignedRegistration>,
    state: watch::Receiver<State>,
    since: Duration,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum State {
    Sending,
    Sent(B256),
    Mined(Mined),
    Failed(RelayRefusal),
}

/// Why a registration is not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Turned {
    /// The relayer says so.
    Refused(RelayRefusal),
    /// There is gas for it after this time.
    Exhausted(Duration),
}

impl Turned {
    /// For metrics.
    pub(crate) fn word(&self) -> &'static str {
        match self {
            Self::Refused(RelayRefusal::Unavailable(_)) => "unavailable",
            Self::Refused(_) => "refused",
            Self::Exhausted(_) => "exhausted",
        }
    }
}

impl From<RelayRefusal> for Turned {
    fn from(refusal: RelayRefusal) -> Self {
        Self::Refused(refusal)
    }
}

impl Desk {
    pub(crate) fn new(relay: &Relay, clock: Arc<dyn Clock>) -> Self {
        let budget = Budget::new(relay.gas_per_hour, clock.monotonic());
        Self {
            relayer: Arc::clone(&relay.relayer),
            clock,
            queue: Semaphore::new(QUEUE),
            tried: Semaphore::new(TRIED_AT_ONCE),
            pending: Arc::new(Semaphore::new(PENDING)),
            books: Mutex::new(Books { budget, sent: HashMap::new() }),
        }
    }

    /// Sends a registration of the instance `id`, or says what became of it if it was sent already.
    pub(crate) async fn hand_in(
        self: &Arc<Self>,
        id: InstanceId,
        signed: SignedRegistration,
    ) -> Result<RegistrationAnswer, Turned> {
        let Ok(_place) = self.queue.try_acquire() else {
            return Err(unavailable("many registrations are handed in just now"));
        };
        if let Some(entry) = self.known(id, &signed)? {
            return entry.answer(id).await;
        }
        let gas = match timeout(TRY_WITHIN, self.quote(&signed)).await {
            Ok(gas) => gas?,
            Err(_) => return Err(unavailable("the chain took too long to answer")),
        };
        self.begin(id, Arc::new(signed), gas)?.answer(id).await
    }

    async fn quote(&self, signed: &SignedRegistration) -> Result<u64, RelayRefusal> {
        // Never closed.
        let _turn = self.tried.acquire().await;
        let gas = self.relayer.quote(signed).instrument(traces::part("try registration")).await?;
        let most = MAX_GAS.min(self.books().budget.most());
        if gas > most {
            return Err(RelayRefusal::Refused(format!("it may take {gas} gas, and this gateway gives at most {most}")));
        }
        Ok(gas)
    }

    /// What is known of a registration. Another one of the same instance has to wait while this one is on its way.
    fn known(&self, id: InstanceId, signed: &SignedRegistration) -> Result<Option<Entry>, Turned> {
        self.books().known(id, signed, self.clock.monotonic())
    }

    /// Takes the gas and lets it go. Whoever asked may go away: what was begun goes on.
    fn begin(self: &Arc<Self>, id: InstanceId, signed: Arc<SignedRegistration>, gas: u64) -> Result<Entry, Turned> {
        let now = self.clock.monotonic();
        let mut books = self.books();
        // While this one was tried, another may have been sent.
        if let Some(entry) = books.known(id, &signed, now)? {
            return Ok(entry);
        }
        let Ok(place) = Arc::clone(&self.pending).try_acquire_owned() else {
            return Err(unavailable("many registrations are on their way just now"));
        };
        books.budget.take(gas, now).map_err(Turned::Exhausted)?;
        books.sent.retain(|_, entry| entry.is_remembered(now));
        let (tell, state) = watch::channel(State::Sending);
        let entry = Entry { signed: Arc::clone(&signed), state, since: now };
        books.sent.insert(id, entry.clone());
        drop(books);
        let work = Arc::clone(self).send(id, signed, gas, tell, place);
        tokio::spawn(work.instrument(traces::sequel("send registration")));
        Ok(entry)
    }

    async fn send(
        self: Arc<Self>,
        id: InstanceId,
        signed: Arc<SignedRegistration>,
        gas: u64,
        tell: watch::Sender<State>,
        _place: OwnedSemaphorePermit,
    ) {
        let sent = |hash| {
            tracing::info!(%id, transaction = %hash, gas, "a registration was sent");
            tell.send_replace(State::Sent(hash));
        };
        let refusal = match self.relayer.send(&signed, gas, &sent).await {
            Ok(mined) => {
                tell.send_replace(State::Mined(mined));
                return;
            }
            Err(refusal) => refusal,
        };
        let was_sent = matches!(*tell.borrow(), State::Sent(_));
        tracing::warn!(%id, was_sent, %refusal, "a registration was not relayed");
        if was_sent && matches!(refusal, RelayRefusal::Unavailable(_)) {
            // It may still get into a block: sent again, it would be paid for twice.
            return;
        }
        let mut books = self.books();
        if !was_sent && !matches!(refusal, RelayRefusal::Unavailable(_)) {
            books.budget.put_back(gas);
        }
        // In its place there may be a later one by now.
        books.sent.retain(|_, entry| !Arc::ptr_eq(&entry.signed, &signed));
        drop(books);
        tell.send_replace(State::Failed(refusal));
    }

    fn books(&self) -> MutexGuard<'_, Books> {
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Books {
    fn known(&self, id: InstanceId, signed: &SignedRegistration, now: Duration) -> Result<Option<Entry>, Turned> {
        let counts = |entry: &&Entry| entry.is_remembered(now) && !entry.is_lost();
        let Some(entry) = self.sent.get(&id).filter(counts) else { return Ok(None) };
        if entry.signed.says_the_same(signed) {
            return Ok(Some(entry.clone()));
        }
        match *entry.state.borrow() {
            State::Sending | State::Sent(_) => {
                let text = "another registration of this instance is on its way: wait until it is in a block";
                Err(RelayRefusal::Refused(text.to_owned()).into())
            }
            State::Mined(_) | State::Failed(_) => Ok(None),
        }
    }
}

impl Entry {
    fn is_remembered(&self, now: Duration) -> bool {
        now.saturating_sub(self.since) < REMEMBER
    }

    /// Whether whoever was to send it is gone, and never said that it was sent.
    fn is_lost(&self) -> bool {
        self.state.has_changed().is_err() && *self.state.borrow() == State::Sending
    }

    /// Waits a little until a node has it.
    async fn answer(mut self, id: InstanceId) -> Result<RegistrationAnswer, Turned> {
        let _ = timeout(SEND_WITHIN, self.state.wait_for(|state| *state != State::Sending)).await;
        let (status, transaction, block) = match self.state.borrow().clone() {
            State::Sending => (RegistrationStatus::Pending, None, None),
            State::Sent(hash) => (RegistrationStatus::Pending, Some(hash), None),
            State::Mined(mined) => (RegistrationStatus::Mined, Some(mined.transaction), Some(mined.block.into())),
            State::Failed(refusal) => return Err(refusal.into()),
        };
        Ok(RegistrationAnswer { id, status, transaction, block })
    }
}

fn unavailable(text: &str) -> Turned {
    RelayRefusal::Unavailable(text.to_owned()).into()
}
