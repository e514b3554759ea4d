//! The commands, a file for each. `target` has the flags that several of them share.

pub mod chain;
pub mod completions;
pub mod deregister;
pub mod discover;
pub mod gateway;
pub mod heartbeat;
pub mod indexer;
pub mod key;
pub mod namespace;
pub mod record;
pub mod register;
pub mod status;
pub mod target;
pub mod up;
pub mod update;

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
    logs::init(common.log_format, common.log_level, command.log_level());
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
        Command::Discover(args) => discover::run(&settings, args).await,
        Command::Status(args) => status::run(&settings, args).await,
        Command::Key(command) => key::run(&settings, command).await,
        Command::Up(_) | Command::Completions(_) => Ok(Exit::Ok),
    }
}
