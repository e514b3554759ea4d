//! The block and the mode that an answer is true at.

use std::fmt;

use domain::B256;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::ToSchema;

/// The block that an answer is true at: the head of the index.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct BlockInfo {
    /// Height.
    #[schema(example = 1042)]
    pub number: u64,
    /// Hash of the header: a number alone names other blocks after a reorg.
    #[schema(value_type = String, pattern = "^0x[0-9a-f]{64}$")]
    pub hash: B256,
    /// The block's own time.
    #[serde(with = "time::serde::rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    pub time: OffsetDateTime,
}

/// As of which block an answer is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Consistency {
    /// The head of the index. A reorg may take it back.
    #[default]
    Latest,
    /// A block that the chain calls safe: a reorg is unlikely.
    Safe,
    /// A block that the chain calls finalized: it stays.
    Finalized,
}

impl Consistency {
    /// The word for it in JSON and query strings.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Latest => "latest",
            Self::Safe => "safe",
            Self::Finalized => "finalized",
        }
    }
}

/// How far an answer can be trusted to be up to date.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// All is well.
    Normal,
    /// The indexer or its node stands still, or lags. Chain time stands still with it, so nobody expires.
    Preserved,
    /// The gateway cannot read the index any more, and serves what it knows.
    Stale,
}

impl Mode {
    /// The word for it in JSON, headers and logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Normal => "normal",
            Self::Preserved => "preserved",
            Self::Stale => "stale",
        }
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
