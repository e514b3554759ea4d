//! A chain behind a proxy, and who asks.

use faulty_rpc::{Fault, FaultyRpc};
use futures::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async, tungstenite::Message};
use tools::{Anvil, AnvilConfig, Tools};

/// Anvil's first account, which is unlocked.
const ACCOUNT: &str = "0xf39fd6e51aad88f6f4ce6ab8827279cfffb92266";
/// Where the account's first transaction puts a contract.
pub const CONTRACT: &str = "0x5fbdb2315678afecb367f032d93f642f64180aa3";
/// A contract that logs `42` with topics 1 and 2, then `43` with topics 3 and 4, whatever it is called with. The code
/// before it returns it.
const INIT: &str = concat!(
    "0x60198060095f395ff3",
    "602a5f526002600160205fa2", // mstore(0, 42) log2(0, 32, 1, 2)
    "602b5f526004600360205fa2", // mstore(0, 43) log2(0, 32, 3, 4)
    "00",
);

/// A chain of 12 blocks, and a proxy before it: the contract is deployed in block 1 and called twice in block 12, which
/// so has four logs; the blocks between are empty.
pub struct World {
    pub proxy: FaultyRpc,
    pub truth: Line,
    pub anvil: Anvil,
}

impl World {
    pub async fn start() -> World {
        let config = AnvilConfig { slots_in_an_epoch: 1, ..AnvilConfig::default() };
        let anvil = Anvil::spawn(&Tools::ensure().unwrap(), config).await.unwrap();
        let proxy = FaultyRpc::start(&anvil.rpc_url(), &anvil.ws_url()).await.unwrap();
        let mut world = World { proxy, truth: Line::http(&anvil.rpc_url()), anvil };
        world.truth.ask("eth_sendTransaction", json!([{ "from": ACCOUNT, "data": INIT }])).await.unwrap();
        world.mine(10).await;
        world.truth.ask("evm_setAutomine", json!([false])).await.unwrap();
        for _ in 0..2 {
            let call = json!([{ "from": ACCOUNT, "to": CONTRACT, "gas": "0x186a0" }]);
            world.truth.ask("eth_sendTransaction", call).await.unwrap();
        }
        world.mine(1).await;
        assert_eq!(world.truth.ask("eth_blockNumber", json!([])).await, Ok(json!("0xc")));
        world
    }

    pub async fn mine(&mut self, blocks: u64) {
        self.truth.ask("anvil_mine", json!([format!("{blocks:#x}")])).await.unwrap();
    }

    /// Who asks the proxy, over HTTP and over WebSocket.
    pub async fn lines(&self) -> [Line; 2] {
        [Line::http(&self.proxy.url()), Line::ws(&self.proxy.ws_url()).await]
    }

    /// What both lines answer to each question under a fault. Before and after, all answers are the node's own.
    pub async fn under(&mut self, fault: Fault, questions: &[(&str, Value)]) -> Vec<Answer> {
        let mut lines = self.lines().await;
        let mut answers = Vec::new();
        for (method, params) in questions {
            let truth = self.truth.ask(method, params.clone()).await;
            for line in &mut lines {
                assert_eq!(line.ask(method, params.clone()).await, truth, "{method} before {fault:?}");
            }
            self.proxy.set(fault);
            let [http, ws] = &mut lines;
            let (http, ws) = (http.ask(method, params.clone()).await, ws.ask(method, params.clone()).await);
            assert_eq!(http, ws, "{method} {params} under {fault:?}");
            answers.push(http);
            self.proxy.set(Fault::None);
            for line in &mut lines {
                assert_eq!(line.ask(method, params.clone()).await, truth, "{method} after {fault:?}");
            }
        }
        answers
    }

    /// As [`World::under`], of one question that has a result.
    pub async fn result(&mut self, fault: Fault, method: &str, params: Value) -> Value {
        self.under(fault, &[(method, params)]).await.remove(0).unwrap()
    }

    /// What the node itself answers.
    pub async fn true_result(&mut self, method: &str, params: Value) -> Value {
        self.truth.ask(method, params).await.unwrap()
    }

    /// The true block at a height.
    pub async fn block(&mut self, height: u64) -> Value {
        self.true_result("eth_getBlockByNumber", json!([format!("{height:#x}"), false])).await
    }
}

/// A result, or the object of an error.
pub type Answer = Result<Value, Value>;
pub type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// Who asks, one question after the other.
pub enum Line {
    Http(reqwest::Client, String),
    Ws(Box<Socket>),
}

impl Line {
    pub fn http(url: &str) -> Line {
        Line::Http(reqwest::Client::new(), url.to_owned())
    }

    pub async fn ws(url: &str) -> Line {
        Line::Ws(Box::new(connect_async(url).await.unwrap().0))
    }

    pub async fn ask(&mut self, method: &str, params: Value) -> Answer {
        let request = json!({ "jsonrpc": "2.0", "id": 5, "method": method, "params": params });
        let mut answer: Value = serde_json::from_str(&self.say(request).await).unwrap();
        assert_eq!(answer["id"], 5, "{answer}");
        match answer["error"].take() {
            Value::Null => Ok(answer["result"].take()),
            error => Err(error),
        }
    }

    /// Sends a message and returns the next one that comes.
    pub async fn say(&mut self, message: Value) -> String {
        match self {
            Line::Http(client, url) => {
                client.post(url.as_str()).json(&message).send().await.unwrap().text().await.unwrap()
            }
            Line::Ws(_) => {
                self.send(message).await;
                self.next().await
            }
        }
    }

    /// Sends a message over WebSocket.
    pub async fn send(&mut self, message: Value) {
        self.socket().send(Message::text(message.to_string())).await.unwrap();
    }

    /// The next message over WebSocket.
    pub async fn next(&mut self) -> String {
        self.socket().next().await.unwrap().unwrap().into_text().unwrap().to_string()
    }

    /// The header in the next message over WebSocket, which must be a notification.
    pub async fn next_header(&mut self) -> Value {
        let mut message: Value = serde_json::from_str(&self.next().await).unwrap();
        assert_eq!(message["method"], "eth_subscription", "{message}");
        message["params"]["result"].take()
    }

    pub fn socket(&mut self) -> &mut Socket {
        match self {
            Line::Ws(socket) => socket,
            Line::Http(..) => panic!("it is no WebSocket"),
        }
    }
}

/// Lets the other tasks run until something is so.
pub async fn until(mut so: impl FnMut() -> bool) {
    while !so() {
        tokio::task::yield_now().await;
    }
}
