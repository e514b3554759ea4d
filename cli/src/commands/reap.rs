//! `rollcall reap`

use anyhow::Result;
use client::{
    InstanceName, Registry, Service,
    discover::Wanted,
    reap::{self, MAX_REAP},
};
use domain::InstanceId;
use serde::Serialize;

use crate::{
    commands::{
        instance::{gateway, lookup, name_of},
        target::{PublishArgs, Transaction},
        term::rfc3339,
    },
    config::Settings,
    exit::{Exit, usage},
    out,
};

/// Take instances that are long dead out of their services
///
/// Those are active and their leases expired more than 7 days ago. Anyone may; the owner may register them again. The gateway tells which there are, the chain whether it is true.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  rollcall reap --service acme/payments --dry-run\n\n--json: {due: [{id, service, label, registrant, expired_at}], reaped: [id], transactions: [{tx, block_number, block_hash}]}"
)]
pub struct Args {
    /// Instances by their ids
    #[arg(value_name = "ID", required_unless_present = "service")]
    pub ids: Vec<InstanceId>,
    /// All of this service that can be reaped: namespace/name
    #[arg(long, value_name = "SERVICE", conflicts_with = "ids")]
    pub service: Option<String>,
    /// Print what would be reaped and send nothing; needs no key
    #[arg(long)]
    pub dry_run: bool,
    /// The gateway that is asked [env: ROLLCALL_GATEWAY_URL; file: gateway_url]
    #[arg(long, value_name = "URL")]
    pub gateway_url: Option<String>,
    /// Where to
    #[command(flatten)]
    pub publish: PublishArgs,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Serialize)]
struct Answer {
    due: Vec<Due>,
    reaped: Vec<String>,
    transactions: Vec<Transaction>,
}

#[derive(Serialize)]
struct Due {
    id: String,
    service: String,
    label: String,
    registrant: String,
    expired_at: String,
}

/// Runs it.
pub async fn run(settings: &Settings, args: Args) -> Result<Exit> {
    let registry = args.publish.registry.connect(settings).await?;
    let now = registry.chain().head().await?.time;
    let names = names(settings, &args, now).await?;
    let (names, due) = due(&registry, names, now).await?;
    let mut answer = Answer { due, reaped: Vec::new(), transactions: Vec::new() };
    if !args.dry_run && !names.is_empty() {
        let publisher = args.publish.connect(settings).await?;
        for batch in names.chunks(MAX_REAP) {
            let reaped = publisher.reap(batch).await?;
            answer.reaped.extend(reaped.ids.iter().map(ToString::to_string));
            answer.transactions.push(Transaction::from(&reaped.done));
        }
    }
    out::either(args.json, &answer, || words(&answer, args.dry_run))?;
    Ok(Exit::Ok)
}

/// The instances that the gateway tells of.
async fn names(settings: &Settings, args: &Args, now: u64) -> Result<Vec<InstanceName>> {
    let gateway = gateway(settings, args.gateway_url.as_deref())?;
    let Some(service) = &args.service else {
        let mut names = Vec::new();
        for id in &args.ids {
            names.push(lookup(&gateway, *id).await?);
        }
        return Ok(names);
    };
    let service: Service = service.parse().map_err(|error: client::service::ServiceError| usage(error.to_string()))?;
    let answer = gateway.instances(&service, &Wanted { all: true, ..Wanted::default() }).await?;
    // By the chain's time, not by the gateway's: that may stand still. A heartbeat that the gateway does not know yet
    // shows when the chain is asked.
    let last = i64::try_from(now.saturating_sub(reap::GRACE)).unwrap_or(i64::MAX);
    let dead = |one: &&api::Instance| one.status == api::Status::Active && one.expires_at.unix_timestamp() < last;
    answer.instances.iter().filter(dead).map(name_of).collect()
}

/// Those of them that the chain lets anyone reap, and since when.
async fn due(registry: &Registry, names: Vec<InstanceName>, now: u64) -> Result<(Vec<InstanceName>, Vec<Due>)> {
    let (mut kept, mut due) = (Vec::new(), Vec::new());
    for name in names {
        let Some(lease) = registry.lease(name.id()).await?.filter(|lease| reap::is_due(lease, now)) else {
            continue;
        };
        due.push(Due {
            id: name.id().to_string(),
            service: name.service.to_string(),
            label: name.label.clone(),
            registrant: name.registrant.to_string(),
            expired_at: rfc3339(lease.expires_at()),
        });
        kept.push(name);
    }
    Ok((kept, due))
}

fn words(answer: &Answer, dry_run: bool) -> String {
    if answer.due.is_empty() {
        return "nothing to reap\n".to_owned();
    }
    let verb = |id: &String| match (dry_run, answer.reaped.contains(id)) {
        (true, _) => "would reap",
        (false, true) => "reaped",
        (false, false) => "skipped",
    };
    let row = |due: &Due| {
        let expired = format!("expired {}", due.expired_at);
        vec![verb(&due.id).to_owned(), due.service.clone(), due.label.clone(), expired, due.id.clone()]
    };
    out::table(&answer.due.iter().map(row).collect::<Vec<_>>())
}
