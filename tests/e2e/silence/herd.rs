//! Instances that send heartbeats as told, and what a gateway says of them.

use std::{collections::BTreeMap, time::Duration};

use alloy::{primitives::Bytes, sol_types::SolCall};
use anvil_fixtures::scenario::plain;
use anyhow::{Context, Result, ensure};
use bindings::ServiceRegistry::{heartbeatBatchCall, registerCall};
use domain::{InstanceId, ServiceKey};
use e2e::{World, pace::Pace, world::OWNER};

/// The ttl of all instances, and how often they send heartbeats.
pub const TTL: u64 = 30;
pub const EVERY: u64 = 10;

/// A world whose chain and clock go together, and in which instances live.
pub struct Herd<'a> {
    pub world: &'a World,
    pub pace: Pace<'a>,
    /// By service and label: the id, and the last heartbeat.
    instances: BTreeMap<(&'static str, String), (InstanceId, u64)>,
}

/// How a service is answered with.
#[derive(Debug)]
pub struct Shown {
    pub mode: String,
    /// In the order of the answer.
    pub labels: Vec<String>,
    pub suspects: Vec<String>,
}

impl<'a> Herd<'a> {
    pub async fn in_world(world: &'a World) -> Result<Self> {
        Ok(Self { world, pace: Pace::of(world).await?, instances: BTreeMap::new() })
    }

    /// Registers instances of a service, `a0` and so on, in one block.
    pub async fn add(&mut self, service: &'static str, count: usize) -> Result<()> {
        self.pace.pass(Duration::from_secs(1)).await?;
        let mut calls = Vec::new();
        for number in 0..count {
            let registration = plain(self.world.namespace(), service, &format!("a{number}"), "1.0.0");
            let id = InstanceId::new(ServiceKey::new(self.world.namespace(), service), OWNER, &registration.label);
            self.instances.insert((service, registration.label.clone()), (id, self.pace.time()));
            calls.push(Bytes::from(registerCall { registration }.abi_encode()));
        }
        self.pace.block(calls).await
    }

    /// A block now, with the heartbeats of all whose time it is, but of those that are `lost`.
    pub async fn block(&mut self, lost: impl Fn(&str, &str) -> bool) -> Result<()> {
        let now = self.pace.time();
        let mut ids = Vec::new();
        for ((service, label), (id, last)) in &mut self.instances {
            if now >= *last + EVERY && !lost(service, label) {
                ids.push(id.0);
                *last = now;
            }
        }
        let calls = (!ids.is_empty()).then(|| heartbeatBatchCall { ids }.abi_encode().into());
        self.pace.block(calls).await
    }

    /// Time passes in steps, with a block at the end of each; see [`Herd::block`].
    pub async fn pass(&mut self, steps: u64, seconds: u64, lost: impl Fn(&str, &str) -> bool) -> Result<()> {
        for _ in 0..steps {
            self.pace.pass(Duration::from_secs(seconds)).await?;
            self.block(&lost).await?;
        }
        Ok(())
    }

    /// The last heartbeat of an instance.
    pub fn last(&self, service: &'static str, label: &str) -> u64 {
        self.instances[&(service, label.to_owned())].1
    }

    pub async fn shown(&self, service: &str) -> Result<Shown> {
        let path = format!("/v1/namespaces/{OWNER}/services/{service}/instances");
        let response = self.world.response(&path).await?;
        ensure!(response.status() == 200, "{path}: {}", response.status());
        let mode = response.headers()["x-registry-mode"].to_str()?.to_owned();
        let body: serde_json::Value = response.json().await?;
        ensure!(body["mode"] == mode.as_str(), "{mode} in the header, and {body}");
        let list = body["instances"].as_array().context("instances")?;
        let labels = list.iter().filter_map(|one| one["label"].as_str());
        let suspects = list.iter().filter(|one| one["observed"]["suspect"] == true);
        let suspects = suspects.filter_map(|one| one["label"].as_str());
        Ok(Shown {
            mode,
            labels: labels.map(ToOwned::to_owned).collect(),
            suspects: suspects.map(ToOwned::to_owned).collect(),
        })
    }
}
