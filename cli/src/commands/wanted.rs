//! Which instances of a service: the flags of all filters.

use api::{Consistency, Health};
use client::Wanted;

/// Which instances of a service.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Which instances")]
pub struct WantedArgs {
    /// A range of semantic versions, such as ^1.2
    #[arg(long, value_name = "RANGE")]
    pub version: Option<String>,
    /// A tag that it must have; may be repeated
    #[arg(long = "tag", value_name = "TAG")]
    pub tags: Vec<String>,
    /// In this zone
    #[arg(long)]
    pub zone: Option<String>,
    /// In this region
    #[arg(long)]
    pub region: Option<String>,
    /// If the region has none, those of the first of these that has any
    #[arg(long, value_name = "REGION,…", requires = "region")]
    pub failover: Option<String>,
    /// That speak this protocol
    #[arg(long)]
    pub protocol: Option<String>,
    /// A field of the metadata and its value; may be repeated
    #[arg(long, value_name = "KEY=VALUE", value_parser = pair)]
    pub meta: Vec<(String, String)>,
    /// For which this holds, such as 'zone != "a" and not ("canary" in tags)'; docs/filters.md has the language
    #[arg(long, value_name = "EXPRESSION")]
    pub filter: Option<String>,
    /// The nearest to this place first, in degrees, such as 52.52,13.405
    #[arg(long, value_name = "LAT,LON", value_parser = place, allow_hyphen_values = true)]
    pub near: Option<(f64, f64)>,
    /// At most so far from --near
    #[arg(long, value_name = "KM", requires = "near")]
    pub max_distance_km: Option<f64>,
    /// That answer within so many milliseconds
    #[arg(long, value_name = "MS")]
    pub max_latency_ms: Option<f64>,
    /// With so many processors at least
    #[arg(long, value_name = "NUMBER")]
    pub cpu: Option<f64>,
    /// With so much memory at least
    #[arg(long, value_name = "MB")]
    pub memory_mb: Option<f64>,
    /// With so much storage at least
    #[arg(long, value_name = "GB")]
    pub storage_gb: Option<f64>,
    /// Expired and suspended ones too
    #[arg(long)]
    pub all: bool,
    /// Expired and suspended ones too, but only if none is live
    #[arg(long, conflicts_with = "all")]
    pub or_else_all: bool,
    /// At most so many
    #[arg(long, value_name = "NUMBER")]
    pub limit: Option<u32>,
    /// As of the newest block, or the newest that the chain calls so: latest, safe or finalized
    #[arg(long, value_name = "LEVEL", value_parser = consistency)]
    pub consistency: Option<Consistency>,
}

impl WantedArgs {
    /// As the gateway is asked for it.
    pub fn wanted(&self) -> Wanted {
        let health = match (self.all, self.or_else_all) {
            (true, _) => Some(Health::All),
            (false, true) => Some(Health::HealthyOrElseAll),
            (false, false) => None,
        };
        let wanted = with(Wanted::default(), health, Wanted::health);
        let wanted = with(wanted, self.version.as_ref(), Wanted::version);
        let wanted = self.tags.iter().fold(wanted, Wanted::tag);
        let wanted = with(wanted, self.zone.as_ref(), Wanted::zone);
        let wanted = with(wanted, self.region.as_ref(), Wanted::region);
        let wanted = with(wanted, self.failover.as_ref().map(|regions| regions.split(',')), Wanted::failover);
        let wanted = with(wanted, self.protocol.as_ref(), Wanted::protocol);
        let wanted = self.meta.iter().fold(wanted, |wanted, (key, value)| wanted.meta(key, value));
        let wanted = with(wanted, self.filter.as_ref(), Wanted::filter);
        let wanted = with(wanted, self.near, |wanted, (latitude, longitude)| wanted.near(latitude, longitude));
        let wanted = with(wanted, self.max_distance_km, Wanted::max_distance_km);
        let wanted = with(wanted, self.max_latency_ms, Wanted::max_latency_ms);
        let wanted = with(wanted, self.cpu, Wanted::cpu);
        let wanted = with(wanted, self.memory_mb, Wanted::memory_mb);
        let wanted = with(wanted, self.storage_gb, Wanted::storage_gb);
        let wanted = with(wanted, self.limit, Wanted::limit);
        with(wanted, self.consistency, Wanted::consistency)
    }
}

fn with<T>(wanted: Wanted, value: Option<T>, set: impl FnOnce(Wanted, T) -> Wanted) -> Wanted {
    match value {
        Some(value) => set(wanted, value),
        None => wanted,
    }
}

fn pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err("expected KEY=VALUE".to_owned()),
    }
}

/// The gateway says which numbers are degrees.
fn place(text: &str) -> Result<(f64, f64), String> {
    let place = text.split_once(',').and_then(|(lat, lon)| Some((lat.trim().parse().ok()?, lon.trim().parse().ok()?)));
    place.ok_or_else(|| "expected latitude and longitude in degrees, such as 52.52,13.405".to_owned())
}

fn consistency(text: &str) -> Result<Consistency, String> {
    let all = [Consistency::Latest, Consistency::Safe, Consistency::Finalized];
    all.into_iter().find(|level| level.as_str() == text).ok_or_else(|| "latest, safe or finalized".to_owned())
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    #[command(disable_version_flag = true)]
    struct Line {
        #[command(flatten)]
        wanted: WantedArgs,
    }

    fn read(line: &[&str]) -> Result<Wanted, String> {
        let line = Line::try_parse_from([&["test"], line].concat());
        line.map(|line| line.wanted.wanted()).map_err(|error| error.to_string())
    }

    #[test]
    fn every_flag_is_a_parameter() {
        let line = "--version ^1 --tag a --tag b --zone z --region r --failover s,t --protocol grpc --meta k=v=w \
                    --filter a==b --near -33.9,151.2 --max-distance-km 5 --max-latency-ms 0.5 --cpu 2 --memory-mb 3 \
                    --storage-gb 4 --or-else-all --limit 7 --consistency safe";
        let read = read(&line.split_whitespace().collect::<Vec<_>>()).expect("read");
        let expected = Wanted::default().version("^1").tag("a").tag("b").zone("z").region("r").failover(["s", "t"]);
        let expected =
            expected.protocol("grpc").meta("k", "v=w").filter("a==b").near(-33.9, 151.2).max_distance_km(5.0);
        let expected = expected.max_latency_ms(0.5).cpu(2.0).memory_mb(3.0).storage_gb(4.0).limit(7);
        assert_eq!(read, expected.health(Health::HealthyOrElseAll).consistency(Consistency::Safe));
    }

    #[test]
    fn what_makes_no_sense_is_told_before_anybody_is_asked() {
        assert_eq!(read(&[]), Ok(Wanted::default()));
        assert_eq!(read(&["--all"]), Ok(Wanted::default().health(Health::All)));
        for (line, words) in [
            (&["--failover", "s"][..], "--region"),
            (&["--max-distance-km", "5"], "--near"),
            (&["--near", "Berlin"], "such as 52.52,13.405"),
            (&["--consistency", "always"], "latest, safe or finalized"),
            (&["--meta", "=x"], "KEY=VALUE"),
            (&["--cpu", "many"], "invalid float"),
            (&["--all", "--or-else-all"], "cannot be used with"),
        ] {
            let error = read(line).expect_err("no sense");
            assert!(error.contains(words), "{line:?}: {error}");
        }
    }
}
