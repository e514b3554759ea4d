//! The folder of one world: `.rollcall/`.

use std::{
    fs,
    io::Write,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use alloy::primitives::{Address, B256};
use anyhow::{Context, Result};
use client::Key;
use serde::{Deserialize, Serialize};
use serde_json::json;
use tools::RunDir;

use super::accounts::ACCOUNTS;
use crate::{config, exit::usage};

/// The folder, held by a lock as long as this lives.
pub struct Folder {
    run: RunDir,
    shown: PathBuf,
}

/// What one start tells the next.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Memory {
    /// The port that Postgres had: kept, so that a URL that was written down stays right.
    pub postgres_port: Option<u16>,
    /// Where the registry is.
    pub deployment: Option<Deployed>,
}

/// Where the registry is, and on which chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deployed {
    /// Hash of block 0.
    pub genesis: B256,
    /// The registry.
    pub contract: Address,
    /// The block of its deployment.
    pub block: u64,
}

impl Folder {
    /// Takes the folder, and stops what a killed owner of it left running.
    ///
    /// # Errors
    /// Of usage, if another `up` holds it, or if it is somebody else's: [`Folder::clear`] must not meet that.
    pub async fn open(path: &Path) -> Result<Self> {
        check_ours(path)?;
        if !path.exists() {
            // Others may enter: Postgres refuses root and then runs as nobody. Files with secrets are closed themselves.
            let made = fs::DirBuilder::new().mode(0o711).recursive(true).create(path);
            made.map_err(|error| usage(format!("cannot make the folder {}: {error}", path.display())))?;
        }
        let run = RunDir::open(path).map_err(|error| match error {
            tools::Error::InUse { pid, .. } => usage(format!(
                "another `rollcall up` runs in {}{}: stop it (Ctrl-C there{}), or choose another folder with --dir",
                path.display(),
                pid.map_or(String::new(), |pid| format!(" (process {pid})")),
                pid.map_or(String::new(), |pid| format!(", or kill {pid}")),
            )),
            error => error.into(),
        })?;
        let folder = Self { run, shown: path.to_owned() };
        fs::write(folder.path(MARK_FILE), MARK).with_context(|| format!("writing into {}", path.display()))?;
        for stopped in folder.run.stop_leftovers().await? {
            tracing::warn!("stopped what an earlier run had left: {stopped}");
        }
        Ok(folder)
    }

    /// Forgets the chain, the index and the keys.
    pub fn clear(&self) -> Result<()> {
        for name in
            [CHAIN, SNAPSHOT, "postgres", "postgres.init", "keys", "keys.json", "memory.json", "rollcall.toml", "logs"]
        {
            let path = self.path(name);
            let removed = if path.is_dir() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
            match removed {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    return Err(error).with_context(|| format!("removing {}", path.display()));
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// A file in the folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.run.path().join(name)
    }

    /// A file in the folder, as the user named the folder.
    pub fn shown(&self, name: &str) -> String {
        self.shown.join(name).display().to_string()
    }

    /// The pid file of a server.
    pub fn pid_file(&self, name: &str) -> PathBuf {
        self.run.pid_file(name)
    }

    /// Where a part writes its log.
    pub fn log(&self, name: &str) -> Result<PathBuf> {
        let folder = self.path("logs");
        fs::create_dir_all(&folder).with_context(|| format!("making {}", folder.display()))?;
        let log = folder.join(format!("{name}.log"));
        if fs::metadata(&log).is_ok_and(|log| log.len() > LARGE_LOG) {
            fs::rename(&log, log.with_extension("log.old")).with_context(|| format!("renaming {}", log.display()))?;
        }
        Ok(log)
    }

    /// What the start before told; nothing if it told nothing.
    pub fn memory(&self) -> Memory {
        let text = fs::read_to_string(self.path("memory.json")).unwrap_or_default();
        serde_json::from_str(&text).unwrap_or_default()
    }

    /// Tells the next start.
    pub fn remember(&self, memory: &Memory) -> Result<()> {
        self.write("memory.json", &serde_json::to_string_pretty(memory)?)
    }

    /// Writes the configuration that every command in this folder reads.
    pub fn write_config(&self, file: &config::File) -> Result<()> {
        let text = toml::to_string(file)?;
        let head = "# Written by `rollcall up` at each start. Other commands read it: see docs/configuration.md.\n";
        self.write("rollcall.toml", &format!("{head}{text}"))
    }

    /// Writes the keys of the demo's companies.
    pub fn write_keys(&self) -> Result<()> {
        let mut accounts = serde_json::Map::new();
        for account in ACCOUNTS {
            let address = account.key()?.account().to_string();
            accounts.insert(account.name.to_owned(), json!({ "address": address, "private_key": account.private_key }));
        }
        let file = json!({
            "warning": "Anvil's development keys: everybody knows them. Never send anything of value to these accounts.",
            "accounts": accounts,
        });
        self.write("keys.json", &serde_json::to_string_pretty(&file)?)
    }

    /// The user's own key in this world: made once, random, in a keystore whose password lies beside it. The answer is
    /// slow work, to be done where blocking is allowed.
    pub fn own_key(&self) -> Result<impl FnOnce() -> Result<Key> + Send + 'static> {
        const PASSWORD: &str = "development";
        let folder = self.path("keys");
        fs::DirBuilder::new().mode(0o700).recursive(true).create(&folder).context("making the folder of keys")?;
        self.write(PASSWORD_FILE, PASSWORD)?;
        let keystore = self.path(KEYSTORE);
        Ok(move || match keystore.exists() {
            true => Ok(Key::from_keystore(&keystore, PASSWORD)?),
            false => Ok(Key::create_keystore(&keystore, PASSWORD)?),
        })
    }

    /// Writes a file that only its owner can read; never half of it.
    fn write(&self, name: &str, text: &str) -> Result<()> {
        let path = self.path(name);
        let part = path.with_extension("part");
        let write = || {
            let _ = fs::remove_file(&part);
            let mut file = fs::File::options().write(true).create_new(true).mode(0o600).open(&part)?;
            file.write_all(text.as_bytes())?;
            fs::rename(&part, &path)
        };
        write().with_context(|| format!("writing {}", path.display()))
    }
}

/// Refuses a folder that holds something, and no mark of ours.
fn check_ours(path: &Path) -> Result<()> {
    let Ok(entries) = fs::read_dir(path) else {
        return Ok(());
    };
    let marked = fs::read_to_string(path.join(MARK_FILE)).is_ok_and(|text| text == MARK);
    // Of a start that was killed at once.
    let others = entries.flatten().filter(|entry| entry.file_name() != "lock").count();
    if marked || others == 0 {
        return Ok(());
    }
    Err(usage(format!(
        "{} is no folder of `rollcall up` and is not empty: choose another one with --dir",
        path.display()
    )))
}

/// Marks the folder as ours, and keeps it out of version control.
const MARK_FILE: &str = ".gitignore";
const MARK: &str = "# This folder belongs to `rollcall up`: chain, index and keys for development.\n*\n";

/// A larger log is put aside at the next start.
const LARGE_LOG: u64 = 10 << 20;

/// Anvil's state.
pub const CHAIN: &str = "chain.json";
/// What the gateway knows.
pub const SNAPSHOT: &str = "gateway.snapshot";
/// The user's own key, and what opens it; relative to the folder.
pub const KEYSTORE: &str = "keys/you.json";
/// See [`KEYSTORE`].
pub const PASSWORD_FILE: &str = "keys/you.password";
