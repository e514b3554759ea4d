//! Asks a gateway. Reading needs no node, and a key only where the gateway wants one.
//!
//! In reading order: [`Gateway`] asks; `wanted` is which instances; `watch` and `change` are about what becomes of them,
//! `past` about what was; `key` is as whom, `error` why there is no answer.

use std::time::Duration;

use api::{DiscoveryHealth, InstanceAnswer, InstancesAnswer, ServicesAnswer};
use domain::InstanceId;
use reqwest::{
    RequestBuilder, Response, StatusCode,
    header::{AUTHORIZATION, ETAG, HeaderMap, IF_NONE_MATCH},
};
use serde::de::DeserializeOwned;
use time::OffsetDateTime;

use crate::{
    chain::{causes, http},
    redact::SecretUrl,
    service::Service,
};

mod change;
mod error;
mod key;
mod past;
mod wanted;
mod watch;

#[cfg(test)]
mod tests;

pub use change::{Change, ChangeKind};
pub use error::DiscoverError;
pub use key::{GatewayKey, GatewayKeyError};
pub use past::HistoryWanted;
pub use wanted::Wanted;
pub use watch::Watch;

use key::KeySource;

/// How long an answer may take by default.
pub const PATIENCE: Duration = Duration::from_secs(10);
/// Longer than any answer of ours: 10,000 instances of 4 KB.
const MAX_ANSWER: usize = 64 << 20;

/// A gateway.
#[derive(Debug, Clone)]
pub struct Gateway {
    url: SecretUrl,
    http: reqwest::Client,
    patience: Duration,
    key: Option<KeySource>,
}

/// What a gateway answered about a service.
#[derive(Debug, Clone, PartialEq)]
pub struct Found {
    /// The answer.
    pub answer: InstancesAnswer,
    /// The chain time at which it was true.
    pub now: OffsetDateTime,
    /// What to wait from: see [`Gateway::changed_since`]. None as of a block that is safe or finalized.
    pub index: Option<u64>,
    etag: Option<String>,
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
        Ok(Self { url, http, patience, key: None })
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
        let response = self.list(service, wanted.pairs(), |request| request).await?;
        self.found(response).await
    }

    /// The same as before if nothing changed since, which costs next to nothing; else as [`Self::instances`].
    ///
    /// # Errors
    /// As [`Self::instances`].
    pub async fn refresh(&self, service: &Service, wanted: &Wanted, known: Found) -> Result<Found, DiscoverError> {
        let etag = known.etag.as_deref();
        let ask = |request: RequestBuilder| etag.into_iter().fold(request, |ask, etag| ask.header(IF_NONE_MATCH, etag));
        let response = self.list(service, wanted.pairs(), ask).await?;
        if response.status() != StatusCode::NOT_MODIFIED {
            return self.found(response).await;
        }
        let now = now(response.headers()).unwrap_or(known.now);
        Ok(Found { now, index: index(response.headers()).or(known.index), ..known })
    }

    /// A blocking query: answers when the service changes after `index`, which is that of an answer, or when `wait` is over,
    /// up to 10 minutes; then the answer may be the same. If its index is lower than the one before, go on from it all
    /// the same. [`Self::watch`] does this by itself.
    ///
    /// # Errors
    /// As [`Self::instances`].
    pub async fn changed_since(
        &self,
        service: &Service,
        wanted: &Wanted,
        index: u64,
        wait: Duration,
    ) -> Result<Found, DiscoverError> {
        let mut query = wanted.pairs();
        query.push(("index".to_owned(), index.to_string()));
        query.push(("wait".to_owned(), format!("{}ms", wait.as_millis())));
        // The gateway takes up to a sixteenth more.
        let limit = wait.saturating_add(wait / 16).saturating_add(self.patience);
        let response = self.list(service, query, |request| request.timeout(limit)).await?;
        self.found(response).await
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

    async fn list(
        &self,
        service: &Service,
        query: Vec<(String, String)>,
        shape: impl FnOnce(RequestBuilder) -> RequestBuilder,
    ) -> Result<Response, DiscoverError> {
        let namespace = service.namespace.to_string();
        let path = ["v1", "namespaces", &namespace, "services", &service.name, "instances"];
        self.send(&path, &query, shape).await
    }

    async fn found(&self, response: Response) -> Result<Found, DiscoverError> {
        let (answer, headers): (InstancesAnswer, _) = self.read(response).await?;
        // A cache on the way may have dropped it.
        let now = now(&headers).unwrap_or(answer.block.time);
        let etag = headers.get(ETAG).and_then(|tag| Some(tag.to_str().ok()?.to_owned()));
        Ok(Found { answer, now, index: index(&headers), etag })
    }

    async fn get<T: DeserializeOwned>(&self, path: &[&str], query: &[(String, String)]) -> Result<T, DiscoverError> {
        let response = self.send(path, query, |request| request).await?;
        Ok(self.read(response).await?.0)
    }

    /// Asks; whatever the status is.
    async fn send(
        &self,
        path: &[&str],
        query: &[(String, String)],
        shape: impl FnOnce(RequestBuilder) -> RequestBuilder,
    ) -> Result<Response, DiscoverError> {
        let mut url = self.url.url().clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(path);
        }
        let mut request = self.http.get(url).query(query);
        if let Some(key) = &self.key {
            request = request.header(AUTHORIZATION, key.header().await?);
        }
        shape(request).send().await.map_err(|error| self.unreachable(error))
    }

    /// Reads an answer.
    async fn read<T: DeserializeOwned>(&self, mut response: Response) -> Result<(T, HeaderMap), DiscoverError> {
        let status = response.status();
        let headers = std::mem::take(response.headers_mut());
        let body = self.body(response).await?;
        // `/v1/discovery/health` answers 503 with the same body when it is not well.
        match serde_json::from_slice(&body) {
            Ok(answer) => Ok((answer, headers)),
            Err(error) if status.is_success() => Err(self.no_gateway(status, &error.to_string())),
            Err(_) => Err(self.said(status, &body)),
        }
    }

    /// What an answer says that is none.
    async fn problem(&self, response: Response) -> DiscoverError {
        let status = response.status();
        match self.body(response).await {
            Ok(body) => self.said(status, &body),
            Err(error) => error,
        }
    }

    async fn body(&self, mut response: Response) -> Result<Vec<u8>, DiscoverError> {
        let mut body = Vec::new();
        while let Some(part) = response.chunk().await.map_err(|error| self.unreachable(error))? {
            if body.len() + part.len() > MAX_ANSWER {
                return Err(self.no_gateway(response.status(), "an answer without end"));
            }
            body.extend_from_slice(&part);
        }
        Ok(body)
    }

    fn said(&self, status: StatusCode, body: &[u8]) -> DiscoverError {
        match serde_json::from_slice(body) {
            Ok(problem) => DiscoverError::Problem(Box::new(problem)),
            Err(_) => self.no_gateway(status, "no problem+json"),
        }
    }

    fn unreachable(&self, error: reqwest::Error) -> DiscoverError {
        DiscoverError::Unreachable { url: self.url.to_string(), reason: self.why(error) }
    }

    /// What the transport said, without what the URL hides.
    fn why(&self, error: reqwest::Error) -> String {
        self.url.scrub(&causes(&error.without_url()))
    }

    fn no_gateway(&self, status: StatusCode, reason: &str) -> DiscoverError {
        let reason = error::harmless(reason);
        DiscoverError::NoGateway { url: self.url.to_string(), status: status.as_u16(), reason }
    }
}

fn now(headers: &HeaderMap) -> Option<OffsetDateTime> {
    let seconds = headers.get("x-registry-now")?.to_str().ok()?.parse().ok()?;
    Some(api::timestamp::from_seconds(seconds))
}

fn index(headers: &HeaderMap) -> Option<u64> {
    headers.get("x-registry-index")?.to_str().ok()?.parse().ok()
}
