//! Requests and subscriptions over WebSocket. Subscriptions are those of a connection of its own to the node behind;
//! all else is asked as over HTTP.

use axum::{
    extract::{
        State, WebSocketUpgrade,
        ws::{Message as Frame, WebSocket},
    },
    response::Response,
};
use futures::{SinkExt, StreamExt};
use serde_json::Value;
use tokio::net::TcpStream;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async, tungstenite::Message as NodeFrame};

use crate::{
    Fault,
    message::{Answer, Message, Request, answer_in},
    proxy::Proxy,
    whole::Instead,
};

/// Takes a connection over.
pub(crate) async fn upgrade(State(proxy): State<Proxy>, upgrade: WebSocketUpgrade) -> Response {
    let cut = proxy.cut();
    upgrade.on_upgrade(async move |client| {
        tokio::select! {
            biased;
            () = cut => {}
            _ = relay(client, proxy) => {}
        }
    })
}

/// Ends when either side is gone.
async fn relay(client: WebSocket, proxy: Proxy) -> Option<()> {
    let (node, _) = connect_async(&proxy.upstream.ws).await.ok()?;
    let mut relay = Relay { client, node, proxy, last_id: 0 };
    loop {
        tokio::select! {
            frame = relay.client.recv() => match frame?.ok()? {
                Frame::Text(text) => relay.receive(text.as_bytes()).await?,
                Frame::Binary(bytes) => relay.receive(&bytes).await?,
                Frame::Close(_) => return None,
                Frame::Ping(_) | Frame::Pong(_) => {}
            },
            frame = relay.node.next() => {
                if let Some(message) = read(frame?.ok()?) {
                    relay.notify(message).await?;
                }
            }
        }
    }
}

/// The message in a frame of the node; none in frames that carry none.
fn read(frame: NodeFrame) -> Option<Value> {
    serde_json::from_str(frame.to_text().ok()?).ok()
}

struct Relay {
    client: WebSocket,
    node: WebSocketStream<MaybeTlsStream<TcpStream>>,
    proxy: Proxy,
    last_id: u64,
}

impl Relay {
    /// Answers a message of the client.
    async fn receive(&mut self, text: &[u8]) -> Option<()> {
        let message = Message::read(text);
        let answer = match self.proxy.receive(&message) {
            (_, Some(Instead::Silence)) => return Some(()),
            (_, Some(Instead::Status(_, error))) => message.each_answered(&error),
            (_, Some(Instead::Text(text))) => text,
            (setting, None) => {
                let mut answers = Vec::with_capacity(message.requests.len());
                for request in &message.requests {
                    let answer = match request.method.as_str() {
                        "eth_subscribe" | "eth_unsubscribe" => self.ask_node(request).await?,
                        _ => self.proxy.answer(&setting, request).await,
                    };
                    answers.push(request.answered(answer));
                }
                message.answered(answers)
            }
        };
        self.send(answer).await
    }

    /// Asks on the connection that has the subscriptions. Notifications that come before the answer go before it.
    async fn ask_node(&mut self, request: &Request) -> Option<Answer> {
        self.last_id += 1;
        let id = self.last_id;
        self.node.send(NodeFrame::text(request.with_id(id).to_string())).await.ok()?;
        loop {
            match read(self.node.next().await?.ok()?) {
                Some(message) if message["id"] == id => return Some(answer_in(message)),
                Some(message) => self.notify(message).await?,
                None => {}
            }
        }
    }

    /// Passes a notification on, as the fault of the moment has it.
    async fn notify(&mut self, mut message: Value) -> Option<()> {
        let fault = self.proxy.setting().fault;
        if fault == Fault::Hang {
            return Some(());
        }
        let result = &mut message["params"]["result"];
        if result.get("parentHash").is_some() {
            match self.proxy.notice(fault, result.take()).await {
                Some(notice) => *result = notice,
                None => return Some(()),
            }
        }
        self.send(message.to_string()).await
    }

    async fn send(&mut self, text: String) -> Option<()> {
        self.client.send(Frame::text(text)).await.ok()
    }
}
