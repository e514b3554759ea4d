//! Three companies with two instances each. Each instance is kept alive by a process of its own, so that one can be
//! killed and seen to expire.

use std::{
    collections::BTreeMap,
    process::{ExitStatus, Stdio},
    time::Duration,
};

use anvil_fixtures::demo::{self, DemoInstance};
use anyhow::{Context, Result, bail};
use client::{Body, Gateway, Publisher, Registration, Service, discover::Wanted, publish::Outcome};
use rustix::process::{Pid, Signal, kill_process};
use tokio::{
    process::{Child, Command},
    task::JoinSet,
    time::{self, timeout},
};
use tokio_util::sync::CancellationToken;

use super::{accounts::Account, chain::LocalChain, folder::Folder, stages::Stages};
use crate::key::PRIVATE_KEY;

const EVERY: &str = "5s";
const STOP_LIMIT: Duration = Duration::from_secs(3);
const VISIBLE_LIMIT: Duration = Duration::from_secs(20);

/// A demo instance and the process that keeps it alive.
#[derive(Debug, Clone)]
pub struct Running {
    /// The instance.
    pub instance: DemoInstance,
    /// Its heartbeats' process.
    pub pid: u32,
}

/// The processes of the demo.
#[derive(Default)]
pub struct Demo {
    /// Those that were started.
    pub running: Vec<Running>,
    tasks: JoinSet<()>,
    stop: CancellationToken,
}

/// Claims the companies' namespaces and registers their instances; what is there already is renewed.
pub async fn publish(chain: &LocalChain) -> Result<usize> {
    let mut companies: BTreeMap<&str, Vec<DemoInstance>> = BTreeMap::new();
    for instance in demo::instances() {
        companies.entry(instance.namespace).or_default().push(instance);
    }
    let mut work = Vec::new();
    for (company, instances) in &companies {
        let publisher = chain.publisher(&Account::of(company)?.key()?);
        work.push(async move {
            publish_company(&publisher, company, instances).await.with_context(|| format!("the demo of {company}"))
        });
    }
    futures::future::try_join_all(work).await?;
    Ok(companies.values().map(Vec::len).sum())
}

async fn publish_company(publisher: &Publisher, company: &str, instances: &[DemoInstance]) -> Result<()> {
    publisher.claim_namespace(company).await?;
    let mut again = Vec::new();
    for instance in instances {
        let registration = registration(instance)?;
        let id = publisher.instance(&registration.service, &registration.label);
        match publisher.register(&registration).await {
            Ok(Outcome::Done(_)) => {}
            // Of an earlier run, perhaps changed by the user since.
            Ok(Outcome::Already) | Err(client::ChainError::Refused(client::Refusal::AlreadyRegistered { .. })) => {
                again.push(id);
            }
            Err(error) => return Err(error.into()),
        }
    }
    if !again.is_empty() {
        publisher.heartbeat_batch(&again).await?;
    }
    Ok(())
}

fn registration(instance: &DemoInstance) -> Result<Registration> {
    Ok(Registration {
        service: service(instance)?,
        label: instance.label.to_owned(),
        body: Body {
            version: instance.version.to_owned(),
            endpoints: instance.endpoints.iter().map(|uri| uri.clone().into_bytes().into()).collect(),
            metadata: instance.metadata.to_string().into_bytes().into(),
            ttl: demo::TTL,
        },
    })
}

fn service(instance: &DemoInstance) -> Result<Service> {
    Ok(format!("{}/{}", instance.namespace, instance.name).parse()?)
}

impl Demo {
    /// Starts a process for each instance. One that ends by itself is told about, and not started again.
    pub fn start(chain: &LocalChain, folder: &Folder, stages: &Stages) -> Result<Self> {
        let mut demo = Self::default();
        for instance in demo::instances() {
            let child = spawn(&instance, chain, folder)?;
            let pid = child.id().context("a demo process ended at its start")?;
            demo.tasks.spawn(watch(child, instance.clone(), pid, demo.stop.clone(), stages.clone()));
            demo.running.push(Running { instance, pid });
        }
        Ok(demo)
    }

    /// Waits until a gateway answers all of them as live.
    pub async fn visible(gateway: &Gateway) -> Result<()> {
        let mut every = time::interval(Duration::from_millis(25));
        every.set_missed_tick_behavior(time::MissedTickBehavior::Delay);
        let all = async {
            for instance in demo::instances() {
                let service = service(&instance)?;
                loop {
                    every.tick().await;
                    let Ok(found) = gateway.instances(&service, &Wanted::default()).await else { continue };
                    if found.answer.instances.iter().any(|live| live.label == instance.label) {
                        break;
                    }
                }
            }
            Ok(())
        };
        match timeout(VISIBLE_LIMIT, all).await {
            Ok(result) => result,
            Err(_) => bail!("the gateway does not show the demo after {} s", VISIBLE_LIMIT.as_secs()),
        }
    }

    /// Ends all of them.
    pub async fn stop(mut self) {
        self.stop.cancel();
        while self.tasks.join_next().await.is_some() {}
    }
}

/// `rollcall heartbeat …`. It ends when its stdin does, that is, with us, however we end.
fn spawn(instance: &DemoInstance, chain: &LocalChain, folder: &Folder) -> Result<Child> {
    let program = std::env::current_exe().context("finding this program")?;
    let log =
        std::fs::File::options().create(true).append(true).open(folder.log(&format!("demo-{}", instance.label))?)?;
    let mut command = Command::new(program);
    command
        .args(["heartbeat", &format!("{}/{}", instance.namespace, instance.name), "--label", instance.label])
        .args(["--every", EVERY, "--until-stdin-closes"])
        .args(["--rpc-url", chain.rpc_url.expose(), "--contract", &chain.deployed.contract.to_string()])
        .env(PRIVATE_KEY, Account::of(instance.namespace)?.private_key)
        .env_remove("ROLLCALL_CONFIG")
        .env_remove("RUST_LOG")
        // Away from any rollcall.toml of the user's.
        .current_dir(folder.path("logs"))
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(log)
        // Ctrl-C is ours to pass on, in order.
        .process_group(0)
        .kill_on_drop(true);
    command.spawn().with_context(|| format!("starting the demo of {} {}", instance.name, instance.label))
}

async fn watch(mut child: Child, instance: DemoInstance, pid: u32, stop: CancellationToken, stages: Stages) {
    let stdin = child.stdin.take();
    tokio::select! {
        status = child.wait() => stages.say(&ended(&instance, pid, status.ok())),
        () = stop.cancelled() => {
            drop(stdin);
            if let Some(pid) = child.id().and_then(|pid| Pid::from_raw(pid.cast_signed())) {
                let _ = kill_process(pid, Signal::TERM);
            }
            if timeout(STOP_LIMIT, child.wait()).await.is_err() {
                let _ = child.kill().await;
            }
        }
    }
}

fn ended(instance: &DemoInstance, pid: u32, status: Option<ExitStatus>) -> String {
    let DemoInstance { namespace, name, label, .. } = instance;
    let how = status.map_or_else(|| "ended".to_owned(), |status| format!("ended ({status})"));
    format!("{namespace}/{name} {label}: process {pid} {how}; the instance expires within {} s", demo::TTL)
}
