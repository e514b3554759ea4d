//! `/livez`, `/readyz` and `/metrics`: how the indexer feels, over HTTP. For those who run it; reasons name nodes and
//! quote errors of the database, so strangers should not be able to ask.
//!
//! - `/livez`: 503 if the loop hangs: then restart it
//! - `/readyz`: 503 if the index is not to be relied on, with the condition that fails and why. One that stands by while
//!   another indexer works is as it should be, and says `standby` with 200
//! - `/metrics`: in the text format of Prometheus

use std::{io, net::SocketAddr};

use axum::{
    Json, Router,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use serde_json::{Map, Value, json};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::{
    Vitals,
    vitals::{Condition, Health},
};

/// Why there are no probes.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProbesError {
    /// Another program has the port.
    #[error("another program listens on {0}: stop it, or choose another address with --listen (none: no probes)")]
    Taken(SocketAddr),
    /// The address cannot be had for another reason.
    #[error("cannot listen on {address}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
}

/// Probes that listen, and answer once [`serve`](Probes::serve) is called.
#[derive(Debug)]
pub struct Probes {
    listener: TcpListener,
    address: SocketAddr,
    vitals: Vitals,
}

impl Probes {
    /// Takes the address to listen on.
    ///
    /// # Errors
    /// [`ProbesError`].
    pub async fn bind(listen: SocketAddr, vitals: Vitals) -> Result<Self, ProbesError> {
        let refused = |source: io::Error| match source.kind() {
            io::ErrorKind::AddrInUse => ProbesError::Taken(listen),
            _ => ProbesError::Listen { address: listen, source },
        };
        let listener = TcpListener::bind(listen).await.map_err(refused)?;
        let address = listener.local_addr().map_err(refused)?;
        Ok(Self { listener, address, vitals })
    }

    /// Where it listens: with port 0, the port that it got.
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Answers until `shutdown`.
    pub async fn serve(self, shutdown: CancellationToken) {
        let routes = Router::new()
            .route("/livez", get(livez))
            .route("/readyz", get(readyz))
            .route("/metrics", get(metrics))
            .with_state(self.vitals);
        tokio::select! {
            () = shutdown.cancelled() => {}
            ended = axum::serve(self.listener, routes).into_future() => {
                if let Err(error) = ended {
                    tracing::error!(%error, "the probes do not answer any more");
                }
            }
        }
    }
}

async fn livez(State(vitals): State<Vitals>) -> Response {
    match vitals.health().alive {
        true => answer(StatusCode::OK, json!({ "status": "alive" })),
        false => answer(StatusCode::SERVICE_UNAVAILABLE, json!({ "status": "hangs" })),
    }
}

async fn readyz(State(vitals): State<Vitals>) -> Response {
    let health = vitals.health();
    let (code, status) = match (health.is_ready(), health.standby) {
        (true, true) => (StatusCode::OK, "standby"),
        (true, false) => (StatusCode::OK, "ready"),
        (false, _) => (StatusCode::SERVICE_UNAVAILABLE, "not_ready"),
    };
    answer(code, body(status, &health))
}

fn body(status: &str, health: &Health) -> Value {
    let conditions: Map<String, Value> = (health.conditions.iter())
        .map(|Condition { name, fault }| {
            let value = match fault {
                None => json!({ "ok": true }),
                Some(reason) => json!({ "ok": false, "reason": reason }),
            };
            ((*name).to_owned(), value)
        })
        .collect();
    let mut body =
        json!({ "status": status, "phase": format!("{:?}", health.phase()).to_lowercase(), "conditions": conditions });
    if let (Value::Object(body), Some((head, heads))) = (&mut body, health.heads) {
        body.insert("head".to_owned(), json!({ "number": head.number, "hash": head.hash.to_string() }));
        body.insert("tip".to_owned(), heads.latest.into());
        body.insert("lag_blocks".to_owned(), health.lag_blocks().into());
    }
    body
}

fn answer(code: StatusCode, body: Value) -> Response {
    (code, [(header::CACHE_CONTROL, "no-store")], Json(body)).into_response()
}

async fn metrics(State(vitals): State<Vitals>) -> Response {
    let headers = [(header::CONTENT_TYPE, "text/plain; version=0.0.4"), (header::CACHE_CONTROL, "no-store")];
    (headers, vitals.render()).into_response()
}
