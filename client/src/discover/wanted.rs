//! Which instances of a service are wanted.

use std::collections::BTreeMap;

use api::{Consistency, Health};

/// Which instances of a service are wanted; by default all live ones. All conditions must hold. What `tag`, `zone` and the
/// like are compared with is claimed by the owner of an instance: docs/filters.md says how.
///
/// Nothing is checked here: the gateway answers a value that it does not take with a problem that says what it takes.
///
/// ```
/// # use client::discover::Wanted;
/// let nearest = Wanted::default().version("^2.4").tag("blue").near(52.52, 13.405).limit(3);
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Wanted {
    once: BTreeMap<&'static str, String>,
    repeated: Vec<(String, String)>,
}

impl Wanted {
    /// Live ones; all that are listed, expired and suspended ones too; or all only if none is live.
    #[must_use]
    pub fn health(self, health: Health) -> Self {
        self.set("health", health.as_str())
    }

    /// Of a range of semantic versions, such as `^1.2`.
    #[must_use]
    pub fn version(self, range: impl Into<String>) -> Self {
        self.set("version", range)
    }

    /// With this tag, and those of other calls.
    #[must_use]
    pub fn tag(mut self, tag: impl Into<String>) -> Self {
        self.repeated.push(("tag".to_owned(), tag.into()));
        self
    }

    /// In this zone.
    #[must_use]
    pub fn zone(self, zone: impl Into<String>) -> Self {
        self.set("zone", zone)
    }

    /// In this region.
    #[must_use]
    pub fn region(self, region: impl Into<String>) -> Self {
        self.set("region", region)
    }

    /// In the first of these regions that has any, if that of [`Self::region`] has none. A name with a comma stands for
    /// several.
    #[must_use]
    pub fn failover(self, regions: impl IntoIterator<Item = impl AsRef<str>>) -> Self {
        let regions: Vec<String> = regions.into_iter().map(|region| region.as_ref().to_owned()).collect();
        self.set("failover", regions.join(","))
    }

    /// That speak this protocol.
    #[must_use]
    pub fn protocol(self, protocol: impl Into<String>) -> Self {
        self.set("protocol", protocol)
    }

    /// With this value at this key of the metadata, and those of other calls.
    #[must_use]
    pub fn meta(mut self, key: impl AsRef<str>, value: impl Into<String>) -> Self {
        self.repeated.push((format!("meta.{}", key.as_ref()), value.into()));
        self
    }

    /// For which an expression holds: a subset of the language of Consul's filters.
    #[must_use]
    pub fn filter(self, expression: impl Into<String>) -> Self {
        self.set("filter", expression)
    }

    /// The nearest to this place first, in degrees.
    #[must_use]
    pub fn near(self, latitude: f64, longitude: f64) -> Self {
        self.set("near", format!("{latitude},{longitude}"))
    }

    /// At most so far from [`Self::near`].
    #[must_use]
    pub fn max_distance_km(self, most: f64) -> Self {
        self.set("max_distance_km", most.to_string())
    }

    /// That take at most so long.
    #[must_use]
    pub fn max_latency_ms(self, most: f64) -> Self {
        self.set("max_latency_ms", most.to_string())
    }

    /// With so many processors at least.
    #[must_use]
    pub fn cpu(self, least: f64) -> Self {
        self.set("resources.cpu", least.to_string())
    }

    /// With so much memory at least.
    #[must_use]
    pub fn memory_mb(self, least: f64) -> Self {
        self.set("resources.memory_mb", least.to_string())
    }

    /// With so much storage at least.
    #[must_use]
    pub fn storage_gb(self, least: f64) -> Self {
        self.set("resources.storage_gb", least.to_string())
    }

    /// At most so many.
    #[must_use]
    pub fn limit(self, most: u32) -> Self {
        self.set("limit", most.to_string())
    }

    /// As of the head of the index, or of a block that a reorg will hardly, or not, take back. It goes with neither blocking
    /// queries nor watches.
    #[must_use]
    pub fn consistency(self, consistency: Consistency) -> Self {
        self.set("consistency", consistency.as_str())
    }

    fn set(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.once.insert(name, value.into());
        self
    }

    /// As names and values, before they are encoded.
    pub(super) fn pairs(&self) -> Vec<(String, String)> {
        let once = self.once.iter().map(|(name, value)| ((*name).to_owned(), value.clone()));
        once.chain(self.repeated.iter().cloned()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_parameter_has_its_name() {
        let wanted = Wanted::default()
            .health(Health::HealthyOrElseAll)
            .version("^1.2")
            .tag("blue")
            .tag("fast")
            .zone("z")
            .region("r")
            .failover(["s", "t"])
            .protocol("grpc")
            .meta("canary", "false")
            .filter("label == a1")
            .near(-33.9, 151.0)
            .max_distance_km(500.0)
            .max_latency_ms(0.5)
            .cpu(2.0)
            .memory_mb(1e21)
            .storage_gb(f64::NAN)
            .limit(3)
            .consistency(Consistency::Finalized);
        let pairs = wanted.pairs();
        let pairs: Vec<(&str, &str)> = pairs.iter().map(|(name, value)| (&**name, &**value)).collect();
        assert_eq!(
            pairs,
            [
                ("consistency", "finalized"),
                ("failover", "s,t"),
                ("filter", "label == a1"),
                ("health", "healthy_or_else_all"),
                ("limit", "3"),
                ("max_distance_km", "500"),
                ("max_latency_ms", "0.5"),
                ("near", "-33.9,151"),
                ("protocol", "grpc"),
                ("region", "r"),
                ("resources.cpu", "2"),
                ("resources.memory_mb", "1000000000000000000000"),
                ("resources.storage_gb", "NaN"),
                ("version", "^1.2"),
                ("zone", "z"),
                ("tag", "blue"),
                ("tag", "fast"),
                ("meta.canary", "false"),
            ]
        );
    }

    #[test]
    fn what_is_said_twice_counts_as_said_last() {
        assert_eq!(Wanted::default().limit(1).limit(2), Wanted::default().limit(2));
        assert!(Wanted::default().pairs().is_empty());
    }
}
