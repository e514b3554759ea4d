//! Blocks and how final they are.

use std::fmt;

use alloy_primitives::B256;
use serde::{Deserialize, Serialize};

/// A block by number and hash: a number alone names different blocks before and after a reorg.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct BlockRef {
    /// Height.
    pub number: u64,
    /// Hash of the header.
    pub hash: B256,
}

impl fmt::Display for BlockRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.number, self.hash)
    }
}

/// How sure a reader wants to be that an answer stays true.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Finality {
    /// The newest block; a reorg may undo it.
    #[default]
    Latest,
    /// Unlikely to be undone.
    Safe,
    /// Cannot be undone without the chain breaking its own promise.
    Finalized,
}

impl Finality {
    /// The word for it in JSON and query strings.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Latest => "latest",
            Self::Safe => "safe",
            Self::Finalized => "finalized",
        }
    }
}

/// The block numbers that a chain reports for its three finalities.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Heads {
    /// The chain's newest block.
    pub latest: u64,
    /// The newest block that the chain calls safe.
    pub safe: u64,
    /// The newest block that the chain calls finalized.
    pub finalized: u64,
}
