//! The SDK watches a service: instances come, go and expire, and the gateway is away for a while.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use alloy::primitives::keccak256;
use anyhow::{Context, Result, ensure};
use api::history::{EventKind, HistoryEvent};
use bindings::{ServiceRegistry::deregisterCall, abi::IRegistryTypes::InstanceKey};
use client::{
    Gateway, Service, Wanted, Watch,
    discover::{Change, ChangeKind, HistoryWanted, PATIENCE},
};
use domain::ServiceKey;
use e2e::{World, wait::PATIENCE as IN_TIME, world::OWNER};
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    task::JoinSet,
    time::timeout,
};

/// An address that stays while gateways come and go behind it.
struct Door {
    url: String,
    leads_to: Arc<Mutex<Option<SocketAddr>>>,
    _passing: JoinSet<()>,
}

impl Door {
    async fn open(world: &World) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}", listener.local_addr()?);
        let leads_to = Arc::new(Mutex::new(None));
        let (target, mut passing) = (Arc::clone(&leads_to), JoinSet::new());
        passing.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((mut client, _)) = listener.accept().await {
                let Some(address) = *target.lock().expect("no panic") else { continue };
                connections.spawn(async move {
                    let Ok(mut server) = TcpStream::connect(address).await else { return };
                    let _ = copy_bidirectional(&mut client, &mut server).await;
                });
            }
        });
        let door = Self { url, leads_to, _passing: passing };
        door.leads_to(Some(world))?;
        Ok(door)
    }

    /// To the gateway of a world, or nowhere.
    fn leads_to(&self, world: Option<&World>) -> Result<()> {
        let url = world.map(|world| world.url("")).transpose()?;
        let address = url.map(|url| url.trim_start_matches("http://").parse()).transpose()?;
        *self.leads_to.lock().expect("no panic") = address;
        Ok(())
    }

    fn gateway(&self) -> Result<Gateway> {
        Ok(Gateway::new(&self.url.parse()?, PATIENCE)?)
    }
}

fn payments() -> Result<Service> {
    Ok(format!("{OWNER}/payments").parse()?)
}

/// The next change that is more than a heartbeat.
async fn news(watch: &mut Watch) -> Result<Change> {
    let news = async {
        loop {
            let change = watch.next().await?;
            if change.is_news() {
                return Ok(change);
            }
        }
    };
    timeout(IN_TIME, news).await.context("nothing is told")?
}

fn labels(change: &Change) -> Vec<&str> {
    let mut labels: Vec<&str> = change.instances.iter().map(|one| one.label.as_str()).collect();
    labels.sort_unstable();
    labels
}

#[tokio::test]
async fn a_watch_tells_who_comes_goes_and_expires_and_outlives_its_gateway() -> Result<()> {
    let mut world = World::start().await?;
    let a1 = world.register("payments", "a1").await?;
    let door = Door::open(&world).await?;
    let mut watch = door.gateway()?.watch(&payments()?, &Wanted::default()).await?;
    let first = news(&mut watch).await?;
    ensure!((first.kind, labels(&first)) == (ChangeKind::Snapshot, vec!["a1"]), "{first:?}");

    let a2 = world.register("payments", "a2").await?;
    world.register("search", "s1").await?;
    let came = news(&mut watch).await?;
    ensure!((came.kind, &came.came[..]) == (ChangeKind::Delta, &[a2][..]), "{came:?}");
    ensure!(labels(&came) == ["a1", "a2"] && came.gone.is_empty() && came.index > first.index, "{came:?}");

    world.chain.mine_after(5).await?;
    world.heartbeat(a2).await?;
    let beat = timeout(IN_TIME, watch.next()).await.context("a heartbeat is not told")??;
    ensure!(beat.renewed == [a2] && !beat.is_news(), "{beat:?}");

    let service = ServiceKey::new(world.namespace(), "payments").0;
    let key = InstanceKey { service, registrant: OWNER, labelHash: keccak256("a1") };
    world.chain.send(OWNER, &deregisterCall { key }).await?;
    let left = news(&mut watch).await?;
    ensure!(left.gone.len() == 1 && left.gone[0].id == a1 && labels(&left) == ["a2"], "{left:?}");

    let until = u64::try_from(left.instances[0].expires_at.unix_timestamp())?;
    world.chain.mine_at(until + 1).await?;
    let expired = news(&mut watch).await?;
    ensure!(expired.gone[0].id == a2 && expired.instances.is_empty(), "{expired:?}");
    world.heartbeat(a2).await?;
    ensure!(news(&mut watch).await?.came == [a2]);

    // Away, and what happens meanwhile is told when it is back.
    door.leads_to(None)?;
    world.take_gateway()?.stop().await?;
    world.start_gateway().await?;
    let a3 = world.register("payments", "a3").await?;
    door.leads_to(Some(&world))?;
    let back = news(&mut watch).await?;
    ensure!(back.kind == ChangeKind::Resync && back.came == [a3] && labels(&back) == ["a2", "a3"], "{back:?}");

    // Away while nothing happens: nothing is told, and nothing is lost.
    door.leads_to(None)?;
    world.take_gateway()?.stop().await?;
    world.start_gateway().await?;
    world.synced().await?;
    door.leads_to(Some(&world))?;
    let a4 = world.register("payments", "a4").await?;
    let after = news(&mut watch).await?;
    ensure!(after.came == [a4] && after.gone.is_empty() && labels(&after) == ["a2", "a3", "a4"], "{after:?}");
    Ok(())
}

#[tokio::test]
async fn what_is_asked_by_the_sdk_is_what_the_gateway_serves() -> Result<()> {
    let world = World::start().await?;
    let a1 = world.register("payments", "a1").await?;
    let gateway = Gateway::new(&world.url("")?.parse()?, PATIENCE)?;
    let (service, wanted) = (payments()?, Wanted::default().version("^1").zone("eu-west-1a").limit(10));
    let found = gateway.instances(&service, &wanted).await?;
    ensure!(found.answer.matched == 1, "{found:?}");
    ensure!(gateway.refresh(&service, &wanted, found.clone()).await? == found);
    let elsewhere = Wanted::default().region("nowhere").failover(["there", "over there"]).filter("label != a1");
    ensure!(gateway.instances(&service, &elsewhere).await?.answer.instances.is_empty());
    let index = found.index.context("an index")?;
    let waiting = gateway.changed_since(&service, &wanted, index, IN_TIME);
    let (changed, registered) = tokio::join!(waiting, world.register("payments", "a2"));
    registered?;
    let changed = changed?;
    ensure!(changed.answer.matched == 2 && changed.index > found.index, "{changed:?}");
    ensure!(gateway.refresh(&service, &wanted, found).await?.answer == changed.answer);

    world.heartbeat(a1).await?;
    let all = HistoryWanted::default().kind(EventKind::Registered).kind(EventKind::Heartbeat).oldest_first().limit(1);
    let first = gateway.history(a1, &all).await?;
    ensure!(matches!(first.events[0].event, HistoryEvent::Registered { .. }), "{first:?}");
    let cursor = first.next_cursor.context("there is more")?;
    let second = gateway.history(a1, &all.cursor(cursor)).await?;
    ensure!(matches!(second.events[0].event, HistoryEvent::Heartbeat { .. }) && second.next_cursor.is_none());
    let uptime = gateway.uptime(a1, Some("2026-01-01".parse()?), None).await?;
    ensure!(uptime.instance == a1 && uptime.days.is_empty(), "{uptime:?}");

    let wrong =
        gateway.watch(&service, &Wanted::default().filter("label = a1")).await.err().context("a wrong filter")?;
    ensure!(wrong.word() == Some("bad-parameter") && wrong.to_string().contains("expected: `==`"), "{wrong}");
    let unknown = gateway.watch(&"acme/nothing".parse()?, &wanted).await.err().context("an unknown service")?;
    ensure!(unknown.is_unknown(), "{unknown}");
    Ok(())
}
