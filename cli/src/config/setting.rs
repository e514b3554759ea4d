//! The settings: each has a flag, variables and a key in the file. docs/configuration.md lists them.

use super::File;

/// One setting.
#[derive(Debug)]
pub struct Setting {
    /// In words, after "no".
    pub what: &'static str,
    /// The flag.
    pub flag: &'static str,
    /// Environment variables, the first that is set counts.
    pub variables: &'static [&'static str],
    /// The key in the file.
    pub key: &'static str,
    /// Its value in the file.
    pub of_file: fn(&File) -> Option<String>,
}

/// The node.
pub const RPC_URL: Setting = Setting {
    what: "RPC URL of a node",
    flag: "--rpc-url",
    variables: &["ROLLCALL_RPC_URL"],
    key: "rpc_url",
    of_file: |file| file.rpc_url.clone(),
};

/// More nodes, with commas between.
pub const FALLBACK_RPC_URLS: Setting = Setting {
    what: "RPC URLs of other nodes",
    flag: "--fallback-rpc-urls",
    variables: &["ROLLCALL_FALLBACK_RPC_URLS"],
    key: "fallback_rpc_urls",
    of_file: |file| file.fallback_rpc_urls.as_ref().map(|urls| urls.join(",")),
};

/// The registry.
pub const CONTRACT: Setting = Setting {
    what: "address of the registry contract",
    flag: "--contract",
    variables: &["ROLLCALL_CONTRACT"],
    key: "contract",
    of_file: |file| file.contract.clone(),
};

/// The endorsements of its instances.
pub const ENDORSEMENTS: Setting = Setting {
    what: "address of the endorsements contract",
    flag: "--endorsements",
    variables: &["ROLLCALL_ENDORSEMENTS"],
    key: "endorsements",
    of_file: |file| file.endorsements.clone(),
};

/// Where the index starts.
pub const DEPLOY_BLOCK: Setting = Setting {
    what: "deploy block",
    flag: "--deploy-block",
    variables: &["ROLLCALL_DEPLOY_BLOCK"],
    key: "deploy_block",
    of_file: |file| file.deploy_block.map(|number| number.to_string()),
};

/// The index.
pub const DATABASE_URL: Setting = Setting {
    what: "database URL",
    flag: "--database-url",
    variables: &["ROLLCALL_DATABASE_URL", "DATABASE_URL"],
    key: "database_url",
    of_file: |file| file.database_url.clone(),
};

/// Who answers.
pub const GATEWAY_URL: Setting = Setting {
    what: "gateway URL",
    flag: "--gateway-url",
    variables: &["ROLLCALL_GATEWAY_URL"],
    key: "gateway_url",
    of_file: |file| file.gateway_url.clone(),
};

/// Where a gateway listens.
pub const LISTEN: Setting = Setting {
    what: "address to listen on",
    flag: "--listen",
    variables: &["ROLLCALL_LISTEN"],
    key: "listen",
    of_file: |file| file.listen.clone(),
};

/// Where a gateway answers operators.
pub const ADMIN_LISTEN: Setting = Setting {
    what: "address for the operators of the gateway",
    flag: "--admin-listen",
    variables: &["ROLLCALL_ADMIN_LISTEN"],
    key: "admin_listen",
    of_file: |file| file.admin_listen.clone(),
};

/// What a gateway shows.
pub const TLS_CERT: Setting = Setting {
    what: "certificate",
    flag: "--tls-cert",
    variables: &["ROLLCALL_TLS_CERT"],
    key: "tls_cert",
    of_file: |file| file.tls_cert.clone(),
};

/// What proves that it may.
pub const TLS_KEY: Setting = Setting {
    what: "key of the certificate",
    flag: "--tls-key",
    variables: &["ROLLCALL_TLS_KEY"],
    key: "tls_key",
    of_file: |file| file.tls_key.clone(),
};

/// Who signs what clients show.
pub const TLS_CLIENT_CA: Setting = Setting {
    what: "CAs of clients",
    flag: "--tls-client-ca",
    variables: &["ROLLCALL_TLS_CLIENT_CA"],
    key: "tls_client_ca",
    of_file: |file| file.tls_client_ca.clone(),
};

/// As whom a gateway is asked.
pub const GATEWAY_KEY_FILE: Setting = Setting {
    what: "file with the key for the gateway",
    flag: "--gateway-key-file",
    variables: &["ROLLCALL_GATEWAY_KEY_FILE"],
    key: "gateway_key_file",
    of_file: |file| file.gateway_key_file.clone(),
};

/// Who may ask a gateway, by keys and certificates.
pub const KEYS: Setting = Setting {
    what: "keys file",
    flag: "--keys",
    variables: &["ROLLCALL_KEYS"],
    key: "keys",
    of_file: |file| file.keys.clone(),
};

/// Who may ask a gateway, by JWTs.
pub const JWKS: Setting = Setting {
    what: "JSON Web Key Set",
    flag: "--jwks",
    variables: &["ROLLCALL_JWKS"],
    key: "jwks",
    of_file: |file| file.jwks.clone(),
};

/// Whom JWTs are for.
pub const JWT_AUDIENCE: Setting = Setting {
    what: "audience of the JWTs, without which a token for another service would count",
    flag: "--jwt-audience",
    variables: &["ROLLCALL_JWT_AUDIENCE"],
    key: "jwt_audience",
    of_file: |file| file.jwt_audience.clone(),
};

/// Who makes JWTs.
pub const JWT_ISSUER: Setting = Setting {
    what: "issuer of the JWTs",
    flag: "--jwt-issuer",
    variables: &["ROLLCALL_JWT_ISSUER"],
    key: "jwt_issuer",
    of_file: |file| file.jwt_issuer.clone(),
};

/// Whether everybody may ask a gateway.
pub const PUBLIC: Setting = Setting {
    what: "word on whether everybody may read",
    flag: "--public",
    variables: &["ROLLCALL_PUBLIC"],
    key: "public",
    of_file: |file| file.public.map(|public| public.to_string()),
};

/// What a gateway knows, on disk.
pub const SNAPSHOT: Setting = Setting {
    what: "file for a snapshot",
    flag: "--snapshot",
    variables: &["ROLLCALL_SNAPSHOT"],
    key: "snapshot",
    of_file: |file| file.snapshot.clone(),
};

/// Where an indexer answers probes.
pub const INDEXER_LISTEN: Setting = Setting {
    what: "address for the probes of the indexer",
    flag: "--listen",
    variables: &["ROLLCALL_INDEXER_LISTEN"],
    key: "indexer_listen",
    of_file: |file| file.indexer_listen.clone(),
};

/// Who signs.
pub const KEYSTORE: Setting = Setting {
    what: "keystore",
    flag: "--keystore",
    variables: &["ROLLCALL_KEYSTORE"],
    key: "keystore",
    of_file: |file| file.keystore.clone(),
};

/// What opens the keystore.
pub const PASSWORD_FILE: Setting = Setting {
    what: "password file",
    flag: "--password-file",
    variables: &["ROLLCALL_PASSWORD_FILE"],
    key: "password_file",
    of_file: |file| file.password_file.clone(),
};

/// Who pays for what the gateway relays.
pub const RELAY_KEYSTORE: Setting = Setting {
    what: "keystore of the relayer",
    flag: "--relay-keystore",
    variables: &["ROLLCALL_RELAY_KEYSTORE"],
    key: "relay_keystore",
    of_file: |file| file.relay_keystore.clone(),
};

/// What opens its keystore.
pub const RELAY_PASSWORD_FILE: Setting = Setting {
    what: "password file of the relayer",
    flag: "--relay-password-file",
    variables: &["ROLLCALL_RELAY_PASSWORD_FILE"],
    key: "relay_password_file",
    of_file: |file| file.relay_password_file.clone(),
};

/// Where a gateway sends what it relays.
pub const RELAY_RPC_URL: Setting = Setting {
    what: "RPC URL of a node to relay to",
    flag: "--relay-rpc-url",
    variables: &["ROLLCALL_RELAY_RPC_URL", "ROLLCALL_RPC_URL"],
    key: "rpc_url",
    of_file: |file| file.rpc_url.clone(),
};
