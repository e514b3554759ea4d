//! Instances that come, send heartbeats, forget them, die, recover and go, by chance; and what is true of them, in the
//! plainest words.

use std::{collections::BTreeMap, time::Duration};

use alloy::{
    primitives::{Bytes, keccak256},
    sol_types::SolCall,
};
use anvil_fixtures::scenario::plain;
use bindings::{
    IRegistryTypes::{InstanceKey, Registration},
    ServiceRegistry::{deregisterCall, heartbeatBatchCall, registerCall},
};
use domain::{InstanceId, NamespaceId, ServiceKey};
use e2e::{World, world::OWNER};
use rand::{Rng, rngs::StdRng};

/// The names of the services.
pub const SERVICES: [&str; 3] = ["payments", "billing", "search"];

/// How many instances a service has, if they all live.
const SIZE: usize = 6;

/// An instance as its owner knows it.
#[derive(Debug)]
pub struct Instance {
    pub service: &'static str,
    pub label: String,
    pub ttl: u64,
    pub last_heartbeat: u64,
    /// When it was deregistered, by the gateway's clock.
    pub left: Option<Duration>,
    /// When it means to send the next heartbeat; a dead one means nothing.
    next: Option<u64>,
}

impl Instance {
    /// The whole truth.
    pub fn is_live(&self, now: u64) -> bool {
        self.left.is_none() && now <= self.last_heartbeat + self.ttl
    }
}

/// All instances that ever were.
pub struct Fleet {
    pub instances: BTreeMap<InstanceId, Instance>,
    pub rng: StdRng,
    namespace: NamespaceId,
}

impl Fleet {
    /// None yet.
    pub fn new(world: &World, rng: StdRng) -> Self {
        Self { instances: BTreeMap::new(), rng, namespace: world.namespace() }
    }

    /// Those of a service that are live.
    pub fn live(&self, service: &str, now: u64) -> Vec<InstanceId> {
        let live = self.instances.iter().filter(|(_, one)| one.service == service && one.is_live(now));
        live.map(|(id, _)| *id).collect()
    }

    /// What the owner sends into a block of this time.
    pub fn calls(&mut self, time: u64, clock: Duration) -> Vec<Bytes> {
        let mut calls: Vec<Bytes> = Vec::new();
        let mut beats = Vec::new();
        for (id, one) in self.instances.iter_mut().filter(|(_, one)| one.left.is_none()) {
            let chance: f64 = self.rng.random();
            match one.next {
                // Dead, and comes back or is cleared away at last.
                None if chance < 0.04 => one.next = Some(time),
                None if chance < 0.06 => {
                    let service = ServiceKey::new(self.namespace, one.service);
                    let key = InstanceKey { service: service.0, registrant: OWNER, labelHash: keccak256(&one.label) };
                    calls.push(deregisterCall { key }.abi_encode().into());
                    one.left = Some(clock);
                }
                Some(next) if next <= time => {
                    one.next = Some(time + one.ttl / 3);
                    match chance {
                        chance if chance < 0.08 => one.next = None,
                        // Forgets this one.
                        chance if chance < 0.14 => {}
                        _ => {
                            beats.push(id.0);
                            one.last_heartbeat = time;
                        }
                    }
                }
                None | Some(_) => {}
            }
        }
        if !beats.is_empty() {
            calls.push(heartbeatBatchCall { ids: beats }.abi_encode().into());
        }
        for service in SERVICES {
            let active = self.instances.values().filter(|one| one.service == service && one.next.is_some()).count();
            if active < SIZE && (active == 0 || self.rng.random_bool(0.3)) {
                calls.push(self.register(service, time));
            }
        }
        calls
    }

    fn register(&mut self, service: &'static str, time: u64) -> Bytes {
        let label = format!("i{}", self.instances.len());
        let ttl = self.rng.random_range(12..40);
        let registration = Registration { ttl: World::ttl(ttl), ..plain(self.namespace, service, &label, "1.0.0") };
        let id = InstanceId::new(ServiceKey::new(self.namespace, service), OWNER, &label);
        let ttl = u64::from(ttl);
        let one = Instance { service, label, ttl, last_heartbeat: time, left: None, next: Some(time + ttl / 3) };
        self.instances.insert(id, one);
        registerCall { registration }.abi_encode().into()
    }
}
