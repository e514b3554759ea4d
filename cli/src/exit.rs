//! Errors as exit codes: scripts decide by them, so they never change their meaning.

use std::process::ExitCode;

use client::{ChainError, DiscoverError, GatewayKeyError, InputError, KeyError};
use gateway::{AccessError, GatewayError};
use indexer::{IndexerError, RpcFailure};
use store::StoreError;

/// For `--help`; docs/cli.md says the same.
pub const HELP: &str = "\
Exit codes:
  0    done
  1    failed
  2    wrong usage or configuration
  3    the chain said no: the contract reverts, the account cannot pay, there is no such instance
  4    the node, the gateway or the database cannot be reached
  5    discover: nothing live
  6    indexer check: the index is not what the chain says
  130  interrupted";

/// How the process ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Done.
    Ok = 0,
    /// For any other reason.
    Failed = 1,
    /// Wrong usage or configuration.
    Usage = 2,
    /// The contract or the chain said no.
    Refused = 3,
    /// The node, the gateway or the database cannot be reached.
    Unreachable = 4,
    /// `discover` found nothing live.
    NothingLive = 5,
    /// `indexer check`: the index is not what the chain says.
    Differs = 6,
    /// By a signal, before it was done.
    Interrupted = 130,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// The user asked for something that cannot be, or did not say enough.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct UsageError(pub String);

/// Makes a [`UsageError`].
pub fn usage(text: impl Into<String>) -> anyhow::Error {
    UsageError(text.into()).into()
}

/// The gateway does not know an instance or a service that a command is about.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct UnknownError(pub String);

/// A signal came before the work was done.
#[derive(Debug, thiserror::Error)]
#[error("interrupted")]
pub struct Interrupted;

/// An error and its causes in one line. Some errors name their cause in their own text: it is not said twice.
pub fn describe(error: &anyhow::Error) -> String {
    let mut line = String::new();
    for cause in error.chain().map(ToString::to_string) {
        if line.is_empty() {
            line = cause;
        } else if !line.contains(&cause) {
            line.push_str(": ");
            line.push_str(&cause);
        }
    }
    line
}

/// The exit code of an error: that of the first cause which has one.
pub fn of(error: &anyhow::Error) -> Exit {
    error.chain().find_map(of_cause).unwrap_or(Exit::Failed)
}

fn of_cause(cause: &(dyn std::error::Error + 'static)) -> Option<Exit> {
    if cause.is::<AccessError>() || cause.is::<GatewayKeyError>() {
        return Some(Exit::Usage);
    }
    if cause.is::<UsageError>() || cause.is::<KeyError>() || cause.is::<InputError>() {
        return Some(Exit::Usage);
    }
    if cause.is::<UnknownError>() {
        return Some(Exit::Refused);
    }
    if cause.is::<Interrupted>() {
        return Some(Exit::Interrupted);
    }
    if let Some(error) = cause.downcast_ref::<ChainError>() {
        return Some(of_chain(error));
    }
    if let Some(error) = cause.downcast_ref::<DiscoverError>() {
        return Some(of_discover(error));
    }
    let store = match cause.downcast_ref::<IndexerError>() {
        Some(IndexerError::Store(error)) => Some(error),
        Some(IndexerError::Rpc { failure: RpcFailure::Unreachable | RpcFailure::Late, .. }) => {
            return Some(Exit::Unreachable);
        }
        _ => cause.downcast_ref::<StoreError>(),
    };
    if let Some(error) = store {
        return Some(if error.is_permanent() { Exit::Failed } else { Exit::Unreachable });
    }
    match (cause.downcast_ref::<IndexerError>(), cause.downcast_ref::<GatewayError>()) {
        (
            Some(
                IndexerError::Config { .. }
                | IndexerError::NoContract { .. }
                | IndexerError::WrongOrigin { .. }
                | IndexerError::WrongDeployBlock { .. }
                | IndexerError::DeployBlockUnknown { .. },
            ),
            _,
        ) => Some(Exit::Usage),
        (_, Some(GatewayError::DatabaseUrl(_) | GatewayError::Taken(_) | GatewayError::Access(_))) => Some(Exit::Usage),
        _ => None,
    }
}

fn of_chain(error: &ChainError) -> Exit {
    match error {
        ChainError::Refused(_) | ChainError::InsufficientFunds { .. } => Exit::Refused,
        ChainError::Unreachable { .. } => Exit::Unreachable,
        ChainError::Input(_)
        | ChainError::BadUrl(_)
        | ChainError::NoContract { .. }
        | ChainError::Envelope(_)
        | ChainError::OtherContract { .. }
        | ChainError::OtherEndorsements { .. } => Exit::Usage,
        _ => Exit::Failed,
    }
}

fn of_discover(error: &DiscoverError) -> Exit {
    match error {
        DiscoverError::BadUrl(_) | DiscoverError::Key(_) => Exit::Usage,
        error if error.is_unknown() => Exit::NothingLive,
        error if error.is_unavailable() => Exit::Unreachable,
        DiscoverError::Problem(_) if !error.is_transient() => Exit::Usage,
        _ => Exit::Failed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cause_is_said_once() {
        let taken =
            GatewayError::Listen { address: ([127, 0, 0, 1], 1).into(), source: std::io::Error::other("no such door") };
        let text = describe(&anyhow::Error::new(taken).context("starting"));
        assert_eq!(text.matches("no such door").count(), 1, "{text}");
        assert!(text.starts_with("starting: "), "{text}");
        let own = anyhow::anyhow!("inner").context("outer");
        assert_eq!(describe(&own), "outer: inner");
    }

    #[test]
    fn the_first_cause_with_a_code_decides() {
        let refused = ChainError::from(client::Refusal::Other("x".into()));
        assert_eq!(of(&anyhow::Error::new(refused).context("doing it")), Exit::Refused);
        assert_eq!(of(&usage("no").context("reading")), Exit::Usage);
        assert_eq!(of(&anyhow::Error::new(StoreError::NoIndex)), Exit::Unreachable);
        assert_eq!(of(&anyhow::Error::new(IndexerError::from(StoreError::NoIndex)).context("x")), Exit::Unreachable);
        assert_eq!(of(&anyhow::Error::new(IndexerError::from(StoreError::Reindexing))), Exit::Failed);
        assert_eq!(of(&anyhow::anyhow!("something else")), Exit::Failed);
        assert_eq!(of(&Interrupted.into()), Exit::Interrupted);
    }
}
