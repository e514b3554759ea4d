//! What an endorsement is about.

use std::{fmt, str::FromStr};

use alloy_primitives::B256;
use serde::{Deserialize, Serialize};

use crate::text;

/// A word of 32 bytes: by custom a text of at most 31 printable ASCII characters, left-aligned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Topic(pub B256);

/// A text that is no topic.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no topic: give 1 to 31 printable ASCII characters, or 0x and 64 hexadecimal digits")]
pub struct TopicError(String);

/// The longest text, in bytes.
const MAX: usize = 31;

impl Topic {
    /// The text, if it is one. A text that looks like hexadecimal digits is not taken for one.
    pub fn text(&self) -> Option<&str> {
        let bytes: &[u8] = self.0.as_slice();
        let end = bytes.iter().rposition(|b| *b != 0)? + 1;
        let text = std::str::from_utf8(bytes.get(..end)?).ok()?;
        is_text(text).then_some(text)
    }
}

fn is_text(text: &str) -> bool {
    (1..=MAX).contains(&text.len()) && text.bytes().all(|b| matches!(b, b' '..=b'~')) && !text.starts_with("0x")
}

impl fmt::Display for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.text() {
            Some(text) => f.write_str(text),
            None => write!(f, "{}", self.0),
        }
    }
}

impl FromStr for Topic {
    type Err = TopicError;

    fn from_str(s: &str) -> Result<Self, TopicError> {
        if is_text(s) {
            return Ok(Self(B256::right_padding_from(s.as_bytes())));
        }
        let digits = s.starts_with("0x").then(|| s.parse().ok()).flatten();
        digits.map(Self).ok_or_else(|| TopicError(text::clip(s)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_text_is_itself_and_all_else_is_digits() {
        let topic: Topic = "audit 2026".parse().expect("a topic");
        assert_eq!(topic.0[..11], *b"audit 2026\0");
        assert_eq!(topic.to_string(), "audit 2026");
        for word in [
            B256::ZERO,
            B256::repeat_byte(0xff),
            B256::repeat_byte(b'a'),
            B256::with_last_byte(b'a'),
            B256::right_padding_from(b"a\0b"),
            B256::right_padding_from(b"a\nb"),
            B256::right_padding_from(b"0xab"),
            B256::right_padding_from("é".as_bytes()),
        ] {
            let text = Topic(word).to_string();
            assert!(text.starts_with("0x") && text.len() == 66, "{text}");
            assert_eq!(text.parse(), Ok(Topic(word)));
        }
    }

    #[test]
    fn what_is_too_long_or_not_plain_is_refused() {
        assert!("x".repeat(31).parse::<Topic>().is_ok());
        for bad in ["", "é", "a\0", "0xab", &"x".repeat(32)] {
            assert!(bad.parse::<Topic>().is_err(), "{bad:?}");
        }
    }
}
