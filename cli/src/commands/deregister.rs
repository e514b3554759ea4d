//! `rollcall deregister`

use anyhow::Result;
use client::InstanceName;
use serde::Serialize;

use crate::{
    commands::target::{PublishArgs, Transaction, service},
    config::Settings,
    exit::Exit,
    out,
};

/// Take an instance out of its service
///
/// Give consumers time to notice before its endpoints stop to answer. It may register again later.
#[derive(Debug, clap::Args)]
#[command(after_help = "--json: {id, service, label, transaction: {tx, block_number, block_hash}}")]
pub struct Args {
    /// namespace/name, or a bare name in the account's own namespace
    #[arg(value_name = "SERVICE")]
    pub service: String,
    /// Which instance
    #[arg(long)]
    pub label: String,
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
    transaction: Transaction,
}

/// Runs it.
pub async fn run(settings: &Settings, args: Args) -> Result<Exit> {
    let publisher = args.publish.connect(settings).await?;
    let service = service(&args.service, publisher.account())?;
    let name = InstanceName { service: service.clone(), registrant: publisher.account(), label: args.label.clone() };
    let done = publisher.deregister(&name).await?;
    let answer = Answer {
        id: publisher.instance(&service, &args.label).to_string(),
        service: service.to_string(),
        label: args.label,
        transaction: Transaction::from(&done),
    };
    out::either(args.json, &answer, || {
        format!("deregistered {} {} in block {}\n", answer.service, answer.label, done.block.number)
    })?;
    Ok(Exit::Ok)
}
