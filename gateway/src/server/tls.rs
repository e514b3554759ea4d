//! Certificates, read again when they change.

use std::{convert::Infallible, fs, path::Path, sync::Arc};

use rustls::{
    RootCertStore, ServerConfig,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    server::WebPkiClientVerifier,
};
use tokio::{sync::watch, time::sleep};

use crate::{AppState, GatewayError, config::Tls};

/// What new connections are served with.
pub(crate) type Certificates = watch::Receiver<Arc<ServerConfig>>;

/// The most that one file may have, in bytes.
const MAX_FILE: u64 = 1024 * 1024;

/// The files, and what was made of them.
#[derive(Debug)]
pub(crate) struct Watched {
    files: Tls,
    seen: Option<Contents>,
    current: watch::Sender<Arc<ServerConfig>>,
}

/// What is in the files. Compared instead of the time of their last change, which an atomic replacement may set back.
#[derive(PartialEq, Eq)]
struct Contents {
    certificate: Vec<u8>,
    key: Vec<u8>,
    authorities: Option<Vec<u8>>,
}

/// The key is in it.
impl std::fmt::Debug for Contents {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Contents")
    }
}

impl Watched {
    /// Reads the files for the first time.
    ///
    /// # Errors
    /// [`GatewayError::Tls`].
    pub(crate) fn load(files: Tls) -> Result<Self, GatewayError> {
        let contents = Contents::read(&files)?;
        let current = watch::Sender::new(contents.config(&files)?);
        Ok(Self { files, seen: Some(contents), current })
    }

    pub(crate) fn certificates(&self) -> Certificates {
        self.current.subscribe()
    }

    /// Reads the files again and again. What is not good is not used: the old certificate stays, and the log and a metric
    /// say so until it is mended.
    pub(crate) async fn watch(mut self, state: &AppState) -> Infallible {
        loop {
            sleep(self.files.reload_every).await;
            match self.reload() {
                Ok(false) => {}
                Ok(true) => {
                    state.telemetry().certificate(true);
                    tracing::info!(file = %self.files.certificate.display(), "the new certificate is in use");
                }
                Err(error) => {
                    state.telemetry().certificate(false);
                    tracing::error!(%error, "the old certificate stays in use");
                }
            }
        }
    }

    /// Whether there is a new certificate. The same bad files are told once.
    fn reload(&mut self) -> Result<bool, GatewayError> {
        let contents = match Contents::read(&self.files) {
            Ok(contents) => contents,
            // Once, too: it was there before.
            Err(error) => return if self.seen.take().is_some() { Err(error) } else { Ok(false) },
        };
        if self.seen.as_ref() == Some(&contents) {
            return Ok(false);
        }
        let config = contents.config(&self.files);
        self.seen = Some(contents);
        self.current.send_replace(config?);
        Ok(true)
    }
}

impl Contents {
    fn read(files: &Tls) -> Result<Self, GatewayError> {
        let authorities = files.clients.as_ref().map(|clients| read(&clients.authorities)).transpose()?;
        Ok(Self { certificate: read(&files.certificate)?, key: read(&files.key)?, authorities })
    }

    fn config(&self, files: &Tls) -> Result<Arc<ServerConfig>, GatewayError> {
        let chain = certificates(&files.certificate, &self.certificate)?;
        let key = PrivateKeyDer::from_pem_slice(&self.key).map_err(|error| bad(&files.key, error))?;
        let provider = Arc::new(aws_lc_rs::default_provider());
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(|error| bad(&files.certificate, error))?;
        let builder = match (&files.clients, &self.authorities) {
            (Some(clients), Some(authorities)) => {
                let mut roots = RootCertStore::empty();
                for authority in certificates(&clients.authorities, authorities)? {
                    roots.add(authority).map_err(|error| bad(&clients.authorities, error))?;
                }
                let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
                let verifier = if clients.required { verifier } else { verifier.allow_unauthenticated() };
                builder.with_client_cert_verifier(verifier.build().map_err(|error| bad(&clients.authorities, error))?)
            }
            _ => builder.with_no_client_auth(),
        };
        let mut config = builder.with_single_cert(chain, key).map_err(|error| bad(&files.certificate, error))?;
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(Arc::new(config))
    }
}

fn certificates(file: &Path, pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, GatewayError> {
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    let chain = chain.map_err(|error| bad(file, error))?;
    if chain.is_empty() { Err(bad(file, "no certificate in it")) } else { Ok(chain) }
}

/// Blocks for as long as it takes to read a small file.
fn read(file: &Path) -> Result<Vec<u8>, GatewayError> {
    let size = fs::metadata(file).map_err(|error| bad(file, error))?.len();
    if size > MAX_FILE {
        return Err(bad(file, "too large for a PEM file"));
    }
    fs::read(file).map_err(|error| bad(file, error))
}

fn bad(file: &Path, reason: impl ToString) -> GatewayError {
    GatewayError::Tls { file: file.to_owned(), reason: reason.to_string() }
}
