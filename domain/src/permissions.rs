//! What an owner may let an operator do.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::text;

/// A set of permissions, as the contract's `Permissions`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(into = "u8", try_from = "u8")]
pub struct Permissions(u8);

/// A text that names no set of permissions.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no permission: give heartbeat, update or deregister, several with commas between, or all")]
pub struct PermissionsError(String);

impl Permissions {
    /// Nothing: a grant that was withdrawn.
    pub const NONE: Self = Self(0);
    /// Renew leases.
    pub const HEARTBEAT: Self = Self(1);
    /// Replace records; to change the ttl as well takes [`HEARTBEAT`](Self::HEARTBEAT) too.
    pub const UPDATE: Self = Self(2);
    /// Take instances out of their service.
    pub const DEREGISTER: Self = Self(4);
    /// Everything.
    pub const ALL: Self = Self(7);

    const WORDS: [(Self, &'static str); 3] =
        [(Self::HEARTBEAT, "heartbeat"), (Self::UPDATE, "update"), (Self::DEREGISTER, "deregister")];

    /// The set with the contract's number, if there is one.
    pub fn from_u8(n: u8) -> Option<Self> {
        (n <= Self::ALL.0).then_some(Self(n))
    }

    /// The contract's number.
    pub fn bits(self) -> u8 {
        self.0
    }

    /// Whether nothing is permitted.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether all of `other` is permitted.
    pub fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Both sets together.
    #[must_use]
    pub fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// A word for each permission in the set.
    pub fn words(self) -> impl Iterator<Item = &'static str> {
        Self::WORDS.into_iter().filter(move |(one, _)| self.contains(*one)).map(|(_, word)| word)
    }
}

impl From<Permissions> for u8 {
    fn from(permissions: Permissions) -> Self {
        permissions.0
    }
}

impl TryFrom<u8> for Permissions {
    type Error = PermissionsError;

    fn try_from(n: u8) -> Result<Self, PermissionsError> {
        Self::from_u8(n).ok_or_else(|| PermissionsError(n.to_string()))
    }
}

impl fmt::Display for Permissions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_empty() {
            return f.write_str("none");
        }
        for (n, word) in self.words().enumerate() {
            write!(f, "{}{word}", if n == 0 { "" } else { "," })?;
        }
        Ok(())
    }
}

impl FromStr for Permissions {
    type Err = PermissionsError;

    fn from_str(s: &str) -> Result<Self, PermissionsError> {
        match s {
            "all" => return Ok(Self::ALL),
            "none" => return Ok(Self::NONE),
            _ => {}
        }
        s.split(',').map(str::trim).try_fold(Self::NONE, |all, word| {
            let known = Self::WORDS.into_iter().find(|(_, known)| *known == word);
            known.map(|(one, _)| all.with(one)).ok_or_else(|| PermissionsError(text::clip(word)))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_set_has_a_text_that_means_it() {
        for n in 0..=u8::MAX {
            let Some(set) = Permissions::from_u8(n) else {
                assert!(n > 7);
                continue;
            };
            assert_eq!(set.bits(), n);
            assert_eq!(set.to_string().parse(), Ok(set));
            assert_eq!(set.words().count() as u32, n.count_ones());
        }
        assert_eq!("all".parse(), Ok(Permissions::ALL));
        assert_eq!("update, heartbeat".parse(), Ok(Permissions::HEARTBEAT.with(Permissions::UPDATE)));
        for bad in ["", "fly", "update,", "ALL", "7"] {
            assert!(bad.parse::<Permissions>().is_err(), "{bad:?}");
        }
    }
}
