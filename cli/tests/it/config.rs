//! Settings: which one counts, and what is said when one is missing or wrong.

use std::fs;

use crate::program::{code, folder, rollcall, stderr};

const CONTRACT: &str = "0x5FbDB2315678afecb367f032d93F642f64180aa3";

#[test]
fn a_missing_setting_is_named_in_all_three_ways() {
    let folder = folder();
    for (command, names) in [
        (&["discover", "acme/payments"][..], ["--gateway-url", "ROLLCALL_GATEWAY_URL", "gateway_url"]),
        (&["indexer"], ["--rpc-url", "ROLLCALL_RPC_URL", "rpc_url"]),
        (&["indexer", "--rpc-url", "http://127.0.0.1:1"], ["--contract", "ROLLCALL_CONTRACT", "contract"]),
        (&["gateway"], ["--database-url", "DATABASE_URL", "database_url"]),
        (&["key", "address"], ["--keystore", "ROLLCALL_KEYSTORE", "keystore"]),
    ] {
        let output = rollcall(folder.path()).args(command).output().expect("run");
        assert_eq!(code(&output), 2, "{command:?}");
        let message = stderr(&output);
        assert!(message.starts_with("error: no ") && message.lines().count() == 1, "{message}");
        for name in names {
            assert!(message.contains(name), "{message} does not name {name}");
        }
    }
}

#[test]
fn an_unknown_key_is_an_error_with_its_line() {
    let folder = folder();
    fs::write(folder.path().join("rollcall.toml"), "rpc_url = \"http://h\"\n\nprivate_key = \"0xac0974be\"\n")
        .expect("written");
    let output = rollcall(folder.path()).args(["status"]).output().expect("run");
    assert_eq!(code(&output), 2);
    let message = stderr(&output);
    assert!(message.contains("rollcall.toml: line 3: unknown field `private_key`"), "{message}");
    assert!(!message.contains("ac0974be"), "{message}");
}

#[test]
fn flags_count_before_variables_and_these_before_the_file() {
    let folder = folder();
    let home = folder.path();
    let file = |port| format!("gateway_url = \"http://127.0.0.1:{port}\"\n");
    fs::create_dir(home.join(".rollcall")).expect("a folder");
    fs::write(home.join(".rollcall/rollcall.toml"), file(1)).expect("written");
    let discover = || {
        let mut command = rollcall(home);
        command.args(["discover", "acme/payments"]);
        command
    };
    let asked = |command: &mut assert_cmd::Command, port: u16| {
        let output = command.output().expect("run");
        assert_eq!(code(&output), 4);
        let message = stderr(&output);
        assert!(message.contains(&format!("cannot reach the gateway at http://127.0.0.1:{port}:")), "{message}");
    };
    asked(&mut discover(), 1);
    fs::write(home.join("rollcall.toml"), file(2)).expect("written");
    asked(&mut discover(), 2);
    fs::write(home.join("other.toml"), file(3)).expect("written");
    asked(discover().env("ROLLCALL_CONFIG", "other.toml"), 3);
    fs::write(home.join("flag.toml"), file(4)).expect("written");
    asked(discover().env("ROLLCALL_CONFIG", "other.toml").args(["--config", "flag.toml"]), 4);
    asked(discover().env("ROLLCALL_GATEWAY_URL", "http://127.0.0.1:5"), 5);
    asked(discover().env("ROLLCALL_GATEWAY_URL", ""), 2);
    let flag = ["--gateway-url", "http://127.0.0.1:6"];
    asked(discover().env("ROLLCALL_GATEWAY_URL", "http://127.0.0.1:5").args(flag), 6);
}

#[test]
fn a_wrong_value_says_where_it_is_from() {
    let folder = folder();
    let home = folder.path();
    for (variable, value, words) in [
        ("ROLLCALL_RPC_URL", "node.example", "ROLLCALL_RPC_URL: not a URL"),
        ("ROLLCALL_CONTRACT", "0x12", "ROLLCALL_CONTRACT: not an address"),
        ("ROLLCALL_DATABASE_URL", "mysql://h/d", "ROLLCALL_DATABASE_URL: not a URL: expected postgres://"),
        ("DATABASE_URL", "://me:s3cr3t@h", "DATABASE_URL: not a URL"),
        ("ROLLCALL_DEPLOY_BLOCK", "soon", "ROLLCALL_DEPLOY_BLOCK: "),
    ] {
        let mut command = rollcall(home);
        command.args(["indexer"]).env("ROLLCALL_RPC_URL", "http://127.0.0.1:1").env("ROLLCALL_CONTRACT", CONTRACT);
        if variable != "DATABASE_URL" {
            command.env("ROLLCALL_DATABASE_URL", "postgres://127.0.0.1:1/d");
        }
        let output = command.env(variable, value).output().expect("run");
        assert_eq!(code(&output), 2, "{variable}");
        let message = stderr(&output);
        assert!(message.starts_with(&format!("error: {words}")), "{message}");
        assert!(!message.contains("s3cr3t"), "{message}");
    }
    let missing = rollcall(home).args(["status", "--config", "absent.toml"]).output().expect("run");
    assert_eq!(code(&missing), 2);
    assert!(stderr(&missing).contains("absent.toml"), "{}", stderr(&missing));
}

#[test]
fn bad_input_is_refused_before_anything_is_asked() {
    let folder = folder();
    for (arguments, words) in [
        (&["discover", "payments"][..], "names no namespace"),
        (&["discover", "Acme/payments"], "namespace"),
        (&["heartbeat", "acme/payments"], "which instance"),
        (&["update", "payments", "--label", "a"], "nothing to update"),
        (&["register", "payments", "--label", "a", "--version", "1"], "0 endpoints"),
        (
            &["register", "payments", "--label", "a", "--version", "1", "--endpoint", "e", "--metadata", "[]"],
            "no JSON object",
        ),
        (&["register", "payments", "--label", "A", "--version", "1", "--endpoint", "e"], "label \"A\""),
        (&["register", "payments", "--label", "a", "--version", "1", "--endpoint", "e", "--ttl", "4s"], "5s to 30d"),
        (&["status"], "nothing to look at"),
        (&["dance"], "unrecognized subcommand"),
    ] {
        let output = rollcall(folder.path()).args(arguments).output().expect("run");
        assert_eq!(code(&output), 2, "{arguments:?}: {}", stderr(&output));
        assert!(stderr(&output).contains(words), "{arguments:?}: {}", stderr(&output));
    }
}

#[test]
fn a_backtrace_is_not_asked_for() {
    let folder = folder();
    let mut command = rollcall(folder.path());
    command.env("RUST_BACKTRACE", "1").args(["discover", "a/b", "--gateway-url", "http://127.0.0.1:1"]);
    let output = command.output().expect("run");
    assert_eq!(code(&output), 4);
    assert_eq!(stderr(&output).lines().count(), 1, "{}", stderr(&output));
}
