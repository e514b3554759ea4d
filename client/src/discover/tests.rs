//! Against gateways that say what a test wants, however wrong.

use std::{fs, time::Duration};

use api::{Instance, InstancesAnswer, InstancesDelta, Mode};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
};

use super::*;

/// Longer than anything here takes; a test that gets here has failed.
const LONG: Duration = Duration::from_secs(30);

/// A gateway whose answers a test writes.
struct Stub {
    listener: TcpListener,
    gateway: Gateway,
}

/// A request: its head, and where its answer goes.
struct Asked {
    head: Vec<String>,
    stream: TcpStream,
}

impl Stub {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let gateway = Gateway::new(&url.parse().expect("a URL"), LONG).expect("a gateway");
        Self { listener, gateway }
    }

    async fn asked(&self) -> Asked {
        let asking = async {
            let (mut stream, _) = self.listener.accept().await.expect("a connection");
            let mut lines = BufReader::new(&mut stream).lines();
            let mut head = Vec::new();
            while let Some(line) = lines.next_line().await.expect("text").filter(|line| !line.is_empty()) {
                head.push(line);
            }
            Asked { head, stream }
        };
        tokio::time::timeout(LONG, asking).await.expect("it is asked")
    }
}

impl Asked {
    fn url(&self) -> url::Url {
        let path = self.head[0].split(' ').nth(1).expect("a path");
        format!("http://gateway.example{path}").parse().expect("a URL")
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.head.iter().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    }

    async fn answer(mut self, status: u16, headers: &str, body: &str) {
        let text = format!("HTTP/1.1 {status} X\r\nconnection: close\r\n{headers}");
        self.say(&format!("{text}content-length: {}\r\n\r\n{body}", body.len())).await;
    }

    async fn problem(self, status: u16, word: &str) {
        let body = json!({ "type": format!("urn:rollcall:error:{word}"), "title": "t", "status": status, "detail": "so\u{1b}" });
        self.answer(status, "retry-after: 0\r\n", &body.to_string()).await;
    }

    /// Begins with events; the line is open until this is dropped.
    async fn begin(mut self) -> Self {
        self.say("HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n").await;
        self
    }

    async fn event(&mut self, name: &str, index: u64, data: &impl serde::Serialize) {
        let data = serde_json::to_string(data).expect("JSON");
        self.say(&format!("event: {name}\nid: {index}\ndata: {data}\n\n")).await;
    }

    async fn say(&mut self, text: &str) {
        self.stream.write_all(text.as_bytes()).await.expect("written");
    }
}

fn service() -> Service {
    "acme/payments".parse().expect("a service")
}

fn block() -> Value {
    json!({ "number": 7, "hash": format!("0x{}", "07".repeat(32)), "time": "2026-11-21T09:00:00Z" })
}

pub(super) fn instance(n: u8, expires_at: &str) -> Instance {
    let word = format!("0x{}", hex(n).repeat(32));
    let account = format!("0x{}", "07".repeat(20));
    serde_json::from_value(json!({
        "id": word, "namespace": "acme", "service": "payments", "label": format!("a{n}"), "registrant": account,
        "owner": account, "version": "1.0.0", "status": "active", "live": true, "ttl_s": 30,
        "last_heartbeat": "2026-11-21T09:00:00Z", "expires_at": expires_at, "epoch": 0, "registered_block": 1,
        "updated_block": 1, "record_hash": word, "endpoints": [{ "uri": "https://a.example" }],
    }))
    .expect("an instance")
}

fn hex(n: u8) -> String {
    format!("{n:02x}")
}

pub(super) fn answer(instances: &[Instance]) -> InstancesAnswer {
    serde_json::from_value(json!({
        "namespace": "acme", "service": "payments", "block": block(), "mode": "normal", "health": "healthy",
        "matched": instances.len(), "instances": instances,
    }))
    .expect("an answer")
}

pub(super) fn delta(instances: &[Instance], gone: &[u8]) -> InstancesDelta {
    let gone: Vec<String> = gone.iter().map(|n| format!("0x{}", hex(*n).repeat(32))).collect();
    let delta = json!({ "block": block(), "mode": "preserved", "instances": instances, "gone": gone });
    serde_json::from_value(delta).expect("a delta")
}

const SOON: &str = "2026-11-21T09:00:30Z";
const LATER: &str = "2026-11-21T09:00:40Z";

fn labels(change: &Change) -> Vec<&str> {
    change.instances.iter().map(|one| one.label.as_str()).collect()
}

#[tokio::test]
async fn hostile_values_arrive_as_they_are() {
    let stub = Stub::start().await;
    for text in ["a&health=all", "a=b#c?d", "100% +x", "\r\nHost: evil", "ü\u{202e}\0", "../../livez", ""] {
        let wanted = Wanted::default().zone(text).tag(text).meta(text, text).filter(text).failover([text]);
        let service = service();
        let (found, ()) = tokio::join!(stub.gateway.instances(&service, &wanted), async {
            let asked = stub.asked().await;
            assert_eq!(asked.url().path(), "/v1/namespaces/acme/services/payments/instances");
            let pairs: Vec<(String, String)> = asked.url().query_pairs().into_owned().collect();
            assert_eq!(pairs, wanted.pairs(), "{text:?}");
            assert_eq!(asked.head.iter().filter(|line| line.to_lowercase().starts_with("host:")).count(), 1);
            asked.answer(200, "", &serde_json::to_string(&answer(&[])).expect("JSON")).await;
        });
        assert!(found.expect("an answer").answer.instances.is_empty());
    }
}

#[tokio::test]
async fn a_blocking_query_goes_on_from_an_index_and_an_answer_is_not_read_twice() {
    let stub = Stub::start().await;
    let (service, wanted) = (service(), Wanted::default().limit(2));
    let wait = stub.gateway.changed_since(&service, &wanted, 65_536, Duration::from_secs(30));
    let (found, ()) = tokio::join!(wait, async {
        let asked = stub.asked().await;
        let query = asked.url().query().expect("a query").to_owned();
        assert_eq!(query, "limit=2&index=65536&wait=30000ms");
        let body = serde_json::to_string(&answer(&[instance(1, SOON)])).expect("JSON");
        let headers = "x-registry-index: 65537\r\nx-registry-now: 1795251600\r\netag: \"x\"\r\n";
        asked.answer(200, headers, &body).await;
    });
    let found = found.expect("an answer");
    assert_eq!((found.index, found.now.unix_timestamp()), (Some(65_537), 1_795_251_600));

    let (same, ()) = tokio::join!(stub.gateway.refresh(&service, &wanted, found.clone()), async {
        let asked = stub.asked().await;
        assert_eq!(asked.header("if-none-match"), Some("\"x\""));
        asked.answer(304, "x-registry-index: 65537\r\nx-registry-now: 1795251601\r\n", "").await;
    });
    let same = same.expect("the same");
    assert_eq!((&same.answer, same.now - found.now), (&found.answer, time::Duration::SECOND));

    let (other, ()) = tokio::join!(stub.gateway.refresh(&service, &wanted, same), async {
        let body = serde_json::to_string(&answer(&[])).expect("JSON");
        stub.asked().await.answer(200, "x-registry-index: 65538\r\n", &body).await;
    });
    let other = other.expect("another one");
    assert_eq!((other.index, other.answer.matched), (Some(65_538), 0));
}

#[tokio::test]
async fn a_problem_says_its_type_and_what_to_do() {
    let stub = Stub::start().await;
    let (service, wanted) = (service(), Wanted::default());
    for (status, word, passes) in [
        (400, "bad-parameter", false),
        (401, "unauthorized", false),
        (404, "unknown-service", false),
        (429, "too-many-requests", true),
        (501, "not-implemented", false),
        (503, "not-ready", true),
    ] {
        let (found, ()) = tokio::join!(stub.gateway.instances(&service, &wanted), async {
            stub.asked().await.problem(status, word).await;
        });
        let error = found.expect_err("a problem");
        assert_eq!(error.to_string(), format!("the gateway says: so ({word})"));
        assert_eq!((error.word(), error.is_transient()), (Some(word), passes), "{error}");
    }
    let (watch, ()) = tokio::join!(stub.gateway.watch(&service, &wanted), async {
        stub.asked().await.problem(404, "unknown-service").await;
    });
    assert!(watch.expect_err("nothing to watch").is_unknown());
    let (watch, ()) = tokio::join!(stub.gateway.watch(&service, &wanted), async {
        stub.asked().await.answer(200, "content-type: text/html\r\n", "<html>").await;
    });
    assert!(matches!(watch.expect_err("no gateway"), DiscoverError::NoGateway { status: 200, .. }));
}

#[tokio::test]
async fn a_watch_goes_on_where_it_was() {
    let stub = Stub::start().await;
    let (service, wanted) = (service(), Wanted::default().tag("blue"));
    let (watch, line) = tokio::join!(stub.gateway.watch(&service, &wanted), async {
        let asked = stub.asked().await;
        assert_eq!(asked.url().query(), Some("tag=blue&service=acme%2Fpayments"));
        assert_eq!((asked.header("last-event-id"), asked.header("accept")), (None, Some("text/event-stream")));
        asked.begin().await
    });
    let (mut watch, mut line) = (watch.expect("a watch"), line);
    line.event("snapshot", 5, &answer(&[instance(1, SOON), instance(2, SOON)])).await;
    let first = watch.next().await.expect("a change");
    assert_eq!((first.kind, first.index, first.came.len(), first.is_news()), (ChangeKind::Snapshot, 5, 2, true));

    // What a newer gateway says besides is not for us.
    line.say(":\n\nevent: weather\ndata: rain\n\n").await;
    line.event("delta", 6, &delta(&[instance(3, SOON)], &[1])).await;
    let second = watch.next().await.expect("a change");
    assert_eq!((second.kind, second.mode, second.mode_changed), (ChangeKind::Delta, Mode::Preserved, true));
    assert_eq!((labels(&second), second.gone[0].label.as_str()), (vec!["a2", "a3"], "a1"));

    // Cut in the middle of an event, refused twice, and then there again with what has become of it.
    line.say("event: delta\nid: 7\ndata: {").await;
    drop(line);
    let (third, line) = tokio::join!(watch.next(), async {
        stub.asked().await.problem(503, "not-ready").await;
        stub.asked().await.problem(404, "unknown-service").await;
        let asked = stub.asked().await;
        assert_eq!(asked.header("last-event-id"), Some("6"));
        let mut line = asked.begin().await;
        line.event("resync", 9, &answer(&[instance(2, LATER), instance(4, SOON)])).await;
        line
    });
    let third = third.expect("a change");
    assert_eq!((third.kind, labels(&third)), (ChangeKind::Resync, vec!["a2", "a4"]));
    assert_eq!((third.came.len(), third.changed.len(), third.renewed.len(), third.gone.len()), (1, 0, 1, 1));

    // A key that is revoked does not come back by itself; whoever asks again may have another one.
    drop(line);
    let (refused, ()) = tokio::join!(watch.next(), async { stub.asked().await.problem(401, "unauthorized").await });
    assert_eq!(refused.expect_err("refused").word(), Some("unauthorized"));
    let (again, _line) = tokio::join!(watch.next(), async {
        let mut line = stub.asked().await.begin().await;
        line.event("delta", 10, &delta(&[], &[2, 4])).await;
        line
    });
    assert!(again.expect("a change").instances.is_empty());
}

#[tokio::test]
async fn a_watch_that_is_asked_in_short_pieces_loses_nothing() {
    let stub = Stub::start().await;
    let service = service();
    let wanted = Wanted::default();
    let (watch, line) = tokio::join!(stub.gateway.watch(&service, &wanted), async { stub.asked().await.begin().await });
    let mut watch = watch.expect("a watch");
    drop(line);
    let server = tokio::spawn(async move {
        let mut line = stub.asked().await.begin().await;
        let text = serde_json::to_string(&answer(&[instance(1, SOON)])).expect("JSON");
        for piece in ["event: snapshot\nid: 5\nda", "ta: ", &text, "\n", "\n"] {
            line.say(piece).await;
            tokio::task::yield_now().await;
        }
        line
    });
    let asked = async {
        loop {
            // The line, the pause and the connection outlive each question.
            if let Ok(change) = tokio::time::timeout(Duration::from_millis(1), watch.next()).await {
                return change;
            }
        }
    };
    let change = tokio::time::timeout(LONG, asked).await.expect("in time").expect("a change");
    assert_eq!(change.index, 5);
    drop(server.await.expect("no panic"));
}

#[tokio::test]
async fn a_gateway_that_falls_silent_is_left() {
    let stub = Stub::start().await;
    let service = service();
    let (wanted, silence) = (Wanted::default(), Duration::from_millis(50));
    let (watch, silent) =
        tokio::join!(stub.gateway.watch_with(&service, &wanted, silence), async { stub.asked().await.begin().await });
    let mut watch = watch.expect("a watch");
    let (change, _line) = tokio::join!(watch.next(), async {
        let mut line = stub.asked().await.begin().await;
        line.event("snapshot", 5, &answer(&[])).await;
        line
    });
    assert_eq!(change.expect("a change").index, 5);
    drop(silent);
}

#[tokio::test]
async fn what_no_gateway_says_ends_a_watch() {
    let stub = Stub::start().await;
    let (service, wanted) = (service(), Wanted::default());
    for said in [
        "event: delta\nid: 5\ndata: {}\n\n",
        "event: snapshot\nid: 5\ndata: {}\n\n",
        "event: snapshot\nid: five\ndata: {}\n\n",
        "event: snapshot\ndata: {}\n\n",
        "data: \u{1b}\nevent: resync\nid: 1\n\n",
    ] {
        let (watch, _line) = tokio::join!(stub.gateway.watch(&service, &wanted), async {
            let mut line = stub.asked().await.begin().await;
            line.say(said).await;
            line
        });
        let error = watch.expect("a watch").next().await.expect_err("no gateway");
        assert!(matches!(error, DiscoverError::NoGateway { status: 200, .. }), "{said}: {error}");
    }
}

#[tokio::test]
async fn a_key_comes_from_a_file_that_may_change_and_shows_nowhere() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("key");
    let stub = Stub::start().await;
    assert!(matches!(stub.gateway.clone().with_key_file(&file), Err(GatewayKeyError::File { .. })));
    fs::write(&file, "two s3cr3t words").expect("written");
    let error = stub.gateway.clone().with_key_file(&file).expect_err("no key");
    assert!(error.to_string().contains("key: no key of a gateway") && !error.to_string().contains("s3cr3t"), "{error}");

    fs::write(&file, "rck_s3cr3t-1\n").expect("written");
    let gateway = stub.gateway.clone().with_key_file(&file).expect("a key");
    let known = stub.gateway.clone().with_key("rck_s3cr3t-0".parse().expect("a key"));
    assert!(!format!("{gateway:?}{known:?}").contains("s3cr3t"), "{gateway:?} {known:?}");
    for key in ["rck_s3cr3t-1", "rck_s3cr3t-2"] {
        fs::write(&file, key).expect("written");
        let (health, ()) = tokio::join!(gateway.health(), async {
            let asked = stub.asked().await;
            assert_eq!(asked.header("authorization"), Some(&*format!("Bearer {key}")));
            asked.problem(401, "unauthorized").await;
        });
        assert!(!health.expect_err("a problem").to_string().contains("s3cr3t"));
    }
    fs::remove_file(&file).expect("removed");
    assert!(matches!(gateway.health().await, Err(DiscoverError::Key(_))));
}
