//! `GET /v1/instances/{id}/uptime`

use std::{collections::BTreeMap, ops::RangeInclusive, sync::LazyLock};

use api::{Day, Problem, UptimeAnswer, history::DayUptime};
use axum::{
    extract::{Path, RawQuery, State},
    http::HeaderMap,
    response::Response,
};
use store::rows::UptimeRow;
use utoipa::IntoParams;

use super::{
    history::histories,
    instance::{self, InstancePath},
};
use crate::{
    AppState,
    access::Reader,
    answer::answer,
    error::Error,
    history::at,
    params::{Known, Params},
};

/// The most days of one answer.
const MAX_DAYS: u64 = 366;

/// How many days there are in an answer if nobody says.
const DAYS: u64 = 30;

pub(crate) static KNOWN: LazyLock<Known> = LazyLock::new(Known::of::<UptimeQuery>);

/// Which days to answer with.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "its fields are what `KNOWN` accepts")]
pub(crate) struct UptimeQuery {
    /// The first day. By default the one 29 days before `to`.
    #[param(format = Date, pattern = "^(19[7-9]|[2-9][0-9]{2})[0-9]-[0-9]{2}-[0-9]{2}$", example = "2026-11-01")]
    from: Option<String>,
    /// The last day. By default the last one that is over and final.
    #[param(format = Date, pattern = "^(19[7-9]|[2-9][0-9]{2})[0-9]-[0-9]{2}-[0-9]{2}$", example = "2026-11-30")]
    to: Option<String>,
}

/// Shows how long an instance was up on each day
///
/// By days of chain time, in UTC, that are over and final: `until` is the first that is not. Days on which it was not up,
/// also those before it was registered, are here with zeros. There are 366
/// days in an answer at most, from the first one on. Read from the database: 503 while that is away, or while
/// too many ask.
#[utoipa::path(
    get,
    path = "/v1/instances/{id}/uptime",
    operation_id = "instance_uptime",
    tag = "discovery",
    params(
        InstancePath,
        UptimeQuery,
    ),
    responses(
        (status = 200, description = "Its uptimes", body = UptimeAnswer),
        (status = 400, description = "A parameter is not valid", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "Nobody registered this instance", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The database is away, too many ask, or there is no index yet", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn get(
    State(state): State<AppState>,
    Path(id): Path<String>,
    reader: Reader,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Error> {
    let params = Params::parse(query.as_deref(), &KNOWN)?;
    let instance = instance::parse(&id)?;
    let day = |name| params.read(name, "a day, such as 2026-11-21", str::parse::<Day>);
    let (from, to) = (day("from")?.map(Day::number), day("to")?.map(Day::number));
    let (histories, known_at) = histories(&state, &reader, instance)?;
    let found = histories.ask(async |reader| reader.uptimes(instance, |kept| days(from, to, kept.uptime_day)).await);
    let found = found.await.map_err(|error| error.at(known_at))?;
    let until = found.upkeep.uptime_day;
    let up: BTreeMap<u64, DayUptime> = found.rows.iter().map(|row| (row.day, shape(row))).collect();
    let none = |day| DayUptime { day: Day::new(day), seconds_up: 0, heartbeats: 0 };
    let at = at(&found.checkpoint, known_at);
    let body = UptimeAnswer {
        block: at.block,
        mode: at.mode,
        instance,
        until: Day::new(until),
        days: days(from, to, until).map(|day| up.get(&day).copied().unwrap_or_else(|| none(day))).collect(),
    };
    Ok(answer(&headers, &at, None, &body))
}

/// The days to answer with: none from `until` on.
fn days(from: Option<u64>, to: Option<u64>, until: u64) -> RangeInclusive<u64> {
    let Some(last) = until.checked_sub(1) else { return RangeInclusive::new(1, 0) };
    let to = to.unwrap_or(last);
    let from = from.unwrap_or_else(|| to.saturating_sub(DAYS - 1));
    from..=to.min(last).min(from.saturating_add(MAX_DAYS - 1))
}

fn shape(row: &UptimeRow) -> DayUptime {
    DayUptime { day: Day::new(row.day), seconds_up: row.seconds_up, heartbeats: row.heartbeats }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_those_asked_for_as_far_as_there_are_some() {
        for (from, to, until, expected) in [
            (None, None, 100, 70..=99),
            (None, None, 10, 0..=9),
            (Some(95), None, 100, 95..=99),
            (Some(5), None, 1_000, 5..=370),
            (Some(5), Some(999), 1_000, 5..=370),
            (None, Some(50), 100, 21..=50),
            (Some(98), Some(200), 100, 98..=99),
            (Some(40), Some(40), 100, 40..=40),
        ] {
            assert_eq!(days(from, to, until), expected, "{from:?} {to:?} {until}");
        }
        for (from, to, until) in [
            (None, None, 0),
            (Some(0), Some(9), 0),
            (Some(100), None, 100),
            (Some(9), Some(9), 9),
            (Some(5), Some(4), 9),
        ] {
            assert!(days(from, to, until).is_empty(), "{from:?} {to:?} {until}");
        }
    }
}
