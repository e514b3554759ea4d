//! A caching proxy, as anybody may put one before a gateway: it keeps answers for as long as their headers allow, by a
//! clock of the test's. What may be kept and for how long is a library's opinion, not ours.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, SystemTime},
};

use anyhow::Result;
use axum::{
    Router,
    body::{Body, Bytes},
    extract::{Request, State},
    http::{HeaderMap, Response, StatusCode, header, request},
};
use domain::{Clock, ManualClock};
use http_cache_semantics::{BeforeRequest, CacheOptions, CachePolicy};
use tokio::net::TcpListener;

use crate::part::Part;

/// A proxy that runs. Dropping it ends it.
#[derive(Debug)]
pub struct CachingProxy {
    url: String,
    proxy: Proxy,
    _part: Part,
}

/// Where answers came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Served {
    /// The cache alone.
    pub fresh: u64,
    /// The cache, after a 304.
    pub revalidated: u64,
    /// Whoever is behind it.
    pub fetched: u64,
}

#[derive(Debug, Clone)]
struct Proxy(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    upstream: String,
    clock: Arc<ManualClock>,
    http: reqwest::Client,
    /// By path and query: one for each way in which they vary.
    kept: Mutex<HashMap<String, Vec<Kept>>>,
    fresh: AtomicU64,
    revalidated: AtomicU64,
    fetched: AtomicU64,
}

/// An answer.
#[derive(Debug, Clone)]
struct Kept {
    policy: CachePolicy,
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
}

/// What the cache has for a request.
enum Found {
    Fresh(HeaderMap, Kept),
    /// Ask with these headers whether it still is the answer.
    Stale(HeaderMap, Kept),
    Nothing,
}

impl CachingProxy {
    /// A proxy before an HTTP server, `http://host:port`: a gateway or another proxy.
    pub async fn start(upstream: impl Into<String>, clock: Arc<ManualClock>) -> Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let url = format!("http://{}", listener.local_addr()?);
        let proxy = Proxy(Arc::new(Inner {
            upstream: upstream.into(),
            clock,
            http: reqwest::Client::new(),
            kept: Mutex::default(),
            fresh: AtomicU64::default(),
            revalidated: AtomicU64::default(),
            fetched: AtomicU64::default(),
        }));
        let router = Router::new().fallback(serve).with_state(proxy.clone());
        let part = Part::start(|token| async move {
            Ok(axum::serve(listener, router).with_graceful_shutdown(token.cancelled_owned()).await?)
        });
        Ok(Self { url, proxy, _part: part })
    }

    /// Where it listens.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Where its answers came from.
    pub fn served(&self) -> Served {
        let count = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let Inner { fresh, revalidated, fetched, .. } = &*self.proxy.0;
        Served { fresh: count(fresh), revalidated: count(revalidated), fetched: count(fetched) }
    }
}

async fn serve(State(proxy): State<Proxy>, request: Request) -> Result<Response<Body>, StatusCode> {
    let (mut head, _) = request.into_parts();
    // The client's own question is answered here, whoever has the answer.
    let known = head.headers.remove(header::IF_NONE_MATCH);
    let answer = proxy.answer(&head).await.map_err(|_| StatusCode::BAD_GATEWAY)?;
    let tag = answer.headers.get(header::ETAG);
    let is_known = known.zip(tag).is_some_and(|(known, tag)| {
        known.as_bytes().split(|byte| *byte == b',').any(|known| known.trim_ascii() == tag.as_bytes())
    });
    let mut response = Response::new(if is_known { Body::empty() } else { Body::from(answer.body) });
    *response.status_mut() = if is_known { StatusCode::NOT_MODIFIED } else { answer.status };
    *response.headers_mut() = answer.headers;
    Ok(response)
}

impl Proxy {
    async fn answer(&self, head: &request::Parts) -> Result<Kept> {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000) + self.0.clock.monotonic();
        let path = head.uri.path_and_query().map_or("/", |path| path.as_str());
        let (mut ask, stale) = match self.find(path, head, now) {
            Found::Fresh(headers, kept) => {
                self.0.fresh.fetch_add(1, Ordering::Relaxed);
                return Ok(Kept { headers, ..kept });
            }
            Found::Stale(headers, kept) => (headers, Some(kept)),
            Found::Nothing => (head.headers.clone(), None),
        };
        ask.remove(header::HOST);
        let upstream = format!("{}{path}", self.0.upstream);
        let answered = self.0.http.request(head.method.clone(), upstream).headers(ask).send().await?;
        let (mut status, mut headers) = (answered.status(), answered.headers().clone());
        // Of this connection, and by another clock.
        for name in [header::CONNECTION, header::TRANSFER_ENCODING, header::CONTENT_LENGTH, header::DATE] {
            headers.remove(name);
        }
        let mut body = answered.bytes().await?;
        match stale {
            Some(kept) if status == StatusCode::NOT_MODIFIED => {
                self.0.revalidated.fetch_add(1, Ordering::Relaxed);
                (status, body) = (kept.status, kept.body);
                for (name, value) in kept.headers {
                    // How old it was says nothing any more.
                    if let Some(name) = name.filter(|name| *name != header::AGE && !headers.contains_key(name)) {
                        headers.insert(name, value);
                    }
                }
            }
            _ => _ = self.0.fetched.fetch_add(1, Ordering::Relaxed),
        }
        let mut response = Response::new(());
        *response.status_mut() = status;
        *response.headers_mut() = headers.clone();
        let policy = CachePolicy::new_options(head, &response, now, CacheOptions::default());
        let kept = Kept { policy, status, headers, body };
        self.keep(path, head, now, &kept);
        Ok(kept)
    }

    fn find(&self, path: &str, head: &request::Parts, now: SystemTime) -> Found {
        for kept in self.kept().get(path).into_iter().flatten() {
            match kept.policy.before_request(head, now) {
                BeforeRequest::Fresh(parts) => return Found::Fresh(parts.headers, kept.clone()),
                BeforeRequest::Stale { request, matches: true } => return Found::Stale(request.headers, kept.clone()),
                BeforeRequest::Stale { matches: false, .. } => {}
            }
        }
        Found::Nothing
    }

    /// Keeps an answer, in the place of the one to the same request.
    fn keep(&self, path: &str, head: &request::Parts, now: SystemTime, answer: &Kept) {
        let mut kept = self.kept();
        let variants = kept.entry(path.to_owned()).or_default();
        variants.retain(|kept| {
            matches!(kept.policy.before_request(head, now), BeforeRequest::Stale { matches: false, .. })
        });
        if answer.policy.is_storable() {
            variants.push(answer.clone());
        }
    }

    fn kept(&self) -> MutexGuard<'_, HashMap<String, Vec<Kept>>> {
        self.0.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
