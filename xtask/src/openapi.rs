//! gateway/openapi.json: the whole API contract as one file that a review can see change.

use std::path::Path;

use anyhow::Result;

use crate::write;

/// Writes the document that the gateway serves.
pub fn remake(root: &Path) -> Result<()> {
    let mut text = serde_json::to_string_pretty(&gateway::openapi())?;
    text.push('\n');
    write(root, "gateway/openapi.json", text.as_bytes())
}
