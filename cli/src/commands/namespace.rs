//! `rollcall namespace`

use anyhow::Result;
use client::publish::Outcome;
use domain::{Address, Namespace};
use serde::Serialize;

use crate::{
    commands::{
        registrar,
        target::{PublishArgs, RegistryArgs, Transaction, account, namespace, somebody, transaction, when},
        term::rfc3339,
    },
    config::Settings,
    exit::{Exit, usage},
    out,
};

/// Claim a namespace, and govern it
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Make the account the owner of a label, first come, first served
    ///
    /// Every account has a namespace of its own, its address, without a claim. A label is no proof of who owns it.
    #[command(
        after_help = "--json: {namespace, namespace_id, owner, claimed, transaction: {tx, block_number, block_hash} | null}"
    )]
    Claim(Claim),
    /// Print who owns a namespace, and who may register in it; needs no key
    #[command(
        after_help = "--json: {namespace, namespace_id, owner | null, open, epoch, proposed | null, account: {account, may_register, registrar_until | null} | null}"
    )]
    Show(Show),
    /// Propose the next owner of a label; the transfer happens when that account accepts
    ///
    /// With the namespace goes the authority over all instances in it. A later proposal replaces this one.
    #[command(
        after_help = "Examples:\n  rollcall namespace transfer acme 0x…\n  rollcall namespace transfer acme --cancel\n\n--json: {namespace, namespace_id, proposed | null, transaction: {tx, block_number, block_hash} | null}"
    )]
    Transfer(Transfer),
    /// Become the owner of a namespace, if proposed
    ///
    /// Its registrars and proposals of before are void and it is closed; its instances stay as they are.
    #[command(
        after_help = "--json: {namespace, namespace_id, owner, transaction: {tx, block_number, block_hash} | null}"
    )]
    Accept(Which),
    /// Let anyone register in a namespace
    ///
    /// Its services' instances are then from anyone: consumers must look at their owners.
    #[command(
        after_help = "--json: {namespace, namespace_id, open, transaction: {tx, block_number, block_hash} | null}"
    )]
    Open(Which),
    /// Let only the owner and its registrars register in a namespace; what is registered stays
    #[command(after_help = "--json: as of open")]
    Close(Which),
    #[command(subcommand)]
    Registrar(registrar::Command),
}

/// What to claim.
#[derive(Debug, clap::Args)]
pub struct Claim {
    /// 1 to 63 of a-z 0-9 . _ -, the first a letter or digit, not starting with 0x
    #[arg(value_name = "LABEL")]
    pub label: String,
    /// Where to
    #[command(flatten)]
    pub publish: PublishArgs,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// Which namespace.
#[derive(Debug, clap::Args)]
pub struct Which {
    /// A claimed label, or an account
    #[arg(value_name = "NAMESPACE", value_parser = namespace)]
    pub namespace: Namespace,
    /// Where to
    #[command(flatten)]
    pub publish: PublishArgs,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// Which namespace, and to whom.
#[derive(Debug, clap::Args)]
pub struct Transfer {
    /// Which
    #[command(flatten)]
    pub which: Which,
    /// Who may accept it
    #[arg(value_name = "TO", value_parser = somebody, required_unless_present = "cancel")]
    pub to: Option<Address>,
    /// Take the proposal back
    #[arg(long, conflicts_with = "to")]
    pub cancel: bool,
}

/// What to look at.
#[derive(Debug, clap::Args)]
pub struct Show {
    /// A claimed label, or an account
    #[arg(value_name = "NAMESPACE", value_parser = namespace)]
    pub namespace: Namespace,
    /// Whether this account may register in it
    #[arg(long, value_name = "ACCOUNT", value_parser = account)]
    pub account: Option<Address>,
    /// Which registry
    #[command(flatten)]
    pub registry: RegistryArgs,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Serialize)]
struct Claimed {
    namespace: String,
    namespace_id: String,
    owner: String,
    /// False if it was the account's already.
    claimed: bool,
    transaction: Option<Transaction>,
}

/// What a command set; the others' keys are left out.
#[derive(Serialize)]
struct Changed {
    namespace: String,
    namespace_id: String,
    #[serde(flatten)]
    what: What,
    /// None if it was so already.
    transaction: Option<Transaction>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum What {
    Proposal { proposed: Option<String> },
    Owner { owner: String },
    Open { open: bool },
}

#[derive(Serialize)]
struct Shown {
    namespace: String,
    namespace_id: String,
    owner: Option<String>,
    open: bool,
    epoch: u32,
    proposed: Option<String>,
    account: Option<ShownAccount>,
}

#[derive(Serialize)]
struct ShownAccount {
    account: String,
    may_register: bool,
    registrar_until: Option<String>,
}

/// Runs it.
pub async fn run(settings: &Settings, command: Command) -> Result<Exit> {
    match command {
        Command::Claim(args) => claim(settings, args).await,
        Command::Show(args) => show(settings, args).await,
        Command::Transfer(Transfer { which, to, .. }) => {
            let publisher = which.publish.connect(settings).await?;
            let outcome = publisher.propose_namespace_owner(&which.namespace, to).await?;
            let words = match to {
                Some(to) => format!("{to} may accept {}", which.namespace),
                None => format!("nobody may accept {}", which.namespace),
            };
            print(&which, What::Proposal { proposed: to.map(|to| to.to_string()) }, &outcome, &words)
        }
        Command::Accept(which) => {
            let publisher = which.publish.connect(settings).await?;
            let outcome = publisher.accept_namespace_owner(&which.namespace).await?;
            let owner = publisher.account().to_string();
            let words = format!("{} belongs to {owner}", which.namespace);
            print(&which, What::Owner { owner }, &outcome, &words)
        }
        Command::Open(which) => set_open(settings, which, true).await,
        Command::Close(which) => set_open(settings, which, false).await,
        Command::Registrar(command) => registrar::run(settings, command).await,
    }
}

async fn claim(settings: &Settings, args: Claim) -> Result<Exit> {
    if args.label.starts_with("0x") || args.label.starts_with("0X") {
        return Err(usage("an account's namespace is its own without a claim; a label does not start with 0x"));
    }
    let publisher = args.publish.connect(settings).await?;
    let transaction = transaction(&publisher.claim_namespace(&args.label).await?);
    let answer = Claimed {
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

async fn set_open(settings: &Settings, which: Which, open: bool) -> Result<Exit> {
    let publisher = which.publish.connect(settings).await?;
    let outcome = publisher.set_namespace_open(&which.namespace, open).await?;
    let words = format!("{} is {}", which.namespace, if open { "open to all" } else { "closed" });
    print(&which, What::Open { open }, &outcome, &words)
}

fn print(which: &Which, what: What, outcome: &Outcome, words: &str) -> Result<Exit> {
    let answer = Changed {
        namespace: which.namespace.to_string(),
        namespace_id: which.namespace.id().to_string(),
        what,
        transaction: transaction(outcome),
    };
    out::either(which.json, &answer, || format!("{words} {}\n", when(outcome)))?;
    Ok(Exit::Ok)
}

async fn show(settings: &Settings, args: Show) -> Result<Exit> {
    let registry = args.registry.connect(settings).await?;
    let id = args.namespace.id();
    let state = registry.namespace(id).await?;
    let account = match args.account {
        Some(account) => Some(ShownAccount {
            account: account.to_string(),
            may_register: registry.may_register(id, account).await?,
            registrar_until: registry.registrar_expiry(id, account).await?.map(rfc3339),
        }),
        None => None,
    };
    let answer = Shown {
        namespace: args.namespace.to_string(),
        namespace_id: id.to_string(),
        owner: state.owner.map(|owner| owner.to_string()),
        open: state.open,
        epoch: state.epoch,
        proposed: registry.proposed_namespace_owner(id).await?.map(|account| account.to_string()),
        account,
    };
    out::either(args.json, &answer, || words(&answer))?;
    Ok(Exit::Ok)
}

fn words(shown: &Shown) -> String {
    let mut rows = Vec::new();
    let mut row = |name: &str, value: String| rows.push(vec![name.to_owned(), value]);
    row("namespace", shown.namespace.clone());
    row("id", shown.namespace_id.clone());
    row("owner", shown.owner.clone().unwrap_or_else(|| "nobody: it can be claimed".to_owned()));
    row("open", if shown.open { "to all" } else { "no: the owner and its registrars may register" }.to_owned());
    if let Some(account) = &shown.proposed {
        row("proposed", format!("{account} may accept it"));
    }
    if let Some(one) = &shown.account {
        let may = if one.may_register { "may register" } else { "may not register" };
        let until = one.registrar_until.as_ref().map_or(String::new(), |until| format!("; registrar until {until}"));
        row("account", format!("{} {may}{until}", one.account));
    }
    out::table(&rows)
}
