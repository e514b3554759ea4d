//! Requests that last longer than the right to ask.

use std::{num::NonZeroU32, pin::pin};

use axum::body::BodyDataStream;
use futures::{FutureExt, StreamExt};

use super::*;
use crate::{ClientRate, rate::Limiter};

impl Guarded {
    /// The service changes.
    fn change(&mut self) {
        self.world.rows.instances[0].lease.last_heartbeat += 1;
        self.world.rows.checkpoint.change_seq += 1;
        self.world.pass(1);
    }

    fn revoke(&self, key: &ApiKey) {
        self.file().revoke(key.id(), self.world.clock.monotonic()).expect("revoked");
        self.world.access.refresh();
    }

    async fn watch(&self, key: &ApiKey) -> BodyDataStream {
        let request = Request::get("/v1/watch?service=acme/payments")
            .header(header::AUTHORIZATION, format!("Bearer {}", key.expose()));
        let response =
            self.world.routes().oneshot(request.body(Body::empty()).expect("a request")).await.expect("an answer");
        assert_eq!(response.status(), 200);
        response.into_body().into_data_stream()
    }
}

#[tokio::test(start_paused = true)]
async fn a_watch_ends_with_the_key_and_others_go_on() {
    let mut guarded = Guarded::new();
    let (key, other) = (guarded.key(NewKey::default()), guarded.key(NewKey::default()));
    let (mut watch, mut going_on) = (guarded.watch(&key).await, guarded.watch(&other).await);
    assert!(watch.next().await.is_some() && going_on.next().await.is_some());
    guarded.change();
    assert!(watch.next().await.is_some() && going_on.next().await.is_some());
    guarded.revoke(&key);
    guarded.change();
    assert!(watch.next().await.is_none(), "nothing more is told");
    assert!(going_on.next().await.is_some());
    // Nothing needs to change: a sign of life is due before long.
    guarded.revoke(&other);
    assert!(going_on.next().await.is_none());
}

#[tokio::test(start_paused = true)]
async fn a_blocking_query_is_not_answered_to_who_may_not_ask_any_more() {
    let mut guarded = Guarded::new();
    let key = guarded.key(NewKey::default());
    let first = guarded.get_as(&key, PAYMENTS).await;
    let path = format!("{PAYMENTS}?index={}", first.header("x-registry-index"));
    let routes = guarded.world.routes();
    let request = Request::get(path).header(header::AUTHORIZATION, format!("Bearer {}", key.expose()));
    let mut waiting = pin!(routes.oneshot(request.body(Body::empty()).expect("a request")));
    assert!((&mut waiting).now_or_never().is_none());
    guarded.world.clock.advance(Duration::from_secs(2));
    guarded.revoke(&key);
    guarded.change();
    assert_eq!(waiting.await.expect("an answer").status(), 401);
    assert_eq!(guarded.refused("revoked"), 1);
}

#[tokio::test]
async fn whoever_is_known_is_limited_by_name_and_all_others_by_address() {
    let guarded = Guarded::new();
    let key = guarded.key(NewKey::default());
    let rate = ClientRate { per_second: NonZeroU32::MIN, burst: NonZeroU32::MIN };
    let limiter = Arc::new(Limiter::new(rate, guarded.world.clock.clone()));
    let front = Front::new(guarded.world.state.clone(), guarded.world.access.clone(), Some(limiter));
    let ask = async |authorization: &str| {
        let mut request =
            Request::get(PAYMENTS).header(header::AUTHORIZATION, authorization).body(Body::empty()).expect("a request");
        request.extensions_mut().insert(LOCAL);
        if let Some(response) = front.at_once(&request, &LOCAL) {
            return response.status().as_u16();
        }
        front.routes().oneshot(request).await.expect("an answer").status().as_u16()
    };
    let known = format!("Bearer {}", key.expose());
    for _ in 0..5 {
        assert_eq!(ask(&known).await, 200);
    }
    assert_eq!([ask("Bearer nobody").await, ask("Bearer nobody").await], [401, 429]);
    assert_eq!(ask(&known).await, 200, "strangers at the same address do not matter");
    assert_eq!((guarded.refused("malformed"), guarded.refused("rate")), (1, 1));
}
