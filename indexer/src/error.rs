//! What goes wrong, and what of it is the end.

use std::fmt::Display;

use domain::{Address, BlockRef};
use store::StoreError;

/// An error of the indexer. Texts from strangers in it are clipped and have their control characters escaped.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IndexerError {
    /// A setting that cannot be used.
    #[error("{setting} is not usable: {reason}")]
    Config {
        /// The setting.
        setting: &'static str,
        /// Why.
        reason: String,
    },
    /// The database mirrors something else than what the node has.
    #[error(
        "this database indexes another {of}: its {what} is {stored}, but {by} {found}. Nothing was changed. Use a \
         fresh database, or point {setting} at what this one was built from"
    )]
    WrongOrigin {
        /// "chain" or "contract".
        of: &'static str,
        /// Which value differs.
        what: &'static str,
        /// The value in the database.
        stored: String,
        /// The value that was found.
        found: String,
        /// Who says so, and the verb.
        by: String,
        /// The setting to change.
        setting: &'static str,
    },
    /// There is no contract at the address.
    #[error(
        "there is no contract at {contract} on chain {chain_id} (at block {block}, asked {node}). Check the address \
         and rpc_url, or deploy the contract first"
    )]
    NoContract {
        /// The address.
        contract: Address,
        /// The chain.
        chain_id: u64,
        /// The head of the node.
        block: u64,
        /// The node.
        node: String,
    },
    /// The deploy block in the settings is not the one in which the contract was deployed.
    #[error("deploy_block {given} is wrong for {contract}: {reason}. Leave it out to have it found")]
    WrongDeployBlock {
        /// The setting.
        given: u64,
        /// The contract.
        contract: Address,
        /// What is wrong.
        reason: &'static str,
    },
    /// The node does not know the old states that it takes to find the deploy block.
    #[error("cannot find the deploy block, for the node does not answer about old states ({reason}). Set deploy_block")]
    DeployBlockUnknown {
        /// What the node said.
        reason: String,
    },
    /// The node has not yet the block from which we start.
    #[error("{node} is behind: its head is block {head}, and the contract was deployed in block {deploy_block}")]
    Behind {
        /// The node.
        node: String,
        /// Its head.
        head: u64,
        /// Where the index starts.
        deploy_block: u64,
    },
    /// The node does not answer, or says no.
    #[error("{node}: {method}: {reason}")]
    Rpc {
        /// The node.
        node: String,
        /// What was asked.
        method: &'static str,
        /// How it failed.
        failure: RpcFailure,
        /// What went wrong.
        reason: String,
    },
    /// The node's answers do not fit together.
    #[error("{node} gave answers that do not fit together: {reason}")]
    Incoherent {
        /// The node.
        node: String,
        /// What does not fit.
        reason: String,
    },
    /// The node said something that its own block hash disproves.
    #[error("{node} told what is not so: {what}")]
    Lied {
        /// The node.
        node: String,
        /// What is not so.
        what: String,
    },
    /// The node has not heard for a while of blocks that another one has.
    #[error("{node} lags: its head is block {head}, and {other} has block {other_head}")]
    Lags {
        /// The node.
        node: String,
        /// Its head.
        head: u64,
        /// Another node.
        other: String,
        /// The other's head.
        other_head: u64,
    },
    /// A log of our own contract that cannot be decoded, or that cannot follow on what we have. It is never skipped.
    #[error(
        "the log {log_index} of block {block} does not fit: {reason}. Nothing after it is applied. Point rpc_url at \
         another node, or index into a fresh database from the deploy block on"
    )]
    BadLog {
        /// The block.
        block: BlockRef,
        /// The log's index in it.
        log_index: u64,
        /// Why.
        reason: String,
    },
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// How a question to the node failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RpcFailure {
    /// Nobody there, or the connection broke.
    Unreachable,
    /// No answer in time.
    Late,
    /// It has too much to do, or we asked too often.
    Busy,
    /// It answered no, or nothing that makes sense.
    Refused,
    /// The contract that was called did.
    Reverted,
}

impl IndexerError {
    /// Whether waiting cannot mend it: then [`run`](crate::run) ends with it.
    pub fn is_fatal(&self) -> bool {
        match self {
            Self::Config { .. }
            | Self::WrongOrigin { .. }
            | Self::NoContract { .. }
            | Self::WrongDeployBlock { .. }
            | Self::DeployBlockUnknown { .. } => true,
            Self::Behind { .. }
            | Self::Rpc { .. }
            | Self::Incoherent { .. }
            | Self::Lied { .. }
            | Self::Lags { .. }
            | Self::BadLog { .. } => false,
            Self::Store(e) => e.is_permanent(),
        }
    }

    /// The node whose fault it is, as far as one can tell, and whether it lied: another node may do better. That a node
    /// has another chain, or no contract, counts only while there are others.
    pub(crate) fn node(&self) -> Option<(&str, bool)> {
        match self {
            Self::Rpc { node, .. }
            | Self::Incoherent { node, .. }
            | Self::Behind { node, .. }
            | Self::Lags { node, .. } => Some((node, false)),
            Self::Lied { node, .. } | Self::NoContract { node, .. } => Some((node, true)),
            Self::WrongOrigin { of: "chain", by, .. } => Some((by.strip_suffix(" says").unwrap_or(by), true)),
            _ => None,
        }
    }

    /// A word for it in metrics.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Rpc { failure: RpcFailure::Unreachable, .. } => "rpc_unreachable",
            Self::Rpc { failure: RpcFailure::Late, .. } => "rpc_late",
            Self::Rpc { failure: RpcFailure::Busy, .. } => "rpc_busy",
            Self::Rpc { failure: RpcFailure::Refused, .. } => "rpc_refused",
            Self::Rpc { failure: RpcFailure::Reverted, .. } => "rpc_reverted",
            Self::Behind { .. } => "rpc_behind",
            Self::Incoherent { .. } => "rpc_incoherent",
            Self::Lied { .. } => "rpc_lied",
            Self::Lags { .. } => "rpc_lags",
            Self::BadLog { .. } => "bad_log",
            Self::Store(_) => "store",
            _ => "fatal",
        }
    }
}

/// A text from a stranger, fit for a log line, a terminal and a `text` column: at most 300 characters, and no control
/// or formatting characters.
pub(crate) fn plain(text: impl Display) -> String {
    let text = text.to_string();
    let mut out = String::new();
    for (n, c) in text.chars().enumerate() {
        match c {
            _ if n == 300 => {
                out.push('…');
                break;
            }
            ' '..='~' => out.push(c),
            _ => out.extend(c.escape_default()),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_from_a_stranger_cannot_break_a_line_or_a_terminal() {
        assert_eq!(plain("a\nb\x1b[31m\0\u{202e}"), "a\\nb\\u{1b}[31m\\u{0}\\u{202e}");
        assert_eq!(plain("é".repeat(400)).chars().filter(|c| *c == '\\').count(), 300);
    }

    #[test]
    fn trouble_is_not_the_end() {
        assert!(!IndexerError::from(StoreError::NoIndex).is_fatal());
        assert!(!IndexerError::Behind { node: String::new(), head: 1, deploy_block: 2 }.is_fatal());
        assert!(IndexerError::from(StoreError::InvalidRole(String::new())).is_fatal());
    }
}
