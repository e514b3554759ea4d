//! `rollcall namespace`

use anyhow::Result;
use client::publish::Outcome;
use domain::Namespace;
use serde::Serialize;

use crate::{
    commands::target::{PublishArgs, Transaction},
    config::Settings,
    exit::Exit,
    out,
};

/// Claim a namespace
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Make the account the owner of a label, first come, first served
    ///
    /// Every account has a namespace of its own, its address, without a claim. A label is no proof of who owns it.
    #[command(
        after_help = "--json: {namespace, namespace_id, owner, claimed, transaction: {tx, block_number, block_hash} | null}"
    )]
    Claim(Claim),
}

/// What to claim.
#[derive(Debug, clap::Args)]
pub struct Claim {
    /// 1 to 63 of a-z 0-9 . _ -, not starting with 0x
    #[arg(value_name = "LABEL")]
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
    namespace: String,
    namespace_id: String,
    owner: String,
    /// False if it was the account's already.
    claimed: bool,
    transaction: Option<Transaction>,
}

/// Runs it.
pub async fn run(settings: &Settings, command: Command) -> Result<Exit> {
    let Command::Claim(args) = command;
    let publisher = args.publish.connect(settings).await?;
    let transaction = match publisher.claim_namespace(&args.label).await? {
        Outcome::Done(done) => Some(Transaction::from(&done)),
        Outcome::Already => None,
    };
    let answer = Answer {
        namespace_id: Namespace::Label(args.label.clone()).id().to_string(),
        namespace: args.label,
        owner: publisher.account().to_string(),
        claimed: transaction.is_some(),
        transaction,
    };
    out::either(args.json, &answer, || match &answer.transaction {
        Some(t) => format!("{} belongs to {} since block {}\n", answer.namespace, answer.owner, t.block_number),
        None => format!("{} belongs to {} already\n", answer.namespace, answer.owner),
    })?;
    Ok(Exit::Ok)
}
