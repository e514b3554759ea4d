//! Why a gateway gave no answer.

use api::Problem;

use super::GatewayKeyError;
use crate::redact::UrlError;

/// Why a gateway gave no answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DiscoverError {
    /// The URL is none that a gateway answers at.
    #[error("the gateway URL is {0}")]
    BadUrl(UrlError),
    /// The key cannot be read; nothing was asked.
    #[error(transparent)]
    Key(#[from] GatewayKeyError),
    /// No answer.
    #[error("cannot reach the gateway at {url}: {reason}")]
    Unreachable {
        /// The gateway.
        url: String,
        /// What the transport said.
        reason: String,
    },
    /// The gateway said what is wrong.
    #[error("{}", said(.0))]
    Problem(Box<Problem>),
    /// An answer that no gateway gives.
    #[error(
        "{url} answers with status {status} something that no gateway answers: is it the gateway's URL? ({reason})"
    )]
    NoGateway {
        /// Who answered.
        url: String,
        /// With which HTTP status.
        status: u16,
        /// What is wrong with it.
        reason: String,
    },
}

impl DiscoverError {
    /// Whether the gateway says that it knows nothing of this name or id.
    pub fn is_unknown(&self) -> bool {
        matches!(self, Self::Problem(problem) if problem.status == 404)
    }

    /// Whether the gateway or its index cannot be reached, or is not ready.
    pub fn is_unavailable(&self) -> bool {
        match self {
            Self::Unreachable { .. } => true,
            Self::Problem(problem) => problem.status >= 500,
            Self::BadUrl(_) | Self::Key(_) | Self::NoGateway { .. } => false,
        }
    }

    /// Whether the same request may go well a little later.
    pub fn is_transient(&self) -> bool {
        // 501: it does not do that. What is between us and a gateway answers in its own words.
        let may_pass = |status: u16| status == 429 || (status >= 500 && status != 501);
        match self {
            Self::Unreachable { .. } => true,
            Self::Problem(problem) => may_pass(problem.status),
            Self::NoGateway { status, .. } => may_pass(*status),
            Self::BadUrl(_) | Self::Key(_) => false,
        }
    }

    /// The word of the problem that the gateway answers with, such as `unknown-service`; docs/errors.md lists them.
    pub fn word(&self) -> Option<&str> {
        match self {
            Self::Problem(problem) => Some(problem.word()),
            _ => None,
        }
    }
}

fn said(problem: &Problem) -> String {
    let text = if problem.detail.is_empty() { &problem.title } else { &problem.detail };
    format!("the gateway says: {} ({})", harmless(text), harmless(problem.word()))
}

/// A gateway is a stranger: nothing that it says may steer a terminal, or fill it.
pub(super) fn harmless(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(2_000).collect()
}
