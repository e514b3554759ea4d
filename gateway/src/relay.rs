//! Registrations that others signed, sent at the cost of whoever runs the gateway.
//!
//! The gateway holds no key and speaks to no node: a [`Relayer`] does, which the program that runs the gateway brings.
//! Nothing of it is on the path of reads. What is here keeps strangers from spending what is not theirs: `budget` is how
//! much gas may be spent, `desk` sees to it that each registration is tried before it is sent, and sent once.

use std::{fmt, future::Future, pin::Pin, sync::Arc};

use api::SignedRegistration;
use domain::{Address, B256, BlockRef};

pub(crate) use self::desk::{Desk, Turned};

mod budget;
mod desk;

/// Sends registrations.
pub trait Relayer: fmt::Debug + Send + Sync + 'static {
    /// Tries a registration without sending it: the most gas that it would take now, or why it would fail.
    fn quote<'a>(&'a self, signed: &'a SignedRegistration) -> Work<'a, u64>;

    /// Sends a registration that may take `max_gas` at the worst, and waits until it is in a block. `sent` is told the hash
    /// of its transaction as soon as a node has it, and of any that has to take its place.
    fn send<'a>(&'a self, signed: &'a SignedRegistration, max_gas: u64, sent: &'a Told<'a>) -> Work<'a, Mined>;
}

/// What a [`Relayer`] is at.
pub type Work<'a, T> = Pin<Box<dyn Future<Output = Result<T, RelayRefusal>> + Send + 'a>>;

/// Is told hashes of transactions.
pub type Told<'a> = dyn Fn(B256) + Send + Sync + 'a;

/// A transaction that is in a block and succeeded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mined {
    /// The transaction.
    pub transaction: B256,
    /// The block that it is in.
    pub block: BlockRef,
}

/// Why a registration was not sent. The texts are for whoever asked: no URL and no secret is in them.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RelayRefusal {
    /// Signed for another chain than this one.
    #[error("it was signed for another chain than {here}")]
    OtherChain {
        /// The chain that the relayer sends to.
        here: u64,
    },
    /// Signed for another registry than this one.
    #[error("it was signed for another registry than {here}")]
    OtherRegistry {
        /// The registry that the relayer sends to.
        here: Address,
    },
    /// It breaks a rule of the contract that can be seen without asking it.
    #[error("{0}")]
    Input(String),
    /// The contract says no.
    #[error("{0}")]
    Refused(String),
    /// It cannot be sent now: the node does not answer, or the account cannot pay.
    #[error("{0}")]
    Unavailable(String),
}

/// Who sends registrations, and what it may cost.
#[derive(Debug, Clone)]
pub struct Relay {
    /// Who sends them.
    pub relayer: Arc<dyn Relayer>,
    /// How much gas may be spent in any hour, counted as if each transaction took all that it may take.
    pub gas_per_hour: u64,
}
