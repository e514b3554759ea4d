//! What goes to stderr besides errors: tracing, as text or JSON.

use std::io::{self, IsTerminal};

use clap::ValueEnum;
use tracing_subscriber::EnvFilter;

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One object a line.
    Json,
}

/// From which level on log lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogLevel {
    Off,
    Error,
    Warn,
    Info,
    Debug,
    Trace,
}

/// Our own crates: the level is theirs. Those of others stay at warnings, since their debug lines hold whole URLs; sqlx
/// stays at errors, since what it warns of is what we handle and tell ourselves.
const OURS: [&str; 7] = ["rollcall", "client", "indexer", "gateway", "store", "tools", "anvil_fixtures"];

/// Starts logging. `RUST_LOG` counts where `level` is not given; else `default`.
pub fn init(format: LogFormat, level: Option<LogLevel>, default: LogLevel) {
    let from_environment = std::env::var(EnvFilter::DEFAULT_ENV).ok().filter(|text| !text.is_empty());
    let filter = match (level, from_environment) {
        (None, Some(text)) => EnvFilter::builder().parse_lossy(text),
        (level, _) => EnvFilter::builder().parse_lossy(directives(level.unwrap_or(default))),
    };
    let subscriber =
        tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr).with_ansi(io::stderr().is_terminal());
    match format {
        LogFormat::Text => subscriber.init(),
        LogFormat::Json => subscriber.json().init(),
    }
}

fn directives(level: LogLevel) -> String {
    let word = format!("{level:?}").to_lowercase();
    if matches!(level, LogLevel::Off | LogLevel::Error) {
        return word;
    }
    let ours = OURS.map(|name| format!("{name}={word}")).join(",");
    format!("warn,sqlx=error,{ours}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn others_stay_quiet() {
        assert!(directives(LogLevel::Debug).starts_with("warn,sqlx=error,rollcall=debug,"));
        assert_eq!(directives(LogLevel::Off), "off");
    }
}
