//! Connections that are refused, cut, or left without an answer.

use std::{io::ErrorKind, net::Ipv4Addr};

use faulty_rpc::Fault;
use futures::StreamExt;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::helper::{Line, World, until};

/// A connection that has asked over HTTP and got its answer, and could ask again.
async fn kept_alive(port: u16) -> TcpStream {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.unwrap();
    let body = r#"{"jsonrpc":"2.0","id":1,"method":"eth_chainId","params":[]}"#;
    let head = format!("POST / HTTP/1.1\r\nhost: node\r\ncontent-length: {}\r\n\r\n", body.len());
    stream.write_all(format!("{head}{body}").as_bytes()).await.unwrap();
    let mut answer = [0; 1024];
    let length = stream.read(&mut answer).await.unwrap();
    assert!(answer[..length].starts_with(b"HTTP/1.1 200"));
    stream
}

async fn is_reset(port: u16) -> bool {
    let connected = async { TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await?.read(&mut [0]).await };
    matches!(connected.await, Err(e) if e.kind() == ErrorKind::ConnectionReset)
}

#[tokio::test]
async fn a_node_that_refuses_resets_new_connections_and_closes_open_ones() {
    let world = World::start().await;
    let (mut http, mut ws) = (kept_alive(world.proxy.port()).await, Line::ws(&world.proxy.ws_url()).await);
    assert_eq!(ws.ask("eth_chainId", json!([])).await, Ok(json!("0x7a69")));

    world.proxy.set(Fault::Refuse);
    assert_eq!(http.read(&mut [0]).await.unwrap_or(0), 0);
    assert!(!matches!(ws.socket().next().await, Some(Ok(_))));
    assert!(is_reset(world.proxy.port()).await);

    world.proxy.set(Fault::None);
    for mut line in world.lines().await {
        assert_eq!(line.ask("eth_chainId", json!([])).await, Ok(json!("0x7a69")));
    }
}

#[tokio::test]
async fn a_refusal_cuts_even_if_it_is_over_at_once() {
    let world = World::start().await;
    let mut http = kept_alive(world.proxy.port()).await;
    world.proxy.set(Fault::Refuse);
    world.proxy.set(Fault::None);
    assert_eq!(http.read(&mut [0]).await.unwrap_or(0), 0);
}

#[tokio::test]
async fn a_node_that_hangs_reads_and_never_answers() {
    let world = World::start().await;
    let [mut http, mut ws] = world.lines().await;
    let request = |id: u64, method: &str| json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": [] });

    world.proxy.set(Fault::Hang);
    ws.send(request(1, "eth_chainId")).await;
    let hanging = tokio::spawn(async move { http.ask("eth_chainId", json!([])).await });
    until(|| world.proxy.asked("eth_chainId") == 2).await;

    world.proxy.set(Fault::None);
    let answer: Value = serde_json::from_str(&ws.say(request(2, "eth_blockNumber")).await).unwrap();
    assert_eq!((&answer["id"], &answer["result"]), (&json!(2), &json!("0xc")));
    let mut other = Line::http(&world.proxy.url());
    assert_eq!(other.ask("eth_blockNumber", json!([])).await, Ok(json!("0xc")));
    assert!(!hanging.is_finished());
    hanging.abort();
}

#[tokio::test]
async fn a_node_that_hangs_takes_new_connections() {
    let world = World::start().await;
    world.proxy.set(Fault::Hang);
    let mut ws = Line::ws(&world.proxy.ws_url()).await;
    ws.send(json!({ "jsonrpc": "2.0", "id": 1, "method": "eth_chainId", "params": [] })).await;
    until(|| world.proxy.asked("eth_chainId") == 1).await;
}

#[tokio::test]
async fn a_drop_closes_all() {
    let World { proxy, anvil: _anvil, .. } = World::start().await;
    let port = proxy.port();
    let (mut http, mut ws) = (kept_alive(port).await, Line::ws(&proxy.ws_url()).await);
    assert_eq!(ws.ask("eth_chainId", json!([])).await, Ok(json!("0x7a69")));
    drop(proxy);
    assert_eq!(http.read(&mut [0]).await.unwrap_or(0), 0);
    assert!(!matches!(ws.socket().next().await, Some(Ok(_))));
    while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.is_ok() {
        tokio::task::yield_now().await;
    }
}
