//! JWTs, by the public keys of a JWKS file.
//!
//! Each key of the file signs with one algorithm, which follows from its type and never from the token: a token cannot
//! choose to be signed by nothing, or by a public key as if that were a secret.

use std::{collections::HashSet, fmt, path::PathBuf, sync::Arc};

use jsonwebtoken::{
    Algorithm, DecodingKey, Validation, decode, decode_header,
    errors::ErrorKind,
    jwk::{AlgorithmParameters, EllipticCurve, Jwk, JwkSet, KeyAlgorithm, KeyOperations, PublicKeyUse},
};
use moka::sync::Cache;
use serde::Deserialize;

use super::{
    identity::{Identity, Namespaces},
    keys::{IdentityLimits, identity},
    refusal::{Reason, Refusal},
};

/// The largest token, in bytes.
const MAX_TOKEN: usize = 8 * 1024;

/// How many verified tokens are remembered.
const CAPACITY: u64 = 10_000;

/// How far the clock of the issuer may be ahead of ours, in seconds. No token is taken after its end.
const LEEWAY: f64 = 30.0;

/// The longest subject.
const MAX_SUBJECT: usize = 256;

/// The shortest secret of HS256, in bytes: as long as what it makes.
const MIN_SECRET: usize = 32;

/// Which tokens count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenRules {
    /// The keys that sign them: a JSON Web Key Set. It is read again when it changes.
    pub jwks: PathBuf,
    /// Whom they must be for (`aud`): a token that was made for somebody else must not open this gateway.
    pub audience: String,
    /// Who must have made them (`iss`).
    pub issuer: Option<String>,
}

#[derive(Deserialize)]
struct Claims {
    sub: String,
    exp: f64,
    nbf: Option<f64>,
    rollcall_namespaces: Option<Vec<String>>,
    rollcall_rate: Option<String>,
}

struct Key {
    id: Option<String>,
    key: DecodingKey,
    validation: Validation,
}

/// The keys that sign tokens, and the tokens that were found to be good.
pub(super) struct Tokens {
    keys: Vec<Key>,
    verified: Cache<[u8; 32], (Arc<Identity>, f64)>,
}

impl Tokens {
    /// Reads a JWKS. Keys that are for something else, or of a kind that we do not use, are left out.
    pub(super) fn read(text: &str, rules: &TokenRules) -> Result<Self, String> {
        let set: JwkSet = serde_json::from_str(text).map_err(not_a_set)?;
        let mut keys: Vec<Key> = Vec::new();
        for jwk in set.keys.iter().filter(|jwk| is_to_verify(jwk)) {
            let Some(algorithm) = algorithm(jwk) else { continue };
            let id = jwk.common.key_id.clone();
            let wrong = |reason: &str| format!("key {:?}: {reason}", domain::text::clip(id.as_deref().unwrap_or("")));
            if keys.iter().any(|other| other.id == id) {
                return Err(wrong("another one has the same kid"));
            }
            let key = DecodingKey::from_jwk(jwk).map_err(|_| wrong("it cannot be read"))?;
            if algorithm == Algorithm::HS256 && key.try_get_as_bytes().map_or(0, <[u8]>::len) < MIN_SECRET {
                return Err(wrong("a secret has at least 32 bytes"));
            }
            keys.push(Key { id, key, validation: validation(algorithm, rules) });
        }
        if keys.is_empty() {
            return Err("there is no key for RS256, ES256, EdDSA or HS256 in it".to_owned());
        }
        Ok(Self { keys, verified: Cache::new(CAPACITY) })
    }

    /// Whose token this is, at a time in seconds since 1970.
    pub(super) fn find(&self, token: &str, now: f64, limits: &IdentityLimits) -> Result<Arc<Identity>, Refusal> {
        if token.len() > MAX_TOKEN {
            return Err(Reason::BadToken.into());
        }
        let hash = *blake3::hash(token.as_bytes()).as_bytes();
        let (identity, end) = match self.verified.get(&hash) {
            Some(known) => known,
            None => {
                let verified = self.verify(token, now, limits)?;
                self.verified.insert(hash, verified.clone());
                verified
            }
        };
        match now < end {
            true => Ok(identity),
            false => Err(Refusal { reason: Reason::Expired, identity: Some(identity) }),
        }
    }

    fn verify(&self, token: &str, now: f64, limits: &IdentityLimits) -> Result<(Arc<Identity>, f64), Refusal> {
        let header = decode_header(token).map_err(|error| reason(error.kind()))?;
        // What a header calls critical must be understood, and we understand no extension.
        if header.crit.is_some() {
            return Err(Reason::BadToken.into());
        }
        let key = match (&header.kid, self.keys.as_slice()) {
            (Some(id), keys) => keys.iter().find(|key| key.id.as_ref() == Some(id)),
            (None, [only]) => Some(only),
            (None, _) => None,
        };
        let key = key.ok_or(Reason::UnknownTokenKey)?;
        let token = decode::<Claims>(token, &key.key, &key.validation).map_err(|error| reason(error.kind()))?;
        let claims = token.claims;
        if claims.sub.is_empty() || claims.sub.len() > MAX_SUBJECT || !claims.exp.is_finite() {
            return Err(Reason::BadClaims.into());
        }
        let namespaces = Namespaces::parse(claims.rollcall_namespaces.as_deref()).map_err(|_| Reason::BadClaims)?;
        let rate = claims.rollcall_rate.as_deref().map(str::parse).transpose().map_err(|_| Reason::BadClaims)?;
        let identity = identity(format!("token:{}", claims.sub), (namespaces, rate), limits);
        if claims.nbf.is_some_and(|begin| begin > now + LEEWAY) {
            return Err(Refusal { reason: Reason::NotYetValid, identity: Some(identity) });
        }
        Ok((identity, claims.exp))
    }
}

/// Without what the parser says: it quotes what it read, which may be a secret.
fn not_a_set(error: serde_json::Error) -> String {
    format!("this is no JSON Web Key Set: line {}, column {}", error.line(), error.column())
}

/// Whether the file offers a key for checking signatures.
fn is_to_verify(jwk: &Jwk) -> bool {
    let is_for = matches!(jwk.common.public_key_use, None | Some(PublicKeyUse::Signature));
    is_for && jwk.common.key_operations.as_ref().is_none_or(|all| all.contains(&KeyOperations::Verify))
}

/// The one algorithm of a key; none if we do not use its kind, or it says that it is for another.
fn algorithm(jwk: &Jwk) -> Option<Algorithm> {
    let algorithm = match &jwk.algorithm {
        AlgorithmParameters::RSA(_) => Algorithm::RS256,
        AlgorithmParameters::EllipticCurve(key) if key.curve == EllipticCurve::P256 => Algorithm::ES256,
        AlgorithmParameters::OctetKeyPair(key) if key.curve == EllipticCurve::Ed25519 => Algorithm::EdDSA,
        AlgorithmParameters::OctetKey(_) => Algorithm::HS256,
        _ => return None,
    };
    jwk.common.key_algorithm.is_none_or(|said| said == KeyAlgorithm::from(algorithm)).then_some(algorithm)
}

/// Times are compared by us, on the injected clock.
fn validation(algorithm: Algorithm, rules: &TokenRules) -> Validation {
    let mut validation = Validation::new(algorithm);
    validation.validate_exp = false;
    validation.set_audience(&[&rules.audience]);
    let mut required = vec!["exp", "sub", "aud"];
    if let Some(issuer) = &rules.issuer {
        validation.set_issuer(&[issuer]);
        required.push("iss");
    }
    validation.required_spec_claims = required.into_iter().map(str::to_owned).collect::<HashSet<_>>();
    validation
}

fn reason(error: &ErrorKind) -> Reason {
    match error {
        ErrorKind::InvalidSignature => Reason::BadSignature,
        ErrorKind::InvalidAlgorithm | ErrorKind::MissingAlgorithm => Reason::WrongAlgorithm,
        ErrorKind::InvalidAudience => Reason::WrongAudience,
        ErrorKind::InvalidIssuer => Reason::WrongIssuer,
        ErrorKind::MissingRequiredClaim(claim) if claim == "aud" => Reason::WrongAudience,
        ErrorKind::MissingRequiredClaim(claim) if claim == "iss" => Reason::WrongIssuer,
        ErrorKind::MissingRequiredClaim(_) | ErrorKind::InvalidClaimFormat(_) => Reason::BadClaims,
        _ => Reason::BadToken,
    }
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.keys.iter().map(|key| &key.id)).finish()
    }
}
