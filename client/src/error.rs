//! Why the chain did not do what was asked.

use std::time::Duration;

use domain::{Address, B256};

use crate::{refusal::Refusal, service::InputError, signed::EnvelopeError};

/// Why the chain did not do what was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ChainError {
    /// The input breaks a rule of the contract; nothing was sent.
    #[error(transparent)]
    Input(#[from] InputError),
    /// The contract said no.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// What was signed is for elsewhere, or damaged; nothing was sent.
    #[error(transparent)]
    Envelope(#[from] EnvelopeError),
    /// No answer from the node.
    #[error("cannot reach the chain at {url}: {reason}")]
    Unreachable {
        /// The node, without its secrets.
        url: String,
        /// What the transport said.
        reason: String,
    },
    /// The node answered, and could not do it.
    #[error("the node at {url} answers: {reason}")]
    Node {
        /// The node, without its secrets.
        url: String,
        /// What it said.
        reason: String,
    },
    /// The URL is none that a node answers at.
    #[error("the RPC URL is {0}")]
    BadUrl(crate::redact::UrlError),
    /// Not enough ether for the transaction.
    #[error("account {account} cannot pay for the transaction: send it some ether ({reason})")]
    InsufficientFunds {
        /// Who was to pay.
        account: Address,
        /// What the node said.
        reason: String,
    },
    /// More gas than the sender gives; nothing was sent.
    #[error("it takes up to {needed} gas, and it may take {max}")]
    TooMuchGas {
        /// How much it may take.
        needed: u64,
        /// How much it may cost.
        max: u64,
    },
    /// Nothing at the address.
    #[error("no contract at {contract} on chain {chain_id}: is it the right address, and the right chain?")]
    NoContract {
        /// Where it was expected.
        contract: Address,
        /// The chain that was asked.
        chain_id: u64,
    },
    /// Something else at the address.
    #[error(
        "the contract at {contract} on chain {chain_id} is not the registry of this version of rollcall: `rollcall chain \
         deploy` finds or deploys that one"
    )]
    OtherContract {
        /// Where it was expected.
        contract: Address,
        /// The chain that was asked.
        chain_id: u64,
    },
    /// Something else at the address.
    #[error(
        "the contract at {contract} on chain {chain_id} does not hold the endorsements of the registry {registry}: \
         `rollcall chain deploy` finds or deploys the one that does"
    )]
    OtherEndorsements {
        /// Where it was expected.
        contract: Address,
        /// The chain that was asked.
        chain_id: u64,
        /// Whose endorsements were meant.
        registry: Address,
    },
    /// Sent, but not in a block in time. It may still come.
    #[error("transaction {hash} is in no block after {} s; it may still get into one", waited.as_secs())]
    NotMined {
        /// The transaction.
        hash: B256,
        /// How long it was waited for.
        waited: Duration,
    },
    /// Others use the same key so much that no nonce was to be had.
    #[error("account {account} is in use by others: {attempts} attempts met a nonce that was taken")]
    Contended {
        /// The account.
        account: Address,
        /// How often it was tried.
        attempts: u32,
    },
    /// The key could not sign.
    #[error("the key of {account} could not sign: {reason}")]
    Sign {
        /// The account.
        account: Address,
        /// Why not.
        reason: String,
    },
    /// The contract answered what it never answers.
    #[error("the contract answered something unexpected: {0}")]
    Unexpected(String),
}

impl ChainError {
    /// Whether the same request may go well a little later.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Unreachable { .. } | Self::Node { .. } | Self::NotMined { .. } | Self::Contended { .. } => true,
            // Somebody may send ether while the lease still runs.
            Self::InsufficientFunds { .. } => true,
            Self::Input(_)
            | Self::Refused(_)
            | Self::BadUrl(_)
            | Self::NoContract { .. }
            | Self::OtherContract { .. }
            | Self::OtherEndorsements { .. }
            | Self::Envelope(_)
            | Self::TooMuchGas { .. }
            | Self::Sign { .. }
            | Self::Unexpected(_) => false,
        }
    }
}
