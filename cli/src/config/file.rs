//! The TOML file. A key that nobody knows is an error: a misspelt one must not be ignored.

use std::{fs, path::Path};

use anyhow::Result;
use serde::{Deserialize, Serialize};

use crate::exit::usage;

/// All keys of the file; each may be missing.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct File {
    /// The node.
    pub rpc_url: Option<String>,
    /// Other nodes, of which the indexer asks one when that one fails.
    pub fallback_rpc_urls: Option<Vec<String>>,
    /// The registry.
    pub contract: Option<String>,
    /// The endorsements of its instances.
    pub endorsements: Option<String>,
    /// The block in which the registry was deployed.
    pub deploy_block: Option<u64>,
    /// The index.
    pub database_url: Option<String>,
    /// Who answers.
    pub gateway_url: Option<String>,
    /// Where a gateway listens.
    pub listen: Option<String>,
    /// Where a gateway answers operators.
    pub admin_listen: Option<String>,
    /// Certificate of a gateway, relative to this file.
    pub tls_cert: Option<String>,
    /// Its key, relative to this file.
    pub tls_key: Option<String>,
    /// CAs of its clients, relative to this file.
    pub tls_client_ca: Option<String>,
    /// Who may ask a gateway: API keys and client certificates, relative to this file.
    pub keys: Option<String>,
    /// Who may ask a gateway: what signs JWTs, relative to this file.
    pub jwks: Option<String>,
    /// Whom JWTs are for.
    pub jwt_audience: Option<String>,
    /// Who makes JWTs.
    pub jwt_issuer: Option<String>,
    /// Everybody may ask a gateway.
    pub public: Option<bool>,
    /// What a gateway wants to see, relative to this file.
    pub gateway_key_file: Option<String>,
    /// File for what a gateway knows, relative to this file.
    pub snapshot: Option<String>,
    /// Where an indexer answers probes.
    pub indexer_listen: Option<String>,
    /// Keystore file, relative to this file.
    pub keystore: Option<String>,
    /// File with its password, relative to this file.
    pub password_file: Option<String>,
    /// Keystore file of a gateway's relayer, relative to this file.
    pub relay_keystore: Option<String>,
    /// File with its password, relative to this file.
    pub relay_password_file: Option<String>,
}

impl File {
    /// Reads a file that must be there.
    pub fn read(path: &Path) -> Result<Self> {
        let text = fs::read_to_string(path).map_err(|error| usage(format!("{}: {error}", path.display())))?;
        Self::parse(&text).map_err(|error| usage(format!("{}: {error}", path.display())))
    }

    /// The toml crate's own message shows the line, which may hold a password: here it is its number and the reason.
    fn parse(text: &str) -> Result<Self, String> {
        toml::from_str(text).map_err(|error| {
            let line = error.span().map(|span| text[..span.start.min(text.len())].matches('\n').count() + 1);
            let message = error.message().lines().next().unwrap_or_default().to_owned();
            match line {
                Some(line) => format!("line {line}: {message}"),
                None => message,
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_key_is_named_with_its_line_and_without_its_value() {
        let text = "rpc_url = \"http://h\"\nprivate_key = \"0xac0974bec39a\"\n";
        let error = File::parse(text).expect_err("an unknown key");
        assert!(error.starts_with("line 2: unknown field `private_key`"), "{error}");
        assert!(!error.contains("ac0974"), "{error}");
    }

    #[test]
    fn a_broken_file_is_named_by_line() {
        let error =
            File::parse("rpc_url = \"http://h\"\n\ndatabase_url = postgres://u:s3cr3t@h\n").expect_err("no TOML");
        assert!(error.starts_with("line 3: "), "{error}");
        assert!(!error.contains("s3cr3t"), "{error}");
    }

    #[test]
    fn all_keys_are_read() {
        let file = File { deploy_block: Some(7), keystore: Some("k".into()), ..File::default() };
        assert_eq!(File::parse(&toml::to_string(&file).expect("TOML")).expect("a file"), file);
    }
}
