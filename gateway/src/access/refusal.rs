//! Why somebody is not let in, as a label, for the client and for the header of the answer.

use std::sync::Arc;

use super::identity::Identity;

/// Why a request is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reason {
    Missing,
    Malformed,
    UnknownKey,
    RevokedKey,
    Expired,
    NotYetValid,
    BadToken,
    UnknownTokenKey,
    WrongAlgorithm,
    BadSignature,
    WrongAudience,
    WrongIssuer,
    BadClaims,
    UnknownCertificate,
    TooFast,
    Namespace,
}

impl Reason {
    #[cfg(test)]
    pub(crate) const ALL: [Self; 16] = [
        Self::Missing,
        Self::Malformed,
        Self::UnknownKey,
        Self::RevokedKey,
        Self::Expired,
        Self::NotYetValid,
        Self::BadToken,
        Self::UnknownTokenKey,
        Self::WrongAlgorithm,
        Self::BadSignature,
        Self::WrongAudience,
        Self::WrongIssuer,
        Self::BadClaims,
        Self::UnknownCertificate,
        Self::TooFast,
        Self::Namespace,
    ];

    /// For metrics and the audit log.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Malformed => "malformed",
            Self::UnknownKey => "unknown_key",
            Self::RevokedKey => "revoked",
            Self::Expired => "expired",
            Self::NotYetValid => "not_yet_valid",
            Self::BadToken => "bad_token",
            Self::UnknownTokenKey => "unknown_token_key",
            Self::WrongAlgorithm => "wrong_algorithm",
            Self::BadSignature => "bad_signature",
            Self::WrongAudience => "wrong_audience",
            Self::WrongIssuer => "wrong_issuer",
            Self::BadClaims => "bad_claims",
            Self::UnknownCertificate => "unknown_certificate",
            Self::TooFast => "rate",
            Self::Namespace => "namespace",
        }
    }

    /// What the client is told. It never repeats what was sent.
    pub(super) fn detail(self) -> &'static str {
        match self {
            Self::Missing => "this gateway answers nobody that it does not know: send Authorization: Bearer and a key",
            Self::Malformed => "there must be one header Authorization: Bearer and a key or a token after it",
            Self::UnknownKey => "this is no key of this gateway",
            Self::RevokedKey => "this key is revoked",
            Self::Expired => "this key, token or certificate has ended",
            Self::NotYetValid => "this token or certificate is not valid yet",
            Self::BadToken => "this is no JWT that this gateway reads",
            Self::UnknownTokenKey => "this gateway does not know the key that the token names",
            Self::WrongAlgorithm => "the token is not signed as its key signs",
            Self::BadSignature => "the signature of the token is wrong",
            Self::WrongAudience => "the token is for somebody else",
            Self::WrongIssuer => "the token is of another issuer",
            Self::BadClaims => "a claim of the token is missing or of a wrong form",
            Self::UnknownCertificate => "this gateway does not know the client's certificate",
            Self::TooFast => "these are more requests than this identity may make",
            Self::Namespace => "this identity may not read this namespace",
        }
    }

    /// `error` of `WWW-Authenticate`, as RFC 6750 has it; none if nothing was sent.
    pub(super) fn challenge(self) -> &'static str {
        match self {
            Self::Missing => r#"Bearer realm="rollcall""#,
            Self::Malformed => r#"Bearer realm="rollcall", error="invalid_request""#,
            _ => r#"Bearer realm="rollcall", error="invalid_token""#,
        }
    }
}

/// Why a request is refused, and whose it is, as far as that is certain.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub(super) reason: Reason,
    pub(super) identity: Option<Arc<Identity>>,
}

impl From<Reason> for Refusal {
    fn from(reason: Reason) -> Self {
        Self { reason, identity: None }
    }
}
