//! The keys file: API keys as hashes, and the client certificates that count.

use std::{collections::HashMap, sync::Arc};

use serde::Deserialize;
use time::OffsetDateTime;

use super::{
    certificate::{Certificate, Certificates},
    identity::{Identity, Namespaces, Rate},
    key::{self, Presented},
    limits::Limits,
    refusal::{Reason, Refusal},
};

/// The longest name of a key or a certificate.
const MAX_NAME: usize = 100;

/// The file, as it is written.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    #[serde(default)]
    pub(super) key: Vec<Entry>,
    #[serde(default)]
    certificate: Vec<Certificate>,
}

/// A key in the file.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Entry {
    pub(super) id: String,
    pub(super) name: String,
    /// BLAKE3 of the secret.
    hash: String,
    pub(super) namespaces: Option<Vec<String>>,
    pub(super) rate: Option<String>,
    #[serde(with = "time::serde::rfc3339")]
    pub(super) created_at: OffsetDateTime,
    #[serde(default, with = "time::serde::rfc3339::option")]
    pub(super) expires_at: Option<OffsetDateTime>,
    #[serde(default, with = "time::serde::rfc3339::option")]
    pub(super) revoked_at: Option<OffsetDateTime>,
}

impl File {
    /// Reads the text of the file; the error names the line.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let file: Self = toml::from_str(text).map_err(|error| {
            let message = error.message().lines().next().unwrap_or_default().to_owned();
            match error.span() {
                Some(span) => {
                    format!("line {}: {message}", text[..span.start.min(text.len())].matches('\n').count() + 1)
                }
                None => message,
            }
        })?;
        for (at, entry) in file.key.iter().enumerate() {
            entry.check().map_err(|reason| format!("key {:?}: {reason}", domain::text::clip(&entry.id)))?;
            if file.key[..at].iter().any(|other| other.id == entry.id) {
                return Err(format!("key {:?} is there twice", entry.id));
            }
        }
        Ok(file)
    }
}

impl Entry {
    fn check(&self) -> Result<(), String> {
        if !key::is_id(&self.id) {
            return Err("an id is 12 hexadecimal digits".to_owned());
        }
        check_name(&self.name)?;
        self.hash()?;
        read_reach(self.namespaces.as_deref(), self.rate.as_deref()).map(drop)
    }

    fn hash(&self) -> Result<blake3::Hash, String> {
        blake3::Hash::from_hex(&self.hash).map_err(|_| "a hash is 64 hexadecimal digits".to_owned())
    }
}

/// Checks what people call a key or a certificate.
pub(super) fn check_name(name: &str) -> Result<(), String> {
    match name.chars().count() {
        1..=MAX_NAME if !name.chars().any(char::is_control) => Ok(()),
        _ => Err(format!("a name has 1 to {MAX_NAME} characters and no controls")),
    }
}

/// Reads which namespaces and how often. A list without any is no way to lock somebody out: there is revoking.
pub(super) fn read_reach(
    namespaces: Option<&[String]>,
    rate: Option<&str>,
) -> Result<(Namespaces, Option<Rate>), String> {
    if namespaces.is_some_and(<[String]>::is_empty) {
        return Err("namespaces is empty: leave it out for all, or revoke the key".to_owned());
    }
    Ok((Namespaces::parse(namespaces)?, rate.map(str::parse).transpose()?))
}

/// Who is whom, ready to be looked up.
#[derive(Debug)]
pub(super) struct Keys {
    keys: HashMap<String, Known>,
    pub(super) certificates: Certificates,
}

#[derive(Debug)]
struct Known {
    hash: blake3::Hash,
    identity: Arc<Identity>,
    expires_at: Option<i64>,
    is_revoked: bool,
}

/// The limiters of identities: they outlive the file that named them.
pub(super) type IdentityLimits = Limits<(Arc<str>, Rate)>;

/// Makes an identity whose requests are counted with all others of the same name.
pub(super) fn identity(id: String, reach: (Namespaces, Option<Rate>), limits: &IdentityLimits) -> Arc<Identity> {
    let (id, (namespaces, rate)) = (Arc::<str>::from(id), reach);
    let limiter = rate.map(|rate| limits.of((Arc::clone(&id), rate), rate.quota()));
    Arc::new(Identity { id, namespaces, limiter })
}

impl Keys {
    pub(super) fn read(text: &str, limits: &IdentityLimits) -> Result<Self, String> {
        let file = File::parse(text)?;
        let mut keys = HashMap::with_capacity(file.key.len());
        for entry in file.key {
            let reach = read_reach(entry.namespaces.as_deref(), entry.rate.as_deref())?;
            let known = Known {
                hash: entry.hash()?,
                identity: identity(format!("key:{}", entry.id), reach, limits),
                expires_at: entry.expires_at.map(OffsetDateTime::unix_timestamp),
                is_revoked: entry.revoked_at.is_some(),
            };
            keys.insert(entry.id, known);
        }
        Ok(Self { keys, certificates: Certificates::new(file.certificate, limits)? })
    }

    /// Whose key this is, at a time in seconds since 1970. That a key has ended or is revoked is told to those alone
    /// who know its secret.
    pub(super) fn find(&self, text: &str, now: i64) -> Result<Arc<Identity>, Refusal> {
        let key = Presented::parse(text).ok_or(Reason::Malformed)?;
        let known = self.keys.get(key.id).ok_or(Reason::UnknownKey)?;
        // Comparing hashes of blake3 takes the same time wherever they differ.
        if known.hash != key.hash() {
            return Err(Reason::UnknownKey.into());
        }
        let of = |reason| Err(Refusal { reason, identity: Some(Arc::clone(&known.identity)) });
        match known.expires_at {
            _ if known.is_revoked => of(Reason::RevokedKey),
            Some(end) if end <= now => of(Reason::Expired),
            _ => Ok(Arc::clone(&known.identity)),
        }
    }
}
