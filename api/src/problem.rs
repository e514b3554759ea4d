//! Errors as RFC 9457 wants them: `application/problem+json`.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What every URI in `type` starts with. docs/errors.md lists them.
pub const TYPE_PREFIX: &str = "urn:rollcall:error:";

/// An error of the gateway. `type` never changes its meaning; `detail` is for people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Problem {
    /// What kind of error this is: `urn:rollcall:error:` and a word.
    #[serde(rename = "type")]
    #[schema(example = "urn:rollcall:error:unknown-service")]
    pub kind: String,
    /// The kind in words.
    pub title: String,
    /// The HTTP status.
    #[schema(example = 404)]
    pub status: u16,
    /// What happened this time, and what to do.
    pub detail: String,
    /// The parameter or field that is wrong.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub parameter: Option<String>,
    /// What was sent for it, clipped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub sent: Option<String>,
    /// What may be sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub allowed: Option<String>,
}

impl Problem {
    /// The word after [`TYPE_PREFIX`], such as `unknown-service`.
    pub fn word(&self) -> &str {
        self.kind.strip_prefix(TYPE_PREFIX).unwrap_or(&self.kind)
    }
}
