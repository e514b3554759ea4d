//! The alphabet of names, labels and versions: small on purpose, so that no two of them look alike.

/// The longest name, label or version, in bytes.
pub const MAX_TEXT: usize = 63;

/// Why a text is no name, label, version or account.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TextError {
    /// Too short or too long.
    #[error("{what} {value:?} has {len} bytes; it must have 1 to {MAX_TEXT}")]
    Length {
        /// What the text was meant to be.
        what: &'static str,
        /// The text, clipped.
        value: String,
        /// Its length in bytes.
        len: usize,
    },
    /// A character outside the alphabet.
    #[error("{what} {value:?} has the character {found:?}; allowed are {allowed}")]
    Character {
        /// What the text was meant to be.
        what: &'static str,
        /// The text, clipped.
        value: String,
        /// The first character that is not allowed.
        found: char,
        /// The alphabet, in words.
        allowed: &'static str,
    },
    /// A first character that is no letter or digit: the text could be taken for an option or a path.
    #[error("{what} {value:?} begins with {found:?}; it must begin with a letter or a digit")]
    First {
        /// What the text was meant to be.
        what: &'static str,
        /// The text, clipped.
        value: String,
        /// Its first character.
        found: char,
    },
    /// Starts like an address, and is none.
    #[error("{0:?} starts with 0x but is no account address (0x and 40 hexadecimal digits)")]
    NotAnAccount(String),
}

/// Checks a name or label: `[a-z0-9._-]`, 1 to 63 bytes, the first a letter or digit. `what` names it in the error.
pub fn check_name(what: &'static str, value: &str) -> Result<(), TextError> {
    check(what, value, "a-z 0-9 . _ -", |c| matches!(c, 'a'..='z' | '0'..='9' | '.' | '_' | '-'))
}

/// Checks a version: `[a-zA-Z0-9._+-]`, 1 to 63 bytes, the first a letter or digit.
pub fn check_version(value: &str) -> Result<(), TextError> {
    check("version", value, "a-z A-Z 0-9 . _ - +", |c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | '+'))
}

/// The first 80 characters of a text from a stranger: enough to recognise it in an error.
pub fn clip(value: &str) -> String {
    match value.char_indices().nth(80) {
        Some((end, _)) => format!("{}…", &value[..end]),
        None => value.to_owned(),
    }
}

fn check(
    what: &'static str,
    value: &str,
    allowed: &'static str,
    is_allowed: impl Fn(char) -> bool,
) -> Result<(), TextError> {
    if value.is_empty() || value.len() > MAX_TEXT {
        return Err(TextError::Length { what, value: clip(value), len: value.len() });
    }
    if let Some(found) = value.chars().find(|&c| !is_allowed(c)) {
        return Err(TextError::Character { what, value: clip(value), found, allowed });
    }
    match value.chars().next().filter(|first| !first.is_ascii_alphanumeric()) {
        Some(found) => Err(TextError::First { what, value: clip(value), found }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_short_and_plain() {
        assert!(check_name("name", "pay-ments_1.x").is_ok());
        for bad in ["", "Pay", "a b", "päy", "a/b", "a+b", &"x".repeat(64)] {
            assert!(check_name("name", bad).is_err(), "{bad:?}");
        }
        assert!(check_version("1.2.0-RC.1+build").is_ok());
        assert!(check_version("1 2").is_err());
        for first in ["-a", ".a", "_a", "+a"] {
            assert!(check_name("name", first).is_err(), "{first:?}");
            assert!(check_version(first).is_err(), "{first:?}");
        }
        assert!(matches!(check_name("name", "..."), Err(TextError::First { found: '.', .. })));
    }

    #[test]
    fn a_hostile_text_is_clipped_between_characters() {
        assert_eq!(clip(&"é".repeat(200)).chars().count(), 81);
    }
}
