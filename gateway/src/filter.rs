//! Which instances a request wants, and in which order.
//!
//! All conditions hold, or the instance is not wanted. Whatever they ask of the metadata is claimed by the owner of the
//! instance: what nobody claims, or what is claimed in another type than docs/filters.md has it, does not match, and
//! metadata that is no JSON object matches neither a condition nor its opposite.
//!
//! In reading order: `query` reads requests, `expression` is the language of `filter=`, `place` is about `near`.

use api::Tier;
use semver::VersionReq;
use serde_json::{Map, Value};
use url::form_urlencoded;

use crate::service::Instance;

mod expression;
mod place;
mod query;

use expression::{Expression, Field};
use place::{Nearness, Place};
pub(crate) use query::FilterQuery;

/// What a request wants.
#[derive(Debug, Clone, Default)]
pub(crate) struct Filter {
    version: Option<VersionReq>,
    /// All must hold; ordered, none twice.
    expressions: Vec<(String, Expression)>,
    bounds: Vec<Bound>,
    near: Option<Place>,
    max_distance_km: Option<f64>,
    /// Regions, the one that is wanted most first; empty if it does not matter which one answers.
    tiers: Vec<String>,
    /// All of the above.
    key: String,
}

/// A number of the metadata that must not be above or below another one.
#[derive(Debug, Clone, Copy)]
enum Bound {
    MaxLatencyMs(f64),
    /// The name of one of `resources`.
    Resources(&'static str, f64),
}

impl Filter {
    fn require(&mut self, expressions: impl IntoIterator<Item = Expression>) {
        let parts = expressions.into_iter().flat_map(Expression::into_conjuncts);
        self.expressions.extend(parts.map(|part| (part.to_string(), part)));
    }

    /// Writes the key.
    fn finish(mut self) -> Self {
        self.expressions.sort_by(|(one, _), (other, _)| one.cmp(other));
        self.expressions.dedup_by(|(one, _), (other, _)| one == other);
        let mut key = form_urlencoded::Serializer::new(String::new());
        if let Some(version) = &self.version {
            key.append_pair("version", &version.to_string());
        }
        for (text, _) in &self.expressions {
            key.append_pair("filter", text);
        }
        for bound in &self.bounds {
            match bound {
                Bound::MaxLatencyMs(most) => key.append_pair("max_latency_ms", &most.to_string()),
                Bound::Resources(name, least) => key.append_pair(&format!("resources.{name}"), &least.to_string()),
            };
        }
        if let Some(near) = self.near {
            key.append_pair("near", &near.to_text());
        }
        if let Some(most) = self.max_distance_km {
            key.append_pair("max_distance_km", &most.to_string());
        }
        for region in &self.tiers {
            key.append_pair("tier", region);
        }
        self.key = key.finish();
        self
    }

    /// A text that answers can be cached by: requests with the same one want the same, and those that want the same have
    /// the same one as a rule, however they write it.
    pub(crate) fn key(&self) -> &str {
        &self.key
    }

    /// Whether all instances are wanted, in whatever order.
    pub(crate) fn is_plain(&self) -> bool {
        self.key().is_empty()
    }

    /// Whether an instance is wanted. With `failover`, from whichever of the regions: see [`Self::keep_first_tier`].
    pub(crate) fn matches(&self, instance: &Instance) -> bool {
        self.is_plain()
            || (self.version.as_ref().is_none_or(|range| instance.version.as_ref().is_some_and(|v| range.matches(v)))
                && self.expressions.iter().all(|(_, expression)| expression.holds(instance) == Some(true))
                && self.bounds.iter().all(|bound| instance.claims().is_some_and(|claims| bound.holds(claims)))
                && self.max_distance_km.is_none_or(|most| self.distance_km(instance).is_some_and(|km| km <= most))
                && (self.tiers.is_empty() || self.tier(instance).is_some()))
    }

    /// With `failover`: keeps those of the first region that has any, and says which one that is.
    pub(crate) fn keep_first_tier<T>(&self, found: &mut Vec<T>, instance: impl Fn(&T) -> &Instance) -> Option<Tier> {
        let first = found.iter().filter_map(|one| self.tier(instance(one))).min()?;
        found.retain(|one| self.tier(instance(one)) == Some(first));
        Some(Tier { number: first as u64, region: self.tiers.get(first)?.clone() })
    }

    /// With `near`: the nearest first, those whose place is unknown last. Else, and among those that are equally far, the
    /// order stays as it is.
    pub(crate) fn order<T>(&self, found: &mut [T], instance: impl Fn(&T) -> &Instance) {
        if self.near.is_some() {
            found.sort_by_cached_key(|one| self.nearness(instance(one)));
        }
    }

    /// For an order that asks for more than nearness: the nearest is the least. Without `near`, all are equal.
    pub(crate) fn nearness(&self, instance: &Instance) -> Nearness {
        Nearness::new(self.distance_km(instance))
    }

    fn distance_km(&self, instance: &Instance) -> Option<f64> {
        Some(self.near?.distance_km(Place::of(instance.claims()?)?))
    }

    fn tier(&self, instance: &Instance) -> Option<usize> {
        let region = instance.claims()?.get("region")?;
        self.tiers.iter().position(|tier| region == tier)
    }
}

impl Bound {
    fn holds(self, claims: &Map<String, Value>) -> bool {
        match self {
            Self::MaxLatencyMs(most) => claims.get("latency_ms").and_then(Value::as_f64).is_some_and(|is| is <= most),
            Self::Resources(name, least) => {
                let has = claims.get("resources").and_then(|resources| resources.get(name)?.as_f64());
                has.is_some_and(|has| has >= least)
            }
        }
    }
}

/// Reads a filter expression, and writes it as the gateway understands it: for those who want to check one without
/// asking, fuzzers for instance.
///
/// # Errors
/// Where it is wrong, and why.
pub fn canonical_filter(text: &str) -> Result<String, String> {
    expression::parse(text).map(|expression| expression.to_string()).map_err(|fault| fault.to_string())
}
