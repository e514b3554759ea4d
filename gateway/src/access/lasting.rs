//! Requests that last: blocking queries and watches. Who asked is judged again, lest a key that is revoked, or a token that has
//! ended, goes on reading.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use axum::{
    body::{Body, Bytes},
    extract::Request,
    http::{HeaderMap, header},
    response::Response,
};
use http_body::Frame;

use super::{Access, identity::Identity, refusal::Reason};
use crate::peer::Peer;

/// After so long a request is judged again before it is answered: a key may have been revoked, a token may have ended.
pub(super) const LATE: Duration = Duration::from_secs(1);

/// What somebody showed, to be judged again.
pub(super) struct Credentials {
    authorization: HeaderMap,
    peer: Option<Peer>,
}

impl Credentials {
    pub(super) fn of(request: &Request, peer: Option<Peer>) -> Self {
        let all = request.headers().get_all(header::AUTHORIZATION).iter();
        Self { authorization: all.map(|value| (header::AUTHORIZATION, value.clone())).collect(), peer }
    }

    /// Whether they still stand for somebody who may read the same.
    pub(super) fn still(&self, access: &Access, identity: &Identity) -> Result<(), Reason> {
        let now = access.identify(&self.authorization, self.peer.as_ref()).map_err(|refusal| refusal.reason)?;
        if now.namespaces == identity.namespaces { Ok(()) } else { Err(Reason::Namespace) }
    }

    /// Goes on judging, if the answer is a stream of events.
    pub(super) fn keep(self, access: &Access, identity: Arc<Identity>, response: Response) -> Response {
        let kind = response.headers().get(header::CONTENT_TYPE);
        if !kind.is_some_and(|kind| kind.as_bytes().starts_with(b"text/event-stream")) {
            return response;
        }
        let access = access.clone();
        response.map(|body| Body::new(Watched { body, access, identity, credentials: self }))
    }
}

/// A stream of events, which ends as soon as whoever gets it would not be let in any more.
struct Watched {
    body: Body,
    access: Access,
    identity: Arc<Identity>,
    credentials: Credentials,
}

impl http_body::Body for Watched {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(context));
        match self.credentials.still(&self.access, &self.identity) {
            Ok(()) => Poll::Ready(frame),
            Err(_) => Poll::Ready(None),
        }
    }
}
