//! Watches a service: a list that stays up to date by itself.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use futures::{
    Stream, StreamExt,
    future::{BoxFuture, FutureExt},
    stream,
};
use reqwest::{
    Response, StatusCode,
    header::{CONTENT_TYPE, RETRY_AFTER},
};
use sse_stream::{Sse, SseByteStream};
use tokio::time::{Sleep, sleep, timeout};

use super::{Change, DiscoverError, Gateway, MAX_ANSWER, Wanted, change::Roster};
use crate::{send::random, service::Service};

/// Three signs of life that did not come: a line on which nothing comes for so long is dead.
const SILENCE: Duration = Duration::from_secs(45);
/// A line ends after so long, if nothing else ends it.
const LONGEST: Duration = Duration::from_secs(86_400);
/// A line that lasts so long is a good one.
const SETTLED: Duration = Duration::from_secs(5);
/// The pause after the first failure, and the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// Who asks for more patience than that is not heard.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(300);

/// A service that is watched. It keeps the list of its instances, and connects anew by itself.
#[derive(Debug)]
pub struct Watch {
    gateway: Gateway,
    service: Service,
    wanted: Wanted,
    silence: Duration,
    roster: Roster,
    /// The id of the last event.
    last: Option<u64>,
    failures: u32,
    line: Line,
}

enum Line {
    Opening(BoxFuture<'static, Result<Events, Refused>>),
    Open { events: Events, settled: Pin<Box<Sleep>> },
    Pausing(Pin<Box<Sleep>>),
}

impl std::fmt::Debug for Line {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Opening(_) => "Opening",
            Self::Open { .. } => "Open",
            Self::Pausing(_) => "Pausing",
        })
    }
}

/// Events as they come.
struct Events {
    events: Pin<Box<dyn Stream<Item = Result<Sse, sse_stream::Error>> + Send>>,
    /// How many bytes came since the last event.
    unread: Arc<AtomicUsize>,
}

/// Why there is no line, and when the gateway wants to be asked again.
struct Refused {
    error: DiscoverError,
    after: Option<Duration>,
}

/// Why a line ended.
#[derive(Debug, thiserror::Error)]
enum Cut {
    #[error("no sign of life for {} s", .0.as_secs())]
    Silent(Duration),
    #[error("an event without end")]
    Endless,
    #[error("{0}")]
    Broken(String),
}

impl Gateway {
    /// Watches a service. The first connection is made here, so that what is wrong is known at once.
    ///
    /// # Errors
    /// As [`Gateway::instances`].
    pub async fn watch(&self, service: &Service, wanted: &Wanted) -> Result<Watch, DiscoverError> {
        self.watch_with(service, wanted, SILENCE).await
    }

    pub(super) async fn watch_with(
        &self,
        service: &Service,
        wanted: &Wanted,
        silence: Duration,
    ) -> Result<Watch, DiscoverError> {
        let (service, wanted) = (service.clone(), wanted.clone());
        let events = open(self, &service, &wanted, None, silence).await.map_err(|refused| refused.error)?;
        Ok(Watch {
            gateway: self.clone(),
            service,
            wanted,
            silence,
            roster: Roster::default(),
            last: None,
            failures: 0,
            line: Line::open(events),
        })
    }
}

impl Watch {
    /// Waits for the next change; the first one is the list as it is. A gateway that goes away is connected to again, with
    /// growing pauses, and what was missed meanwhile comes as one change. May be dropped at any point: nothing is lost.
    ///
    /// # Errors
    /// What does not pass by itself, such as a key that is revoked. Asked again all the same, it goes on.
    pub async fn next(&mut self) -> Result<Change, DiscoverError> {
        loop {
            match &mut self.line {
                Line::Pausing(pause) => {
                    pause.await;
                    self.line = self.opening();
                }
                Line::Opening(opening) => match opening.await {
                    Ok(events) => self.line = Line::open(events),
                    Err(refused) => self.failed(refused)?,
                },
                Line::Open { events, settled } => {
                    let event = tokio::select! {
                        event = events.events.next() => event,
                        () = settled.as_mut(), if !settled.is_elapsed() => {
                            self.failures = 0;
                            continue;
                        }
                    };
                    events.unread.store(0, Ordering::Relaxed);
                    let event = match event {
                        Some(Ok(event)) => event,
                        Some(Err(error)) => {
                            let error = self.broken(error);
                            self.failed(Refused { error, after: None })?;
                            continue;
                        }
                        None => {
                            let error = self.cut("it ended the watch");
                            self.failed(Refused { error, after: None })?;
                            continue;
                        }
                    };
                    match self.take(&event) {
                        Ok(Some(change)) => return Ok(change),
                        // An event of a gateway that is newer than we are.
                        Ok(None) => {}
                        Err(reason) => {
                            self.last = None;
                            let error = self.gateway.no_gateway(StatusCode::OK, &reason);
                            self.failed(Refused { error, after: None })?;
                        }
                    }
                }
            }
        }
    }

    fn take(&mut self, event: &Sse) -> Result<Option<Change>, String> {
        let name = event.event.as_deref().unwrap_or_default();
        if !matches!(name, "snapshot" | "resync" | "delta") {
            return Ok(None);
        }
        let index = event.id.as_deref().and_then(|id| id.parse().ok()).ok_or("an event without an index")?;
        let data = event.data.as_deref().unwrap_or_default();
        let wrong = |error: serde_json::Error| error.to_string();
        let change = match name {
            "delta" if self.last.is_none() => return Err("a delta of nothing".to_owned()),
            "delta" => self.roster.go_on(index, serde_json::from_str(data).map_err(wrong)?),
            _ => self.roster.begin(index, serde_json::from_str(data).map_err(wrong)?),
        };
        let change = change.map_err(|error| error.to_string())?;
        self.last = Some(index);
        Ok(Some(change))
    }

    /// Pauses before the next attempt, or says that none helps.
    fn failed(&mut self, Refused { error, after }: Refused) -> Result<(), DiscoverError> {
        self.failures = self.failures.saturating_add(1);
        let pause = pause(self.failures, after, random());
        self.line = Line::Pausing(Box::pin(sleep(pause)));
        // Known before, it is known again once the gateway has caught up. A file may be just being written.
        let passes = error.is_transient() || error.word() == Some("unknown-service");
        if !passes && !matches!(error, DiscoverError::Key(_)) {
            return Err(error);
        }
        let service = &self.service;
        tracing::warn!(%error, %service, retry_ms = pause.as_millis(), "the watch is interrupted; connecting again");
        Ok(())
    }

    fn opening(&self) -> Line {
        let (gateway, service, wanted) = (self.gateway.clone(), self.service.clone(), self.wanted.clone());
        let (last, silence) = (self.last, self.silence);
        Line::Opening(async move { open(&gateway, &service, &wanted, last, silence).await }.boxed())
    }

    fn cut(&self, reason: &str) -> DiscoverError {
        DiscoverError::Unreachable { url: self.gateway.url.to_string(), reason: reason.to_owned() }
    }

    fn broken(&self, error: sse_stream::Error) -> DiscoverError {
        match error {
            sse_stream::Error::Body(cut) => self.cut(&cut.to_string()),
            error => self.gateway.no_gateway(StatusCode::OK, &error.to_string()),
        }
    }
}

impl Line {
    fn open(events: Events) -> Self {
        Self::Open { events, settled: Box::pin(sleep(SETTLED)) }
    }
}

async fn open(
    gateway: &Gateway,
    service: &Service,
    wanted: &Wanted,
    last: Option<u64>,
    silence: Duration,
) -> Result<Events, Refused> {
    let mut query = wanted.pairs();
    query.push(("service".to_owned(), service.to_string()));
    let refused = |error| Refused { error, after: None };
    let asked = gateway.send(&["v1", "watch"], &query, |mut request| {
        if let Some(last) = last {
            request = request.header("last-event-id", last);
        }
        request.header("accept", "text/event-stream").timeout(LONGEST)
    });
    let late = |_| DiscoverError::Unreachable { url: gateway.url.to_string(), reason: "it does not answer".to_owned() };
    let response = timeout(gateway.patience, asked).await.map_err(late).flatten().map_err(refused)?;
    let status = response.status();
    if status != StatusCode::OK {
        let after = response.headers().get(RETRY_AFTER).and_then(|after| after.to_str().ok()?.parse().ok());
        let error = timeout(gateway.patience, gateway.problem(response)).await.unwrap_or_else(late);
        return Err(Refused { error, after: after.map(Duration::from_secs) });
    }
    let kind = response.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    if !kind.starts_with("text/event-stream") {
        return Err(refused(gateway.no_gateway(status, "no events")));
    }
    Ok(Events::of(gateway.clone(), response, silence))
}

impl Events {
    fn of(gateway: Gateway, response: Response, silence: Duration) -> Self {
        let unread = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&unread);
        let parts = stream::unfold(response, move |mut response| {
            let (gateway, count) = (gateway.clone(), Arc::clone(&count));
            async move {
                let part = match timeout(silence, response.chunk()).await {
                    Ok(Ok(None)) => return None,
                    Ok(Ok(Some(part))) => {
                        let before = count.fetch_add(part.len(), Ordering::Relaxed);
                        if before + part.len() > MAX_ANSWER { Err(Cut::Endless) } else { Ok(part) }
                    }
                    Ok(Err(error)) => Err(Cut::Broken(gateway.why(error))),
                    Err(_) => Err(Cut::Silent(silence)),
                };
                Some((part, response))
            }
        });
        Self { events: Box::pin(SseByteStream::new(Box::pin(parts))), unread }
    }
}

/// Doubles with each failure; as long as the gateway asks for, if it does. A different one for everyone: those who lost the
/// same gateway must not come back together.
fn pause(failures: u32, after: Option<Duration>, random: u64) -> Duration {
    let grown = FIRST_PAUSE.saturating_mul(1 << failures.saturating_sub(1).min(16)).min(LONGEST_PAUSE);
    let spread = |span: Duration| span.mul_f64((random % 1_000) as f64 / 1_000.0);
    match after {
        Some(after) => after.min(MAX_RETRY_AFTER) + spread(grown),
        None => grown / 2 + spread(grown / 2),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_and_differ() {
        for (failures, least, most) in [(1, 125, 250), (2, 250, 500), (8, 15_000, 30_000), (u32::MAX, 15_000, 30_000)] {
            let pauses = [0, 500, 999].map(|random| pause(failures, None, random).as_millis());
            assert!(pauses.is_sorted_by(|a, b| a < b), "{pauses:?}");
            assert!(pauses.iter().all(|pause| (least..=most).contains(pause)), "{failures}: {pauses:?}");
        }
        let second = Duration::from_secs(1);
        assert!(pause(1, Some(second), 999) > second && pause(1, Some(second), 999) < second * 2);
        assert!(pause(1, Some(Duration::MAX), 0) <= MAX_RETRY_AFTER);
    }
}
