//! `GET /v1/instances/{id}/history`

use std::sync::LazyLock;

use api::{
    Day, HistoryAnswer, Problem,
    history::{EventKind, HistoryEntry},
};
use axum::{
    extract::{Path, RawQuery, State},
    http::HeaderMap,
    response::Response,
};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use domain::InstanceId;
use store::query::history::{Place, Wanted};
use utoipa::IntoParams;

use super::instance::{self, InstancePath};
use crate::{
    AppState,
    access::Reader,
    answer::answer,
    error::{Error, Kind},
    freshness::At,
    history::{Histories, at, entry},
    params::{Known, Params},
};

const LIMIT: usize = 200;
const LIMIT_DEFAULT: usize = 50;

pub(crate) static KNOWN: LazyLock<Known> = LazyLock::new(Known::of::<HistoryQuery>);

/// The largest number that the index holds.
const MAX: u64 = i64::MAX as u64;

/// Which events to answer with.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "its fields are what `KNOWN` accepts")]
pub(crate) struct HistoryQuery {
    /// Only events of this kind, such as `status_set`. May be given more than once. By default all but `heartbeat`.
    #[param(inline)]
    kind: Option<Vec<EventKind>>,
    /// The newest first, which is the default, or the oldest.
    #[param(pattern = "^(asc|desc)$", default = "desc")]
    order: Option<String>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
    /// How many events to answer with.
    #[param(minimum = 1, maximum = 200, default = 50)]
    limit: Option<u32>,
}

/// Shows what ever happened to an instance
///
/// Every event about it, with the log that says so; its heartbeats when asked for, as far as they are kept. Events that
/// come while one pages are on no page that follows the newest, and on the last ones after the oldest. Unlike all else
/// this is read from the database: 503 while that is away, or while too many ask.
#[utoipa::path(
    get,
    path = "/v1/instances/{id}/history",
    operation_id = "instance_history",
    tag = "discovery",
    params(
        InstancePath,
        HistoryQuery,
    ),
    responses(
        (status = 200, description = "A page of its history", body = HistoryAnswer),
        (status = 400, description = "A parameter is not valid", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "Nobody registered this instance", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The database is away, too many ask, or there is no index yet", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn list(
    State(state): State<AppState>,
    Path(id): Path<String>,
    reader: Reader,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Error> {
    let params = Params::parse(query.as_deref(), &KNOWN)?;
    let wanted = wanted(instance::parse(&id)?, &params)?;
    let (histories, known_at) = histories(&state, &reader, wanted.instance)?;
    let page = histories.ask(async |reader| reader.events(&wanted).await).await.map_err(|error| error.at(known_at))?;
    let at = at(&page.checkpoint, known_at);
    let last = page.rows.last().map(|row| Place { block: row.block.number, log_index: row.log_index });
    let entries = page.rows.into_iter().map(|row| entry(row, &page.checkpoint.heads));
    let body = HistoryAnswer {
        block: at.block,
        mode: at.mode,
        instance: wanted.instance,
        heartbeats_from: Day::new(page.upkeep.heartbeats_from),
        events: entries.collect::<Result<Vec<HistoryEntry>, Error>>()?,
        next_cursor: last.filter(|_| page.more).map(write_cursor),
    };
    Ok(answer(&headers, &at, None, &body))
}

/// Who answers questions about the past of an instance, and how memory feels. Memory knows all instances there are, so
/// made up ones never cost a question.
pub(super) fn histories(state: &AppState, reader: &Reader, id: InstanceId) -> Result<(Histories, At), Error> {
    let ((), at) = state.read(|index, _| {
        let unknown = || Error::new(Kind::UnknownInstance, format!("nobody registered the instance {id}"));
        reader.must_read_text(index.instance(id).ok_or_else(unknown)?.namespace())
    })?;
    let away = || Error::new(Kind::DatabaseAway, "this gateway has no database to read histories from").at(at);
    Ok((state.histories().cloned().ok_or_else(away)?, at))
}

fn wanted(instance: InstanceId, params: &Params) -> Result<Wanted, Error> {
    let newest_first = params.read("order", "asc or desc", |order| match order {
        "desc" => Ok(true),
        "asc" => Ok(false),
        _ => Err("no such order"),
    })?;
    let after = params.read("cursor", "next_cursor of the page before", |cursor| {
        read_cursor(cursor).ok_or("it is not one of ours")
    })?;
    let limit = params.limit(1..=LIMIT, LIMIT_DEFAULT)?;
    let mut kinds = Vec::new();
    for word in params.all("kind") {
        let known = EventKind::ALL.into_iter().find(|kind| kind.as_str() == word);
        let words = EventKind::ALL.map(EventKind::as_str).join(", ");
        kinds.push(known.ok_or_else(|| Error::parameter("kind", word, &words, "no such kind of event"))?);
    }
    let wants = |kind| if kinds.is_empty() { kind != EventKind::Heartbeat } else { kinds.contains(&kind) };
    let mut wanted = Wanted {
        instance,
        newest_first: newest_first.unwrap_or(true),
        after,
        limit: u32::try_from(limit).unwrap_or(u32::MAX),
        of_record: Vec::new(),
        said: Vec::new(),
        heartbeats: false,
    };
    for kind in EventKind::ALL.into_iter().filter(|kind| wants(*kind)) {
        match kind {
            EventKind::Heartbeat => wanted.heartbeats = true,
            EventKind::Registered => wanted.of_record.push("Registered"),
            EventKind::Updated => wanted.of_record.push("Updated"),
            EventKind::Deregistered => wanted.of_record.push("Deregistered"),
            EventKind::OwnerChanged => wanted.of_record.push("OwnerChanged"),
            EventKind::StatusSet => wanted.of_record.push("StatusSet"),
            EventKind::Reaped => wanted.of_record.push("Reaped"),
            EventKind::OwnerProposed => wanted.said.push("OwnerProposed"),
            EventKind::InstanceOperatorSet => wanted.said.push("InstanceOperatorSet"),
            EventKind::Endorsed => wanted.said.push("Endorsed"),
            EventKind::Withdrawn => wanted.said.push("Withdrawn"),
        }
    }
    Ok(wanted)
}

/// The place of the last event of a page.
fn write_cursor(last: Place) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(format!("{}/{}", last.block, last.log_index))
}

fn read_cursor(cursor: &str) -> Option<Place> {
    let text = String::from_utf8(BASE64_URL_SAFE_NO_PAD.decode(cursor).ok()?).ok()?;
    let (block, log_index) = text.split_once('/')?;
    let number = |text: &str| text.parse().ok().filter(|number| *number <= MAX);
    let place = Place { block: number(block)?, log_index: number(log_index)? };
    // One way to write each.
    (write_cursor(place) == cursor).then_some(place)
}
