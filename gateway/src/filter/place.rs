//! Places on the globe, as requests and metadata write them, and how far one is from another.

use serde_json::{Map, Value};

/// A place. Nobody has checked that an instance is where it claims to be.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Place {
    lat: f64,
    lon: f64,
}

/// How near an instance is, for sorting: the nearest first, and last those of which it is not known.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Nearness(f64);

impl Place {
    /// The mean radius of the earth, in kilometres.
    const RADIUS_KM: f64 = 6_371.008_8;

    /// A place, if there is one with these degrees.
    pub(crate) fn new(lat: f64, lon: f64) -> Option<Self> {
        // Adding nothing turns -0 into 0.
        let is_place = (-90.0..=90.0).contains(&lat) && (-180.0..=180.0).contains(&lon);
        is_place.then_some(Self { lat: lat + 0.0, lon: lon + 0.0 })
    }

    /// Reads `lat,lon`.
    pub(crate) fn parse(text: &str) -> Result<Self, &'static str> {
        let (lat, lon) = text.split_once(',').ok_or("there is no comma")?;
        let degrees = |text: &str| text.parse().map_err(|_| "a coordinate is no number");
        Self::new(degrees(lat)?, degrees(lon)?).ok_or("there is no such place")
    }

    /// Reads `geo {lat, lon}` of metadata.
    pub(crate) fn of(claims: &Map<String, Value>) -> Option<Self> {
        let geo = claims.get("geo")?;
        Self::new(geo.get("lat")?.as_f64()?, geo.get("lon")?.as_f64()?)
    }

    /// Along a great circle, by the haversine formula.
    pub(crate) fn distance_km(self, other: Self) -> f64 {
        let half_sine_squared = |from: f64, to: f64| ((to - from).to_radians() / 2.0).sin().powi(2);
        let along = self.lat.to_radians().cos() * other.lat.to_radians().cos();
        let h = half_sine_squared(self.lat, other.lat) + along * half_sine_squared(self.lon, other.lon);
        2.0 * Self::RADIUS_KM * h.clamp(0.0, 1.0).sqrt().asin()
    }

    /// As requests write it.
    pub(crate) fn to_text(self) -> String {
        format!("{},{}", self.lat, self.lon)
    }
}

impl Nearness {
    pub(crate) fn new(distance_km: Option<f64>) -> Self {
        Self(distance_km.unwrap_or(f64::INFINITY))
    }
}

impl Eq for Nearness {}

impl PartialOrd for Nearness {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Nearness {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.total_cmp(&other.0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn place(lat: f64, lon: f64) -> Place {
        Place::new(lat, lon).expect("a place")
    }

    #[test]
    fn distances_are_those_of_the_globe() {
        let [berlin, paris, sydney] = [place(52.52, 13.405), place(48.8566, 2.3522), place(-33.8688, 151.2093)];
        for (from, to, km) in [
            (berlin, paris, 877.5),
            (berlin, sydney, 16_095.0),
            (place(0.0, 179.5), place(0.0, -179.5), 111.2),
            (place(90.0, 0.0), place(90.0, 120.0), 0.0),
            (place(0.0, 0.0), place(0.0, 180.0), 20_015.1),
        ] {
            assert!((from.distance_km(to) - km).abs() < km / 500.0 + 0.01, "{}", from.distance_km(to));
        }
    }

    #[test]
    fn what_is_no_place_is_refused() {
        for text in [
            "", ",", "1", "1,", ",1", "a,b", "91,0", "-90.1,0", "0,181", "NaN,0", "0,inf", "1e999,0", "1,2,3", "1;2",
            "\0,1",
        ] {
            assert!(Place::parse(text).is_err(), "{text:?}");
        }
        assert_eq!(Place::parse("-0,-0").expect("a place").to_text(), "0,0");
        assert_eq!(Place::parse("52.52,13.405"), Ok(place(52.52, 13.405)));
    }

    proptest! {
        #[test]
        fn a_distance_is_the_same_both_ways_and_no_more_than_half_the_globe(
            (a, b, c, d) in (-90.0..=90.0, -180.0..=180.0, -90.0..=90.0, -180.0..=180.0)
        ) {
            let (from, to) = (place(a, b), place(c, d));
            let km = from.distance_km(to);
            prop_assert!((0.0..=20_015.2).contains(&km));
            prop_assert!((km - to.distance_km(from)).abs() < 1e-6);
            prop_assert!(from.distance_km(from) < 1e-6);
        }
    }
}
