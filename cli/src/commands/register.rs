//! `rollcall register`

use anyhow::Result;
use client::{Body, Registration};
use domain::Bytes;
use serde::Serialize;

use crate::{
    commands::{
        record::RecordArgs,
        sign::{self, SignArgs},
        target::{PublishArgs, Transaction, service, transaction},
    },
    config::Settings,
    exit::Exit,
    out,
};

const DEFAULT_TTL: u32 = 30;

/// Register an instance of a service
///
/// The lease starts now and lasts for the ttl: keep it alive with `rollcall heartbeat`. If the instance is registered
/// with the very same record already, nothing is sent.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  rollcall register acme/payments --label a1 --version 1.2.0 --endpoint https://a1.payments.example:8443 --zone eu-west-1a --tag stable --ttl 30s\n\n--json: {id, service, label, owner, registered, transaction: {tx, block_number, block_hash} | null}"
)]
pub struct Args {
    /// namespace/name, where namespace is a claimed label or an account; a bare name is in the account's own namespace
    #[arg(value_name = "SERVICE")]
    pub service: String,
    /// Name of the instance among the account's of this service
    #[arg(long)]
    pub label: String,
    /// What it runs
    #[arg(long)]
    pub version: String,
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
    owner: String,
    /// False if it was registered like this already.
    registered: bool,
    transaction: Option<Transaction>,
}

/// Runs it.
pub async fn run(settings: &Settings, args: Args) -> Result<Exit> {
    let body = Body {
        version: args.version.clone(),
        endpoints: args.record.endpoints(),
        metadata: args.record.metadata(None)?.unwrap_or_else(Bytes::new),
        ttl: args.record.ttl.unwrap_or(DEFAULT_TTL),
    };
    // Before asking for a password.
    body.check()?;
    domain::text::check_name("label", &args.label).map_err(client::InputError::from)?;

    if args.sign.sign_only {
        let signer = args.publish.sign(settings).await?;
        let service = service(&args.service, signer.account())?;
        let registration = Registration { service, label: args.label, body };
        sign::print(&signer.register(&registration, args.sign.deadline(&signer).await?).await?)?;
        return Ok(Exit::Ok);
    }
    let publisher = args.publish.connect(settings).await?;
    let service = service(&args.service, publisher.account())?;
    let id = publisher.instance(&service, &args.label);
    let ttl = body.ttl;
    let registration = Registration { service, label: args.label, body };
    let outcome = publisher.register(&registration).await?;
    let transaction = transaction(&outcome);
    let Registration { service, label, .. } = registration;
    let answer = Answer {
        id: id.to_string(),
        service: service.to_string(),
        label: label.clone(),
        owner: publisher.account().to_string(),
        registered: transaction.is_some(),
        transaction,
    };
    out::either(args.json, &answer, || match &answer.transaction {
        Some(t) => format!(
            "registered {service} {label} in block {}: {id}\nit expires {ttl} s from now unless it is renewed: rollcall heartbeat {} --label {label} --every {}s\n",
            t.block_number,
            args.service,
            (ttl / 3).max(1),
        ),
        None => format!("{service} {label} is registered like this already: {id}\n"),
    })?;
    Ok(Exit::Ok)
}
