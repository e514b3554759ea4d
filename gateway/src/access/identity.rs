//! Somebody who may ask: which namespaces, and how often.

use std::{collections::HashSet, fmt, num::NonZeroU32, str::FromStr, sync::Arc, time::Duration};

use domain::Namespace;
use governor::clock::Clock as _;

use super::limits::Limiter;

/// The most namespaces of one identity.
const MAX_NAMESPACES: usize = 1_000;

/// Somebody who may ask.
#[derive(Debug)]
pub(crate) struct Identity {
    /// As the audit log names it: `key:3f9a0c1b2d4e`, `token:ci`, `certificate:payments`. Never a secret.
    pub(crate) id: Arc<str>,
    pub(super) namespaces: Namespaces,
    pub(super) limiter: Option<Arc<Limiter>>,
}

impl Identity {
    /// Counts a request.
    ///
    /// # Errors
    /// How long to wait, if this is one too many.
    pub(super) fn count(&self) -> Result<(), Duration> {
        let Some(limiter) = &self.limiter else { return Ok(()) };
        limiter.check().map_err(|until| until.wait_time_from(limiter.clock().now()))
    }
}

/// Which namespaces somebody may read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Namespaces {
    /// Those that exist, and those that will.
    All,
    /// These, as people write them: accounts with the case of their checksum.
    These(HashSet<String>),
}

impl Namespaces {
    /// Reads what a file or a token says; nothing is all.
    ///
    /// # Errors
    /// In words, if one of them is none or there are too many.
    pub(super) fn parse(said: Option<&[String]>) -> Result<Self, String> {
        let Some(said) = said else { return Ok(Self::All) };
        if said.len() > MAX_NAMESPACES {
            return Err(format!("more than {MAX_NAMESPACES} namespaces"));
        }
        let these = said.iter().map(|text| match text.parse::<Namespace>() {
            Ok(namespace) => Ok(namespace.to_string()),
            Err(error) => Err(error.to_string()),
        });
        Ok(Self::These(these.collect::<Result<_, _>>()?))
    }

    pub(super) fn has(&self, namespace: &Namespace) -> bool {
        match (self, namespace) {
            (Self::All, _) => true,
            (Self::These(these), Namespace::Label(label)) => these.contains(label),
            (Self::These(these), Namespace::Account(account)) => these.contains(&account.to_string()),
        }
    }

    /// The same for a namespace as the index writes it.
    pub(super) fn has_text(&self, namespace: &str) -> bool {
        match self {
            Self::All => true,
            Self::These(these) => these.contains(namespace),
        }
    }
}

/// So many requests a second: `100/s`. As many may come at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Rate(NonZeroU32);

impl Rate {
    const MAX: u32 = 1_000_000;

    pub(super) fn quota(self) -> governor::Quota {
        governor::Quota::per_second(self.0)
    }
}

impl FromStr for Rate {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let digits = text.strip_suffix("/s").filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()));
        let number = digits.and_then(|digits| digits.parse::<NonZeroU32>().ok()).filter(|n| n.get() <= Self::MAX);
        number.map(Self).ok_or_else(|| format!("a rate is 1/s to {}/s", Self::MAX))
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/s", self.0)
    }
}
