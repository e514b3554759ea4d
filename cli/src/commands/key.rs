//! `rollcall key`

use std::path::PathBuf;

use anyhow::Result;
use client::Key;
use serde::Serialize;

use crate::{
    config::Settings,
    exit::Exit,
    key::{self, SignerArgs},
    out,
};

/// Make a key, and see its account
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Make a new random key in an encrypted keystore file
    ///
    /// The file is Ethereum's keystore, version 3: other tools read it too. Nothing can bring back a lost password.
    #[command(after_help = "--json: {account, keystore}")]
    New(New),
    /// Print the account of the key that would sign
    #[command(after_help = "--json: {account}")]
    Address(Address),
}

/// Where to.
#[derive(Debug, clap::Args)]
pub struct New {
    /// The file to make; it must not exist
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// File with the password; else ROLLCALL_KEYSTORE_PASSWORD, or a prompt
    #[arg(long, value_name = "FILE")]
    pub password_file: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// Which key.
#[derive(Debug, clap::Args)]
pub struct Address {
    /// Which key
    #[command(flatten)]
    pub signer: SignerArgs,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Serialize)]
struct Answer {
    account: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    keystore: Option<PathBuf>,
}

/// Runs it.
pub async fn run(settings: &Settings, command: Command) -> Result<Exit> {
    match command {
        Command::New(args) => {
            let password = key::new_password(args.password_file).await?;
            let file = args.file.clone();
            let key = tokio::task::spawn_blocking(move || Key::create_keystore(&file, &password)).await??;
            let answer = Answer { account: key.account().to_string(), keystore: Some(args.file) };
            out::either(args.json, &answer, || {
                let file = answer.keystore.as_deref().unwrap_or(std::path::Path::new("")).display();
                format!(
                    "{} is the account of the new key in {file}\nsend it some ether, and use it: --keystore {file}\n",
                    answer.account
                )
            })?;
        }
        Command::Address(args) => {
            let key = key::signer(settings, &args.signer).await?;
            let answer = Answer { account: key.account().to_string(), keystore: None };
            out::either(args.json, &answer, || format!("{}\n", answer.account))?;
        }
    }
    Ok(Exit::Ok)
}
