//! Who signs: an encrypted keystore file, or a private key for development. Neither shows in an error, a log or a
//! `Debug`.

use std::{
    fmt, fs, io,
    os::unix::fs::{DirBuilderExt, PermissionsExt},
    path::{Path, PathBuf},
};

use alloy::{
    primitives::{Address, B256},
    signers::{
        k256::elliptic_curve::rand_core::OsRng,
        local::{LocalSignerError, PrivateKeySigner},
    },
};

/// A private key. `Debug` shows its account alone.
#[derive(Clone)]
pub struct Key(PrivateKeySigner);

/// Why there is no key. Never holds a digit of one.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// Not the text of a private key.
    #[error("no private key: expected 64 hexadecimal digits, with or without 0x, but it has {0} characters")]
    Length(usize),
    /// The right length, but not the right characters, or out of the curve's range.
    #[error("no private key: expected 64 hexadecimal digits of a number between 0 and the order of secp256k1")]
    Malformed,
    /// There is a file already.
    #[error("{} exists already, and a key is never overwritten: choose another file", .0.display())]
    Exists(PathBuf),
    /// The file cannot be read or written.
    #[error("keystore {} cannot be read or written", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Not a keystore.
    #[error("{} is no keystore file (version 3 of Ethereum's JSON format)", .0.display())]
    NoKeystore(PathBuf),
    /// The password does not open it.
    #[error("the password does not open the keystore {}", .0.display())]
    WrongPassword(PathBuf),
}

impl Key {
    /// Reads 64 hexadecimal digits, with or without `0x`.
    ///
    /// # Errors
    /// [`KeyError::Length`], [`KeyError::Malformed`].
    pub fn from_hex(text: &str) -> Result<Self, KeyError> {
        let text = text.trim();
        let digits = text.strip_prefix("0x").unwrap_or(text);
        if digits.len() != 64 {
            return Err(KeyError::Length(text.chars().count()));
        }
        let bytes: B256 = digits.parse().map_err(|_| KeyError::Malformed)?;
        PrivateKeySigner::from_bytes(&bytes).map(Self).map_err(|_| KeyError::Malformed)
    }

    /// Opens an encrypted keystore file. Slow on purpose: call it where blocking is allowed.
    ///
    /// # Errors
    /// [`KeyError::Io`], [`KeyError::NoKeystore`], [`KeyError::WrongPassword`].
    pub fn from_keystore(path: &Path, password: &str) -> Result<Self, KeyError> {
        let text = fs::read_to_string(path).map_err(|source| KeyError::Io { path: path.to_owned(), source })?;
        if !is_keystore(&text) {
            return Err(KeyError::NoKeystore(path.to_owned()));
        }
        PrivateKeySigner::decrypt_keystore(path, password).map(Self).map_err(|error| match error {
            LocalSignerError::EthKeystoreError(inner) if inner.to_string().contains("Mac Mismatch") => {
                KeyError::WrongPassword(path.to_owned())
            }
            LocalSignerError::IoError(source) => KeyError::Io { path: path.to_owned(), source },
            _ => KeyError::NoKeystore(path.to_owned()),
        })
    }

    /// Makes a new random key and writes it to a new keystore file that only its owner can read.
    ///
    /// # Errors
    /// [`KeyError::Exists`], [`KeyError::Io`].
    pub fn create_keystore(path: &Path, password: &str) -> Result<Self, KeyError> {
        let failed = |source| KeyError::Io { path: path.to_owned(), source };
        if path.exists() {
            return Err(KeyError::Exists(path.to_owned()));
        }
        let parent = match path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        fs::create_dir_all(parent).map_err(failed)?;
        // Written in a private folder and linked into place when whole: no moment at which others can read it.
        let name = path.file_name().ok_or_else(|| failed(io::ErrorKind::InvalidInput.into()))?;
        let private = parent.join(format!(".{}.{}", name.to_string_lossy(), std::process::id()));
        fs::DirBuilder::new().mode(0o700).create(&private).map_err(failed)?;
        let written = Self::write_keystore(&private, path, password);
        let removed = fs::remove_dir_all(&private);
        let key = written?;
        removed.map_err(failed)?;
        Ok(key)
    }

    fn write_keystore(private: &Path, path: &Path, password: &str) -> Result<Self, KeyError> {
        let failed = |source| KeyError::Io { path: path.to_owned(), source };
        const FILE: &str = "key";
        let (signer, _uuid) =
            PrivateKeySigner::new_keystore(private, &mut OsRng, password, Some(FILE)).map_err(|error| match error {
                LocalSignerError::IoError(source) => failed(source),
                other => failed(io::Error::other(other.to_string())),
            })?;
        let file = private.join(FILE);
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).map_err(failed)?;
        // Fails if somebody made the file meanwhile.
        fs::hard_link(&file, path).map_err(failed)?;
        Ok(Self(signer))
    }

    /// The account that this key speaks for.
    pub fn account(&self) -> Address {
        self.0.address()
    }

    pub(crate) fn signer(&self) -> PrivateKeySigner {
        self.0.clone()
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({})", self.account())
    }
}

/// The decoder trusts some lengths that a damaged file does not have.
fn is_keystore(text: &str) -> bool {
    let Ok(file) = serde_json::from_str::<serde_json::Value>(text) else {
        return false;
    };
    let crypto = &file["crypto"];
    let params = &crypto["kdfparams"];
    let cost = params["n"].as_u64().unwrap_or(2).saturating_mul(params["r"].as_u64().unwrap_or(1));
    file["version"] == 3
        && crypto["cipherparams"]["iv"].as_str().is_some_and(|iv| iv.len() >= 32)
        && params["dklen"].as_u64().is_some_and(|len| (32..=128).contains(&len))
        // More than 1 GB of memory is no keystore but an attack.
        && cost <= 1 << 23
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIGITS: &str = "ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80";

    #[test]
    fn a_key_is_read_with_and_without_prefix_and_never_shown() {
        let key = Key::from_hex(&format!("0x{DIGITS}\n")).expect("a key");
        assert_eq!(key.account(), Key::from_hex(DIGITS).expect("a key").account());
        assert_eq!(format!("{key:?}"), "Key(0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266)");
    }

    #[test]
    fn an_error_never_holds_what_was_given() {
        for bad in [&DIGITS[1..], &format!("{DIGITS}1"), &DIGITS.replace('a', "z"), &"f".repeat(64), "", "0x"] {
            let error = Key::from_hex(bad).expect_err("no key");
            let shown = format!("{error} {error:?}");
            assert!(bad.len() < 8 || !shown.contains(&bad[..8]), "{shown}");
        }
    }

    #[test]
    fn a_keystore_opens_with_its_password_alone() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("keys/acme.json");
        let key = Key::create_keystore(&path, "correct horse").expect("a keystore");
        assert_eq!(fs::metadata(&path).expect("a file").permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(path.parent().expect("a parent")).expect("a folder").count(), 1);
        assert_eq!(Key::from_keystore(&path, "correct horse").expect("opens").account(), key.account());
        assert!(matches!(Key::from_keystore(&path, "battery"), Err(KeyError::WrongPassword(_))));
        assert!(matches!(Key::create_keystore(&path, "again"), Err(KeyError::Exists(_))));
    }

    #[test]
    fn a_damaged_keystore_is_an_error() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("key.json");
        for damaged in [
            "",
            "{}",
            "[1]",
            r#"{"version":3,"crypto":{"cipherparams":{"iv":"00"},"kdfparams":{"dklen":32}}}"#,
            r#"{"version":3,"crypto":{"cipherparams":{"iv":"00000000000000000000000000000000"},"kdfparams":{"dklen":8}}}"#,
        ] {
            fs::write(&path, damaged).expect("written");
            assert!(matches!(Key::from_keystore(&path, "x"), Err(KeyError::NoKeystore(_))), "{damaged}");
        }
    }
}
