//! The listener.

use std::num::NonZeroU32;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tokio_util::sync::CancellationToken;

use super::*;
use crate::{ClientRate, Config, Gateway, GatewayError, Limits};

fn config() -> Config {
    let database_url = "postgres://nobody@127.0.0.1:1/none".to_owned();
    Config { listen: ([127, 0, 0, 1], 0).into(), database_url, ..Config::default() }
}

async fn talk(address: std::net::SocketAddr, request: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).await.expect("a connection");
    // The other side may close before all is written.
    let _ = stream.write_all(request).await;
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test]
async fn it_serves_without_a_database_and_ends_when_told_to() {
    let gateway = Gateway::bind(config(), ManualClock::new()).await.expect("a free port");
    let address = gateway.local_addr();
    let shutdown = CancellationToken::new();
    let task = tokio::spawn(gateway.serve(shutdown.clone()));
    let close = "Host: x\r\nConnection: close\r\n\r\n";
    let answer = talk(address, format!("GET /livez HTTP/1.1\r\n{close}").as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
    let answer = talk(address, format!("GET /v1/services HTTP/1.1\r\n{close}").as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 503"), "{answer}");

    // Heads that are too large are refused before anything reads them.
    let long = format!("GET /{} HTTP/1.1\r\n{close}", "x".repeat(100_000));
    let answer = talk(address, long.as_bytes()).await;
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 4"), "{answer}");
    let many = format!("GET /livez HTTP/1.1\r\n{}{close}", "X-A: b\r\n".repeat(200));
    assert!(talk(address, many.as_bytes()).await.starts_with("HTTP/1.1 431"));

    // An idle connection does not hold up the end.
    let _idle = TcpStream::connect(address).await.expect("a connection");
    shutdown.cancel();
    assert!(matches!(task.await, Ok(Ok(()))));
    assert!(TcpStream::connect(address).await.is_err());
}

/// Asks a gateway for a path; answers the whole text.
async fn ask(address: std::net::SocketAddr, path: &str) -> String {
    talk(address, format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").as_bytes()).await
}

#[tokio::test]
async fn metrics_are_for_operators_alone() {
    let with_admin = Config { admin_listen: Some(([127, 0, 0, 1], 0).into()), ..config() };
    let gateway = Gateway::bind(with_admin, ManualClock::new()).await.expect("free ports");
    let (address, admin) = (gateway.local_addr(), gateway.admin_addr().expect("an address"));
    tokio::spawn(gateway.serve(CancellationToken::new()));
    assert!(ask(address, "/metrics").await.starts_with("HTTP/1.1 404"));
    let metrics = ask(admin, "/metrics").await;
    assert!(metrics.starts_with("HTTP/1.1 200 OK"), "{metrics}");
    assert!(metrics.contains("requests_total{route=\"none\",method=\"GET\",status=\"404\"} 1"), "{metrics}");
    assert!(metrics.contains("connections_total{listener=\"public\"} 1"), "{metrics}");
    for path in ["/livez", "/readyz"] {
        let [public, private] = [ask(address, path).await, ask(admin, path).await];
        assert_eq!(public.lines().next(), private.lines().next(), "{path}");
    }
    let nothing = ask(admin, "/v1/services").await;
    assert!(nothing.starts_with("HTTP/1.1 404") && nothing.contains("urn:rollcall:error:unknown-route"), "{nothing}");
}

#[tokio::test]
async fn operators_see_that_a_gateway_drains() {
    let gateway = Config {
        admin_listen: Some(([127, 0, 0, 1], 0).into()),
        shutdown_timeout: Duration::from_secs(60),
        ..config()
    };
    let gateway = Gateway::bind(gateway, ManualClock::new()).await.expect("free ports");
    let (address, admin) = (gateway.local_addr(), gateway.admin_addr().expect("an address"));
    let shutdown = CancellationToken::new();
    let task = tokio::spawn(gateway.serve(shutdown.clone()));
    // A request whose body is on its way.
    let mut running = TcpStream::connect(address).await.expect("a connection");
    let head =
        "POST /v1/discovery/services HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 2\r\n";
    running.write_all(format!("{head}Expect: 100-continue\r\n\r\n").as_bytes()).await.expect("a head");
    let mut goes_on = [0; 25];
    running.read_exact(&mut goes_on).await.expect("it waits for the body");
    assert_eq!(&goes_on, b"HTTP/1.1 100 Continue\r\n\r\n");

    shutdown.cancel();
    eventually(async || ask(admin, "/readyz").await.contains("shutting down")).await;
    assert!(ask(admin, "/livez").await.starts_with("HTTP/1.1 200"));
    assert!(TcpStream::connect(address).await.is_err());
    assert!(!task.is_finished());
    running.write_all(b"{}").await.expect("the body");
    let mut answer = String::new();
    running.read_to_string(&mut answer).await.expect("an answer");
    assert!(answer.starts_with("HTTP/1.1 4"), "{answer}");
    assert!(matches!(task.await, Ok(Ok(()))));
}

#[tokio::test]
async fn who_asks_too_often_is_told_for_how_long_to_wait() {
    let [per_second, burst] = [1, 3].map(|n| NonZeroU32::new(n).expect("not zero"));
    let limits = Limits { rate: Some(ClientRate { per_second, burst }), ..Limits::default() };
    let clock = ManualClock::new();
    let gateway = Gateway::bind(Config { limits, ..config() }, clock.clone()).await.expect("a free port");
    let address = gateway.local_addr();
    tokio::spawn(gateway.serve(CancellationToken::new()));
    for _ in 0..3 {
        assert!(ask(address, "/openapi.json").await.starts_with("HTTP/1.1 200"));
    }
    let refused = ask(address, "/openapi.json").await;
    assert!(refused.starts_with("HTTP/1.1 429"), "{refused}");
    assert!(refused.contains("\r\nretry-after: 1\r\n"), "{refused}");
    assert!(refused.contains("urn:rollcall:error:too-many-requests"), "{refused}");
    assert!(refused.contains("\r\naccess-control-allow-origin: *\r\n"), "a page may read why: {refused}");
    assert!(ask(address, "/nonsense").await.starts_with("HTTP/1.1 429"));
    // A gateway must not look dead because somebody asks too often.
    for _ in 0..9 {
        assert!(ask(address, "/livez").await.starts_with("HTTP/1.1 200"));
    }
    clock.advance(Duration::from_millis(999));
    assert!(ask(address, "/openapi.json").await.starts_with("HTTP/1.1 429"));
    clock.advance(Duration::from_millis(1));
    assert!(ask(address, "/openapi.json").await.starts_with("HTTP/1.1 200"));
    assert!(ask(address, "/openapi.json").await.starts_with("HTTP/1.1 429"));
}

#[tokio::test]
async fn a_taken_port_is_told_with_what_to_do() {
    let first = Gateway::bind(config(), ManualClock::new()).await.expect("a free port");
    let taken = Config { listen: first.local_addr(), ..config() };
    let error = Gateway::bind(taken, ManualClock::new()).await.expect_err("taken");
    assert!(matches!(error, GatewayError::Taken(address) if address == first.local_addr()));
    assert!(error.to_string().contains("another address"));
    let taken = Config { admin_listen: Some(first.local_addr()), ..config() };
    let error = Gateway::bind(taken, ManualClock::new()).await.expect_err("taken");
    assert!(error.to_string().contains("--admin-listen"), "{error}");
}

#[tokio::test]
async fn a_url_that_is_none_is_refused_at_once() {
    let bad = Config { database_url: "nonsense".into(), ..config() };
    let error = Gateway::bind(bad, ManualClock::new()).await.expect_err("no URL");
    assert!(error.to_string().contains("postgres://user:password@host"), "{error}");
}
