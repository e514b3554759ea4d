//! Which instances are wanted, by their version and by what they claim.

use semver::VersionReq;
use serde_json::{Map, Value};

use crate::{error::Error, params::Params, service::Instance};

/// All conditions hold, or the instance does not match. One that claims nothing about a condition does not match it.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Filter {
    version: Option<VersionReq>,
    zone: Option<String>,
    region: Option<String>,
    tags: Vec<String>,
    meta: Vec<(String, String)>,
    max_latency_ms: Option<f64>,
    /// The least of some of `resources`.
    resources: Vec<(&'static str, f64)>,
}

impl Filter {
    /// Reads `version`, `zone`, `region`, `tag` and `meta.…`.
    pub(crate) fn from_params(params: &Params) -> Result<Self, Error> {
        let owned = |text: &str| text.to_owned();
        Ok(Self {
            version: params.read("version", "a range of semantic versions, such as ^1.2 or >=1.0, <2.0", |range| {
                VersionReq::parse(range)
            })?,
            zone: params.get("zone").map(owned),
            region: params.get("region").map(owned),
            tags: params.all("tag").map(owned).collect(),
            meta: params.with_prefix("meta.").map(|(key, value)| (key.to_owned(), value.to_owned())).collect(),
            ..Self::default()
        })
    }

    /// Reads the constraints of the open discovery API.
    pub(crate) fn from_constraints(constraints: Option<api::Constraints>) -> Self {
        let api::Constraints { location, latency, resources } = constraints.unwrap_or_default();
        let (location, resources) = (location.unwrap_or_default(), resources.unwrap_or_default());
        let least = [("cpu", resources.cpu), ("memory_mb", resources.memory_mb), ("storage_gb", resources.storage_gb)];
        Self {
            zone: location.zone,
            region: location.region,
            max_latency_ms: latency.and_then(|latency| latency.max_ms),
            resources: least.into_iter().filter_map(|(name, least)| Some((name, least?))).collect(),
            ..Self::default()
        }
    }

    /// Whether everything matches.
    pub(crate) fn is_plain(&self) -> bool {
        *self == Self::default()
    }

    pub(crate) fn matches(&self, instance: &Instance) -> bool {
        if let Some(range) = &self.version
            && !instance.version.as_ref().is_some_and(|version| range.matches(version))
        {
            return false;
        }
        if self.asks_for_claims() { instance.claims().is_some_and(|claims| self.matches_claims(claims)) } else { true }
    }

    fn asks_for_claims(&self) -> bool {
        self.zone.is_some()
            || self.region.is_some()
            || self.max_latency_ms.is_some()
            || !self.tags.is_empty()
            || !self.meta.is_empty()
            || !self.resources.is_empty()
    }

    fn matches_claims(&self, claims: &Map<String, Value>) -> bool {
        let text = |name, wanted: &Option<String>| {
            wanted.as_ref().is_none_or(|wanted| claims.get(name).is_some_and(|v| v == wanted))
        };
        let tags = claims.get("tags").and_then(Value::as_array);
        let resources = claims.get("resources").and_then(Value::as_object);
        text("zone", &self.zone)
            && text("region", &self.region)
            && self.tags.iter().all(|tag| tags.is_some_and(|tags| tags.iter().any(|t| t == tag)))
            && self.meta.iter().all(|(key, wanted)| claims.get(key).is_some_and(|value| is_written(value, wanted)))
            && self.max_latency_ms.is_none_or(|most| number(claims.get("latency_ms")).is_some_and(|ms| ms <= most))
            && self.resources.iter().all(|(name, least)| {
                resources.and_then(|resources| number(resources.get(*name))).is_some_and(|has| has >= *least)
            })
    }
}

/// Whether a claim is written `wanted`: a text as it is, a number or a truth value as in JSON; nothing else ever.
fn is_written(value: &Value, wanted: &str) -> bool {
    match value {
        Value::String(text) => text == wanted,
        Value::Number(number) => number.to_string() == wanted,
        Value::Bool(truth) => (if *truth { "true" } else { "false" }) == wanted,
        Value::Null | Value::Array(_) | Value::Object(_) => false,
    }
}

pub(crate) fn number(value: Option<&Value>) -> Option<f64> {
    value.and_then(Value::as_f64)
}
