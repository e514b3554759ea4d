//! `rollcall endorse`

use std::{fs, path::PathBuf};

use alloy::primitives::{B256, keccak256};
use anyhow::Result;
use client::{Endorsements, Registry, deploy};
use domain::{InstanceId, Topic};
use serde::Serialize;

use crate::{
    commands::{
        target::{Contract, PublishArgs, Transaction, transaction, when},
        term::{TermArgs, days, rfc3339},
    },
    config::{ENDORSEMENTS, Settings},
    exit::{Exit, usage},
    out,
};

/// Endorse another's instance: say that it was audited, for example
///
/// It holds for a year unless --for or --until say otherwise, or until it is withdrawn, or until the instance is
/// deregistered or changes hands. Saying it again replaces what was said. An endorsement is worth what its endorser is
/// worth to who reads it.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  rollcall endorse 0x… audited --file report.pdf --for 365d\n  rollcall endorse 0x… audited --withdraw\n\n--json: {id, endorser, topic, digest | null, expires_at | null, withdrawn, transaction: {tx, block_number, block_hash} | null}"
)]
pub struct Args {
    /// The instance
    #[arg(value_name = "ID")]
    pub id: InstanceId,
    /// What about: 1 to 31 printable ASCII characters
    #[arg(value_name = "TOPIC")]
    pub topic: Topic,
    /// What it says or points to, such as the hash of a report [default: keccak256 of nothing]
    #[arg(long, value_name = "HASH")]
    pub digest: Option<B256>,
    /// Takes keccak256 of this file as the digest
    #[arg(long, value_name = "FILE", conflicts_with = "digest")]
    pub file: Option<PathBuf>,
    /// The epoch that was looked at: if the instance changed hands since, nothing is said [default: the present one]
    #[arg(long, value_name = "NUMBER", conflicts_with = "withdraw", value_parser = clap::value_parser!(u32).range(..1 << 24))]
    pub epoch: Option<u32>,
    /// Until when
    #[command(flatten)]
    pub term: TermArgs,
    /// Withdraw what the account said about the topic
    #[arg(long, conflicts_with_all = ["digest", "file", "for_", "until"])]
    pub withdraw: bool,
    /// Address of the endorsements [default: the canonical one of the registry] [env: ROLLCALL_ENDORSEMENTS; file:
    /// endorsements]
    #[arg(long, value_name = "ADDRESS", help_heading = "Chain")]
    pub endorsements: Option<String>,
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
    endorser: String,
    topic: String,
    digest: Option<String>,
    expires_at: Option<String>,
    withdrawn: bool,
    /// None if it was said, or withdrawn, already.
    transaction: Option<Transaction>,
}

/// Runs it.
pub async fn run(settings: &Settings, args: Args) -> Result<Exit> {
    let digest = match &args.file {
        Some(file) => keccak256(fs::read(file).map_err(|error| usage(format!("{}: {error}", file.display())))?),
        None => args.digest.unwrap_or_else(|| keccak256([])),
    };
    let publisher = args.publish.connect(settings).await?;
    let endorsements = find(settings, publisher.registry(), args.endorsements.as_deref()).await?;
    let (id, topic) = (args.id, args.topic);
    let (outcome, said) = if args.withdraw {
        (publisher.withdraw_endorsement(&endorsements, id, topic).await?, None)
    } else {
        let expires_at = args.term.expires_at(publisher.registry().chain(), days(365)).await?;
        let epoch = match args.epoch {
            Some(epoch) => epoch,
            None => publisher.registry().lease(id).await?.map_or(0, |lease| lease.epoch),
        };
        (publisher.endorse(&endorsements, id, epoch, topic, expires_at, digest).await?, Some(rfc3339(expires_at)))
    };
    let answer = Answer {
        id: id.to_string(),
        endorser: publisher.account().to_string(),
        topic: topic.to_string(),
        digest: said.as_ref().map(|_| digest.to_string()),
        expires_at: said,
        withdrawn: args.withdraw,
        transaction: transaction(&outcome),
    };
    out::either(args.json, &answer, || match &answer.expires_at {
        Some(until) => format!("{} says {} of {id} until {until} {}\n", answer.endorser, answer.topic, when(&outcome)),
        None => format!("{} says {} of {id} no more {}\n", answer.endorser, answer.topic, when(&outcome)),
    })?;
    Ok(Exit::Ok)
}

/// Those that the settings name, or the canonical ones.
async fn find(settings: &Settings, registry: &Registry, flag: Option<&str>) -> Result<Endorsements> {
    if let Some(Contract(address)) = settings.get(&ENDORSEMENTS, flag)? {
        return Ok(Endorsements::at(registry.clone(), address).await?);
    }
    deploy::find_endorsements(registry).await?.ok_or_else(|| {
        usage(format!(
            "no endorsements at {}, the canonical address for this registry: give --endorsements ADDRESS, set \
             ROLLCALL_ENDORSEMENTS, write endorsements into {}, or deploy them (rollcall chain deploy)",
            deploy::canonical::endorsements(registry.address()),
            settings.file_name(),
        ))
    })
}
