//! As whom a gateway is asked: an API key or a JWT, out of a file or the environment.

use std::{
    env, fs,
    path::{Path, PathBuf},
    str::FromStr,
};

use reqwest::header::HeaderValue;

use super::Gateway;

/// What a gateway wants to see before it answers: an API key or a JWT. No `Debug` shows it.
#[derive(Debug, Clone)]
pub struct GatewayKey(HeaderValue);

/// Why there is no key. It does not repeat the text, which may be a key with a flaw.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GatewayKeyError {
    /// A text that is none.
    #[error(
        "no key of a gateway: an API key begins with rck_, a JWT has three parts with dots between, neither has blanks"
    )]
    NoKey,
    /// There is something else in a file or a variable.
    #[error("{place}: {source}")]
    In {
        /// Where.
        place: String,
        /// What.
        source: Box<GatewayKeyError>,
    },
    /// A file that cannot be read.
    #[error("gateway key file {}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
}

impl FromStr for GatewayKey {
    type Err = GatewayKeyError;

    /// Reads a key; what editors put after it is no part of it.
    fn from_str(text: &str) -> Result<Self, GatewayKeyError> {
        let text = text.trim_end_matches(['\r', '\n']);
        let is_key =
            !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~+/=".contains(&byte));
        let value = is_key.then(|| HeaderValue::try_from(format!("Bearer {text}")).ok()).flatten();
        let mut value = value.ok_or(GatewayKeyError::NoKey)?;
        value.set_sensitive(true);
        Ok(Self(value))
    }
}

impl GatewayKey {
    /// The variable that [`Self::from_environment`] reads.
    pub const VARIABLE: &str = "ROLLCALL_GATEWAY_KEY";

    /// The key in `ROLLCALL_GATEWAY_KEY`; none if that is not set, or empty.
    ///
    /// # Errors
    /// [`GatewayKeyError::In`].
    pub fn from_environment() -> Result<Option<Self>, GatewayKeyError> {
        let Some(text) = env::var_os(Self::VARIABLE).filter(|text| !text.is_empty()) else { return Ok(None) };
        let key = text.to_str().ok_or(GatewayKeyError::NoKey).and_then(str::parse);
        key.map(Some).map_err(|error| within(Self::VARIABLE.to_owned(), error))
    }

    fn in_file(path: &Path, text: std::io::Result<String>) -> Result<Self, GatewayKeyError> {
        let text = text.map_err(|source| GatewayKeyError::File { path: path.to_owned(), source })?;
        text.parse().map_err(|error| within(format!("gateway key file {}", path.display()), error))
    }
}

fn within(place: String, error: GatewayKeyError) -> GatewayKeyError {
    GatewayKeyError::In { place, source: Box::new(error) }
}

/// Where the key of each request comes from.
#[derive(Debug, Clone)]
pub(super) enum KeySource {
    Known(GatewayKey),
    File(PathBuf),
}

impl KeySource {
    pub(super) async fn header(&self) -> Result<HeaderValue, GatewayKeyError> {
        match self {
            Self::Known(GatewayKey(header)) => Ok(header.clone()),
            Self::File(path) => Ok(GatewayKey::in_file(path, tokio::fs::read_to_string(path).await)?.0),
        }
    }
}

impl Gateway {
    /// The same gateway, asked as somebody that it knows.
    #[must_use]
    pub fn with_key(self, key: GatewayKey) -> Self {
        Self { key: Some(KeySource::Known(key)), ..self }
    }

    /// The same with the key in a file. It is read now, and again for each request: whoever renews a short-lived token there
    /// need not start anything anew.
    ///
    /// # Errors
    /// [`GatewayKeyError`].
    pub fn with_key_file(self, path: &Path) -> Result<Self, GatewayKeyError> {
        GatewayKey::in_file(path, fs::read_to_string(path))?;
        Ok(Self { key: Some(KeySource::File(path.to_owned())), ..self })
    }
}
