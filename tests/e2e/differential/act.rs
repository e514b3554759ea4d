//! From a step to a call: who and what are looked up in what is there now.

use alloy::primitives::{Address, B256, Bytes, keccak256};
use anvil_fixtures::chain::ACCOUNTS;
use domain::Status;

use super::{
    model::{Beat, Body, Call, Grant, Instance, Key, Model},
    steps::{Act, By, Until, Which},
};

const DAY: u64 = 86_400;

/// Two personal namespaces and three that can be claimed.
pub fn namespaces() -> [B256; 5] {
    [ACCOUNTS[0].into_word(), ACCOUNTS[1].into_word(), keccak256(LABELS[0]), keccak256(LABELS[1]), keccak256(LABELS[2])]
}

/// What is claimed; the last ones cannot be.
const LABELS: [&str; 6] = ["acme", "b.2", "c_3-", "0x12", "-acme", "Acme"];
const TTLS: [u32; 6] = [5, 60, 3_600, 30 * 86_400, 4, 30 * 86_400 + 1];

/// What endorsements are about.
pub fn topic(n: u8) -> B256 {
    B256::repeat_byte(n)
}

/// Somebody; or nobody, whom one can propose as well.
fn account(n: usize) -> Address {
    ACCOUNTS.get(n).copied().unwrap_or_default()
}

/// Who sends what.
pub fn resolve(model: &Model, by: By, act: &Act) -> (Address, Call) {
    let (entitled, call) = call(model, act);
    // Nobody can send nothing.
    let entitled = if entitled.is_zero() { ACCOUNTS[2] } else { entitled };
    match by {
        By::Actor(n) => (account(n), call),
        By::Operator(n) => (operator(model, &call, n).unwrap_or(entitled), call),
        By::Entitled => (entitled, call),
    }
}

/// Somebody who may do something, maybe not this, for the owner of the instance that a call is about.
fn operator(model: &Model, call: &Call, n: usize) -> Option<Address> {
    let id = match call {
        Call::Update { key, .. } | Call::Deregister { key } => key.id(),
        Call::Heartbeat { id } => *id,
        Call::HeartbeatBatch { ids } => *ids.first()?,
        _ => return None,
    };
    operator_of(model, id, n)
}

fn operator_of(model: &Model, id: B256, n: usize) -> Option<Address> {
    let of = model.instances.get(&id)?;
    let granted = |who: &Address| {
        model.operators.contains_key(&(of.owner, *who)) || model.instance_operators.contains_key(&(id, of.epoch, *who))
    };
    ACCOUNTS.into_iter().cycle().skip(n).take(ACCOUNTS.len()).find(granted)
}

/// The call, and who should send it.
fn call(model: &Model, act: &Act) -> (Address, Call) {
    let owner = |key: &Key| model.instances.get(&key.id()).map_or(key.registrant, |instance| instance.owner);
    match *act {
        Act::Claim { label } => (Address::ZERO, Call::Claim { label: LABELS[label].into() }),
        Act::Open { namespace, open } => {
            let namespace = namespaces()[namespace];
            (model.authority(namespace), Call::Open { namespace, open })
        }
        Act::ProposeNamespaceOwner { namespace, to } => {
            let namespace = namespace_of(model, namespace, |_| true);
            (model.authority(namespace), Call::ProposeNamespaceOwner { namespace, account: account(to) })
        }
        Act::AcceptNamespaceOwner { namespace: n } => {
            let proposed = |id: &B256| {
                let said = model.namespace_proposals.get(&(*id, model.namespace_epoch(*id)));
                said.map(|said| said.what).filter(|who| !who.is_zero())
            };
            let namespace = namespace_of(model, n, |id| proposed(id).is_some());
            match proposed(&namespace) {
                Some(who) => (who, Call::AcceptNamespaceOwner { namespace }),
                // So that there is something to accept the next time.
                None if n > 1 => {
                    let namespace = namespace_of(model, n, |_| true);
                    (model.authority(namespace), Call::ProposeNamespaceOwner { namespace, account: ACCOUNTS[n] })
                }
                None => (Address::ZERO, Call::AcceptNamespaceOwner { namespace }),
            }
        }
        Act::SetRegistrar { namespace, registrar, until } => {
            let namespace = namespaces()[namespace];
            let expiry = time(model, until);
            (model.authority(namespace), Call::SetRegistrar { namespace, registrar: account(registrar), expiry })
        }
        Act::Register { namespace, name, label, body, ttl } => {
            let namespace = namespaces()[namespace];
            let name = ["pay", "mail.v2"][name].into();
            // Most numbers are one of three labels; the last is none.
            let label = if label == 29 { "a b".into() } else { ["a", "b-1", "3"][label % 3].into() };
            let call = Call::Register { namespace, name, label, body: published(body), ttl: TTLS[ttl] };
            (model.authority(namespace), call)
        }
        Act::Return { which, body, ttl } => {
            let Key { namespace, name, registrant, label } =
                key(model, which, |_, of| matches!(of.status, Status::Deregistered | Status::Reaped));
            (registrant, Call::Register { namespace, name, label, body: published(body), ttl: TTLS[ttl] })
        }
        Act::Update { which, stale, body, ttl } => {
            let key = key(model, which, listed);
            let now = model.instances.get(&key.id());
            let previous = now.map_or(B256::ZERO, |instance| instance.record_hash);
            let previous = if stale { keccak256(previous) } else { previous };
            let ttl = ttl.map_or_else(|| now.map_or(60, |instance| instance.ttl), |ttl| TTLS[ttl]);
            (owner(&key), Call::Update { previous, body: published(body), ttl, key })
        }
        Act::Deregister { which } => {
            // Often one with a history, so that there is something to forget when it returns.
            let any = !matches!(which, Which::Fit(n) if n % 2 == 0);
            let key = key(model, which, |_, of| of.is_listed() && (any || of.reason.is_some()));
            (owner(&key), Call::Deregister { key })
        }
        Act::Heartbeat { which } => {
            let key = key(model, which, listed);
            (owner(&key), Call::Heartbeat { id: key.id() })
        }
        Act::HeartbeatBatch { ref which } => {
            let keys: Vec<Key> = which.iter().map(|which| key(model, *which, listed)).collect();
            let first = keys.first().map_or(Address::ZERO, owner);
            (first, Call::HeartbeatBatch { ids: keys.iter().map(Key::id).collect() })
        }
        Act::HeartbeatSigned { ref which, until } => {
            let beats = which.iter().map(|&(which, by, ago)| {
                let key = key(model, which, listed);
                let now = model.instances.get(&key.id());
                let epoch = now.map_or(0, |instance| instance.epoch);
                // Most are between the last one and now; some are too late, or of the future.
                let last = now.map_or(0, |instance| instance.last_heartbeat);
                let time = (last.max(model.time.saturating_sub(20)) + ago).saturating_sub(2);
                let signer = match by {
                    By::Entitled => owner(&key),
                    By::Operator(n) => operator_of(model, key.id(), n).unwrap_or(ACCOUNTS[n]),
                    By::Actor(n) => account(n),
                };
                Beat { id: key.id(), epoch, time, deadline: self::time(model, until), signer }
            });
            (Address::ZERO, Call::HeartbeatSigned { beats: beats.collect() })
        }
        Act::ProposeOwner { which, to } => {
            let key = key(model, which, listed);
            (owner(&key), Call::ProposeOwner { id: key.id(), account: account(to) })
        }
        Act::AcceptOwner { which } => {
            let key = key(model, which, |id, of| {
                of.is_listed() && model.proposals.get(&(*id, of.epoch)).is_some_and(|to| !to.what.is_zero())
            });
            let epoch = model.instances.get(&key.id()).map_or(0, |instance| instance.epoch);
            let proposed = model.proposals.get(&(key.id(), epoch)).map_or(Address::ZERO, |said| said.what);
            (proposed, Call::AcceptOwner { key })
        }
        Act::SetOperator { operator, permissions, until } => {
            let grant = Grant { permissions, expiry: time(model, until) };
            (ACCOUNTS[usize::from(permissions % 3)], Call::SetOperator { operator: account(operator), grant })
        }
        Act::SetInstanceOperator { which, operator, permissions, until } => {
            let (key, operator) = (key(model, which, listed), account(operator));
            let grant = Grant { permissions, expiry: time(model, until) };
            (owner(&key), Call::SetInstanceOperator { id: key.id(), operator, grant })
        }
        Act::SetStatus { which, status, reason } => {
            let key = key(model, which, |_, of| of.is_listed() && of.status as u8 != status);
            let reason = [&b""[..], b"because", b"\0\xff\x1b[31m", &[7; 256], &[7; 257]][reason];
            (model.authority(key.namespace), Call::SetStatus { key, status, reason: Bytes::copy_from_slice(reason) })
        }
        Act::Reap { ref which } => {
            let due = |of: &Instance| of.last_heartbeat + u64::from(of.ttl) + 7 * DAY < model.time;
            let fits = |_: &B256, of: &Instance| of.status == Status::Active && due(of);
            let keys = which.iter().map(|which| key(model, *which, fits)).collect();
            (Address::ZERO, Call::Reap { keys })
        }
        Act::Endorse { which, stale, topic, until, digest } => {
            let key = key(model, which, listed);
            let epoch = model.instances.get(&key.id()).map_or(0, |instance| instance.epoch) + u32::from(stale);
            let other = ACCOUNTS.into_iter().find(|account| *account != owner(&key)).unwrap_or_default();
            let digest = if digest == 0 { B256::ZERO } else { B256::repeat_byte(digest) };
            let expiry = time(model, until);
            (other, Call::Endorse { id: key.id(), epoch, topic: self::topic(topic), expiry, digest })
        }
        Act::Withdraw { which, topic } => {
            let given = |id: &B256, of: &Instance| {
                let here = |at: &(B256, u32, Address, B256)| (at.0, at.1) == (*id, of.epoch);
                let mut given = model.endorsements.iter().filter(|(at, said)| here(at) && !said.what.withdrawn);
                given.next().map(|((_, _, endorser, topic), _)| (*endorser, *topic))
            };
            let id = key(model, which, |id, of| given(id, of).is_some()).id();
            let given = model.instances.get(&id).and_then(|of| given(&id, of));
            let (endorser, topic) = given.unwrap_or((ACCOUNTS[3], self::topic(topic)));
            (endorser, Call::Withdraw { id, topic })
        }
    }
}

fn time(model: &Model, until: Until) -> u64 {
    match until {
        Until::Never => 0,
        Until::Before => model.time - 1,
        Until::Now => model.time,
        Until::Soon => model.time + 20,
        Until::Later => model.time + 2 * DAY,
        Until::Ever => (1 << 40) - 1,
    }
}

/// Which namespace is meant: mostly one that was claimed, and that something can be done with.
fn namespace_of(model: &Model, n: usize, fits: impl Fn(&B256) -> bool) -> B256 {
    let claimed = |id: &B256| model.namespaces.get(id).is_some_and(|of| of.label.is_some());
    let fit: Vec<B256> = namespaces().into_iter().filter(|id| claimed(id) && fits(id)).collect();
    match n.checked_rem(fit.len()) {
        Some(at) if n != 0 => fit[at],
        _ => namespaces()[n],
    }
}

/// Which instance is meant, of those that something can be done with.
fn key(model: &Model, which: Which, fits: impl Fn(&B256, &Instance) -> bool) -> Key {
    let (Which::Fit(n) | Which::Known(n) | Which::Made(n)) = which;
    let mut known: Vec<(&B256, &Instance)> = model.instances.iter().collect();
    match which {
        Which::Fit(_) => known.retain(|(id, instance)| fits(id, instance)),
        Which::Known(_) => {}
        Which::Made(_) => known.clear(),
    }
    let made = || Key {
        namespace: namespaces()[n % 5],
        name: "pay".into(),
        registrant: ACCOUNTS[n / 5 % 5],
        label: ["a", "c"][n / 25 % 2].into(),
    };
    n.checked_rem(known.len()).map_or_else(made, |n| known[n].1.key.clone())
}

fn listed(_: &B256, instance: &Instance) -> bool {
    instance.is_listed()
}

/// Arbitrary bytes, as hostile as an owner likes.
fn published(n: u8) -> Body {
    let mut body = Body {
        version: format!("1.0.{n}-rc+{n}"),
        endpoints: vec![Bytes::from(vec![0, 0xff, n]), Bytes::from_static(b"<script>\x1b[31m")],
        metadata: Bytes::from(vec![n; usize::from(n) * 3]),
    };
    match n {
        100 => body.endpoints = vec![Bytes::from(vec![n; 256]); 16],
        101 => body.metadata = Bytes::from(vec![0; 4_096]),
        102 => body.version = "V".repeat(63),
        103 => body.endpoints = vec![Bytes::from_static(b"x"); 17],
        104 => body.endpoints = Vec::new(),
        105 => body.endpoints.push(Bytes::new()),
        106 => body.endpoints.push(Bytes::from(vec![n; 257])),
        107 => body.metadata = Bytes::from(vec![0; 4_097]),
        108 => body.version = "1 0".into(),
        109 => body.version = "v".repeat(64),
        _ => {}
    }
    body
}
