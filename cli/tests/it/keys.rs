//! Keys: made, used, and never shown.

use std::fs;

use crate::program::{code, folder, rollcall, stderr, stdout};

const DIGITS: &str = "ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80";

#[test]
fn a_malformed_key_is_never_repeated() {
    let folder = folder();
    for bad in [&DIGITS[2..], &format!("{DIGITS}00"), &DIGITS.replace('f', "g"), &"0".repeat(64), "not a key at all"] {
        let mut command = rollcall(folder.path());
        command.args(["--log-level", "trace", "namespace", "claim", "acme"]);
        command.args(["--rpc-url", "http://127.0.0.1:1", "--contract", "0x5FbDB2315678afecb367f032d93F642f64180aa3"]);
        let output = command.env("ROLLCALL_PRIVATE_KEY", bad).output().expect("run");
        assert_eq!(code(&output), 2);
        let shown = stderr(&output) + &stdout(&output);
        assert!(shown.starts_with("error: ROLLCALL_PRIVATE_KEY: no private key"), "{shown}");
        for part in bad.as_bytes().chunks(8).filter(|part| part.len() == 8) {
            assert!(!shown.contains(&*String::from_utf8_lossy(part)), "{shown}");
        }
    }
}

#[test]
fn a_key_in_use_is_never_shown() {
    let folder = folder();
    let mut command = rollcall(folder.path());
    command.args(["--log-level", "trace", "namespace", "claim", "acme"]);
    command.args(["--rpc-url", "http://me:pa55word@127.0.0.1:1/s3cr3tk3y"]);
    command.args(["--contract", "0x5FbDB2315678afecb367f032d93F642f64180aa3"]);
    let output = command.env("ROLLCALL_PRIVATE_KEY", DIGITS).output().expect("run");
    assert_eq!(code(&output), 4);
    let shown = stderr(&output) + &stdout(&output);
    for secret in [&DIGITS[..8], "pa55word", "s3cr3tk3y"] {
        assert!(!shown.contains(secret), "{shown}");
    }
}

#[test]
fn a_keystore_is_made_and_signs_with_its_password() {
    let folder = folder();
    fs::write(folder.path().join("password"), "correct horse\n").expect("written");
    let make =
        || rollcall(folder.path()).args(["key", "new", "acme.json", "--password-file", "password", "--json"]).output();
    let made = make().expect("run");
    assert_eq!(code(&made), 0, "{}", stderr(&made));
    let made: serde_json::Value = serde_json::from_slice(&made.stdout).expect("JSON");
    let again = make().expect("run");
    assert_eq!(code(&again), 2, "a key is never overwritten");

    let address = |password: &str| {
        let mut command = rollcall(folder.path());
        command.args(["key", "address", "--keystore", "acme.json"]);
        command.env("ROLLCALL_KEYSTORE_PASSWORD", password).output().expect("run")
    };
    let right = address("correct horse");
    assert_eq!(code(&right), 0, "{}", stderr(&right));
    assert_eq!(stdout(&right).trim(), made["account"]);
    let wrong = address("battery staple");
    assert_eq!(code(&wrong), 2);
    assert!(stderr(&wrong).contains("the password does not open"), "{}", stderr(&wrong));
    assert!(!stderr(&wrong).contains("battery"));

    // Nobody to ask.
    let silent = rollcall(folder.path()).args(["key", "address", "--keystore", "acme.json"]).output().expect("run");
    assert_eq!(code(&silent), 2);
    assert!(stderr(&silent).contains("ROLLCALL_KEYSTORE_PASSWORD"), "{}", stderr(&silent));
}
