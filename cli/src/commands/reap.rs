//! `rollcall reap`

use std::collections::BTreeSet;

use anyhow::Result;
use client::{
    InstanceName, Registry, Service,
    discover::Wanted,
    reap::{self, MAX_REAP},
};
use domain::{InstanceId, Lease, Status};
use serde::Serialize;

use crate::{
    commands::{
        ask::AskArgs,
        instance::{lookup, name_of},
        target::{PublishArgs, Transaction},
        term::rfc3339,
    },
    config::Settings,
    exit::{Exit, UnknownError, usage},
    out,
};

/// Take instances that are long dead out of their services
///
/// Those are active and their leases expired more than 7 days ago. Anyone may; the owner may register them again. The
/// gateway tells which there are, the chain whether it is true.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  rollcall reap --service acme/payments --dry-run\n\n--json: {due: [{id, service, label, registrant, expired_at}], not_due: [{id, reason}], reaped: [id], transactions: [{tx, block_number, block_hash}]}"
)]
pub struct Args {
    /// Instances by their ids
    #[arg(value_name = "ID", required_unless_present = "service")]
    pub ids: Vec<InstanceId>,
    /// All of this service that can be reaped, of the 1,000 that the gateway lists first: namespace/name
    #[arg(long, value_name = "SERVICE", conflicts_with = "ids")]
    pub service: Option<String>,
    /// Print what would be reaped and send nothing; needs no key
    #[arg(long)]
    pub dry_run: bool,
    /// Which gateway, and as whom
    #[command(flatten)]
    pub ask: AskArgs,
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
    /// Of the ids that were given.
    not_due: Vec<NotDue>,
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

#[derive(Serialize)]
struct NotDue {
    id: String,
    reason: String,
}

/// Runs it.
pub async fn run(settings: &Settings, args: Args) -> Result<Exit> {
    let registry = args.publish.registry.connect(settings).await?;
    let now = registry.chain().head().await?.time;
    let names = names(settings, &args, now).await?;
    let mut answer = Answer { due: Vec::new(), not_due: Vec::new(), reaped: Vec::new(), transactions: Vec::new() };
    let names = answer.sort(&registry, names, now).await?;
    let mut failed = None;
    if !args.dry_run && !names.is_empty() {
        let publisher = args.publish.connect(settings).await?;
        for batch in names.chunks(MAX_REAP) {
            match publisher.reap(batch).await {
                Ok(reaped) => {
                    answer.reaped.extend(reaped.ids.iter().map(ToString::to_string));
                    answer.transactions.push(Transaction::from(&reaped.done));
                }
                Err(error) => {
                    failed = Some(error);
                    break;
                }
            }
        }
    }
    // What was reaped was paid for: it is told, whatever came after it.
    out::either(args.json, &answer, || words(&answer, args.dry_run))?;
    failed.map_or(Ok(Exit::Ok), |error| Err(error.into()))
}

/// The instances that the gateway tells of.
async fn names(settings: &Settings, args: &Args, now: u64) -> Result<Vec<InstanceName>> {
    let gateway = args.ask.gateway(settings)?;
    let Some(service) = &args.service else {
        let mut names = Vec::new();
        for id in args.ids.iter().collect::<BTreeSet<_>>() {
            names.push(lookup(&gateway, *id).await?);
        }
        return Ok(names);
    };
    let service: Service = service.parse().map_err(|error: client::service::ServiceError| usage(error.to_string()))?;
    let wanted = Wanted::default().health(api::Health::All);
    let answer = match gateway.instances(&service, &wanted).await {
        Ok(found) => found.answer,
        Err(error) if error.is_unknown() => {
            return Err(UnknownError(format!("the gateway at {} knows no service {service}", gateway.url())).into());
        }
        Err(error) => return Err(error.into()),
    };
    let listed = answer.instances.len() as u64;
    if answer.matched > listed {
        tracing::warn!("the gateway lists {listed} of {} instances: run it again for the others", answer.matched);
    }
    // By the chain's time, not by the gateway's: that may stand still. A heartbeat that the gateway does not know yet
    // shows when the chain is asked.
    let last = i64::try_from(now.saturating_sub(reap::GRACE)).unwrap_or(i64::MAX);
    let dead = |one: &&api::Instance| one.status == api::Status::Active && one.expires_at.unix_timestamp() < last;
    answer.instances.iter().filter(dead).map(name_of).collect()
}

impl Answer {
    /// Those of them that the chain lets anyone reap. Of ids that were given it notes why the others cannot be.
    async fn sort(&mut self, registry: &Registry, names: Vec<InstanceName>, now: u64) -> Result<Vec<InstanceName>> {
        let mut kept = Vec::new();
        for name in names {
            let lease = registry.lease(name.id()).await?;
            let Some(lease) = lease.filter(|lease| reap::is_due(lease, now)) else {
                self.not_due.push(NotDue { id: name.id().to_string(), reason: why_not(lease) });
                continue;
            };
            self.due.push(Due {
                id: name.id().to_string(),
                service: name.service.to_string(),
                label: name.label.clone(),
                registrant: name.registrant.to_string(),
                expired_at: rfc3339(lease.expires_at()),
            });
            kept.push(name);
        }
        Ok(kept)
    }
}

fn why_not(lease: Option<Lease>) -> String {
    match lease {
        None => "the chain has no such instance".to_owned(),
        Some(lease) if lease.status != Status::Active => format!("it is {}, not active", lease.status.as_str()),
        Some(lease) => format!("not before {}", rfc3339(lease.expires_at().saturating_add(reap::GRACE + 1))),
    }
}

fn words(answer: &Answer, dry_run: bool) -> String {
    let not_due: String =
        answer.not_due.iter().map(|one| format!("cannot reap {}: {}\n", one.id, one.reason)).collect();
    if answer.due.is_empty() {
        return not_due + "nothing to reap\n";
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
    not_due + &out::table(&answer.due.iter().map(row).collect::<Vec<_>>())
}
