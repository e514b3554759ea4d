//! Client certificates: the handshake has verified that the CA issued one; here is who it is.

use std::{fmt, sync::Arc};

use moka::sync::Cache;
use serde::Deserialize;
use sha2::{Digest, Sha256};
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};

use super::{
    identity::Identity,
    keys::{IdentityLimits, check_name, identity, read_reach},
    refusal::{Reason, Refusal},
};

/// How many certificates are remembered with who they are.
const CAPACITY: u64 = 10_000;

/// A certificate in the keys file, known by one of its properties.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Certificate {
    name: String,
    /// SHA-256 of the certificate, in hexadecimal digits, with colons or without.
    fingerprint: Option<String>,
    /// A URI among its alternative names, such as `spiffe://acme.example/payments`.
    uri: Option<String>,
    /// A DNS name among its alternative names.
    dns: Option<String>,
    /// The common name of its subject, if it has no more than one.
    common_name: Option<String>,
    namespaces: Option<Vec<String>>,
    rate: Option<String>,
}

#[derive(Debug, PartialEq, Eq)]
enum Sign {
    Fingerprint([u8; 32]),
    Uri(String),
    Dns(String),
    CommonName(String),
}

impl Certificate {
    fn sign(&self) -> Result<Sign, String> {
        let Self { fingerprint, uri, dns, common_name, .. } = self;
        let signs = [
            fingerprint.as_deref().map(|digits| read_fingerprint(digits).map(Sign::Fingerprint)),
            uri.clone().map(|uri| Ok(Sign::Uri(uri))),
            dns.clone().map(|dns| Ok(Sign::Dns(dns.to_ascii_lowercase()))),
            common_name.clone().map(|name| Ok(Sign::CommonName(name))),
        ];
        let mut signs = signs.into_iter().flatten();
        match (signs.next(), signs.next()) {
            (Some(sign), None) => sign,
            _ => Err("give one of fingerprint, uri, dns and common_name".to_owned()),
        }
    }
}

fn read_fingerprint(text: &str) -> Result<[u8; 32], String> {
    let digits: String = text.chars().filter(|c| *c != ':').collect();
    blake3::Hash::from_hex(digits.to_ascii_lowercase())
        .map(|bytes| *bytes.as_bytes())
        .map_err(|_| "a fingerprint is the SHA-256 of the certificate: 64 hexadecimal digits".to_owned())
}

/// The certificates that count.
pub(super) struct Certificates {
    known: Vec<(Sign, Arc<Identity>)>,
    /// By a hash of the certificate, so that one that comes with each request is read once.
    read: Cache<[u8; 32], Read>,
}

/// What a certificate says, once it is read.
#[derive(Clone)]
struct Read {
    identity: Option<Arc<Identity>>,
    valid: (i64, i64),
}

impl Certificates {
    pub(super) fn new(said: Vec<Certificate>, limits: &IdentityLimits) -> Result<Self, String> {
        let mut known: Vec<(Sign, Arc<Identity>)> = Vec::with_capacity(said.len());
        for certificate in said {
            let name = domain::text::clip(&certificate.name);
            let wrong = |reason: String| format!("certificate {name:?}: {reason}");
            check_name(&certificate.name).map_err(wrong)?;
            let sign = certificate.sign().map_err(wrong)?;
            let reach = read_reach(certificate.namespaces.as_deref(), certificate.rate.as_deref()).map_err(wrong)?;
            if known.iter().any(|(other, _)| *other == sign) {
                return Err(wrong("another one is known by the same".to_owned()));
            }
            known.push((sign, identity(format!("certificate:{}", certificate.name), reach, limits)));
        }
        Ok(Self { known, read: Cache::new(CAPACITY) })
    }

    /// Whose certificate this is, at a time in seconds since 1970: a connection may outlive it.
    pub(super) fn find(&self, der: &[u8], now: i64) -> Result<Arc<Identity>, Refusal> {
        let hash = *blake3::hash(der).as_bytes();
        let read = match self.read.get(&hash) {
            Some(read) => read,
            None => {
                let read = self.read(der).ok_or(Reason::UnknownCertificate)?;
                self.read.insert(hash, read.clone());
                read
            }
        };
        let identity = read.identity.ok_or(Reason::UnknownCertificate)?;
        let (begin, end) = read.valid;
        let of = |reason| Err(Refusal { reason, identity: Some(Arc::clone(&identity)) });
        match now {
            now if now < begin => of(Reason::NotYetValid),
            now if now > end => of(Reason::Expired),
            _ => Ok(identity),
        }
    }

    fn read(&self, der: &[u8]) -> Option<Read> {
        let (_, certificate) = X509Certificate::from_der(der).ok()?;
        let fingerprint: [u8; 32] = Sha256::digest(der).into();
        let names = certificate.subject_alternative_name().ok()?;
        let names = names.map(|extension| extension.value.general_names.as_slice()).unwrap_or_default();
        let mut common = certificate.subject().iter_common_name();
        let common = match (common.next(), common.next()) {
            (Some(name), None) => name.as_str().ok(),
            _ => None,
        };
        let has = |sign: &Sign| match sign {
            Sign::Fingerprint(known) => *known == fingerprint,
            Sign::Uri(known) => names.iter().any(|name| matches!(name, GeneralName::URI(uri) if uri == known)),
            Sign::Dns(known) => {
                names.iter().any(|name| matches!(name, GeneralName::DNSName(dns) if dns.eq_ignore_ascii_case(known)))
            }
            Sign::CommonName(known) => common == Some(known),
        };
        let found = self.known.iter().find(|(sign, _)| has(sign));
        let validity = certificate.validity();
        Some(Read {
            identity: found.map(|(_, identity)| Arc::clone(identity)),
            valid: (validity.not_before.timestamp(), validity.not_after.timestamp()),
        })
    }
}

impl fmt::Debug for Certificates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.known.iter().map(|(_, identity)| &identity.id)).finish()
    }
}
