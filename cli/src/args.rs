//! The command line.

use std::path::PathBuf;

use clap::{Parser, Subcommand};

use crate::{
    commands::{
        authority, chain, completions, deregister, discover, endorse, gateway, heartbeat, history, indexer, key,
        namespace, operator, reap, register, relay, status, transfer, up, update, uptime,
    },
    exit,
    logs::{LogFormat, LogLevel},
};

/// Service discovery whose catalogue no single party can forge.
///
/// Services sign their registrations and heartbeats as transactions; an indexer mirrors them into Postgres; a gateway
/// answers who is alive now, and where. `rollcall up` starts all of it on this machine.
///
/// Settings: flags count before environment variables, these before the file (--config, ROLLCALL_CONFIG, ./rollcall.toml,
/// ./.rollcall/rollcall.toml).
#[derive(Debug, Parser)]
#[command(name = "rollcall", version, after_help = exit::HELP, after_long_help = exit::HELP, max_term_width = 110)]
pub struct Args {
    /// What to do
    #[command(subcommand)]
    pub command: Command,
    /// What every command takes
    #[command(flatten)]
    pub common: Common,
}

/// What every command takes.
#[derive(Debug, clap::Args)]
pub struct Common {
    /// Configuration file [env: ROLLCALL_CONFIG]
    #[arg(long, global = true, value_name = "FILE", help_heading = "Common")]
    pub config: Option<PathBuf>,
    /// How log lines look
    #[arg(long, global = true, value_enum, default_value = "text", value_name = "FORMAT", help_heading = "Common")]
    pub log_format: LogFormat,
    /// From which level on to log, on stderr [default: info for what runs on, else warn; RUST_LOG]
    #[arg(long, global = true, value_enum, value_name = "LEVEL", help_heading = "Common")]
    pub log_level: Option<LogLevel>,
}

/// The commands. What each says of itself is at its own arguments.
#[derive(Debug, Subcommand)]
pub enum Command {
    Up(up::Args),
    #[command(subcommand)]
    Chain(chain::Command),
    Indexer(indexer::Args),
    Gateway(gateway::Args),
    #[command(subcommand)]
    Namespace(namespace::Command),
    Register(register::Args),
    Update(update::Args),
    Heartbeat(heartbeat::Args),
    Deregister(deregister::Args),
    #[command(subcommand)]
    Transfer(transfer::Command),
    #[command(subcommand)]
    Operator(operator::Command),
    Relay(relay::Args),
    Suspend(authority::Suspend),
    Reinstate(authority::Reinstate),
    Revoke(authority::Revoke),
    Endorse(endorse::Args),
    Reap(reap::Args),
    Discover(discover::Args),
    History(history::Args),
    Uptime(uptime::Args),
    Status(status::Args),
    #[command(subcommand)]
    Key(key::Command),
    Completions(completions::Args),
}

impl Command {
    /// From which level on to log if nobody says.
    pub fn log_level(&self) -> LogLevel {
        match self {
            Self::Indexer(args) if args.command.is_some() => LogLevel::Warn,
            Self::Gateway(args) if args.command.is_some() => LogLevel::Warn,
            Self::Indexer(_) | Self::Gateway(_) => LogLevel::Info,
            _ => LogLevel::Warn,
        }
    }

    /// Whether it answers requests, whose spans a collector may want.
    pub fn has_gateway(&self) -> bool {
        matches!(self, Self::Gateway(_) | Self::Up(_))
    }
}
