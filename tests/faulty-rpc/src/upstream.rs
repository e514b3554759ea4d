//! What the node behind is asked.

use serde_json::{Value, json};

use crate::{
    behind::Heads,
    message::{Answer, Request, answer_in, error, number},
    replace::Replaced,
};

/// The node behind.
#[derive(Clone, Debug)]
pub(crate) struct Upstream {
    client: reqwest::Client,
    http: String,
    pub(crate) ws: String,
}

impl Upstream {
    pub(crate) fn new(http: &str, ws: &str) -> Result<Self, reqwest::Error> {
        let client = reqwest::Client::builder().no_proxy().build()?;
        Ok(Self { client, http: http.to_owned(), ws: ws.to_owned() })
    }

    /// Passes a request on. A node that cannot be reached is an error of JSON-RPC.
    pub(crate) async fn ask(&self, request: &Request) -> Answer {
        let message = async {
            let response = self.client.post(&self.http).json(&request.with_id(1)).send().await?;
            response.json::<Value>().await
        };
        match message.await {
            Ok(message) => answer_in(message),
            Err(e) => error(-32603, format!("the node behind the proxy does not answer: {e}")),
        }
    }

    async fn block(&self, method: &str, name: Value) -> Answer {
        self.ask(&Request::new(method, vec![name, json!(false)])).await
    }

    /// The block at a height or tag, without transactions.
    pub(crate) async fn block_at(&self, name: Value) -> Answer {
        self.block("eth_getBlockByNumber", name).await
    }

    /// How high the block of a hash is; none if there is no such block.
    pub(crate) async fn height_of(&self, hash: Value) -> Result<Option<u64>, Value> {
        Ok(number(&self.block("eth_getBlockByHash", hash).await?["number"]))
    }

    /// How high the tags are. Where the node does not know one, it is 0.
    pub(crate) async fn heads(&self) -> Result<Heads, Value> {
        let height = async |tag: &str| number(&self.block_at(tag.into()).await.unwrap_or_default()["number"]);
        let latest = number(&self.block_at("latest".into()).await?["number"]).unwrap_or_default();
        let (safe, finalized) = futures::join!(height("safe"), height("finalized"));
        Ok(Heads { latest, safe: safe.unwrap_or_default(), finalized: finalized.unwrap_or_default() })
    }

    /// What replaces the latest block.
    pub(crate) async fn replaced(&self) -> Result<Option<Replaced>, Value> {
        Ok(Replaced::of(&self.block_at("latest".into()).await?))
    }

    /// All receipts of a block.
    pub(crate) async fn receipts(&self, hash: Value) -> Answer {
        self.ask(&Request::new("eth_getBlockReceipts", vec![hash])).await
    }
}
