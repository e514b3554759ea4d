//! JSON-RPC over HTTP, one question or many in one request.

use anyhow::{Context, Result, ensure};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json, value::RawValue};

/// A node.
#[derive(Clone)]
pub struct Rpc {
    client: reqwest::Client,
    url: String,
}

#[derive(Deserialize)]
struct Answer<'a> {
    #[serde(borrow)]
    result: Option<&'a RawValue>,
    error: Option<Value>,
}

impl Rpc {
    pub fn new(url: &str) -> Self {
        Self { client: reqwest::Client::new(), url: url.to_owned() }
    }

    /// Asks one question.
    pub async fn ask<T: DeserializeOwned>(&self, method: &str, params: Value) -> Result<T> {
        let body = self.post(&question(0, method, &params)).await?;
        let answer: Answer<'_> = serde_json::from_slice(&body).with_context(|| format!("the answer to {method}"))?;
        ensure!(answer.error.is_none(), "{method} {params}: {}", answer.error.unwrap_or_default());
        let result = answer.result.map_or("null", RawValue::get);
        serde_json::from_str(result).with_context(|| format!("the result of {method}"))
    }

    /// Asks many questions in one request; fails if one of them does. What they answer is not looked at.
    pub async fn ask_all(&self, questions: Vec<(&str, Value)>) -> Result<()> {
        let body: Vec<Value> =
            questions.iter().enumerate().map(|(i, (method, params))| question(i, method, params)).collect();
        let body = self.post(&Value::Array(body)).await?;
        let answers: Vec<Answer<'_>> = serde_json::from_slice(&body).context("the answers to a batch")?;
        ensure!(answers.len() == questions.len(), "{} answers to {} questions", answers.len(), questions.len());
        let error = answers.into_iter().find_map(|answer| answer.error);
        ensure!(error.is_none(), "a question of a batch failed: {}", error.unwrap_or_default());
        Ok(())
    }

    async fn post(&self, body: &Value) -> Result<Vec<u8>> {
        let answer = self.client.post(&self.url).json(body).send().await.context("asking the node")?;
        Ok(answer.error_for_status()?.bytes().await?.to_vec())
    }
}

fn question(id: usize, method: &str, params: &Value) -> Value {
    json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params })
}
