//! The parameters of a request that say which instances it wants.

use std::collections::HashMap;

use semver::VersionReq;
use utoipa::{IntoParams, ToSchema};

use super::{
    Bound, Expression, Field, Filter,
    expression::{self, MAX_TEXT},
    place::Place,
};
use crate::{error::Error, params::Params};

/// The most regions of `failover`.
const MAX_FAILOVER: usize = 8;

const NUMBER: &str = "a number, 0 or more";
const PLACE: &str = "latitude and longitude in degrees, such as 52.52,13.405";

/// Which instances are wanted. All conditions must hold.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "documents what `Filter::from_params` reads")]
pub(crate) struct FilterQuery {
    /// A range of semantic versions: `1.2` and `^1.2` mean at least 1.2 and less than 2. An instance whose version is no
    /// semantic version does not match.
    #[param(example = "^1.2")]
    version: Option<String>,
    /// Claimed: `tags` has this one. May be given more than once.
    #[param(inline, example = json!(["blue"]))]
    tag: Option<Vec<PlainText>>,
    /// Claimed: `zone` is this.
    #[param(inline, example = "eu-west-1a")]
    zone: Option<PlainText>,
    /// Claimed: `region` is this.
    #[param(inline, example = "eu-west-1")]
    region: Option<PlainText>,
    /// Claimed: `protocol` is this.
    #[param(inline, example = "grpc")]
    protocol: Option<PlainText>,
    /// `meta.<key>=<value>`; claimed: this key of the metadata has this value, be it a text, a number or a truth value.
    /// May be given more than once.
    #[param(inline, style = Form, explode, example = json!({"meta.canary": "true"}))]
    meta: Option<HashMap<MetaKey, PlainText>>,
    /// An expression in a subset of the language of Consul: `==`, `!=`, `in`, `not in`, `contains`, `is empty`, `is not
    /// empty`, `matches`, `and`, `or`, `not`, parentheses. Selectors are `label`, `version`, `status`, `reason`, `owner`,
    /// `registrant`, and, claimed, `endpoints`, `meta.<key>`, `tags`, `zone`, `region`, `protocol`.
    #[param(max_length = 1024, example = r#"version matches "^2[.]" and not ("canary" in tags or meta.weight == 0)"#)]
    filter: Option<String>,
    /// Latitude and longitude in degrees. The nearest come first, by what they claim in `geo`; those that claim no place
    /// come last.
    #[param(example = "52.52,13.405")]
    near: Option<String>,
    /// Claimed: `geo` is at most so far from `near`. An instance that claims no place does not match.
    #[param(minimum = 0, example = 500)]
    max_distance_km: Option<f64>,
    /// Claimed: `latency_ms` is at most this.
    #[param(minimum = 0, example = 20)]
    max_latency_ms: Option<f64>,
    /// Claimed: `resources.cpu` is at least this.
    #[param(rename = "resources.cpu", minimum = 0, example = 2)]
    resources_cpu: Option<f64>,
    /// Claimed: `resources.memory_mb` is at least this.
    #[param(rename = "resources.memory_mb", minimum = 0, example = 4096)]
    resources_memory_mb: Option<f64>,
    /// Claimed: `resources.storage_gb` is at least this.
    #[param(rename = "resources.storage_gb", minimum = 0, example = 100)]
    resources_storage_gb: Option<f64>,
    /// Up to eight regions with commas between them, to be asked in turn if `region`, which must be given as well, has no
    /// instance that matches. The first one that has any answers, alone; `tier` says which one.
    #[param(example = "eu-central-1,us-east-1")]
    failover: Option<String>,
}

/// Text without control characters.
#[derive(ToSchema)]
#[schema(pattern = r"^[^\u0000-\u001f\u007f-\u009f]*$")]
#[expect(dead_code, reason = "documents what `text` reads")]
struct PlainText(String);

/// Form style makes a parameter of each key, by its name.
#[derive(ToSchema)]
#[schema(pattern = r"^meta[.][^\u0000-\u001f\u007f-\u009f]+$")]
#[expect(dead_code, reason = "documents what `text` reads")]
struct MetaKey(String);

impl Filter {
    /// Reads what [`FilterQuery`] documents.
    pub(crate) fn from_params(params: &Params) -> Result<Self, Error> {
        let mut filter = Self {
            version: params.read("version", "a range of semantic versions, such as ^1.2 or >=1.0, <2.0", |range| {
                VersionReq::parse(range)
            })?,
            near: params.read("near", PLACE, Place::parse)?,
            max_distance_km: number(params, "max_distance_km")?,
            ..Self::default()
        };
        if let (None, Some(sent)) = (filter.near, params.get("max_distance_km")) {
            return Err(needs("max_distance_km", sent, "near"));
        }

        filter.bounds.extend(number(params, "max_latency_ms")?.map(Bound::MaxLatencyMs));
        for name in ["cpu", "memory_mb", "storage_gb"] {
            let least = number(params, &format!("resources.{name}"))?;
            filter.bounds.extend(least.map(|least| Bound::Resources(name, least)));
        }

        let region = params.get("region").map(|value| text("region", value)).transpose()?;
        filter.tiers = tiers(params, region)?;
        if filter.tiers.is_empty() {
            filter.require(region.map(|region| Expression::equals(Field::Region, region)));
        }
        for field in [Field::Zone, Field::Protocol] {
            let wanted = params.get(field.as_str()).map(|value| text(field.as_str(), value)).transpose()?;
            filter.require(wanted.map(|wanted| Expression::equals(field, wanted)));
        }
        for tag in params.all("tag") {
            filter.require([Expression::tagged(text("tag", tag)?)]);
        }
        for (key, value) in params.with_prefix("meta.") {
            let name = format!("meta.{key}");
            text(&name, key)?;
            filter.require([Expression::claims(key, text(&name, value)?)]);
        }
        if let Some(sent) = params.get("filter") {
            let allowed = format!(
                "an expression such as `zone == \"a\" and not (tags contains \"canary\")`, up to {MAX_TEXT} bytes"
            );
            let read = expression::parse(sent);
            filter.require([read.map_err(|fault| Error::parameter("filter", sent, &allowed, &fault.to_string()))?]);
        }
        Ok(filter.finish())
    }

    /// Reads the constraints of the open discovery API.
    pub(crate) fn from_constraints(constraints: Option<api::Constraints>) -> Result<Self, Error> {
        let api::Constraints { location, latency, resources } = constraints.unwrap_or_default();
        let (location, resources) = (location.unwrap_or_default(), resources.unwrap_or_default());
        let least = |name: &str, value: Option<f64>| match value {
            Some(value) => in_range(value)
                .map(Some)
                .map_err(|reason| Error::parameter(&format!("constraints.{name}"), &value.to_string(), NUMBER, reason)),
            None => Ok(None),
        };
        let near = location.near.map(|geo| {
            let bad = || {
                Error::parameter(
                    "constraints.location.near",
                    &format!("{},{}", geo.lat, geo.lon),
                    PLACE,
                    "there is no such place",
                )
            };
            Place::new(geo.lat, geo.lon).ok_or_else(bad)
        });
        let mut filter = Self {
            near: near.transpose()?,
            max_distance_km: least("location.max_distance_km", location.max_distance_km)?,
            ..Self::default()
        };
        if let (None, Some(km)) = (filter.near, filter.max_distance_km) {
            return Err(needs("constraints.location.max_distance_km", &km.to_string(), "near"));
        }
        for (field, wanted) in [(Field::Zone, location.zone), (Field::Region, location.region)] {
            filter.require(wanted.map(|wanted| Expression::equals(field, &wanted)));
        }
        let latency = least("latency.max_ms", latency.and_then(|latency| latency.max_ms))?;
        filter.bounds.extend(latency.map(Bound::MaxLatencyMs));
        for (name, value) in
            [("cpu", resources.cpu), ("memory_mb", resources.memory_mb), ("storage_gb", resources.storage_gb)]
        {
            let least = least(&format!("resources.{name}"), value)?;
            filter.bounds.extend(least.map(|least| Bound::Resources(name, least)));
        }
        Ok(filter.finish())
    }
}

fn number(params: &Params, name: &str) -> Result<Option<f64>, Error> {
    params.read(name, NUMBER, |value| value.parse().map_err(|_| "no number").and_then(in_range))
}

fn in_range(number: f64) -> Result<f64, &'static str> {
    // Adding nothing turns -0 into 0.
    if number.is_finite() && number >= 0.0 { Ok(number + 0.0) } else { Err("not in range") }
}

/// A text that can be in metadata that is meant well.
fn text<'a>(name: &str, value: &'a str) -> Result<&'a str, Error> {
    if value.chars().any(char::is_control) {
        let allowed = "text without control characters";
        return Err(Error::parameter(name, value, allowed, "there is a control character"));
    }
    Ok(value)
}

/// The regions to ask in turn; none if there is no `failover`.
fn tiers(params: &Params, region: Option<&str>) -> Result<Vec<String>, Error> {
    let Some(failover) = params.get("failover") else { return Ok(Vec::new()) };
    let Some(region) = region else { return Err(needs("failover", failover, "region")) };
    let allowed = "up to 8 regions with commas between them, each once, and `region` not among them";
    let bad = |reason| Err(Error::parameter("failover", failover, allowed, reason));
    let mut tiers = vec![region.to_owned()];
    for next in failover.split(',') {
        if tiers.len() > MAX_FAILOVER {
            return bad("there are too many regions");
        }
        if next.is_empty() {
            return bad("a region has no name");
        }
        if tiers.iter().any(|tier| tier == next) {
            return bad("a region is named twice");
        }
        tiers.push(text("failover", next)?.to_owned());
    }
    Ok(tiers)
}

fn needs(name: &str, sent: &str, other: &str) -> Error {
    Error::parameter(name, sent, &format!("only together with {other}"), &format!("there is no {other}"))
}
