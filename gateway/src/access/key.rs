//! API keys: `rck_<id>_<secret>`, where the id is public and 12 hexadecimal digits long, and the secret 64.
//!
//! The prefix lets scanners of repositories and logs find a key that leaked. The secret has 256 bits out of the system's
//! random numbers, so that a plain hash of it gives nothing away: there is nothing to guess.

use std::fmt;

use rand::{TryRngCore, rngs::OsRng};

const PREFIX: &str = "rck_";
const ID: usize = 12;
const SECRET: usize = 64;

/// An API key in full. It is never written to a log: `Debug` shows its id alone.
#[derive(Clone, PartialEq, Eq)]
pub struct ApiKey {
    id: String,
    secret: String,
}

impl ApiKey {
    /// A new random key.
    ///
    /// # Errors
    /// If the system has no random numbers.
    pub(super) fn random() -> Result<Self, String> {
        let mut bytes = [0u8; (ID + SECRET) / 2];
        OsRng.try_fill_bytes(&mut bytes).map_err(|error| format!("the system has no random numbers: {error}"))?;
        let (id, secret) = bytes.split_at(ID / 2);
        Ok(Self { id: hex(id), secret: hex(secret) })
    }

    /// The id, which is no secret.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The key as clients send it.
    pub fn expose(&self) -> String {
        format!("{PREFIX}{}_{}", self.id, self.secret)
    }

    /// What is kept of it.
    pub(super) fn hash(&self) -> blake3::Hash {
        Presented { id: &self.id, secret: &self.secret }.hash()
    }
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ApiKey").field("id", &self.id).finish_non_exhaustive()
    }
}

/// A key that somebody presents, in the text that it came in.
#[derive(Clone, Copy)]
pub(super) struct Presented<'a> {
    pub(super) id: &'a str,
    secret: &'a str,
}

impl<'a> Presented<'a> {
    /// Whether a text is meant to be an API key.
    pub(super) fn is_meant(text: &str) -> bool {
        text.starts_with(PREFIX)
    }

    /// Reads a key; none if it is not of the form, to the letter.
    pub(super) fn parse(text: &'a str) -> Option<Self> {
        let (id, secret) = text.strip_prefix(PREFIX)?.split_once('_')?;
        (is_hex(id, ID) && is_hex(secret, SECRET)).then_some(Self { id, secret })
    }

    pub(super) fn hash(self) -> blake3::Hash {
        blake3::hash(self.secret.as_bytes())
    }
}

/// Whether this is the id of a key.
pub(super) fn is_id(text: &str) -> bool {
    is_hex(text, ID)
}

fn is_hex(text: &str, length: usize) -> bool {
    text.len() == length && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_new_key_is_read_back_and_no_two_are_alike() {
        let [one, other] = [ApiKey::random().expect("random"), ApiKey::random().expect("random")];
        assert_ne!(one.id(), other.id());
        assert_ne!(one.hash(), other.hash());
        let text = one.expose();
        assert_eq!(text.len(), 81);
        let presented = Presented::parse(&text).expect("a key");
        assert_eq!((presented.id, presented.hash()), (one.id(), one.hash()));
        assert!(!format!("{one:?}").contains(&one.secret));
    }

    proptest! {
        #[test]
        fn only_the_exact_form_is_a_key(text in "(rck_)?[0-9a-fA-F_]{0,14}_[0-9a-f_]{60,68}|\\PC{0,90}") {
            if let Some(key) = Presented::parse(&text) {
                prop_assert_eq!(format!("rck_{}_{}", key.id, key.secret), text.as_str());
                prop_assert!(is_id(key.id) && key.secret.len() == 64);
            }
        }

        #[test]
        fn a_key_that_is_changed_anywhere_is_another_or_none(id in "[0-9a-f]{12}", secret in "[0-9a-f]{64}", at in 0usize..81, with in "[0-9a-fA-Z_ ]") {
            let text = format!("rck_{id}_{secret}");
            let key = Presented::parse(&text).expect("a key");
            let mut changed = text.clone();
            changed.replace_range(at..=at, &with);
            if let Some(other) = Presented::parse(&changed).filter(|_| changed != text) {
                prop_assert!(other.id != key.id || other.hash() != key.hash());
            }
        }
    }
}
