//! `rollcall` in an empty folder and an empty environment.

use std::{path::Path, process::Output};

use assert_cmd::Command;
use tempfile::TempDir;

pub const BINARY: &str = env!("CARGO_BIN_EXE_rollcall");

/// What our environment may hold and the tests must not see.
pub const VARIABLES: [&str; 34] = [
    "DATABASE_URL",
    "ROLLCALL_CONFIG",
    "ROLLCALL_CONTRACT",
    "ROLLCALL_ENDORSEMENTS",
    "ROLLCALL_DATABASE_URL",
    "ROLLCALL_DEPLOY_BLOCK",
    "ROLLCALL_GATEWAY_KEY",
    "ROLLCALL_GATEWAY_KEY_FILE",
    "ROLLCALL_GATEWAY_URL",
    "ROLLCALL_INDEXER_LISTEN",
    "ROLLCALL_JWKS",
    "ROLLCALL_JWT_AUDIENCE",
    "ROLLCALL_JWT_ISSUER",
    "ROLLCALL_KEYS",
    "ROLLCALL_KEYSTORE",
    "ROLLCALL_KEYSTORE_PASSWORD",
    "ROLLCALL_LISTEN",
    "ROLLCALL_PASSWORD_FILE",
    "ROLLCALL_PRIVATE_KEY",
    "ROLLCALL_PUBLIC",
    "ROLLCALL_RELAY_KEYSTORE",
    "ROLLCALL_RELAY_KEYSTORE_PASSWORD",
    "ROLLCALL_RELAY_PASSWORD_FILE",
    "ROLLCALL_RELAY_PRIVATE_KEY",
    "ROLLCALL_RELAY_RPC_URL",
    "ROLLCALL_RPC_URL",
    "ROLLCALL_SNAPSHOT",
    "OTEL_EXPORTER_OTLP_ENDPOINT",
    "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
    "OTEL_SDK_DISABLED",
    "RUST_LOG",
    "RUST_BACKTRACE",
    "COLUMNS",
    "CARGO",
];

pub fn folder() -> TempDir {
    tempfile::tempdir().expect("a folder")
}

pub fn rollcall(folder: &Path) -> Command {
    let mut command = Command::new(BINARY);
    command.current_dir(folder);
    for name in VARIABLES {
        command.env_remove(name);
    }
    command
}

pub fn code(output: &Output) -> i32 {
    output.status.code().expect("an exit code")
}

pub fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

pub fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}
