//! Who may ask the gateway what.
//!
//! On a loopback address everybody on the machine may read everything; elsewhere somebody has to say so, or say who may.
//! An identity is an API key or a client certificate of the keys file, or a JWT that a key of the JWKS has signed. It has
//! the namespaces that it may read, and so many requests a second. Namespaces do not keep secrets, since the chain is
//! public: they keep programs from what they have no business with.
//!
//! What this module does **not** do: limit the requests of an address, or verify the chain of a client's certificate. Both
//! is the listener's.
//!
//! In reading order:
//! - `identity`: somebody who may ask; `limits`: how often
//! - `key`: API keys; `keys`: the keys file as the gateway reads it; `edit`: as `rollcall gateway key` writes it
//! - `token`: JWTs; `certificate`: client certificates
//! - `refusal`: why not; `audit`: who is told of it
//! - `watched`: files that are read again; `guard`: what stands before the routes; `lasting`: requests that last; `document`: OpenAPI

mod audit;
mod certificate;
mod document;
mod edit;
mod guard;
mod identity;
mod key;
mod keys;
mod lasting;
mod limits;
mod refusal;
mod token;
mod watched;

use std::{convert::Infallible, fmt, net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};

use axum::http::HeaderMap;
use domain::Clock;
use tokio::{task::spawn_blocking, time::sleep};

use self::{audit::Audit, guard::bearer, identity::Identity, key::Presented, keys::Keys, limits::Limits};
pub(crate) use self::{
    document::{document, require},
    guard::{Reader, guard},
    refusal::Reason,
};
pub use self::{
    edit::{KeyInfo, KeysFile, NewKey},
    identity::Rate,
    key::ApiKey,
    token::TokenRules,
};
use self::{keys::IdentityLimits, refusal::Refusal, token::Tokens, watched::Watched};
use crate::peer::Peer;

/// How often the files are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Who may ask.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AccessRules {
    /// Everybody may read everything, on whatever address.
    pub public: bool,
    /// The keys file. It is read again when it changes.
    pub keys: Option<PathBuf>,
    /// Which JWTs count.
    pub tokens: Option<TokenRules>,
}

/// Why nobody can be let in, or nobody kept out.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AccessError {
    /// Strangers reach the address, and nobody said that they may read, or who may.
    #[error(
        "{0} is no loopback address, and nothing says who may ask there: give --keys FILE or --jwks FILE, or --public if \
         everybody may read everything"
    )]
    Unguarded(SocketAddr),
    /// Everybody, and only some.
    #[error("--public lets everybody read: it cannot be given with --keys or --jwks")]
    PublicWithRules,
    /// There is no key of this id.
    #[error("{path} has no key {id:?}: rollcall gateway key list shows those that it has")]
    NoSuchKey {
        /// Which file.
        path: String,
        /// Which key.
        id: String,
    },
    /// A file that says who may ask.
    #[error("{path}: {reason}")]
    File {
        /// Which.
        path: String,
        /// What is wrong with it.
        reason: String,
    },
}

/// Decides who may ask. Cheap to clone; all clones are one.
#[derive(Debug, Clone)]
pub(crate) struct Access(Arc<Inner>);

struct Inner {
    clock: Arc<dyn Clock>,
    keys: Option<Watched<Keys>>,
    tokens: Option<Watched<Tokens>>,
    limits: Arc<IdentityLimits>,
    audit: Audit,
}

impl Access {
    /// Reads the files of the rules, for a gateway that listens on an address.
    ///
    /// # Errors
    /// [`AccessError`].
    pub(crate) fn new(rules: &AccessRules, listen: SocketAddr, clock: Arc<dyn Clock>) -> Result<Self, AccessError> {
        let has_rules = rules.keys.is_some() || rules.tokens.is_some();
        if rules.public && has_rules {
            return Err(AccessError::PublicWithRules);
        }
        if !rules.public && !has_rules && !listen.ip().to_canonical().is_loopback() {
            return Err(AccessError::Unguarded(listen));
        }
        let limits = Arc::new(Limits::new(Arc::clone(&clock)));
        let keys = rules.keys.clone().map(|path| {
            let limits = Arc::clone(&limits);
            open(path, move |text| Keys::read(text, &limits))
        });
        let tokens = rules.tokens.clone().map(|rules| open(rules.jwks.clone(), move |text| Tokens::read(text, &rules)));
        let audit = Audit::new(Arc::clone(&clock));
        Ok(Self(Arc::new(Inner { clock, keys: keys.transpose()?, tokens: tokens.transpose()?, limits, audit })))
    }

    /// Whether everybody may read everything.
    pub(crate) fn is_public(&self) -> bool {
        self.0.keys.is_none() && self.0.tokens.is_none()
    }

    /// Looks at the files every second until it is dropped.
    pub(crate) async fn watch(self) -> Infallible {
        loop {
            sleep(LOOK_EVERY).await;
            let access = self.clone();
            // A file may be on a disk that hangs. A panic is a bug that the next look may be spared.
            let _ = spawn_blocking(move || access.refresh()).await;
        }
    }

    /// Takes over what has changed in the files.
    pub(crate) fn refresh(&self) {
        told(self.0.keys.as_ref());
        told(self.0.tokens.as_ref());
    }

    /// Who asks. A header that is wrong is never made good by a certificate.
    fn identify(&self, headers: &HeaderMap, peer: Option<&Peer>) -> Result<Arc<Identity>, Refusal> {
        let now = self.0.clock.wall();
        let seconds = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
        let Inner { keys, tokens, limits, .. } = &*self.0;
        if let Some(token) = bearer(headers)? {
            return match (Presented::is_meant(token), keys, tokens) {
                (true, Some(keys), _) => keys.current().find(token, seconds),
                (false, _, Some(tokens)) => tokens.current().find(token, now.as_secs_f64(), limits),
                (true, None, _) => Err(Reason::UnknownKey.into()),
                (false, _, None) => Err(Reason::Malformed.into()),
            };
        }
        let certificate = peer.and_then(|peer| peer.certificate.as_deref());
        match (certificate, keys) {
            (Some(certificate), Some(keys)) => keys.current().certificates.find(certificate, seconds),
            _ => Err(Reason::Missing.into()),
        }
    }

    fn audit(&self) -> &Audit {
        &self.0.audit
    }
}

fn open<T>(
    path: PathBuf,
    parse: impl Fn(&str) -> Result<T, String> + Send + Sync + 'static,
) -> Result<Watched<T>, AccessError> {
    let name = path.display().to_string();
    Watched::open(path, parse).map_err(|reason| AccessError::File { path: name, reason })
}

fn told<T>(file: Option<&Watched<T>>) {
    let Some((file, result)) = file.and_then(|file| Some((file.path().display(), file.refresh()?))) else { return };
    match result {
        Ok(()) => tracing::info!(%file, "who may ask has changed"),
        Err(reason) => tracing::error!(%file, reason, "cannot read who may ask; what it said before stays in force"),
    }
}

impl fmt::Debug for Inner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Access").field("keys", &self.keys).field("tokens", &self.tokens).finish_non_exhaustive()
    }
}
