//! etcd with the same instances, each under a key of its own, asked for all of one service by its gRPC range.

use std::{path::Path, path::PathBuf, time::Duration};

use anyhow::{Context, Result, ensure};
use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::time::{sleep, timeout};
use tools::free_port;

use super::{
    file,
    load::{Programs, measure_h2},
};
use crate::world::Process;

/// How many services are put in at once; etcd takes 128 keys.
const AT_ONCE: u32 = 10;

/// A running etcd.
pub struct Etcd {
    pub process: Process,
    url: String,
    /// A `RangeRequest` as gRPC frames it.
    range: PathBuf,
}

impl Etcd {
    /// Starts one and puts the instances of `answer` in, for so many services.
    pub async fn start(etcd: &Path, folder: &TempDir, services: u32, answer: &[u8]) -> Result<Self> {
        let url = format!("http://127.0.0.1:{}", free_port()?);
        let peers = format!("http://127.0.0.1:{}", free_port()?);
        let data = folder.path().join("etcd").display().to_string();
        let cluster = format!("default={peers}");
        let process = Process::spawn(
            etcd,
            &[
                "--data-dir",
                &data,
                "--listen-client-urls",
                &url,
                "--advertise-client-urls",
                &url,
                "--listen-peer-urls",
                &peers,
                "--initial-advertise-peer-urls",
                &peers,
                "--initial-cluster",
                &cluster,
                "--log-level",
                "error",
                "--logger",
                "zap",
            ],
        )?;
        let range = file(folder, "range.bin", &framed(&range_request("bench/s0/")))?;
        let mut etcd = Self { process, url, range };
        timeout(Duration::from_secs(30), etcd.ready()).await.context("etcd does not answer")??;
        etcd.fill(services, answer).await?;
        Ok(etcd)
    }

    /// Ranges per second of its CPU.
    pub async fn measure(&mut self, programs: &Programs, seconds: u32) -> Result<f64> {
        let url = format!("{}/etcdserverpb.KV/Range", self.url);
        measure_h2(programs, &url, Some(&self.range), seconds, &mut self.process).await
    }

    async fn ready(&mut self) -> Result<()> {
        while reqwest::get(format!("{}/health", self.url)).await.and_then(reqwest::Response::error_for_status).is_err()
        {
            self.process.check()?;
            sleep(Duration::from_millis(50)).await;
        }
        Ok(())
    }

    async fn fill(&self, services: u32, answer: &[u8]) -> Result<()> {
        let answer: Value = serde_json::from_slice(answer)?;
        let instances = answer["instances"].as_array().context("an answer without instances")?;
        let client = reqwest::Client::new();
        for first in (0..services).step_by(AT_ONCE as usize) {
            let these = (first..services.min(first + AT_ONCE)).flat_map(|n| {
                instances.iter().enumerate().map(move |(m, instance)| (format!("bench/s{n}/i{m}"), instance))
            });
            let puts: Vec<Value> = these
                .map(|(key, value)| {
                    let [key, value] = [key, value.to_string()].map(|text| STANDARD.encode(text));
                    json!({ "requestPut": { "key": key, "value": value } })
                })
                .collect();
            let request = client.post(format!("{}/v3/kv/txn", self.url)).json(&json!({ "success": puts }));
            request.send().await?.error_for_status()?;
        }
        let (key, end) = (STANDARD.encode("bench/s0/"), STANDARD.encode("bench/s00"));
        let request = client.post(format!("{}/v3/kv/range", self.url)).json(&json!({ "key": key, "range_end": end }));
        let found: Value = request.send().await?.error_for_status()?.json().await?;
        let count = found["count"].as_str().and_then(|count| count.parse().ok());
        ensure!(count == Some(instances.len()), "etcd has {} instances", found["count"]);
        Ok(())
    }
}

/// All keys with a prefix, as the server that is asked knows them: `RangeRequest { key: 1, range_end: 2, serializable: 7 }`.
fn range_request(prefix: &str) -> Vec<u8> {
    let mut end = prefix.as_bytes().to_vec();
    if let Some(last) = end.last_mut() {
        *last += 1;
    }
    let mut message = Vec::new();
    for (tag, bytes) in [(0x0a, prefix.as_bytes()), (0x12, &end)] {
        message.push(tag);
        message.push(bytes.len() as u8);
        message.extend_from_slice(bytes);
    }
    message.extend_from_slice(&[0x38, 1]);
    message
}

/// A message of gRPC that is not compressed.
fn framed(message: &[u8]) -> Vec<u8> {
    let mut frame = vec![0];
    frame.extend_from_slice(&(message.len() as u32).to_be_bytes());
    frame.extend_from_slice(message);
    frame
}
