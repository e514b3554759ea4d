//! What each command says of itself, completions, and a reader that goes away.

use std::process::{Command, Stdio};

use crate::program::{BINARY, code, folder, rollcall, stderr, stdout};

const COMMANDS: [&str; 47] = [
    "",
    "up",
    "chain",
    "chain deploy",
    "indexer",
    "indexer reindex",
    "gateway",
    "gateway key",
    "gateway key create",
    "gateway key list",
    "gateway key revoke",
    "namespace",
    "namespace claim",
    "namespace show",
    "namespace transfer",
    "namespace accept",
    "namespace open",
    "namespace close",
    "namespace registrar",
    "namespace registrar add",
    "namespace registrar remove",
    "register",
    "update",
    "heartbeat",
    "deregister",
    "transfer",
    "transfer propose",
    "transfer cancel",
    "transfer accept",
    "operator",
    "operator set",
    "operator remove",
    "operator show",
    "relay",
    "suspend",
    "reinstate",
    "revoke",
    "endorse",
    "reap",
    "discover",
    "history",
    "uptime",
    "status",
    "key",
    "key new",
    "key address",
    "completions",
];

#[test]
fn every_command_explains_itself() {
    let folder = folder();
    for command in COMMANDS {
        let output = rollcall(folder.path()).args(command.split_whitespace()).arg("--help").output().expect("run");
        assert_eq!(code(&output), 0, "{command}: {}", stderr(&output));
        let name = format!("help {command}").trim().replace(' ', "-");
        insta::assert_snapshot!(name, stdout(&output));
    }
}

#[test]
fn there_is_no_flag_for_a_key() {
    let folder = folder();
    let output = rollcall(folder.path()).args(["register", "--private-key", "0x1", "payments"]).output().expect("run");
    assert_eq!(code(&output), 2);
    assert!(stderr(&output).contains("unexpected argument '--private-key'"), "{}", stderr(&output));
}

#[test]
fn completions_are_made_for_every_shell() {
    let folder = folder();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let output = rollcall(folder.path()).args(["completions", shell]).output().expect("run");
        assert_eq!(code(&output), 0);
        assert!(stdout(&output).contains("deregister"), "{shell}");
    }
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let folder = folder();
    let mut child = Command::new(BINARY)
        .args(["completions", "zsh"])
        .current_dir(folder.path())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("started");
    drop(child.stdout.take());
    let output = child.wait_with_output().expect("ended");
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    assert_eq!(stderr(&output), "");
}
