//! Query strings: strict, so that a parameter that was misspelt is not silently ignored.

use std::{fmt::Display, ops::RangeInclusive, sync::LazyLock};

use api::{Consistency, Health};
use domain::text::clip;
use url::form_urlencoded;
use utoipa::{
    IntoParams,
    openapi::{
        RefOr,
        path::{Parameter, ParameterIn},
        schema::{Schema, SchemaType, Type},
    },
};

use crate::error::Error;

/// The most parameters of one request.
const MAX_PARAMETERS: usize = 32;

/// The decoded parameters of a request, all of them known to the route.
#[derive(Debug)]
pub(crate) struct Params(Vec<(String, String)>);

/// What a route accepts: what it documents, and nothing else.
#[derive(Debug, Default)]
pub(crate) struct Known {
    /// At most once each.
    once: Vec<String>,
    /// Any number of times. A name that ends with a dot stands for all names that begin with it.
    repeated: Vec<String>,
    /// In words, for errors.
    words: String,
}

/// What a route without parameters accepts.
pub(crate) static NONE: LazyLock<Known> = LazyLock::new(|| Known { words: "none".to_owned(), ..Known::default() });

impl Known {
    /// The parameters that a struct documents.
    pub(crate) fn of<T: IntoParams>() -> Self {
        Self::default().and::<T>()
    }

    /// The same, and those of another one.
    pub(crate) fn and<T: IntoParams>(mut self) -> Self {
        T::into_params(|| Some(ParameterIn::Query)).into_iter().for_each(|parameter| self.add(parameter));
        self
    }

    /// A list may be given more than once, and an object is a parameter `name.key` for each of its keys.
    fn add(&mut self, Parameter { name, schema, .. }: Parameter) {
        let word = match schema {
            Some(RefOr::T(Schema::Array(_))) => {
                self.repeated.push(name.clone());
                name
            }
            Some(RefOr::T(Schema::Object(object))) if object.schema_type == SchemaType::Type(Type::Object) => {
                self.repeated.push(format!("{name}."));
                format!("{name}.<key>")
            }
            _ => {
                self.once.push(name.clone());
                name
            }
        };
        if !self.words.is_empty() {
            self.words.push_str(", ");
        }
        self.words.push_str(&word);
    }
}

impl Params {
    /// Decodes a query string.
    pub(crate) fn parse(query: Option<&str>, known: &Known) -> Result<Self, Error> {
        let mut params: Vec<(String, String)> = Vec::new();
        for (name, value) in form_urlencoded::parse(query.unwrap_or_default().as_bytes()) {
            if params.len() == MAX_PARAMETERS {
                let allowed = "32 parameters in one request";
                return Err(Error::parameter(&clip(&name), &value, allowed, "these are too many parameters"));
            }
            let is = |known: &String| match known.ends_with('.') {
                true => name.len() > known.len() && name.starts_with(known.as_str()),
                false => name == *known,
            };
            if known.once.iter().any(is) {
                if params.iter().any(|(other, _)| *other == name) {
                    return Err(Error::parameter(&name, &value, "once", "it was given more than once"));
                }
            } else if !known.repeated.iter().any(is) {
                return Err(Error::unknown_parameter(&name, &known.words));
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
