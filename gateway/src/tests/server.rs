//! The listener.

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tokio_util::sync::CancellationToken;

use super::*;
use crate::{Config, Gateway, GatewayError};

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

#[tokio::test]
async fn a_taken_port_is_told_with_what_to_do() {
    let first = Gateway::bind(config(), ManualClock::new()).await.expect("a free port");
    let taken = Config { listen: first.local_addr(), ..config() };
    let error = Gateway::bind(taken, ManualClock::new()).await.expect_err("taken");
    assert!(matches!(error, GatewayError::Taken(address) if address == first.local_addr()));
    assert!(error.to_string().contains("another address"));
}

#[tokio::test]
async fn a_url_that_is_none_is_refused_at_once() {
    let bad = Config { database_url: "nonsense".into(), ..config() };
    let error = Gateway::bind(bad, ManualClock::new()).await.expect_err("no URL");
    assert!(error.to_string().contains("postgres://user:password@host"), "{error}");
}
