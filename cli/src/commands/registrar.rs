//! `rollcall namespace registrar`

use anyhow::Result;
use domain::Address;
use serde::Serialize;

use crate::{
    commands::{
        namespace::Which,
        target::{Transaction, somebody, transaction, when},
        term::{TermArgs, days, rfc3339},
    },
    config::Settings,
    exit::Exit,
    out,
};

/// Say who else may register in a namespace
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Admit an account, for 90 days unless --for or --until say otherwise
    ///
    /// What it registers is its own, and stays so after it is dismissed: revoke it if it must go.
    #[command(
        after_help = "Example:\n  rollcall namespace registrar add acme 0x… --for 30d\n\n--json: {namespace, namespace_id, registrar, expires_at | null, transaction: {tx, block_number, block_hash} | null}"
    )]
    Add(Add),
    /// Dismiss an account
    #[command(after_help = "--json: as of add")]
    Remove(Registrar),
}

/// Whom.
#[derive(Debug, clap::Args)]
pub struct Registrar {
    /// Where
    #[command(flatten)]
    pub which: Which,
    /// Who registers
    #[arg(value_name = "ACCOUNT", value_parser = somebody)]
    pub account: Address,
}

/// Whom, and for how long.
#[derive(Debug, clap::Args)]
pub struct Add {
    /// Whom
    #[command(flatten)]
    pub registrar: Registrar,
    /// Until when
    #[command(flatten)]
    pub term: TermArgs,
}

#[derive(Serialize)]
struct Answer {
    namespace: String,
    namespace_id: String,
    registrar: String,
    expires_at: Option<String>,
    /// None if it was so already.
    transaction: Option<Transaction>,
}

/// Runs it.
pub async fn run(settings: &Settings, command: Command) -> Result<Exit> {
    let (Registrar { which, account }, term) = match command {
        Command::Add(args) => (args.registrar, Some(args.term)),
        Command::Remove(registrar) => (registrar, None),
    };
    let publisher = which.publish.connect(settings).await?;
    let expires_at = match term {
        Some(term) => Some(term.expires_at(publisher.registry().chain(), days(90)).await?),
        None => None,
    };
    let outcome = publisher.set_registrar(&which.namespace, account, expires_at).await?;
    let answer = Answer {
        namespace: which.namespace.to_string(),
        namespace_id: which.namespace.id().to_string(),
        registrar: account.to_string(),
        expires_at: expires_at.map(rfc3339),
        transaction: transaction(&outcome),
    };
    out::either(which.json, &answer, || match &answer.expires_at {
        Some(until) => format!("{account} may register in {} until {until} {}\n", answer.namespace, when(&outcome)),
        None => format!("{account} is no registrar of {} {}\n", answer.namespace, when(&outcome)),
    })?;
    Ok(Exit::Ok)
}
