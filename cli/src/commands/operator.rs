//! `rollcall operator`

use anyhow::Result;
use client::{Grant, Publisher, Registry};
use domain::{Address, InstanceId, Permissions};
use serde::Serialize;

use crate::{
    commands::{
        target::{PublishArgs, RegistryArgs, Transaction, account, somebody, transaction, when},
        term::{TermArgs, days, rfc3339},
    },
    config::Settings,
    exit::{Exit, usage},
    key::{self, SignerArgs},
    out,
};

/// Let others act for the account
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Say what an operator may do, in place of what was said before
    ///
    /// For all of the account's instances, those of later included, or for one of them as long as the account owns it
    /// and it stays registered. It holds for 30 days unless --for or --until say otherwise.
    #[command(
        after_help = "Example:\n  rollcall operator set 0x… --allow heartbeat,update --for 90d\n\n--json: {owner, operator, instance | null, allow, expires_at | null, transaction: {tx, block_number, block_hash} | null}"
    )]
    Set(Set),
    /// Let an operator do nothing any more
    #[command(after_help = "--json: as of set")]
    Remove(Remove),
    /// Print what an operator may do
    #[command(
        after_help = "--json: {owner, operator, instance | null, now, grants: [{for: owner | instance, allow, expires_at, holds}]}"
    )]
    Show(Show),
}

/// Who, and for what.
#[derive(Debug, clap::Args)]
pub struct Whom {
    /// The account that acts: its key signs heartbeats, for instance, and cannot give the instance away
    #[arg(value_name = "OPERATOR", value_parser = somebody)]
    pub operator: Address,
    /// For this instance alone
    #[arg(long, value_name = "ID")]
    pub instance: Option<InstanceId>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// What it may do.
#[derive(Debug, clap::Args)]
pub struct Set {
    /// Who
    #[command(flatten)]
    pub whom: Whom,
    /// heartbeat, update, deregister, several with commas between, or all. To change a ttl takes heartbeat and update
    #[arg(long, value_name = "PERMISSIONS", value_parser = permissions)]
    pub allow: Permissions,
    /// Until when
    #[command(flatten)]
    pub term: TermArgs,
    /// Where to
    #[command(flatten)]
    pub publish: PublishArgs,
}

/// Who may do nothing any more.
#[derive(Debug, clap::Args)]
pub struct Remove {
    /// Who
    #[command(flatten)]
    pub whom: Whom,
    /// Where to
    #[command(flatten)]
    pub publish: PublishArgs,
}

/// Whom to look at.
#[derive(Debug, clap::Args)]
pub struct Show {
    /// Who
    #[command(flatten)]
    pub whom: Whom,
    /// Whose instances [default: of --instance, its owner; else the account of the key]
    #[arg(long, value_name = "ACCOUNT", value_parser = account)]
    pub owner: Option<Address>,
    /// Which registry
    #[command(flatten)]
    pub registry: RegistryArgs,
    /// Whose key
    #[command(flatten)]
    pub signer: SignerArgs,
}

fn permissions(text: &str) -> Result<Permissions, String> {
    match text.parse::<Permissions>() {
        Ok(none) if none.is_empty() => Err("to let it do nothing any more: rollcall operator remove".to_owned()),
        Ok(permissions) => Ok(permissions),
        Err(error) => Err(error.to_string()),
    }
}

#[derive(Serialize)]
struct Answer {
    owner: String,
    operator: String,
    instance: Option<String>,
    allow: Vec<&'static str>,
    expires_at: Option<String>,
    /// None if it was so already.
    transaction: Option<Transaction>,
}

#[derive(Serialize)]
struct Shown {
    owner: String,
    operator: String,
    instance: Option<String>,
    now: String,
    grants: Vec<ShownGrant>,
}

#[derive(Serialize)]
struct ShownGrant {
    #[serde(rename = "for")]
    scope: &'static str,
    allow: Vec<&'static str>,
    expires_at: String,
    /// Whether it lets anything be done now.
    holds: bool,
}

/// Runs it.
pub async fn run(settings: &Settings, command: Command) -> Result<Exit> {
    match command {
        Command::Set(args) => {
            let publisher = args.publish.connect(settings).await?;
            let expires_at = args.term.expires_at(publisher.registry().chain(), days(30)).await?;
            set(&publisher, &args.whom, Grant { permissions: args.allow, expires_at }).await
        }
        Command::Remove(args) => {
            let publisher = args.publish.connect(settings).await?;
            set(&publisher, &args.whom, Grant { permissions: Permissions::NONE, expires_at: 0 }).await
        }
        Command::Show(args) => show(settings, args).await,
    }
}

async fn set(publisher: &Publisher, whom: &Whom, grant: Grant) -> Result<Exit> {
    let outcome = publisher.set_operator(whom.operator, whom.instance, grant).await?;
    let lets = !grant.permissions.is_empty();
    let answer = Answer {
        owner: publisher.account().to_string(),
        operator: whom.operator.to_string(),
        instance: whom.instance.map(|id| id.to_string()),
        allow: grant.permissions.words().collect(),
        expires_at: lets.then(|| rfc3339(grant.expires_at)),
        transaction: transaction(&outcome),
    };
    out::either(whom.json, &answer, || {
        let what = answer.instance.clone().unwrap_or_else(|| format!("all instances of {}", answer.owner));
        let until = answer.expires_at.as_ref().map_or("any more".to_owned(), |until| format!("until {until}"));
        let words = if lets { grant.permissions.to_string() } else { "nothing".to_owned() };
        format!("{} may do {words} for {what} {until} {}\n", answer.operator, when(&outcome))
    })?;
    Ok(Exit::Ok)
}

async fn show(settings: &Settings, args: Show) -> Result<Exit> {
    let registry = args.registry.connect(settings).await?;
    let Whom { operator, instance, json } = args.whom;
    let owner = owner(settings, &registry, &args.owner, instance, &args.signer).await?;
    let now = registry.chain().head().await?.time;
    let shown = |scope, grant: Grant| ShownGrant {
        scope,
        allow: grant.permissions.words().collect(),
        expires_at: rfc3339(grant.expires_at),
        holds: grant.holds(now),
    };
    let mut grants: Vec<_> = registry.operator(owner, operator).await?.map(|g| shown("owner", g)).into_iter().collect();
    if let Some(id) = instance {
        grants.extend(registry.instance_operator(id, operator).await?.map(|g| shown("instance", g)));
    }
    let answer = Shown {
        owner: owner.to_string(),
        operator: operator.to_string(),
        instance: instance.map(|id| id.to_string()),
        now: rfc3339(now),
        grants,
    };
    out::either(json, &answer, || {
        let holding: Vec<_> = answer.grants.iter().filter(|grant| grant.holds).collect();
        if holding.is_empty() {
            return format!("{} may do nothing for {}\n", answer.operator, answer.owner);
        }
        let line = |grant: &&ShownGrant| {
            let what = match (&answer.instance, grant.scope) {
                (Some(id), "instance") => id.clone(),
                _ => format!("all instances of {}", answer.owner),
            };
            format!("{} may do {} for {what} until {}\n", answer.operator, grant.allow.join(","), grant.expires_at)
        };
        holding.iter().map(line).collect()
    })?;
    Ok(Exit::Ok)
}

async fn owner(
    settings: &Settings,
    registry: &Registry,
    given: &Option<Address>,
    instance: Option<InstanceId>,
    signer: &SignerArgs,
) -> Result<Address> {
    let held = match instance {
        Some(id) => {
            let lease = registry.lease(id).await?;
            Some(lease.ok_or_else(|| usage(format!("there never was an instance {id}")))?.owner)
        }
        None => None,
    };
    match (given, held) {
        (Some(given), Some(held)) if *given != held => {
            Err(usage(format!("the instance belongs to {held}, not to {given}: leave --owner out")))
        }
        (Some(owner), _) => Ok(*owner),
        (None, Some(held)) => Ok(held),
        (None, None) => Ok(key::signer(settings, signer).await?.account()),
    }
}
