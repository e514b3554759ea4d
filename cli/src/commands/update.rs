//! `rollcall update`

use anyhow::{Context, Result};
use client::{Body, InstanceName, Registry};
use serde::Serialize;

use crate::{
    commands::{
        instance::InstanceArgs,
        record::RecordArgs,
        sign::{self, SignArgs},
        target::{PublishArgs, Transaction},
    },
    config::Settings,
    exit::{Exit, usage},
    out,
};

/// Replace the record of an instance
///
/// What is not given stays as it is. An update is no heartbeat; a new ttl counts from the last one. An operator's key can
/// do it, too: name the owner by --registrant.
#[derive(Debug, clap::Args)]
#[command(after_help = "--json: {id, service, label, version, ttl_s, transaction: {tx, block_number, block_hash}}")]
pub struct Args {
    /// Which instance
    #[command(flatten)]
    pub instance: InstanceArgs,
    /// What it runs now
    #[arg(long)]
    pub version: Option<String>,
    /// What it publishes
    #[command(flatten)]
    pub record: RecordArgs,
    /// Where to
    #[command(flatten)]
    pub publish: PublishArgs,
    /// Whether to sign only
    #[command(flatten)]
    pub sign: SignArgs,
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
    if args.version.is_none() && record.endpoints.is_empty() && record.ttl.is_none() && record.metadata(None)?.is_none()
    {
        return Err(usage(
            "nothing to update: give --version, --endpoint, --metadata, --tag, --zone, --region or --ttl",
        ));
    }
    if args.sign.sign_only {
        let signer = args.publish.sign(settings).await?;
        let name = args.instance.name(settings, signer.account()).await?;
        let body = body(signer.registry(), &name, &args).await?;
        sign::print(&signer.update(&name, &body, args.sign.deadline(&signer).await?).await?)?;
        return Ok(Exit::Ok);
    }
    let publisher = args.publish.connect(settings).await?;
    let name = args.instance.name(settings, publisher.account()).await?;
    let body = body(publisher.registry(), &name, &args).await?;
    let done = publisher.update(&name, &body).await?;
    let answer = Answer {
        id: name.id().to_string(),
        service: name.service.to_string(),
        label: name.label.clone(),
        version: body.version,
        ttl_s: body.ttl,
        transaction: Transaction::from(&done),
    };
    out::either(args.json, &answer, || {
        format!("updated {name} to version {} in block {}\n", answer.version, done.block.number)
    })?;
    Ok(Exit::Ok)
}

/// What is given, over the record of now.
async fn body(registry: &Registry, name: &InstanceName, args: &Args) -> Result<Body> {
    let id = name.id();
    let current = registry.current(id).await.context("reading the record of now from the chain's logs")?;
    let current = current.map(|current| current.body).ok_or(client::Refusal::NotListed { id, status: None });
    let current = current.map_err(client::ChainError::from)?;
    let endpoints = args.record.endpoints();
    Ok(Body {
        version: args.version.clone().unwrap_or(current.version),
        endpoints: if endpoints.is_empty() { current.endpoints } else { endpoints },
        metadata: args.record.metadata(Some(&current.metadata))?.unwrap_or(current.metadata),
        ttl: args.record.ttl.unwrap_or(current.ttl),
    })
}
