//! Who signs: a keystore file with its password, or `ROLLCALL_PRIVATE_KEY` for development. There is no flag for a key.

use std::{
    env, fs,
    io::IsTerminal,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};
use client::{Key, KeyError};

use crate::{
    config::{KEYSTORE, PASSWORD_FILE, RELAY_KEYSTORE, RELAY_PASSWORD_FILE, Setting, Settings},
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

/// Where a key can be named.
struct Places {
    keystore: &'static Setting,
    password_file: &'static Setting,
    private_key: &'static str,
    password: &'static str,
}

const SIGNER: Places =
    Places { keystore: &KEYSTORE, password_file: &PASSWORD_FILE, private_key: PRIVATE_KEY, password: PASSWORD };

/// Names of its own: a key that is there to sign what its user asks for does not pay for strangers by accident.
const RELAYER: Places = Places {
    keystore: &RELAY_KEYSTORE,
    password_file: &RELAY_PASSWORD_FILE,
    private_key: "ROLLCALL_RELAY_PRIVATE_KEY",
    password: "ROLLCALL_RELAY_KEYSTORE_PASSWORD",
};

/// Finds the key: `--keystore`, then `ROLLCALL_PRIVATE_KEY`, then the other ways to name a keystore.
pub async fn signer(settings: &Settings, args: &SignerArgs) -> Result<Key> {
    let key = SIGNER.find(settings, args.keystore.as_deref(), args.password_file.as_deref()).await?;
    key.ok_or_else(|| {
        usage(format!(
            "no key to sign with: give --keystore FILE, set ROLLCALL_KEYSTORE, or write keystore into {}; for \
             development, set {PRIVATE_KEY}. `rollcall key new FILE` makes a keystore",
            settings.file_name()
        ))
    })
}

/// Finds the key of a gateway's relayer in the same way, if there is one.
pub async fn relayer(settings: &Settings, keystore: Option<&str>, password_file: Option<&str>) -> Result<Option<Key>> {
    RELAYER.find(settings, keystore, password_file).await
}

impl Places {
    async fn find(
        &self,
        settings: &Settings,
        keystore: Option<&str>,
        password_file: Option<&str>,
    ) -> Result<Option<Key>> {
        if keystore.is_none()
            && let Some(digits) = variable(self.private_key)?
        {
            return Key::from_hex(&digits).map(Some).with_context(|| self.private_key.to_owned());
        }
        let Some(keystore) = settings.path(self.keystore, keystore)? else { return Ok(None) };
        let password = self.password_of(settings, password_file, &keystore).await?;
        // Slow on purpose, and blocking.
        Ok(Some(tokio::task::spawn_blocking(move || Key::from_keystore(&keystore, &password)).await??))
    }

    async fn password_of(&self, settings: &Settings, file: Option<&str>, keystore: &Path) -> Result<String> {
        if file.is_none()
            && let Some(password) = variable(self.password)?
        {
            return Ok(password);
        }
        if let Some(file) = settings.path(self.password_file, file)? {
            return read_password(&file);
        }
        prompt(format!("Password of {}: ", keystore.display()), self).await
    }
}

/// The password for a new keystore: asked twice where it is asked.
pub async fn new_password(file: Option<PathBuf>) -> Result<String> {
    let password = match (file, variable(PASSWORD)?) {
        (Some(file), _) => read_password(&file)?,
        (None, Some(password)) => password,
        (None, None) => {
            let first = prompt("Password for the new keystore: ".to_owned(), &SIGNER).await?;
            if prompt("Again: ".to_owned(), &SIGNER).await? != first {
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

async fn prompt(words: String, places: &Places) -> Result<String> {
    if !std::io::stdin().is_terminal() {
        return Err(usage(format!("no password: set {}, or give {} FILE", places.password, places.password_file.flag)));
    }
    let answer = tokio::task::spawn_blocking(move || rpassword::prompt_password(words)).await?;
    answer.context("reading the password")
}

/// An environment variable; set but empty is not set. Its value never gets into an error.
fn variable(name: &str) -> Result<Option<String>> {
    match env::var(name) {
        Ok(value) if !value.is_empty() => Ok(Some(value)),
        Ok(_) | Err(env::VarError::NotPresent) => Ok(None),
        Err(env::VarError::NotUnicode(_)) if [SIGNER, RELAYER].iter().any(|places| places.private_key == name) => {
            Err(anyhow::Error::new(KeyError::Malformed).context(name.to_owned()))
        }
        Err(env::VarError::NotUnicode(_)) => Err(usage(format!("{name} is no valid text"))),
    }
}
