//! `rollcall up`: ready, in use, stopped, continued.

use std::{
    fs,
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Command, ExitStatus, Stdio},
    sync::mpsc::{Receiver, channel},
    time::Duration,
};

use alloy::providers::Provider;
use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use serde_json::Value;

use crate::program::{BINARY, VARIABLES, code, folder, rollcall, stderr, stdout};

const PATIENCE: Duration = Duration::from_secs(60);

/// A running `rollcall up`.
pub struct Up {
    child: Child,
    lines: Receiver<String>,
    ready: Value,
}

impl Up {
    fn start(home: &Path) -> Self {
        Self::start_with(home, &[])
    }

    pub fn start_with(home: &Path, more: &[&str]) -> Self {
        let mut command = Command::new(BINARY);
        command
            .args([
                "up",
                "--json",
                "--rpc-port",
                "0",
                "--gateway-port",
                "0",
                "--gateway-admin-port",
                "0",
                "--indexer-port",
                "0",
            ])
            .args(more)
            .current_dir(home);
        for name in VARIABLES {
            command.env_remove(name);
        }
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("started");
        let ready = lines(child.stdout.take().expect("stdout"));
        let lines = lines(child.stderr.take().expect("stderr"));
        let Ok(ready) = ready.recv_timeout(PATIENCE) else {
            panic!("not ready: {:?}", lines.try_iter().collect::<Vec<_>>());
        };
        Self { child, lines, ready: serde_json::from_str(&ready).expect("JSON") }
    }

    pub fn text(&self, name: &str) -> &str {
        self.ready[name].as_str().unwrap_or_else(|| panic!("{name} in {}", self.ready))
    }

    /// The processes that it started: the demo's, Anvil, Postgres.
    fn pids(&self, home: &Path) -> Vec<i32> {
        let demo = self.ready["demo"].as_array().expect("a list");
        let mut pids: Vec<i32> = demo.iter().map(|one| one["pid"].as_i64().expect("a pid") as i32).collect();
        for name in ["anvil", "postgres"] {
            let file = fs::read_to_string(home.join(format!(".rollcall/{name}.pid"))).expect("a pid file");
            pids.push(file.lines().nth(1).expect("a second line").parse().expect("a pid"));
        }
        assert!(pids.iter().all(|pid| is_alive(*pid)), "{pids:?}");
        pids
    }

    pub fn stop(mut self) -> ExitStatus {
        kill_process(Pid::from_child(&self.child), Signal::INT).expect("signalled");
        self.child.wait().expect("ended")
    }

    /// Waits for a line on stderr.
    fn says(&self, words: &str) {
        while !self.lines.recv_timeout(PATIENCE).unwrap_or_else(|_| panic!("it never says {words:?}")).contains(words) {
        }
    }
}

impl Drop for Up {
    /// The guardians and the closing pipes end all that it started.
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What is written, line by line.
pub fn lines(from: impl std::io::Read + Send + 'static) -> Receiver<String> {
    let (send, receive) = channel();
    std::thread::spawn(move || {
        for line in BufReader::new(from).lines().map_while(Result::ok) {
            let _ = send.send(line);
        }
    });
    receive
}

fn is_alive(pid: i32) -> bool {
    Pid::from_raw(pid).is_some_and(|pid| test_kill_process(pid).is_ok())
}

fn live(home: &Path, service: &str) -> usize {
    let output = rollcall(home).args(["discover", service, "--json"]).output().expect("run");
    assert_eq!(code(&output), 0, "{}", stderr(&output));
    let answer: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    answer["instances"].as_array().expect("a list").len()
}

/// The index follows the chain a moment later: asks until the service is there. Each question is a process, so this
/// waits by itself, and not for ever.
pub fn appears(home: &Path, service: &str) {
    for _ in 0..200 {
        let output = rollcall(home).args(["discover", service]).output().expect("run");
        match code(&output) {
            0 => return,
            code => assert_eq!(code, 5, "{}", stderr(&output)),
        }
    }
    panic!("{service} does not appear");
}

#[test]
fn a_world_starts_is_held_stops_and_continues() {
    let folder = folder();
    let home = folder.path();
    let mut up = Up::start(home);
    for service in ["acme/payments", "globex/search", "initech/geo"] {
        assert_eq!(live(home, service), 2, "{service}");
    }

    // The folder is held.
    let second = rollcall(home)
        .args(["up", "--rpc-port", "0", "--gateway-port", "0", "--gateway-admin-port", "0", "--indexer-port", "0"])
        .output()
        .expect("run");
    assert_eq!(code(&second), 2);
    assert!(stderr(&second).contains("another `rollcall up` runs in .rollcall (process "), "{}", stderr(&second));
    // Its ports are, too.
    let port = up.text("rpc_url").rsplit(':').next().expect("a port").to_owned();
    let taken = rollcall(home).args(["up", "--dir", "other", "--rpc-port", &port]).output().expect("run");
    assert_eq!(code(&taken), 2);
    assert!(stderr(&taken).contains(&format!("port {port}, which the chain needs, is taken")), "{}", stderr(&taken));

    // Other commands find their settings, and the contract's refusals have their exit code.
    let mine = ["register", "hello", "--label", "me", "--version", "1.0.0", "--endpoint", "http://127.0.0.1:9000"];
    let registered = rollcall(home).args(mine).args(["--ttl", "1h"]).output().expect("run");
    assert_eq!(code(&registered), 0, "{}", stderr(&registered));
    let own = format!("{}/hello", up.text("account"));
    appears(home, &own);
    let refused = rollcall(home).args(["namespace", "claim", "acme"]).output().expect("run");
    assert_eq!(code(&refused), 3, "{}", stderr(&refused));
    let none = rollcall(home).args(["discover", "acme/nothing"]).output().expect("run");
    assert_eq!(code(&none), 5, "{}", stderr(&none));
    let status = rollcall(home).arg("status").output().expect("run");
    assert_eq!(code(&status), 0, "{}", stdout(&status));

    // A demo instance that is killed stays so.
    let pids = up.pids(home);
    kill_process(Pid::from_raw(pids[0]).expect("a pid"), Signal::TERM).expect("signalled");
    up.says(&format!("process {} ended", pids[0]));

    let contract = up.text("contract").to_owned();
    let database = up.text("database_url").rsplit('/').next().expect("a name").to_owned();
    up.child.stdin.take();
    let status = up.stop();
    assert_eq!(status.code(), Some(0));
    let left: Vec<_> = pids.into_iter().filter(|pid| is_alive(*pid)).collect();
    assert!(left.is_empty(), "still running: {left:?}");

    // The next start continues: the same registry, the same index, and what was registered is still there.
    let again = Up::start(home);
    assert_eq!(again.text("contract"), contract);
    assert!(again.text("database_url").ends_with(&database), "{}", again.ready);
    assert_eq!(live(home, &own), 1);
    assert_eq!(live(home, "acme/payments"), 2);
    assert_eq!(again.stop().code(), Some(0));
}

#[test]
fn what_a_killed_world_left_is_cleaned_up() {
    let folder = folder();
    let home = folder.path();
    let mut up = Up::start(home);
    let own = up.text("account").to_owned();
    up.child.kill().expect("killed");
    up.child.wait().expect("ended");
    let again = Up::start(home);
    assert_eq!(again.text("account"), own);
    assert_eq!(live(home, "globex/search"), 2);
    let pids = again.pids(home);
    assert_eq!(again.stop().code(), Some(0));
    assert!(!pids.into_iter().any(is_alive));
}

#[test]
fn a_folder_of_somebody_else_is_left_alone() {
    let folder = folder();
    fs::write(folder.path().join("keys"), "mine").expect("written");
    let output = rollcall(folder.path()).args(["up", "--fresh", "--dir", "."]).output().expect("run");
    assert_eq!(code(&output), 2);
    assert!(stderr(&output).contains("no folder of `rollcall up`"), "{}", stderr(&output));
    assert_eq!(fs::read_to_string(folder.path().join("keys")).expect("still there"), "mine");
}

#[test]
fn the_gateway_tells_what_an_id_is_made_of_and_what_is_long_dead() {
    let folder = folder();
    let home = folder.path();
    let up = Up::start_with(home, &["--no-demo"]);
    let json = |args: &[&str]| -> Value {
        let output = rollcall(home).args(args).arg("--json").output().expect("run");
        assert_eq!(code(&output), 0, "{args:?}: {}", stderr(&output));
        serde_json::from_slice(&output.stdout).expect("JSON")
    };
    let mine = ["register", "hello", "--label", "me", "--version", "1.0.0", "--endpoint", "x:1", "--ttl", "5s"];
    let id = json(&mine)["id"].as_str().expect("an id").to_owned();
    let own = format!("{}/hello", up.text("account"));
    appears(home, &own);
    assert_eq!(json(&["suspend", "--id", &id, "--reason", "a test"])["status"], "suspended");
    assert_eq!(json(&["reinstate", "--id", &id, "--reason", "a test"])["service"], own.as_str());

    let eight_days = Duration::from_secs(8 * 86_400);
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let moved = async {
        let chain = client::Chain::connect(&up.text("rpc_url").parse().expect("a URL")).await.expect("connected");
        let moved = chain.provider().raw_request::<_, Value>("evm_increaseTime".into(), [eight_days.as_secs()]).await;
        moved.expect("moved");
    };
    runtime.block_on(moved);
    let dry = ["reap", "--service", &own, "--dry-run"];
    assert!((0..200).any(|_| json(&dry)["due"][0]["id"] == id.as_str()), "it never is due");
    assert_eq!(json(&["reap", &id])["reaped"][0], id.as_str());
    assert_eq!(json(&["reap", &id])["due"], Value::Array(vec![]));
    assert_eq!(up.stop().code(), Some(0));
}
