//! `rollcall transfer`

use anyhow::Result;
use domain::Address;
use serde::Serialize;

use crate::{
    commands::{
        instance::InstanceArgs,
        target::{PublishArgs, Transaction, somebody, transaction, when},
    },
    config::Settings,
    exit::Exit,
    out,
};

/// Give an instance to another account, in two steps
///
/// The owner proposes, the next owner accepts. (A namespace: rollcall namespace transfer.)
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Propose the next owner, in place of any proposed before
    ///
    /// Nothing changes until that account accepts. It can then point the instance anywhere, under the name that
    /// consumers know.
    #[command(
        after_help = "Example:\n  rollcall transfer propose acme/payments --label a1 --to 0x…\n\n--json: {id, proposed | null, transaction: {tx, block_number, block_hash} | null}"
    )]
    Propose(Propose),
    /// Take the proposal back
    #[command(after_help = "--json: {id, proposed: null, transaction: {tx, block_number, block_hash} | null}")]
    Cancel(Which),
    /// Become the owner, if proposed
    ///
    /// Operators of this instance, endorsements and signatures of before are void; its lease runs on. --registrant is
    /// who registered the instance, and stays so.
    #[command(
        after_help = "Example:\n  rollcall transfer accept acme/payments --label a1 --registrant 0x…\n\n--json: {id, owner, transaction: {tx, block_number, block_hash} | null}"
    )]
    Accept(Which),
}

/// Which instance.
#[derive(Debug, clap::Args)]
pub struct Which {
    /// Which
    #[command(flatten)]
    pub instance: InstanceArgs,
    /// Where to
    #[command(flatten)]
    pub publish: PublishArgs,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// Which instance, and to whom.
#[derive(Debug, clap::Args)]
pub struct Propose {
    /// Which
    #[command(flatten)]
    pub which: Which,
    /// Who may accept it
    #[arg(long, value_name = "ACCOUNT", value_parser = somebody)]
    pub to: Address,
}

#[derive(Serialize)]
struct Proposed {
    id: String,
    proposed: Option<String>,
    /// None if it was so already.
    transaction: Option<Transaction>,
}

#[derive(Serialize)]
struct Accepted {
    id: String,
    owner: String,
    /// None if it was so already.
    transaction: Option<Transaction>,
}

/// Runs it.
pub async fn run(settings: &Settings, command: Command) -> Result<Exit> {
    match command {
        Command::Propose(args) => propose(settings, args.which, Some(args.to)).await,
        Command::Cancel(which) => propose(settings, which, None).await,
        Command::Accept(which) => accept(settings, which).await,
    }
}

async fn propose(settings: &Settings, args: Which, to: Option<Address>) -> Result<Exit> {
    let publisher = args.publish.connect(settings).await?;
    let id = args.instance.find_id(publisher.account())?;
    let outcome = publisher.propose_owner(id, to).await?;
    let answer = Proposed {
        id: id.to_string(),
        proposed: to.map(|account| account.to_string()),
        transaction: transaction(&outcome),
    };
    out::either(args.json, &answer, || match &answer.proposed {
        Some(account) => format!("{account} may accept {id} {}\n", when(&outcome)),
        None => format!("nobody may accept {id} {}\n", when(&outcome)),
    })?;
    Ok(Exit::Ok)
}

async fn accept(settings: &Settings, args: Which) -> Result<Exit> {
    let publisher = args.publish.connect(settings).await?;
    let name = args.instance.name(settings, publisher.account()).await?;
    let outcome = publisher.accept_owner(&name).await?;
    let answer = Accepted {
        id: name.id().to_string(),
        owner: publisher.account().to_string(),
        transaction: transaction(&outcome),
    };
    out::either(args.json, &answer, || format!("{name} belongs to {} {}\n", answer.owner, when(&outcome)))?;
    Ok(Exit::Ok)
}
