//! The commands, a file for each. The flags that several of them share: `target` (which registry, who signs), `instance`,
//! `record`, `sign` (to sign only), `term` (until when), `ask` (a gateway, as whom), `wanted` (which instances).

pub mod ask;
pub mod authority;
pub mod chain;
pub mod completions;
pub mod deregister;
pub mod discover;
pub mod endorse;
pub mod gateway;
pub mod heartbeat;
pub mod history;
pub mod indexer;
pub mod instance;
pub mod key;
pub mod namespace;
pub mod operator;
pub mod reap;
pub mod record;
pub mod register;
pub mod registrar;
pub mod relay;
pub mod sign;
pub mod status;
pub mod target;
pub mod term;
pub mod transfer;
pub mod up;
pub mod update;
pub mod uptime;
pub mod wanted;

use anyhow::Result;

use crate::{
    args::{Args, Command},
    config::Settings,
    exit::Exit,
    logs,
};

/// Runs one command.
pub async fn run(args: Args) -> Result<Exit> {
    let Args { command, common } = args;
    logs::init(common.log_format, common.log_level, command.log_level(), command.has_gateway());
    // These need no settings, and work where a configuration file is broken.
    let command = match command {
        Command::Completions(args) => return completions::run(&args),
        Command::Up(args) => return up::run(args).await,
        command => command,
    };
    let settings = Settings::load(common.config.as_deref())?;
    match command {
        Command::Chain(command) => chain::run(&settings, command).await,
        Command::Indexer(args) => indexer::run(&settings, args).await,
        Command::Gateway(args) => gateway::run(&settings, args).await,
        Command::Namespace(command) => namespace::run(&settings, command).await,
        Command::Register(args) => register::run(&settings, args).await,
        Command::Update(args) => update::run(&settings, args).await,
        Command::Heartbeat(args) => heartbeat::run(&settings, args).await,
        Command::Deregister(args) => deregister::run(&settings, args).await,
        Command::Transfer(command) => transfer::run(&settings, command).await,
        Command::Operator(command) => operator::run(&settings, command).await,
        Command::Relay(args) => relay::run(&settings, args).await,
        Command::Suspend(args) => authority::suspend(&settings, args).await,
        Command::Reinstate(args) => authority::reinstate(&settings, args).await,
        Command::Revoke(args) => authority::revoke(&settings, args).await,
        Command::Endorse(args) => endorse::run(&settings, args).await,
        Command::Reap(args) => reap::run(&settings, args).await,
        Command::Discover(args) => discover::run(&settings, args).await,
        Command::History(args) => history::run(&settings, args).await,
        Command::Uptime(args) => uptime::run(&settings, args).await,
        Command::Status(args) => status::run(&settings, args).await,
        Command::Key(command) => key::run(&settings, command).await,
        Command::Up(_) | Command::Completions(_) => Ok(Exit::Ok),
    }
}
