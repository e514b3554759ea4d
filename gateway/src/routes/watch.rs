//! `GET /v1/watch`

use std::{
    convert::Infallible,
    sync::{Arc, LazyLock},
    time::Duration,
};

use api::{InstancesDelta, Problem};
use axum::{
    Extension,
    extract::{RawQuery, State},
    http::{HeaderMap, HeaderName, HeaderValue},
    response::{
        IntoResponse, Response,
        sse::{Event, KeepAlive, Sse},
    },
};
use domain::InstanceId;
use futures::{Stream, stream};
use tokio::sync::watch;
use utoipa::{IntoParams, ToSchema};

use super::instances::{ListQuery, Service};
use crate::{
    AppState,
    access::Reader,
    answer::{registry_headers, written},
    board::{Board, Ready, Seen},
    error::Error,
    filter::FilterQuery,
    freshness::At,
    params::{Known, Params},
    peer::Peer,
    service::Member,
    wait::{Turn, other_mode},
    wanted::{Found, Wanted},
};

pub(crate) static KNOWN: LazyLock<Known> =
    LazyLock::new(|| Known::of::<WatchQuery>().and::<FilterQuery>().and::<ListQuery>());

const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// Between two events at least.
const FLOOR: Duration = Duration::from_millis(20);

/// Between two signs of life.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// What to watch; which instances: as for the list of instances.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "its fields are what `KNOWN` accepts")]
pub(crate) struct WatchQuery {
    /// `namespace/name`.
    #[param(
        example = "acme/payments",
        pattern = "^(0x[0-9a-fA-F]{40}|[a-z0-9][a-z0-9._-]{0,62})/[a-z0-9][a-z0-9._-]{0,62}$"
    )]
    service: String,
}

/// Where a client was.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "documents what `last_event_id` reads")]
pub(crate) struct WatchHeaders {
    /// The `id` of the last event that was received.
    #[param(rename = "Last-Event-ID", format = "uint64", example = 65536, nullable = false)]
    last_event_id: Option<u64>,
}

/// An event.
#[derive(ToSchema)]
#[expect(dead_code, reason = "documents what `event` makes")]
pub(crate) struct WatchEvent {
    /// What it is.
    #[schema(pattern = "^(snapshot|delta|resync)$")]
    event: String,
    /// The index of the service.
    #[schema(pattern = "^[1-9][0-9]*$")]
    id: String,
    /// JSON: of a `snapshot` and of a `resync` the list of instances, of a `delta` what has changed.
    data: String,
}

/// Watches a service
///
/// Server-sent events: first a `snapshot`, which is the answer that lists the instances; then a `delta` for each change:
/// `instances` that are new or changed, and the ids of those that are `gone`. One that has neither tells of another `mode`. The
/// `id` of an event is the index of the service. Who comes back with `Last-Event-ID` gets the mode and what follows if it is
/// still the index, else a `resync`: a snapshot to begin with anew. Takes `health` and `limit` of the list of instances as well. A comment comes every 15 s.
#[utoipa::path(
    get,
    path = "/v1/watch",
    operation_id = "watch",
    tag = "discovery",
    params(WatchQuery, FilterQuery, ListQuery, WatchHeaders),
    responses(
        (status = 200, description = "Events", body = WatchEvent, content_type = "text/event-stream"),
        (status = 400, description = "A parameter is not valid", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "Nobody ever registered this service", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The gateway holds no index yet, or too many watch already", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn watch(
    State(state): State<AppState>,
    reader: Reader,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    peer: Option<Extension<Peer>>,
) -> Result<Response, Error> {
    let params = Params::parse(query.as_deref(), &KNOWN)?;
    let service = Service::named("service", params.get("service").unwrap_or_default())?;
    reader.must_read(&service.namespace)?;
    let wanted = Wanted::from_params(&params)?;
    let last = last_event_id(&headers)?;
    let turn = state.waiters().turn(peer.as_deref())?;
    let found = wanted.answer(&state, &service)?;
    let board = state.board(&service.to_string()).ok_or_else(|| service.unknown())?;
    let at = At { mode: found.ready.mode, ..found.at };
    let watcher = Watcher {
        state,
        service,
        wanted,
        bell: board.watch(),
        board,
        seen: found.ready.seen(),
        first: Some(found),
        last,
        _turn: turn,
    };
    let keep_alive = KeepAlive::new().interval(KEEP_ALIVE);
    let mut response = Sse::new(watcher.events()).keep_alive(keep_alive).into_response();
    registry_headers(response.headers_mut(), &at);
    // A proxy such as nginx would else keep events until it has a page full of them.
    response.headers_mut().insert("x-accel-buffering", HeaderValue::from_static("no"));
    Ok(response)
}

/// The event that a client had last, if it had any.
fn last_event_id(headers: &HeaderMap) -> Result<Option<u64>, Error> {
    let Some(id) = headers.get(LAST_EVENT_ID) else { return Ok(None) };
    let sent = String::from_utf8_lossy(id.as_bytes());
    let bad = |_| Error::parameter(LAST_EVENT_ID.as_str(), &sent, "the id of an event: a number", "this is no number");
    sent.parse().map(Some).map_err(bad)
}

/// One who watches.
struct Watcher {
    state: AppState,
    service: Service,
    wanted: Wanted,
    board: Arc<Board>,
    bell: watch::Receiver<u64>,
    /// What it was told last.
    seen: Seen,
    /// What to begin with.
    first: Option<Found>,
    /// What it says that it was told last before it came.
    last: Option<u64>,
    _turn: Turn,
}

impl Watcher {
    /// An event is made when it can be sent: a client that does not read costs nothing, and gets later what is then.
    fn events(self) -> impl Stream<Item = Result<Event, Infallible>> {
        stream::unfold(self, async |mut watcher| {
            let event = watcher.next().await?;
            Some((Ok(event), watcher))
        })
    }

    async fn next(&mut self) -> Option<Event> {
        if let Some(first) = self.first.take() {
            match self.last {
                // The index does not say in which mode it was.
                Some(last) if last == self.seen.index => {
                    return text(&difference(&self.seen, &self.seen, &first.at))
                        .map(|text| event("delta", last, &text));
                }
                last => return Some(whole(if last.is_some() { "resync" } else { "snapshot" }, &first.ready)),
            }
        }
        loop {
            // What changes meanwhile comes as one.
            tokio::time::sleep(FLOOR).await;
            let seen = &self.seen;
            tokio::select! {
                changed = self.bell.wait_for(|now| *now > seen.index) => { changed.ok()?; }
                () = other_mode(&self.state, seen.asked) => {}
                () = self.state.draining().cancelled() => return None,
            }
            // If the service is gone, so is who watches it.
            let (news, at) = self.wanted.news(&self.state, &self.service).ok()?;
            let before = std::mem::replace(&mut self.seen, news);
            if let Some(delta) = self.delta(&before, &at) {
                return Some(event("delta", self.seen.index, &delta));
            }
        }
    }

    /// What makes of one answer the other; none if nothing. All who watch the same make it once.
    fn delta(&self, before: &Seen, at: &At) -> Option<Arc<str>> {
        let make = || {
            let delta = difference(before, &self.seen, at);
            let nothing = delta.instances.is_empty() && delta.gone.is_empty() && before.mode == self.seen.mode;
            text(&delta).filter(|_| !nothing)
        };
        if self.wanted.is_plain() { self.board.delta(before, &self.seen, make) } else { make() }
    }
}

/// What makes of one answer another one.
fn difference(before: &Seen, after: &Seen, at: &At) -> InstancesDelta {
    InstancesDelta {
        block: at.block,
        mode: after.mode,
        instances: changed(&before.members, &after.members).map(|member| member.served(at.now)).collect(),
        gone: gone(&before.members, &after.members).collect(),
    }
}

fn text(delta: &InstancesDelta) -> Option<Arc<str>> {
    Some(Arc::from(String::from_utf8_lossy(&written(delta).ok()?)))
}

fn whole(name: &str, ready: &Ready) -> Event {
    event(name, ready.index, &String::from_utf8_lossy(&ready.body))
}

fn event(name: &str, index: u64, data: &str) -> Event {
    Event::default().event(name).id(index.to_string()).data(data)
}

/// Those of `after` that are not the same in `before`.
fn changed<'a>(before: &'a [Member], after: &'a [Member]) -> impl Iterator<Item = &'a Member> {
    let known: std::collections::HashMap<InstanceId, &Member> =
        before.iter().map(|member| (member.instance.id(), member)).collect();
    after.iter().filter(move |member| known.get(&member.instance.id()).is_none_or(|before| !before.is_same(member)))
}

/// Those of `before` that are not in `after`.
fn gone<'a>(before: &'a [Member], after: &'a [Member]) -> impl Iterator<Item = InstanceId> {
    let there: std::collections::HashSet<InstanceId> = after.iter().map(|member| member.instance.id()).collect();
    before.iter().map(|member| member.instance.id()).filter(move |id| !there.contains(id))
}
