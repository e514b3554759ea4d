//! Hands the requests of a connection to the routes, with who asks, and knows whether it does anything.

use std::{
    convert::Infallible,
    future::pending,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll, ready},
    time::Duration,
};

use axum::{
    body::{Body, Bytes},
    http::{Request, Response, StatusCode},
    routing::future::RouteFuture,
};
use http_body::{Frame, SizeHint};
use hyper::{body::Incoming, service::Service as HyperService};
use tokio::time::sleep;
use tower::Service;

use super::connection::MAX_HEADERS;
use crate::{front::Front, peer::Peer};

/// What a connection has done: requests that have begun, and answers that have been given away.
#[derive(Debug, Default)]
pub(super) struct Activity {
    begun: AtomicU64,
    ended: AtomicU64,
}

impl Activity {
    /// Whether there has been no request yet.
    pub(super) fn is_new(&self) -> bool {
        self.begun.load(Ordering::Relaxed) == 0
    }

    /// Ends when the first request has not come within `first`, or when nothing has happened after one for `then`, or up to
    /// twice as long.
    pub(super) async fn idle(&self, first: Duration, then: Duration) {
        tokio::select! {
            () = self.silent(first) => {}
            () = self.quiet(then) => {}
        }
    }

    async fn silent(&self, first: Duration) {
        sleep(first).await;
        if !self.is_new() {
            pending().await
        }
    }

    async fn quiet(&self, then: Duration) {
        let mut before = (0, 0);
        loop {
            sleep(then).await;
            let (begun, ended) = (self.begun.load(Ordering::Relaxed), self.ended.load(Ordering::Relaxed));
            if begun > 0 && begun == ended && before == (begun, ended) {
                return;
            }
            before = (begun, ended);
        }
    }
}

/// A request that has begun; dropped when its answer is given away, or nobody wants it any more.
#[derive(Debug)]
struct Running(Arc<Activity>);

impl Running {
    fn begin(activity: &Arc<Activity>) -> Self {
        activity.begun.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(activity))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.ended.fetch_add(1, Ordering::Relaxed);
    }
}

/// The requests of one connection.
#[derive(Debug, Clone)]
pub(super) struct Requests {
    front: Front,
    peer: Peer,
    activity: Arc<Activity>,
}

impl Requests {
    pub(super) fn new(front: Front, peer: Peer, activity: Arc<Activity>) -> Self {
        Self { front, peer, activity }
    }
}

impl HyperService<Request<Incoming>> for Requests {
    type Response = Response<Answer>;
    type Error = Infallible;
    type Future = Answering;

    fn call(&self, mut request: Request<Incoming>) -> Answering {
        let running = Running::begin(&self.activity);
        // HTTP/1 has this limit in its parser.
        let progress = if request.headers().len() > MAX_HEADERS {
            let mut response = Response::new(Body::empty());
            *response.status_mut() = StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE;
            Progress::Made(Some(response))
        } else if let Some(response) = self.front.at_once(&request, &self.peer) {
            Progress::Made(Some(response))
        } else {
            request.extensions_mut().insert(self.peer.clone());
            Progress::Routed(self.front.routes().call(request))
        };
        Answering { progress, running: Some(running) }
    }
}

/// An answer that is being made.
pub(super) struct Answering {
    progress: Progress,
    running: Option<Running>,
}

/// How far an answer is.
enum Progress {
    /// It waits to be given away.
    Made(Option<Response<Body>>),
    Routed(RouteFuture<Infallible>),
}

impl Future for Answering {
    type Output = Result<Response<Answer>, Infallible>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let response = match &mut self.progress {
            Progress::Made(response) => response.take().unwrap_or_default(),
            Progress::Routed(route) => match ready!(Pin::new(route).poll(context)) {
                Ok(response) => response,
                Err(never) => match never {},
            },
        };
        let running = self.running.take();
        Poll::Ready(Ok(response.map(|body| Answer { body, _running: running })))
    }
}

/// The body of an answer.
#[derive(Debug)]
pub(super) struct Answer {
    body: Body,
    _running: Option<Running>,
}

impl http_body::Body for Answer {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
