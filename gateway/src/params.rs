//! Query strings: strict, so that a parameter that was misspelt is not silently ignored.

use std::{fmt::Display, ops::RangeInclusive};

use api::{Consistency, Health};
use domain::text::clip;
use url::form_urlencoded;

use crate::error::Error;

/// The most parameters of one request.
const MAX_PARAMETERS: usize = 32;

/// The decoded parameters of a request, all of them known to the route.
#[derive(Debug)]
pub(crate) struct Params(Vec<(String, String)>);

/// What a route accepts.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Known {
    /// At most once each.
    pub(crate) once: &'static [&'static str],
    /// Any number of times.
    pub(crate) repeated: &'static [&'static str],
    /// In words, for errors.
    pub(crate) words: &'static str,
}

impl Params {
    /// Decodes a query string. A name in `known` that ends with a dot stands for all names that begin with it.
    pub(crate) fn parse(query: Option<&str>, known: Known) -> Result<Self, Error> {
        let mut params: Vec<(String, String)> = Vec::new();
        for (name, value) in form_urlencoded::parse(query.unwrap_or_default().as_bytes()) {
            if params.len() == MAX_PARAMETERS {
                let allowed = "32 parameters in one request";
                return Err(Error::parameter(&clip(&name), &value, allowed, "these are too many parameters"));
            }
            let is = |known: &&str| match known.strip_suffix('.') {
                Some(_) => name.len() > known.len() && name.starts_with(*known),
                None => name == *known,
            };
            if known.once.iter().any(is) {
                if params.iter().any(|(other, _)| *other == name) {
                    return Err(Error::parameter(&name, &value, "once", "it was given more than once"));
                }
            } else if !known.repeated.iter().any(is) {
                return Err(Error::unknown_parameter(&name, known.words));
            }
            params.push((name.into_owned(), value.into_owned()));
        }
        Ok(Self(params))
    }

    /// A parameter that comes at most once.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(other, _)| other == name).map(|(_, value)| value.as_str())
    }

    /// All values of a parameter.
    pub(crate) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(other, _)| other == name).map(|(_, value)| value.as_str())
    }

    /// All parameters whose name begins with `prefix`: the rest of the name, and the value.
    pub(crate) fn with_prefix<'a>(&'a self, prefix: &'a str) -> impl Iterator<Item = (&'a str, &'a str)> {
        self.0.iter().filter_map(move |(name, value)| Some((name.strip_prefix(prefix)?, value.as_str())))
    }

    /// A parameter read by `parse`.
    pub(crate) fn read<T, E: Display>(
        &self,
        name: &str,
        allowed: &str,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Result<Option<T>, Error> {
        let Some(value) = self.get(name) else { return Ok(None) };
        parse(value).map(Some).map_err(|reason| Error::parameter(name, value, allowed, &clip(&reason.to_string())))
    }

    /// `limit`, in a range.
    pub(crate) fn limit(&self, range: RangeInclusive<usize>, default: usize) -> Result<usize, Error> {
        let allowed = format!("a number from {} to {}", range.start(), range.end());
        let limit = self.read("limit", &allowed, |value| match value.parse() {
            Ok(limit) if range.contains(&limit) => Ok(limit),
            _ => Err("not in range"),
        })?;
        Ok(limit.unwrap_or(default))
    }

    /// `consistency`.
    pub(crate) fn consistency(&self) -> Result<Consistency, Error> {
        let all = [Consistency::Latest, Consistency::Safe, Consistency::Finalized];
        let consistency = self.read("consistency", "latest, safe or finalized", |consistency| {
            all.into_iter().find(|known| known.as_str() == consistency).ok_or("no such choice")
        })?;
        Ok(consistency.unwrap_or_default())
    }

    /// `health`.
    pub(crate) fn health(&self) -> Result<Health, Error> {
        let all = [Health::Healthy, Health::All, Health::HealthyOrElseAll];
        let health = self.read("health", "healthy, all or healthy_or_else_all", |value| {
            all.into_iter().find(|health| health.as_str() == value).ok_or("no such choice")
        })?;
        Ok(health.unwrap_or_default())
    }
}
