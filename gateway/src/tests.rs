//! Requests to the routes over an index that is filled by hand, on a clock that moves when told to.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use axum::{
    Router,
    body::{Body, to_bytes},
    http::{HeaderMap, Request, Response, StatusCode, header},
};
use domain::{Address, B256, BlockRef, Bytes, Heads, InstanceId, Lease, ManualClock, Namespace, ServiceKey, Status};
use serde_json::Value;
use store::{
    query::{Grants, Snapshot, Update},
    rows::{Checkpoint, InstanceRow, NamespaceRow, Origin, ServiceRow},
};
use tokio::time::{MissedTickBehavior, interval, timeout};
use tower::ServiceExt;

use crate::{AppState, access::Access, app::app, front::Front, peer::Peer};

mod access;
mod conditional;
mod consistency;
mod contract;
mod discovery;
mod disk;
mod feed;
mod filter;
mod filter_model;
mod front;
mod governance;
mod history;
mod hostile;
mod instances;
mod modes;
mod parameters;
mod problems;
mod registration;
mod server;
mod services;
mod silence;
mod timing;
mod waiting;

/// Chain time of the head.
const NOW: u64 = 1_700_000_000;

const OWNER: Address = Address::repeat_byte(0xab);

/// Somebody on this machine.
const LOCAL: Peer = Peer { address: SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 1), certificate: None };

/// A state with rows, and the clock that it runs on.
struct World {
    clock: Arc<ManualClock>,
    state: AppState,
    access: Access,
    rows: Snapshot,
}

/// A service, a label, and how the instance differs from the plain one.
type Changed = (&'static str, &'static str, fn(&mut InstanceRow));

struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Value,
}

impl World {
    /// An index that holds the namespace `acme` and nothing else.
    fn new() -> Self {
        let clock = ManualClock::new();
        let state = AppState::new(clock.clone());
        let namespaces = vec![namespace_row()];
        let rows = Snapshot {
            checkpoint: checkpoint(100),
            namespaces,
            services: vec![],
            instances: vec![],
            grants: Grants::default(),
        };
        let access = access::open(clock.clone());
        let world = Self { clock, state, access, rows };
        world.load();
        world
    }

    /// An index with instances in `acme`.
    fn with<const N: usize>(instances: [Changed; N]) -> Self {
        let mut world = Self::new();
        for (service, label, change) in instances {
            world.add(acme(), service, label, change);
        }
        world.load();
        world
    }

    fn add(&mut self, namespace: Namespace, service: &str, label: &str, change: impl FnOnce(&mut InstanceRow)) {
        let mut row = instance(&namespace, service, label);
        change(&mut row);
        let listed = u64::from(row.lease.status.is_listed());
        match self.rows.services.iter_mut().find(|known| known.key == row.service) {
            Some(known) => known.count += listed,
            None => self.rows.services.push(ServiceRow {
                key: row.service,
                namespace: namespace.id(),
                name: service.into(),
                count: listed,
                sequence: 1,
            }),
        }
        self.rows.instances.push(row);
    }

    /// Lets the gateway see the rows.
    fn load(&self) {
        assert!(self.state.update(Update::Snapshot(self.rows.clone())));
    }

    /// Lets the gateway see that the database answers, and the indexer as well if `confirmed`.
    fn poll(&mut self, confirmed: bool) {
        self.rows.checkpoint.confirmations += i64::from(confirmed);
        self.load();
    }

    /// Moves time on, with a database and an indexer that are well.
    fn pass(&mut self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds));
        self.rows.checkpoint.head_time += seconds;
        self.rows.checkpoint.head.number += 1;
        self.poll(true);
    }

    async fn get(&self, path: &str) -> Answer {
        self.send(Request::get(path).body(Body::empty()).expect("a request")).await
    }

    async fn post(&self, path: &str, body: impl Into<Body>) -> Answer {
        let request = Request::post(path).header(header::CONTENT_TYPE, "application/json");
        self.send(request.body(body.into()).expect("a request")).await
    }

    fn routes(&self) -> Router {
        app(self.state.clone(), self.access.clone(), None)
    }

    fn front(&self) -> Front {
        Front::new(self.state.clone(), self.access.clone(), None)
    }

    async fn send(&self, request: Request<Body>) -> Answer {
        // Who has a rate would be counted twice.
        let at_once = if self.access.is_public() { self.front().at_once(&request, &LOCAL) } else { None };
        let (status, headers, bytes) = apart(self.routes().oneshot(request).await.expect("an answer")).await;
        // Whatever a test asks for: if there is a shorter way, it leads to the same.
        if let Some(at_once) = at_once {
            let mut headers = headers.clone();
            // The routes say it; if they do not, the connection does.
            headers.remove(header::CONTENT_LENGTH);
            assert_eq!(apart(at_once).await, (status, headers, bytes.clone()));
        }
        let is_json = headers.get(header::CONTENT_TYPE).is_some_and(|t| t.to_str().expect("text").contains("json"));
        let body = if is_json && !bytes.is_empty() {
            serde_json::from_slice(&bytes).expect("JSON")
        } else {
            Value::String(String::from_utf8_lossy(&bytes).into_owned())
        };
        Answer { status, headers, body }
    }

    fn metrics(&self) -> String {
        self.state.telemetry().render(&self.state)
    }

    /// The labels in an instances answer.
    async fn labels(&self, query: &str) -> Vec<String> {
        let answer = self.get(&format!("/v1/namespaces/acme/services/payments/instances{query}")).await;
        assert_eq!(answer.status, 200, "{query}: {}", answer.body);
        let instances = answer.body["instances"].as_array().expect("a list");
        let mut labels: Vec<_> = instances.iter().map(|i| i["label"].as_str().expect("a label").to_owned()).collect();
        labels.sort();
        labels
    }
}

async fn apart(response: Response<Body>) -> (StatusCode, HeaderMap, axum::body::Bytes) {
    let (head, body) = response.into_parts();
    (head.status, head.headers, to_bytes(body, usize::MAX).await.expect("a body"))
}

impl Answer {
    fn header(&self, name: &str) -> &str {
        self.headers.get(name).unwrap_or_else(|| panic!("no header {name}")).to_str().expect("text")
    }

    /// Checks that this is a whole problem of a kind, and returns its detail.
    fn problem(&self, status: u16, word: &str) -> &str {
        assert_eq!(self.status, status, "{}", self.body);
        assert_eq!(self.header("content-type"), "application/problem+json");
        assert_eq!(self.header("cache-control"), "no-store");
        assert_eq!(self.body["type"], format!("urn:rollcall:error:{word}"), "{}", self.body);
        assert_eq!(self.body["status"], status);
        assert!(!self.body["title"].as_str().expect("a title").is_empty());
        self.body["detail"].as_str().expect("a detail")
    }
}

fn acme() -> Namespace {
    Namespace::Label("acme".into())
}

fn namespace_row() -> NamespaceRow {
    NamespaceRow { id: acme().id(), label: Some("acme".into()), owner: OWNER, open: false, epoch: 0 }
}

fn instance(namespace: &Namespace, service: &str, label: &str) -> InstanceRow {
    let service = ServiceKey::new(namespace.id(), service);
    InstanceRow {
        id: InstanceId::new(service, OWNER, label),
        service,
        label: label.into(),
        registrant: OWNER,
        version: "1.0.0".into(),
        endpoints: vec![format!("https://{label}.example:8443").into_bytes().into()],
        metadata: Bytes::from_static(
            br#"{"zone":"z1","region":"eu","tags":["blue","fast"],"weight":10,"canary":true}"#,
        ),
        record_hash: B256::repeat_byte(1),
        registered_block: 90,
        updated_block: 95,
        reason: None,
        lease: Lease { owner: OWNER, last_heartbeat: NOW, ttl: 30, status: Status::Active, epoch: 0 },
    }
}

fn metadata(text: &'static str) -> Bytes {
    Bytes::from_static(text.as_bytes())
}

fn checkpoint(number: u64) -> Checkpoint {
    Checkpoint {
        origin: Origin {
            chain_id: 31_337,
            genesis_hash: B256::repeat_byte(2),
            contract: Address::repeat_byte(3),
            code_hash: B256::repeat_byte(4),
            endorsements: None,
            deploy_block: BlockRef { number: 1, hash: B256::repeat_byte(5) },
        },
        headers_hash: false,
        head: BlockRef { number, hash: B256::repeat_byte(6) },
        head_time: NOW,
        heads: Heads { latest: number, safe: number - 32, finalized: number - 64 },
        confirmations: 1,
        change_seq: 10,
        writer_epoch: 1,
        problem: None,
    }
}

/// Waits until it is so.
pub(crate) async fn eventually(mut ask: impl AsyncFnMut() -> bool) {
    let mut every = interval(Duration::from_millis(10));
    every.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let asked = async {
        while !ask().await {
            every.tick().await;
        }
    };
    timeout(Duration::from_secs(20), asked).await.expect("it happens in time");
}
