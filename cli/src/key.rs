//! Who signs: a keystore file with its password, or `ROLLCALL_PRIVATE_KEY` for development. There is no flag for a key.

use std::{
    env, fs,
    io::IsTerminal,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};
use client::{Key, KeyError};

use crate::{
    config::{KEYSTORE, PASSWORD_FILE, Settings},
    exit::usage,
};

/// A private key in the environment, for development.
pub const PRIVATE_KEY: &str = "ROLLCALL_PRIVATE_KEY";
/// The password of the keystore file.
const PASSWORD: &str = "ROLLCALL_KEYSTORE_PASSWORD";

/// The flags of every command that signs.
#[derive(Debug, Clone, clap::Args)]
pub struct SignerArgs {
    /// Encrypted keystore file of the key that signs [env: ROLLCALL_KEYSTORE; file: keystore]
    #[arg(long, value_name = "FILE", help_heading = "Key")]
    pub keystore: Option<String>,
    /// File with the keystore's password; else ROLLCALL_KEYSTORE_PASSWORD, or a prompt [env: ROLLCALL_PASSWORD_FILE;
    /// file: password_file]
    #[arg(long, value_name = "FILE", help_heading = "Key")]
    pub password_file: Option<String>,
}

/// Finds the key: `--keystore`, then `ROLLCALL_PRIVATE_KEY`, then the other ways to name a keystore.
pub async fn signer(settings: &Settings, args: &SignerArgs) -> Result<Key> {
    if args.keystore.is_none()
        && let Some(digits) = variable(PRIVATE_KEY)?
    {
        return Key::from_hex(&digits).with_context(|| PRIVATE_KEY.to_owned());
    }
    let Some(keystore) = settings.path(&KEYSTORE, args.keystore.as_deref())? else {
        return Err(usage(format!(
            "no key to sign with: give --keystore FILE, set ROLLCALL_KEYSTORE, or write keystore into {}; for \
             development, set {PRIVATE_KEY}. `rollcall key new FILE` makes a keystore",
            settings.file_name()
        )));
    };
    let password = password(settings, args, &keystore).await?;
    // Slow on purpose, and blocking.
    Ok(tokio::task::spawn_blocking(move || Key::from_keystore(&keystore, &password)).await??)
}

async fn password(settings: &Settings, args: &SignerArgs, keystore: &Path) -> Result<String> {
    if args.password_file.is_none()
        && let Some(password) = variable(PASSWORD)?
    {
        return Ok(password);
    }
    if let Some(file) = settings.path(&PASSWORD_FILE, args.password_file.as_deref())? {
        return read_password(&file);
    }
    prompt(format!("Password of {}: ", keystore.display())).await
}

/// The password for a new keystore: asked twice where it is asked.
pub async fn new_password(file: Option<PathBuf>) -> Result<String> {
    let password = match (file, variable(PASSWORD)?) {
        (Some(file), _) => read_password(&file)?,
        (None, Some(password)) => password,
        (None, None) => {
            let first = prompt("Password for the new keystore: ".to_owned()).await?;
            if prompt("Again: ".to_owned()).await? != first {
                return Err(usage("the two passwords differ"));
            }
            first
        }
    };
    if password.is_empty() {
        return Err(usage("an empty password protects nothing"));
    }
    Ok(password)
}

fn read_password(file: &Path) -> Result<String> {
    let text = fs::read_to_string(file).map_err(|error| usage(format!("password file {}: {error}", file.display())))?;
    // Editors end a file with a newline; it is no part of the password.
    Ok(text.trim_end_matches(['\r', '\n']).to_owned())
}

async fn prompt(words: String) -> Result<String> {
    if !std::io::stdin().is_terminal() {
        return Err(usage(format!("no password: set {PASSWORD}, or give --password-file FILE")));
    }
    let answer = tokio::task::spawn_blocking(move || rpassword::prompt_password(words)).await?;
    answer.context("reading the password")
}

/// An environment variable; set but empty is not set. Its value never gets into an error.
fn variable(name: &str) -> Result<Option<String>> {
    match env::var(name) {
        Ok(value) if !value.is_empty() => Ok(Some(value)),
        Ok(_) | Err(env::VarError::NotPresent) => Ok(None),
        Err(env::VarError::NotUnicode(_)) if name == PRIVATE_KEY => {
            Err(anyhow::Error::new(KeyError::Malformed).context(name.to_owned()))
        }
        Err(env::VarError::NotUnicode(_)) => Err(usage(format!("{name} is no valid text"))),
    }
}
