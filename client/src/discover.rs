//! Asks a gateway. Reading needs no key and no node.

use std::{fmt, str::FromStr, time::Duration};

use api::{DiscoveryHealth, Health, InstanceAnswer, InstancesAnswer, Problem, ServicesAnswer};
use domain::InstanceId;
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use serde::de::DeserializeOwned;
use time::OffsetDateTime;

use crate::{
    chain::{causes, http},
    redact::{SecretUrl, UrlError},
    service::Service,
};

/// How long an answer may take by default.
pub const PATIENCE: Duration = Duration::from_secs(10);
/// Longer than any answer of ours: 10,000 instances of 4 KB.
const MAX_ANSWER: usize = 64 << 20;

/// A gateway.
#[derive(Debug, Clone)]
pub struct Gateway {
    url: SecretUrl,
    http: reqwest::Client,
    key: Option<GatewayKey>,
}

/// What a gateway wants to see before it answers: an API key or a JWT. No `Debug` shows it.
#[derive(Debug, Clone)]
pub struct GatewayKey(HeaderValue);

/// A text that is no key. It does not repeat the text, which may be one with a flaw.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "no key of a gateway: an API key begins with rck_, a JWT has three parts with dots between, neither has blanks"
)]
pub struct GatewayKeyError(());

impl FromStr for GatewayKey {
    type Err = GatewayKeyError;

    /// Reads a key; what editors put after it is no part of it.
    fn from_str(text: &str) -> Result<Self, GatewayKeyError> {
        let text = text.trim_end_matches(['\r', '\n']);
        let is_key =
            !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~+/=".contains(&byte));
        let value = is_key.then(|| HeaderValue::try_from(format!("Bearer {text}")).ok()).flatten();
        let mut value = value.ok_or(GatewayKeyError(()))?;
        value.set_sensitive(true);
        Ok(Self(value))
    }
}

/// Which instances of a service are wanted; by default all live ones.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Wanted {
    /// A range of semantic versions, such as `^1.2`.
    pub version: Option<String>,
    /// Tags, all of which an instance must have.
    pub tags: Vec<String>,
    /// `zone` of the metadata.
    pub zone: Option<String>,
    /// `region` of the metadata.
    pub region: Option<String>,
    /// Fields of the metadata and their values.
    pub meta: Vec<(String, String)>,
    /// Also those that are not live.
    pub all: bool,
    /// At most so many.
    pub limit: Option<u32>,
}

/// What a gateway answered about a service.
#[derive(Debug, Clone, PartialEq)]
pub struct Found {
    /// The answer.
    pub answer: InstancesAnswer,
    /// The chain time at which it was true.
    pub now: OffsetDateTime,
}

/// Why a gateway gave no answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DiscoverError {
    /// The URL is none that a gateway answers at.
    #[error("the gateway URL is {0}")]
    BadUrl(UrlError),
    /// No answer.
    #[error("cannot reach the gateway at {url}: {reason}")]
    Unreachable {
        /// The gateway.
        url: String,
        /// What the transport said.
        reason: String,
    },
    /// The gateway said what is wrong.
    #[error("{}", said(.0))]
    Problem(Box<Problem>),
    /// An answer that no gateway gives.
    #[error(
        "{url} answers with status {status} something that no gateway answers: is it the gateway's URL? ({reason})"
    )]
    NoGateway {
        /// Who answered.
        url: String,
        /// With which HTTP status.
        status: u16,
        /// What is wrong with it.
        reason: String,
    },
}

impl DiscoverError {
    /// Whether the gateway says that it knows nothing of this name or id.
    pub fn is_unknown(&self) -> bool {
        matches!(self, Self::Problem(problem) if problem.status == 404)
    }

    /// Whether the gateway or its index cannot be reached, or is not ready.
    pub fn is_unavailable(&self) -> bool {
        match self {
            Self::Unreachable { .. } => true,
            Self::Problem(problem) => problem.status >= 500,
            Self::BadUrl(_) | Self::NoGateway { .. } => false,
        }
    }
}

impl Gateway {
    /// A gateway at a URL; asks nothing yet.
    ///
    /// # Errors
    /// [`DiscoverError::BadUrl`].
    pub fn new(url: &SecretUrl, patience: Duration) -> Result<Self, DiscoverError> {
        let url = url.clone().with_scheme(&["http", "https"]).map_err(DiscoverError::BadUrl)?;
        let http = http(&url, patience)
            .map_err(|error| DiscoverError::Unreachable { url: url.to_string(), reason: causes(&error) })?;
        Ok(Self { url, http, key: None })
    }

    /// The same gateway, asked as somebody that it knows.
    #[must_use]
    pub fn with_key(self, key: GatewayKey) -> Self {
        Self { key: Some(key), ..self }
    }

    /// Where it is.
    pub fn url(&self) -> &SecretUrl {
        &self.url
    }

    /// The instances of a service.
    ///
    /// # Errors
    /// [`DiscoverError::Problem`] with status 404 if nobody ever registered an instance of it; others.
    pub async fn instances(&self, service: &Service, wanted: &Wanted) -> Result<Found, DiscoverError> {
        let namespace = service.namespace.to_string();
        let path = ["v1", "namespaces", &namespace, "services", &service.name, "instances"];
        let (answer, headers): (InstancesAnswer, _) = self.get_with_headers(&path, &wanted.pairs()).await?;
        let now = headers.get("x-registry-now").and_then(|now| now.to_str().ok()?.parse().ok());
        // A cache on the way may have dropped it.
        let now = now.map_or(answer.block.time, api::timestamp::from_seconds);
        Ok(Found { answer, now })
    }

    /// One instance, in whatever status.
    ///
    /// # Errors
    /// [`DiscoverError`].
    pub async fn instance(&self, id: InstanceId) -> Result<InstanceAnswer, DiscoverError> {
        self.get(&["v1", "instances", &id.to_string()], &[]).await
    }

    /// A page of services; `cursor` from the page before.
    ///
    /// # Errors
    /// [`DiscoverError`].
    pub async fn services(&self, cursor: Option<&str>) -> Result<ServicesAnswer, DiscoverError> {
        let cursor = cursor.map(|cursor| ("cursor".to_owned(), cursor.to_owned()));
        self.get(&["v1", "services"], cursor.as_slice()).await
    }

    /// How the gateway and its index feel.
    ///
    /// # Errors
    /// [`DiscoverError`].
    pub async fn health(&self) -> Result<DiscoveryHealth, DiscoverError> {
        self.get(&["v1", "discovery", "health"], &[]).await
    }

    async fn get<T: DeserializeOwned>(&self, path: &[&str], query: &[(String, String)]) -> Result<T, DiscoverError> {
        Ok(self.get_with_headers(path, query).await?.0)
    }

    async fn get_with_headers<T: DeserializeOwned>(
        &self,
        path: &[&str],
        query: &[(String, String)],
    ) -> Result<(T, HeaderMap), DiscoverError> {
        let mut url = self.url.url().clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(path);
        }
        let unreachable = |error: &reqwest::Error| DiscoverError::Unreachable {
            url: self.url.to_string(),
            reason: self.url.scrub(&causes(error)),
        };
        let mut request = self.http.get(url).query(query);
        if let Some(GatewayKey(key)) = &self.key {
            request = request.header(AUTHORIZATION, key.clone());
        }
        let mut response = request.send().await.map_err(|e| unreachable(&e.without_url()))?;
        let status = response.status();
        let headers = std::mem::take(response.headers_mut());
        let wrong = |reason: &dyn fmt::Display| DiscoverError::NoGateway {
            url: self.url.to_string(),
            status: status.as_u16(),
            reason: reason.to_string(),
        };
        let mut body = Vec::new();
        while let Some(part) = response.chunk().await.map_err(|e| unreachable(&e.without_url()))? {
            if body.len() + part.len() > MAX_ANSWER {
                return Err(wrong(&"an answer without end"));
            }
            body.extend_from_slice(&part);
        }
        // `/v1/discovery/health` answers 503 with the same body when it is not well.
        match serde_json::from_slice::<T>(&body) {
            Ok(answer) => Ok((answer, headers)),
            Err(error) if status.is_success() => Err(wrong(&error)),
            Err(_) => match serde_json::from_slice::<Problem>(&body) {
                Ok(problem) => Err(DiscoverError::Problem(Box::new(problem))),
                Err(_) => Err(wrong(&"no problem+json")),
            },
        }
    }
}

impl Wanted {
    fn pairs(&self) -> Vec<(String, String)> {
        let once = [
            ("version", self.version.clone()),
            ("zone", self.zone.clone()),
            ("region", self.region.clone()),
            ("limit", self.limit.map(|limit| limit.to_string())),
            ("health", self.all.then(|| Health::All.as_str().to_owned())),
        ];
        let once = once.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
        let tags = self.tags.iter().map(|tag| ("tag".to_owned(), tag.clone()));
        let meta = self.meta.iter().map(|(name, value)| (format!("meta.{name}"), value.clone()));
        once.chain(tags).chain(meta).collect()
    }
}

fn said(problem: &Problem) -> String {
    let text = if problem.detail.is_empty() { &problem.title } else { &problem.detail };
    // A gateway is a stranger: nothing that it says may steer a terminal.
    format!("the gateway says: {}", text.chars().filter(|c| !c.is_control()).collect::<String>())
}
