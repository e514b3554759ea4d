//! Who may ask a gateway: keys are made, listed and revoked, and sent without being shown.

use std::{
    fs,
    io::{BufRead, BufReader, Write},
    net::TcpListener,
    os::unix::fs::PermissionsExt,
    path::Path,
    process::Output,
    thread,
};

use crate::program::{code, folder, rollcall, stderr, stdout};

fn key(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = rollcall(folder);
    command.args(["gateway", "key"]).args(arguments).env("ROLLCALL_KEYS", "keys.toml").output().expect("run")
}

fn good(output: &Output) -> serde_json::Value {
    assert_eq!(code(output), 0, "{}", stderr(output));
    serde_json::from_slice(&output.stdout).expect("JSON")
}

#[test]
fn a_key_is_made_shown_once_listed_and_revoked() {
    let folder = folder();
    let home = folder.path();
    let made = key(home, &["create", "--name", "staging", "--namespace", "acme", "--rate", "5/s", "--expires", "90d"]);
    assert_eq!(code(&made), 0, "{}", stderr(&made));
    let text = stdout(&made);
    let text = text.trim_end();
    let [prefix, id, secret] = text.split('_').collect::<Vec<_>>().try_into().expect("three parts");
    assert_eq!((prefix, id.len(), secret.len()), ("rck", 12, 64), "the key alone: {text}");
    assert!(stderr(&made).contains("not shown again") && stderr(&made).contains("keys.toml"), "{}", stderr(&made));
    assert_eq!(fs::metadata(home.join("keys.toml")).expect("there").permissions().mode() & 0o777, 0o600);

    let other = good(&key(home, &["create", "--name", "all", "--json"]));
    assert_eq!(other["key"].as_str().expect("a key").split('_').nth(1), other["id"].as_str());
    let list = good(&key(home, &["list", "--json"]));
    assert_eq!(list[0]["id"], id);
    assert_eq!((&list[0]["namespaces"][0], &list[0]["rate"]), (&"acme".into(), &"5/s".into()));
    assert!(list[0]["expires_at"].is_string() && list[1]["expires_at"].is_null() && list[1]["namespaces"].is_null());

    let revoked = good(&key(home, &["revoke", id, "--json"]));
    assert!(revoked["revoked_at"].is_string());
    let words = key(home, &["list"]);
    let words = stdout(&words);
    let states: Vec<&str> = words.lines().map(|line| line.split_whitespace().last().expect("a word")).collect();
    assert_eq!(states, ["STATE", "revoked", "good"], "{words}");
    let file = fs::read_to_string(home.join("keys.toml")).expect("read");
    for shown in [&words, &file, &list.to_string()] {
        assert!(!shown.contains(secret), "{shown}");
    }
}

#[test]
fn wrong_usage_is_told() {
    let folder = folder();
    let home = folder.path();
    fs::write(home.join("jwks.json"), "{\"keys\":[]}").expect("written");
    fs::write(home.join("broken.toml"), "nonsense").expect("written");
    for (arguments, words) in [
        (&["key", "create", "--name", "n"][..], "no keys file: give --keys, set ROLLCALL_KEYS"),
        (&["key", "create", "--keys", "k.toml", "--name", ""], "a name has 1 to 100 characters"),
        (&["key", "create", "--keys", "k.toml", "--name", "n", "--namespace", "Acme"], "Acme"),
        (&["key", "create", "--keys", "k.toml", "--name", "n", "--rate", "fast"], "a rate is 1/s"),
        (&["key", "create", "--keys", "k.toml", "--name", "n", "--expires", "0"], "1s and more"),
        (&["key", "create", "--keys", "nowhere/k.toml", "--name", "n"], "nowhere/k.toml"),
        (&["key", "create", "--keys", "broken.toml", "--name", "n"], "broken.toml: line 1"),
        (&["key", "list", "--keys", "k.toml"], "k.toml"),
        (&["key", "revoke", "--keys", "broken.toml", "0123456789ab"], "broken.toml: line 1"),
        (&["--listen", "0.0.0.0:0", "key", "list"], "cannot be used with"),
        (&["--listen", "0.0.0.0:0"], "0.0.0.0:0 is no loopback address"),
        (&["--listen", "[::]:0"], "--public if everybody may read everything"),
        (&["--public", "--keys", "k.toml"], "cannot be given with --keys"),
        (&["--keys", "k.toml"], "k.toml"),
        (&["--keys", "broken.toml"], "broken.toml: line 1"),
        (&["--jwks", "jwks.json"], "no audience of the JWTs"),
        (&["--jwks", "jwks.json", "--jwt-audience", "a"], "there is no key"),
        (&["--jwt-audience", "a"], "say nothing without --jwks"),
    ] {
        let mut command = rollcall(home);
        command.arg("gateway").args(arguments).env("ROLLCALL_DATABASE_URL", "postgres://nobody@127.0.0.1:1/none");
        let output = command.output().expect("run");
        assert_eq!(code(&output), 2, "{arguments:?}: {}", stderr(&output));
        assert!(stderr(&output).contains(words), "{arguments:?}: {}", stderr(&output));
    }
    assert!(!home.join("k.toml").exists());
}

/// Answers one request with a refusal, and tells its head.
fn gateway() -> (String, thread::JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let told = thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a connection");
        let lines = BufReader::new(stream.try_clone().expect("a stream")).lines().map(|line| line.expect("text"));
        let head: Vec<String> = lines.take_while(|line| !line.is_empty()).collect();
        let body = r#"{"type":"urn:rollcall:error:unauthorized","title":"t","status":401,"detail":"who is there?"}"#;
        let head_of_answer = "HTTP/1.1 401 Unauthorized\r\ncontent-type: application/problem+json\r\nconnection: close";
        write!(stream, "{head_of_answer}\r\ncontent-length: {}\r\n\r\n{body}", body.len()).expect("written");
        head
    });
    (url, told)
}

#[test]
fn a_key_is_sent_to_the_gateway_and_never_shown() {
    let folder = folder();
    fs::write(folder.path().join("key"), "rck_from-file\n").expect("written");
    for (flag, variable, sent) in [
        (None, None, None),
        (None, Some("rck_from-variable"), Some("rck_from-variable")),
        (Some("key"), None, Some("rck_from-file")),
        (Some("key"), Some("rck_from-variable"), Some("rck_from-file")),
    ] {
        let (url, told) = gateway();
        let mut command = rollcall(folder.path());
        command.args(["--log-level", "trace", "discover", "acme/payments", "--gateway-url", &url]);
        if let Some(file) = flag {
            command.args(["--gateway-key-file", file]);
        }
        if let Some(key) = variable {
            command.env("ROLLCALL_GATEWAY_KEY", key);
        }
        let output = command.output().expect("run");
        assert_eq!(code(&output), 2, "{}", stderr(&output));
        assert!(stderr(&output).contains("who is there?"), "{}", stderr(&output));
        assert!(!(stderr(&output) + &stdout(&output)).contains("rck_"));
        let head = told.join().expect("a request");
        let header = head.iter().find_map(|line| line.strip_prefix("authorization: Bearer "));
        assert_eq!(header, sent, "{head:?}");
    }
}

#[test]
fn a_key_that_is_none_is_not_repeated() {
    let folder = folder();
    fs::write(folder.path().join("key"), "two s3cr3t words\n").expect("written");
    let discover = || {
        let mut command = rollcall(folder.path());
        command.args(["discover", "acme/payments", "--gateway-url", "http://127.0.0.1:1"]);
        command
    };
    for (output, origin) in [
        (discover().args(["--gateway-key-file", "key"]).output(), "gateway key file key"),
        (discover().env("ROLLCALL_GATEWAY_KEY", "s3cr3t\u{7}").output(), "ROLLCALL_GATEWAY_KEY"),
        (discover().env("ROLLCALL_GATEWAY_KEY_FILE", "nowhere").output(), "gateway key file nowhere"),
    ] {
        let output = output.expect("run");
        assert_eq!(code(&output), 2);
        assert!(stderr(&output).contains(origin), "{}", stderr(&output));
        assert!(!stderr(&output).contains("s3cr3t"), "{}", stderr(&output));
    }
}
