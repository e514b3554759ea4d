//! `rollcall deregister`

use anyhow::Result;
use serde::Serialize;

use crate::{
    commands::{
        instance::InstanceArgs,
        sign::{self, SignArgs},
        target::{PublishArgs, Transaction},
    },
    config::Settings,
    exit::Exit,
    out,
};

/// Take an instance out of its service
///
/// Give consumers time to notice before its endpoints stop to answer. It may register again later. An operator's key
/// can do it, too: name the owner by --registrant.
#[derive(Debug, clap::Args)]
#[command(after_help = "--json: {id, service, label, transaction: {tx, block_number, block_hash}}")]
pub struct Args {
    /// Which instance
    #[command(flatten)]
    pub instance: InstanceArgs,
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
    transaction: Transaction,
}

/// Runs it.
pub async fn run(settings: &Settings, args: Args) -> Result<Exit> {
    if args.sign.sign_only {
        let signer = args.publish.sign(settings).await?;
        let name = args.instance.name(settings, signer.account()).await?;
        sign::print(&signer.deregister(&name, args.sign.deadline(&signer).await?).await?)?;
        return Ok(Exit::Ok);
    }
    let publisher = args.publish.connect(settings).await?;
    let name = args.instance.name(settings, publisher.account()).await?;
    let done = publisher.deregister(&name).await?;
    let answer = Answer {
        id: name.id().to_string(),
        service: name.service.to_string(),
        label: name.label.clone(),
        transaction: Transaction::from(&done),
    };
    out::either(args.json, &answer, || format!("deregistered {name} in block {}\n", done.block.number))?;
    Ok(Exit::Ok)
}
