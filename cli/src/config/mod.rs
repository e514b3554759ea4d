//! Flags, environment and file; the first that says something counts.
//!
//! - `file`: the TOML file
//! - `setting`: the settings, each with its flag, its variables and its key in the file

mod file;
mod setting;

use std::{
    env,
    fmt::Display,
    path::{Path, PathBuf},
    str::FromStr,
};

use anyhow::Result;
use client::SecretUrl;

pub use self::{
    file::File,
    setting::{
        ADMIN_LISTEN, CONTRACT, DATABASE_URL, DEPLOY_BLOCK, ENDORSEMENTS, FALLBACK_RPC_URLS, GATEWAY_KEY_FILE,
        GATEWAY_URL, INDEXER_LISTEN, JWKS, JWT_AUDIENCE, JWT_ISSUER, KEYS, KEYSTORE, LISTEN, PASSWORD_FILE, PUBLIC,
        RELAY_KEYSTORE, RELAY_PASSWORD_FILE, RELAY_RPC_URL, RPC_URL, SNAPSHOT, Setting, TLS_CERT, TLS_CLIENT_CA,
        TLS_KEY,
    },
};
use crate::exit::usage;

/// Where the folder of `rollcall up` keeps its configuration.
pub const UP_FILE: &str = ".rollcall/rollcall.toml";
const FILE: &str = "rollcall.toml";
const FILE_VARIABLE: &str = "ROLLCALL_CONFIG";

/// What the environment and the file say.
#[derive(Debug, Default)]
pub struct Settings {
    file: File,
    path: Option<PathBuf>,
}

/// A value and where it is from, for errors.
struct Found {
    value: String,
    origin: String,
    from_file: bool,
}

impl Settings {
    /// Reads the file: `--config`, `ROLLCALL_CONFIG`, `./rollcall.toml`, `./.rollcall/rollcall.toml`; the first two must
    /// be there if they are given.
    pub fn load(flag: Option<&Path>) -> Result<Self> {
        let named = flag.map(Path::to_owned).or_else(|| variable(FILE_VARIABLE).map(PathBuf::from));
        let path = match named {
            Some(path) => Some(path),
            None => [FILE, UP_FILE].map(PathBuf::from).into_iter().find(|path| path.is_file()),
        };
        let file = path.as_deref().map(File::read).transpose()?.unwrap_or_default();
        Ok(Self { file, path })
    }

    /// The file's name, for errors: the one that was read, or the one that would be.
    pub fn file_name(&self) -> String {
        self.path.as_deref().unwrap_or(Path::new(FILE)).display().to_string()
    }

    /// A setting that must be given.
    pub fn need<T>(&self, setting: &Setting, flag: Option<&str>) -> Result<T>
    where
        T: FromStr<Err: Display>,
    {
        self.get(setting, flag)?.ok_or_else(|| {
            let variables = setting.variables.join(" or ");
            usage(format!(
                "no {}: give {}, set {variables}, or write {} into {}{}",
                setting.what,
                setting.flag,
                setting.key,
                self.file_name(),
                if self.path.is_none() { " (`rollcall up` writes one for its own world)" } else { "" },
            ))
        })
    }

    /// A setting that may be missing.
    pub fn get<T>(&self, setting: &Setting, flag: Option<&str>) -> Result<Option<T>>
    where
        T: FromStr<Err: Display>,
    {
        let Some(found) = self.find(setting, flag) else {
            return Ok(None);
        };
        let value = found.value.parse().map_err(|error| usage(format!("{}: {error}", found.origin)))?;
        Ok(Some(value))
    }

    /// A path; one in the file is relative to the file.
    pub fn path(&self, setting: &Setting, flag: Option<&str>) -> Result<Option<PathBuf>> {
        Ok(self.find(setting, flag).map(|found| match self.path.as_deref().and_then(Path::parent) {
            Some(folder) if found.from_file => folder.join(found.value),
            _ => found.value.into(),
        }))
    }

    fn find(&self, setting: &Setting, flag: Option<&str>) -> Option<Found> {
        if let Some(value) = flag {
            return Some(Found { value: value.to_owned(), origin: setting.flag.to_owned(), from_file: false });
        }
        for name in setting.variables {
            if let Some(value) = variable(name) {
                return Some(Found { value, origin: (*name).to_owned(), from_file: false });
            }
        }
        let value = (setting.of_file)(&self.file)?;
        Some(Found { value, origin: format!("{} in {}", setting.key, self.file_name()), from_file: true })
    }
}

/// An environment variable; set but empty is not set.
pub fn variable(name: &str) -> Option<String> {
    env::var(name).ok().filter(|value| !value.is_empty())
}

/// A database URL, checked for its scheme.
#[derive(Debug, Clone)]
pub struct DatabaseUrl(pub SecretUrl);

impl FromStr for DatabaseUrl {
    type Err = String;

    fn from_str(s: &str) -> Result<Self, String> {
        let url: SecretUrl = s.parse().map_err(|error: client::redact::UrlError| error.to_string())?;
        url.with_scheme(&["postgres", "postgresql"]).map(Self).map_err(|error| error.to_string())
    }
}
