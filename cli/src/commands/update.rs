//! `rollcall update`

use anyhow::{Context, Result};
use client::{Body, InstanceName};
use serde::Serialize;

use crate::{
    commands::{
        record::RecordArgs,
        target::{PublishArgs, Transaction, service},
    },
    config::Settings,
    exit::{Exit, usage},
    out,
};

/// Replace the record of an instance
///
/// What is not given stays as it is. An update is no heartbeat; a new ttl counts from the last one.
#[derive(Debug, clap::Args)]
#[command(after_help = "--json: {id, service, label, version, ttl_s, transaction: {tx, block_number, block_hash}}")]
pub struct Args {
    /// namespace/name, or a bare name in the account's own namespace
    #[arg(value_name = "SERVICE")]
    pub service: String,
    /// Which instance
    #[arg(long)]
    pub label: String,
    /// What it runs now
    #[arg(long)]
    pub version: Option<String>,
    /// What it publishes
    #[command(flatten)]
    pub record: RecordArgs,
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
    version: String,
    ttl_s: u32,
    transaction: Transaction,
}

/// Runs it.
pub async fn run(settings: &Settings, args: Args) -> Result<Exit> {
    let record = &args.record;
    let endpoints = record.endpoints();
    if args.version.is_none() && endpoints.is_empty() && record.ttl.is_none() && record.metadata(None)?.is_none() {
        return Err(usage(
            "nothing to update: give --version, --endpoint, --metadata, --tag, --zone, --region or --ttl",
        ));
    }
    let publisher = args.publish.connect(settings).await?;
    let service = service(&args.service, publisher.account())?;
    let id = publisher.instance(&service, &args.label);
    let current = publisher.registry().current(id).await.context("reading the record of now from the chain's logs")?;
    let current = current.map(|current| current.body).ok_or(client::Refusal::NotListed { id, status: None });
    let current = current.map_err(client::ChainError::from)?;
    let body = Body {
        version: args.version.unwrap_or(current.version),
        endpoints: if endpoints.is_empty() { current.endpoints } else { endpoints },
        metadata: record.metadata(Some(&current.metadata))?.unwrap_or(current.metadata),
        ttl: record.ttl.unwrap_or(current.ttl),
    };
    let name = InstanceName { service: service.clone(), registrant: publisher.account(), label: args.label.clone() };
    let done = publisher.update(&name, &body).await?;
    let answer = Answer {
        id: id.to_string(),
        service: service.to_string(),
        label: args.label,
        version: body.version,
        ttl_s: body.ttl,
        transaction: Transaction::from(&done),
    };
    out::either(args.json, &answer, || {
        format!(
            "updated {} {} to version {} in block {}\n",
            answer.service, answer.label, answer.version, done.block.number
        )
    })?;
    Ok(Exit::Ok)
}
