//! `rollcall suspend`, `rollcall reinstate`, `rollcall revoke`: what the authority decides about an instance.

use anyhow::Result;
use domain::Status;
use serde::Serialize;

use crate::{
    commands::{
        instance::InstanceArgs,
        target::{PublishArgs, Transaction, transaction, when},
    },
    config::Settings,
    exit::{Exit, usage},
    out,
};

const JSON: &str =
    "--json: {id, service, label, registrant, status, transaction: {tx, block_number, block_hash} | null}";

/// Ask consumers to stay away from an instance
///
/// Only the owner of its namespace may. The instance stays listed and is not live until it is reinstated; its owner can
/// renew and update it, and cannot deregister it.
#[derive(Debug, clap::Args)]
#[command(after_help = format!("Example:\n  rollcall suspend acme/payments --label a1 --registrant 0x… --reason 'answers nonsense'\n\n{JSON}"))]
pub struct Suspend {
    /// What to decide
    #[command(flatten)]
    pub decision: Decision,
}

/// End the suspension of an instance
///
/// Only the owner of its namespace may.
#[derive(Debug, clap::Args)]
#[command(after_help = JSON)]
pub struct Reinstate {
    /// What to decide
    #[command(flatten)]
    pub decision: Decision,
}

/// Strike an instance off, for ever
///
/// Only the owner of its namespace may, and nobody can take it back. Its registrant may register under another label
/// as long as the namespace admits it.
#[derive(Debug, clap::Args)]
#[command(after_help = JSON)]
pub struct Revoke {
    /// What to decide
    #[command(flatten)]
    pub decision: Decision,
    /// Yes, for ever
    #[arg(long)]
    pub yes: bool,
}

/// About which instance, and why.
#[derive(Debug, clap::Args)]
pub struct Decision {
    /// Which instance
    #[command(flatten)]
    pub instance: InstanceArgs,
    /// Why, in at most 256 bytes: public for ever
    #[arg(long, value_name = "TEXT", value_parser = clap::builder::NonEmptyStringValueParser::new())]
    pub reason: String,
    /// Where to
    #[command(flatten)]
    pub publish: PublishArgs,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Serialize)]
struct Answer {
    id: String,
    service: String,
    label: String,
    registrant: String,
    status: &'static str,
    /// None if it was so already.
    transaction: Option<Transaction>,
}

/// Runs `suspend`.
pub async fn suspend(settings: &Settings, args: Suspend) -> Result<Exit> {
    decide(settings, args.decision, Status::Suspended).await
}

/// Runs `reinstate`.
pub async fn reinstate(settings: &Settings, args: Reinstate) -> Result<Exit> {
    decide(settings, args.decision, Status::Active).await
}

/// Runs `revoke`.
pub async fn revoke(settings: &Settings, args: Revoke) -> Result<Exit> {
    if !args.yes {
        return Err(usage("nobody can take a revocation back: say --yes if it is meant, or suspend the instance"));
    }
    decide(settings, args.decision, Status::Revoked).await
}

async fn decide(settings: &Settings, args: Decision, status: Status) -> Result<Exit> {
    let publisher = args.publish.connect(settings).await?;
    let name = args.instance.name(settings, publisher.account()).await?;
    let outcome = publisher.set_status(&name, status, &args.reason).await?;
    let answer = Answer {
        id: name.id().to_string(),
        service: name.service.to_string(),
        label: name.label.clone(),
        registrant: name.registrant.to_string(),
        status: status.as_str(),
        transaction: transaction(&outcome),
    };
    out::either(args.json, &answer, || {
        let lost = if answer.transaction.is_none() { ": the reason of then stays" } else { "" };
        format!("{name} is {} {}{lost}\n", answer.status, when(&outcome))
    })?;
    Ok(Exit::Ok)
}
