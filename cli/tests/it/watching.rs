//! What `rollcall` asks of a gateway: `discover` with its filters, `discover --watch`, `history`, `uptime`.

use std::{
    fs,
    path::Path,
    process::{Child, Command, Output, Stdio},
    sync::mpsc::Receiver,
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::{
    gateway::Gateway,
    program::{BINARY, VARIABLES, code, folder, rollcall, stderr, stdout},
    up::{Up, appears, lines},
};

const PATIENCE: Duration = Duration::from_secs(60);

/// A running `rollcall discover --watch`.
struct Watching {
    child: Child,
    lines: Receiver<String>,
    mode: Value,
}

impl Watching {
    fn start(home: &Path, args: &[&str]) -> Self {
        let mut command = Command::new(BINARY);
        command.args(["discover", "--watch"]).args(args).current_dir(home);
        for name in VARIABLES {
            command.env_remove(name);
        }
        let mut child = command.stdout(Stdio::piped()).spawn().expect("started");
        let lines = lines(child.stdout.take().expect("stdout"));
        Self { child, lines, mode: Value::Null }
    }

    /// The next line with these words. Those between tell that this machine is too busy, if anything.
    fn says(&self, words: &str) {
        loop {
            let line = self.lines.recv_timeout(PATIENCE).expect("a line");
            if line.contains(words) {
                return;
            }
            assert!(line.contains("  mode     ") || line.contains("  nobody   "), "{line}");
        }
    }

    /// The next change of the list.
    fn change(&mut self) -> Value {
        loop {
            let line = self.lines.recv_timeout(PATIENCE).expect("a line");
            let change: Value = serde_json::from_str(&line).expect("JSON");
            let before = std::mem::replace(&mut self.mode, change["mode"].clone());
            if ["came", "changed", "gone"].iter().any(|name| change[name] != Value::Array(vec![])) {
                return change;
            }
            assert_ne!(before, change["mode"], "no news: {change}");
        }
    }

    fn stop(&mut self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).expect("signalled");
        assert_eq!(self.child.wait().expect("ended").code(), Some(0));
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn run(home: &Path, args: &[&str]) -> Output {
    rollcall(home).args(args).output().expect("run")
}

#[track_caller]
fn good(home: &Path, args: &[&str]) -> Value {
    let output = run(home, &[args, &["--json"]].concat());
    assert_eq!(code(&output), 0, "{args:?}: {}", stderr(&output));
    serde_json::from_slice(&output.stdout).expect("JSON")
}

/// That it ends with this code, and says all of these words.
#[track_caller]
fn says(output: &Output, expected: i32, words: &[&str]) {
    assert_eq!(code(output), expected, "{}{}", stdout(output), stderr(output));
    for word in words {
        assert!(stderr(output).contains(word), "{word:?} in {}", stderr(output));
    }
}

fn labels(list: &Value) -> Vec<&str> {
    list.as_array().expect("a list").iter().map(|one| one["label"].as_str().expect("a label")).collect()
}

#[test]
fn changes_are_told_as_they_come() {
    let folder = folder();
    let home = folder.path();
    let up = Up::start_with(home, &["--no-demo"]);
    let own = format!("{}/hello", up.text("account"));
    let register = |label: &str, ttl: &str, zone: &str| {
        let args = ["register", "hello", "--label", label, "--version", "1.0.0", "--endpoint", "x:1"];
        good(home, &[&args[..], &["--ttl", ttl, "--zone", zone]].concat())["id"].as_str().expect("an id").to_owned()
    };
    let stays = register("stays", "1h", "a");
    appears(home, &own);

    let mut all = Watching::start(home, &[&own, "--json"]);
    let mut words = Watching::start(home, &[&own, "--zone", "b"]);
    let first = all.change();
    assert_eq!(
        (&first["kind"], &first["mode"], &first["came"][0]),
        (&"snapshot".into(), &"normal".into(), &stays.into())
    );
    assert_eq!((labels(&first["instances"]), first["service"].as_str()), (vec!["stays"], Some("hello")));
    words.says("  nobody   no instance matches now");

    // One comes, and nobody renews it.
    let ends = register("ends", "5s", "b");
    let came = all.change();
    assert_eq!((&came["kind"], &came["came"][0]), (&"delta".into(), &ends.clone().into()));
    words.says("  came     ends  1.0.0  -  b  x:1");
    // A heartbeat is no news.
    good(home, &["heartbeat", "hello", "--label", "stays"]);
    let expired = all.change();
    assert_eq!((labels(&expired["gone"]), labels(&expired["instances"])), (vec!["ends"], vec!["stays"]));
    words.says("  gone     ends  1.0.0");

    good(home, &["deregister", "hello", "--label", "stays"]);
    let left = all.change();
    assert_eq!((labels(&left["gone"]), labels(&left["instances"])), (vec!["stays"], vec![]));
    all.stop(Signal::INT);
    words.stop(Signal::TERM);

    // What was is asked for by its id, or by its name; one that is not listed any more by who registered it, too.
    let history = good(home, &["history", &ends]);
    assert_eq!(history["events"][0]["event"]["kind"], "registered");
    let named = ["history", &own, "--label", "stays", "--kind", "deregistered", "--kind", "heartbeat"];
    says(&run(home, &named), 3, &["no instance stays of", "--registrant ACCOUNT"]);
    let named = [&named[..], &["--registrant", up.text("account")]].concat();
    let told = run(home, &named);
    let told = stdout(&told);
    let kinds: Vec<_> = told.lines().skip(1).map(|line| line.split_whitespace().nth(3).expect("a kind")).collect();
    assert_eq!(kinds, ["deregistered", "heartbeat"], "{told}");
    let first = good(home, &[&named[..], &["--limit", "1", "--oldest-first"]].concat());
    let cursor = first["next_cursor"].as_str().expect("there is more");
    let second = good(home, &[&named[..], &["--oldest-first", "--cursor", cursor]].concat());
    assert_eq!(second["events"][0]["event"]["kind"], "deregistered");
    // No day on which it was up is over.
    let uptime = stdout(&run(home, &["uptime", &own, "--label", "ends"]));
    assert!(uptime.starts_with("up 0.00 % of ") || uptime.contains("is over and final"), "{uptime}");
    assert_eq!(good(home, &["uptime", &ends, "--from", "2026-01-01", "--to", "2026-01-02"])["instance"], *ends);

    // Filters reach the gateway, and what is wrong with them comes back.
    let near = run(home, &["discover", &own, "--all", "--near", "-33.9,151.2", "--filter", "label == ends", "--json"]);
    says(&near, 5, &[]);
    let near: Value = serde_json::from_slice(&near.stdout).expect("JSON");
    assert_eq!(labels(&near["instances"]), ["ends"]);
    for more in [&["--watch"][..], &[]] {
        let wrong = run(home, &[&["discover", &own, "--filter", "label = ends"][..], more].concat());
        says(&wrong, 2, &["parameter filter: column 7", "expected: `==`", "(bad-parameter)"]);
        let none = run(home, &[&["discover", "acme/nothing"][..], more].concat());
        says(&none, 5, &["nobody ever registered an instance of acme/nothing", "(unknown-service)", "rollcall status"]);
    }
    let unknown = format!("0x{}", "07".repeat(32));
    for command in ["history", "uptime"] {
        says(&run(home, &[command, &unknown]), 3, &["(unknown-instance)", "shows ids"]);
        says(&run(home, &[command, &own]), 2, &["not an id", "--label LABEL"]);
        says(&run(home, &[command, "acme/nothing", "--label", "a1"]), 3, &["(unknown-service)"]);
    }
    assert_eq!(up.stop().code(), Some(0));
}

#[test]
fn who_may_not_ask_is_told_what_to_do() {
    let folder = folder();
    let home = folder.path();
    let key = run(home, &["gateway", "key", "create", "--keys", "keys.toml", "--name", "test", "--namespace", "acme"]);
    fs::write(home.join("right"), stdout(&key)).expect("written");
    fs::write(home.join("wrong"), format!("rck_{}_{}", "0".repeat(12), "0".repeat(64))).expect("written");
    let args = ["--database-url", "postgres://nobody@127.0.0.1:1/none", "--keys", "keys.toml"];
    let gateway = Gateway::start(home, &args, &[]);
    let ask = |service: &str, more: &[&str]| {
        run(home, &[&["discover", service, "--gateway-url", &gateway.url("")][..], more].concat())
    };
    for more in [&[][..], &["--watch"]] {
        let with = |file| [more, &["--gateway-key-file", file]].concat();
        says(&ask("acme/payments", more), 2, &["(unauthorized)", "--gateway-key-file FILE", "ROLLCALL_GATEWAY_KEY"]);
        says(&ask("acme/payments", &with("wrong")), 2, &["(unauthorized)"]);
        says(&ask("globex/search", &with("right")), 2, &["(forbidden)"]);
        says(&ask("acme/payments", &with("right")), 4, &["(not-ready)"]);
        says(&ask("acme/payments", &with("nowhere")), 2, &["gateway key file nowhere"]);
    }
    gateway.stop();
    for more in [
        &["discover", "acme/payments"][..],
        &["discover", "acme/payments", "--watch"],
        &["uptime", &format!("0x{}", "07".repeat(32))],
    ] {
        let away = run(home, &[more, &["--gateway-url", "http://127.0.0.1:1"]].concat());
        says(&away, 4, &["cannot reach the gateway at http://127.0.0.1:1", "is it running there? --gateway-url"]);
    }
    says(&run(home, &["discover", "acme/payments", "--watch", "--consistency", "safe"]), 2, &["cannot be used with"]);
    says(&run(home, &["history", "0x07", "--kind", "born"]), 2, &["[possible values: registered, "]);
}
