//! `rollcall gateway key`

use std::time::Duration;

use anyhow::Result;
use domain::{Clock, Namespace, SystemClock};
use gateway::{KeyInfo, KeysFile, NewKey, Rate};
use serde::Serialize;

use super::KeysArgs;
use crate::{
    commands::{target::duration, term::rfc3339},
    config::Settings,
    exit::Exit,
    out,
};

/// Make and revoke API keys of a gateway
///
/// They are in a file that gateways read again when it changes: within a second, all know.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Make a key, and print it: this once and never again
    #[command(
        after_help = "Example:\n  rollcall gateway key create --keys keys.toml --name staging --namespace acme --rate 100/s --expires 90d\n\n--json: {id, key}"
    )]
    Create(Create),
    /// List the keys, without their secrets
    #[command(after_help = "--json: [{id, name, namespaces, rate, created_at, expires_at, revoked_at}]")]
    List(List),
    /// Revoke a key for good
    #[command(after_help = "--json: {id, name, namespaces, rate, created_at, expires_at, revoked_at}")]
    Revoke(Revoke),
}

/// What the new key may do.
#[derive(Debug, clap::Args)]
pub struct Create {
    /// Where to keep it
    #[command(flatten)]
    pub keys: KeysArgs,
    /// What people call it
    #[arg(long)]
    pub name: String,
    /// A namespace that it may read, a label or an account; may be repeated [default: all]
    #[arg(long = "namespace", value_name = "NAMESPACE")]
    pub namespaces: Vec<Namespace>,
    /// How often it may ask, such as 100/s [default: as often as it likes]
    #[arg(long)]
    pub rate: Option<Rate>,
    /// How long it is good for, such as 90d [default: for ever]
    #[arg(long, value_name = "DURATION", value_parser = lifetime)]
    pub expires: Option<Duration>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// Of which file.
#[derive(Debug, clap::Args)]
pub struct List {
    /// Where they are
    #[command(flatten)]
    pub keys: KeysArgs,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// Which key.
#[derive(Debug, clap::Args)]
pub struct Revoke {
    /// Where it is
    #[command(flatten)]
    pub keys: KeysArgs,
    /// The key's id: what is between rck_ and the secret
    #[arg(value_name = "ID")]
    pub id: String,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Serialize)]
struct Created {
    id: String,
    key: String,
}

#[derive(Serialize)]
struct Answer {
    id: String,
    name: String,
    /// Null for all.
    namespaces: Option<Vec<String>>,
    rate: Option<String>,
    created_at: String,
    expires_at: Option<String>,
    revoked_at: Option<String>,
}

/// Runs it.
pub fn run(settings: &Settings, command: Command) -> Result<Exit> {
    let now = SystemClock::new().wall();
    match command {
        Command::Create(Create { keys, name, namespaces, rate, expires, json }) => {
            let path = keys.need(settings)?;
            let new = NewKey { name, namespaces, rate, expires_in: expires };
            let key = KeysFile::at(&path).create(&new, now)?;
            let answer = Created { id: key.id().to_owned(), key: key.expose() };
            out::either(json, &answer, || format!("{}\n", answer.key))?;
            if !json {
                let words = "it is not shown again; clients send it as Authorization: Bearer, and its hash is in";
                out::to_stderr(&format!("{words} {}\n", path.display()))?;
            }
        }
        Command::List(List { keys, json }) => {
            let all: Vec<Answer> = KeysFile::at(keys.need(settings)?).list()?.into_iter().map(Answer::from).collect();
            out::either(json, &all, || table(&all, now))?;
        }
        Command::Revoke(Revoke { keys, id, json }) => {
            let answer = Answer::from(KeysFile::at(keys.need(settings)?).revoke(&id, now)?);
            out::either(json, &answer, || {
                format!("{} ({}) opens nothing any more\n", answer.id, out::harmless(&answer.name))
            })?;
        }
    }
    Ok(Exit::Ok)
}

fn lifetime(text: &str) -> Result<Duration, String> {
    let duration = duration(text)?;
    if duration < Duration::from_secs(1) { Err("1s and more".to_owned()) } else { Ok(duration) }
}

fn table(all: &[Answer], now: Duration) -> String {
    let head = ["ID", "NAME", "NAMESPACES", "RATE", "CREATED", "EXPIRES", "STATE"].map(String::from).to_vec();
    // Times of one form are in the order of their texts.
    let now = rfc3339(now.as_secs());
    let rows = all.iter().map(|key| {
        let state = match (&key.revoked_at, &key.expires_at) {
            (Some(_), _) => "revoked",
            (None, Some(end)) if *end <= now => "expired",
            (None, _) => "good",
        };
        vec![
            key.id.clone(),
            key.name.clone(),
            key.namespaces.as_ref().map_or_else(|| "all".to_owned(), |all| all.join(" ")),
            key.rate.clone().unwrap_or_else(|| "-".to_owned()),
            key.created_at.clone(),
            key.expires_at.clone().unwrap_or_else(|| "-".to_owned()),
            state.to_owned(),
        ]
    });
    out::table(&std::iter::once(head).chain(rows).collect::<Vec<_>>())
}

impl From<KeyInfo> for Answer {
    fn from(key: KeyInfo) -> Self {
        let time = |at: time::OffsetDateTime| rfc3339(u64::try_from(at.unix_timestamp()).unwrap_or_default());
        Self {
            id: key.id,
            name: key.name,
            namespaces: key.namespaces,
            rate: key.rate,
            created_at: time(key.created_at),
            expires_at: key.expires_at.map(time),
            revoked_at: key.revoked_at.map(time),
        }
    }
}
