//! Who watches and does not read costs a gateway no memory, and gets what is when he reads on.
//!
//! A binary of its own with one test: it measures the memory of its process, in which indexer and gateway run.
#![cfg(target_os = "linux")]

use std::{collections::BTreeMap, time::Duration};

use alloy::{
    primitives::{B256, Bytes},
    sol_types::SolCall,
};
use anvil_fixtures::scenario::plain;
use anyhow::{Context, Result, ensure};
use bindings::{
    IRegistryTypes::Registration,
    ServiceRegistry::{heartbeatBatchCall, registerCall},
};
use domain::{InstanceId, ServiceKey};
use e2e::{World, eventually, world::OWNER};
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
};

/// How many instances the service has. Each change is one of all of them, so that an event is large.
const INSTANCES: usize = 100;

/// How many watch and do not read, and how many changes they miss.
const SLOW: usize = 48;
const CHANGES: u64 = 120;

/// What one who does not read may cost: his last answer, and what waits to be written.
const EACH: u64 = 1024 * 1024;

const PATH: &str = "/v1/watch?service=";

#[tokio::test]
async fn slow_readers_cost_no_memory_and_get_what_is_when_they_read_on() -> Result<()> {
    let mut world = World::start_eager().await?;
    restart(&mut world, Duration::from_secs(300)).await?;
    let ids = fill(&world).await?;
    // What is allocated once, and what the allocator keeps.
    change(&world, &ids, 30).await?;
    let size = world.response(&instances()).await?.bytes().await?.len() as u64;
    ensure!(size > 100_000, "an answer of {size} bytes");

    let mut patient = Watcher::open(&world, None).await?;
    let mut slow = Vec::new();
    for _ in 0..SLOW {
        slow.push(silent(&world).await?);
    }
    watchers(&world, |watchers| watchers == SLOW as u64 + 1).await?;
    change(&world, &ids, 5).await?;
    let before = resident()?;
    change(&world, &ids, CHANGES).await?;
    let grown = resident()?.saturating_sub(before);
    let missed = SLOW as u64 * CHANGES * size;
    println!("{} KiB more for {SLOW} slow readers, who missed {} MiB", grown >> 10, missed >> 20);
    ensure!(grown < SLOW as u64 * EACH, "{grown} bytes more");
    ensure!(missed > 10 * SLOW as u64 * EACH, "too little was missed to tell");
    watchers(&world, |watchers| watchers == SLOW as u64 + 1).await?;

    // Reads on: some events that the system had room for, then all that was missed as one.
    let (index, roster) = newest(&world).await?;
    while patient.index != index {
        ensure!(patient.read().await? == "delta" || patient.events == 1, "a snapshot, then what changed");
    }
    ensure!(patient.roster == roster, "what was read is not what is");
    ensure!(patient.events < CHANGES, "{} events of {CHANGES} changes: nothing was missed", patient.events);
    println!("{} events for {CHANGES} changes", patient.events);
    drop((slow, patient));
    watchers(&world, |watchers| watchers == 0).await?;

    // Who reads nothing for too long is cut, and begins anew.
    restart(&mut world, Duration::from_millis(200)).await?;
    let mut known = Watcher::open(&world, None).await?;
    known.read().await?;
    let last = known.index;
    drop(known);
    let mut slow = [silent(&world).await?, silent(&world).await?];
    watchers(&world, |watchers| watchers >= 2).await?;
    eventually("they are cut", async || {
        change(&world, &ids, 3).await.ok()?;
        (count(&world).await? == 0).then_some(())
    })
    .await?;
    let mut rest = Vec::new();
    // Its end, in order or not.
    let _ = slow[0].read_to_end(&mut rest).await;
    let mut back = Watcher::open(&world, Some(last)).await?;
    ensure!(back.read().await? == "resync" && (back.index, back.roster) == newest(&world).await?);
    Ok(())
}

/// A gateway that cuts those who read nothing for so long.
async fn restart(world: &mut World, write_within: Duration) -> Result<()> {
    world.take_gateway()?.stop().await?;
    let limits = gateway::Limits { write_within, ..gateway::Limits::default() };
    world.start_gateway_with(gateway::Config { limits, ..world.gateway_config()? }).await?;
    world.synced().await
}

/// Registers all instances; a little more than a kilobyte each.
async fn fill(world: &World) -> Result<Vec<B256>> {
    let metadata = format!(r#"{{"text":"{}"}}"#, "x".repeat(1_000));
    let (mut calls, mut ids) = (Vec::<Bytes>::new(), Vec::new());
    for number in 0..INSTANCES {
        let label = format!("i{number}");
        let metadata = metadata.clone().into_bytes().into();
        let ttl = World::ttl(86_400);
        let registration = Registration { metadata, ttl, ..plain(world.namespace(), "payments", &label, "1.0.0") };
        ids.push(InstanceId::new(ServiceKey::new(world.namespace(), "payments"), OWNER, &label).0);
        calls.push(registerCall { registration }.abi_encode().into());
    }
    for calls in calls.chunks(10) {
        let time = world.chain.time().await? + 1;
        world.chain.send_all_at(OWNER, calls.iter().cloned(), time).await?;
    }
    world.synced().await?;
    Ok(ids)
}

/// So many blocks with a heartbeat of each instance; the gateway has seen each when the next one comes.
async fn change(world: &World, ids: &[B256], changes: u64) -> Result<()> {
    for _ in 0..changes {
        world.chain.send(OWNER, &heartbeatBatchCall { ids: ids.to_vec() }).await?;
        world.synced().await?;
    }
    Ok(())
}

fn instances() -> String {
    format!("/v1/namespaces/{OWNER}/services/payments/instances")
}

/// The index of the service, and the end of each lease.
async fn newest(world: &World) -> Result<(u64, BTreeMap<String, String>)> {
    let response = world.response(&instances()).await?;
    let index = response.headers()["x-registry-index"].to_str()?.parse()?;
    let mut roster = BTreeMap::new();
    put(&mut roster, &response.json().await?)?;
    Ok((index, roster))
}

fn put(roster: &mut BTreeMap<String, String>, body: &Value) -> Result<()> {
    for one in body["instances"].as_array().context("instances")? {
        let text = |field: &str| one[field].as_str().context("text").map(ToOwned::to_owned);
        roster.insert(text("id")?, text("expires_at")?);
    }
    Ok(())
}

/// One who asks to watch, and reads nothing.
async fn silent(world: &World) -> Result<TcpStream> {
    let url = world.url("")?;
    let address = url.trim_start_matches("http://");
    let socket = TcpSocket::new_v4()?;
    socket.set_recv_buffer_size(4096)?;
    let mut stream = socket.connect(address.parse()?).await?;
    let request = format!("GET {PATH}{OWNER}/payments HTTP/1.1\r\nhost: {address}\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    Ok(stream)
}

/// Waits until as many watch as is right.
async fn watchers(world: &World, is_right: impl Fn(u64) -> bool) -> Result<()> {
    eventually("watchers", async || count(world).await.filter(|watchers| is_right(*watchers)).map(drop)).await
}

async fn count(world: &World) -> Option<u64> {
    let metrics = world.admin("/metrics").await.ok()?.text().await.ok()?;
    metrics.lines().find_map(|line| line.strip_prefix("rollcall_gateway_watchers ")?.parse().ok())
}

/// The memory of this process, in bytes.
fn resident() -> Result<u64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("VmRSS")?;
    Ok(line.trim().trim_end_matches("kB").trim().parse::<u64>()? << 10)
}

/// One who reads when told to.
struct Watcher {
    response: reqwest::Response,
    unread: Vec<u8>,
    index: u64,
    events: u64,
    roster: BTreeMap<String, String>,
}

impl Watcher {
    async fn open(world: &World, last: Option<u64>) -> Result<Self> {
        let mut request = reqwest::Client::new().get(format!("{}{PATH}{OWNER}/payments", world.url("")?));
        if let Some(last) = last {
            request = request.header("last-event-id", last);
        }
        let response = request.send().await?.error_for_status()?;
        Ok(Self { response, unread: Vec::new(), index: 0, events: 0, roster: BTreeMap::new() })
    }

    /// Reads an event and does what it says; answers its name.
    async fn read(&mut self) -> Result<String> {
        let end = loop {
            if let Some(end) = self.unread.windows(2).position(|pair| pair == b"\n\n") {
                break end;
            }
            self.unread.extend(self.response.chunk().await?.context("the watch has ended")?);
        };
        let text: Vec<u8> = self.unread.drain(..end + 2).collect();
        let text = String::from_utf8(text)?;
        let field =
            |name: &str| text.lines().find_map(|line| line.strip_prefix(name)).map(str::trim).context("a field");
        let (name, data) = (field("event:")?.to_owned(), serde_json::from_str::<Value>(field("data:")?)?);
        self.index = field("id:")?.parse()?;
        self.events += 1;
        if name != "delta" {
            self.roster.clear();
        }
        put(&mut self.roster, &data)?;
        for gone in data["gone"].as_array().into_iter().flatten() {
            self.roster.remove(gone.as_str().unwrap_or_default());
        }
        Ok(name)
    }
}
