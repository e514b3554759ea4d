//! The contract of the gateway's API, as schemathesis reads it: what it allows and much that it does not, sent to real gateways.

use std::{env, path::Path, process::Command, time::Duration};

use crate::{
    gateway::Gateway,
    program::{code, folder, rollcall, stderr, stdout},
    registration::{RELAYER, World},
};

const CONTRACT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/contract");

const PATIENCE: Duration = Duration::from_secs(60);

/// Who registers needs ether here: an account that Anvil gives some.
const ACME: &str = "0x5de4111afa1a4b94908f83103eb1f1706367c2e68ca870fc3fb9a804cdab365a";

/// Has schemathesis look for faults in a gateway; `more` is added to how it asks.
#[track_caller]
fn finds_no_fault(home: &Path, gateway: &Gateway, more: &str) {
    let program = env::var_os("SCHEMATHESIS").expect("SCHEMATHESIS: run `cargo xtask contract`");
    let config = home.join("schemathesis.toml");
    let base = std::fs::read_to_string(format!("{CONTRACT}/schemathesis.toml")).expect("read");
    std::fs::write(&config, format!("{base}\n{more}")).expect("written");
    let mut command = Command::new(program);
    command.arg("--config-file").arg(&config).args(["run", "--no-color", &gateway.url("/openapi.json")]);
    command.env("ROLLCALL_CONTRACT_HOOKS", format!("{CONTRACT}/hooks.py")).current_dir(home);
    let status = command.status().expect("schemathesis starts");
    assert!(status.success(), "schemathesis has found a fault: it says above how to ask for it again");
}

/// Waits until a gateway has seen a block as head that is finalized now: only then it answers as of such blocks.
async fn knows_the_past(world: &World<'_>, gateway: &Gateway, key: Option<&str>) {
    gateway.until("/readyz", 200).await;
    world.mine(100).await;
    let list = gateway.url("/v1/namespaces/acme/services/payments/instances?consistency=finalized");
    let mut every = tokio::time::interval(Duration::from_millis(20));
    let answers = async {
        loop {
            every.tick().await;
            let request = gateway.http.get(&list);
            let request = key.iter().fold(request, |request, key| request.bearer_auth(key));
            if request.send().await.is_ok_and(|answer| answer.status() == 200) {
                break;
            }
        }
    };
    tokio::time::timeout(PATIENCE, answers).await.expect("a finalized block");
}

/// Commands as the owner of `acme`.
fn acme(world: &World<'_>, home: &Path, args: &[&str]) {
    let mut command = rollcall(home);
    command.args(args).args(["--rpc-url", &world.anvil.rpc_url(), "--contract", &world.contract]);
    let output = command.env("ROLLCALL_PRIVATE_KEY", ACME).output().expect("run");
    assert_eq!(code(&output), 0, "{}", stderr(&output));
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes schemathesis: cargo xtask contract"]
async fn gateways_keep_their_contract() {
    let folder = folder();
    let home = folder.path();
    let world = World::start(home).await;
    acme(&world, home, &["namespace", "claim", "acme"]);
    for (label, zone) in [("a1", "z1"), ("a2", "z2")] {
        let register = ["register", "acme/payments", "--label", label, "--version", "1.2.0", "--ttl", "1h"];
        acme(&world, home, &[&register[..], &["--endpoint", "https://a.example:8443", "--zone", zone]].concat());
    }

    println!("== open to all");
    let open = world.gateway(None, &[]);
    knows_the_past(&world, &open, None).await;
    finds_no_fault(home, &open, "");
    open.stop();

    println!("== with keys");
    let made = rollcall(home).args(["gateway", "key", "create", "--keys", "keys.toml", "--name", "all"]).output();
    let key = stdout(&made.expect("run"));
    let key = key.trim_end();
    let guarded = world.gateway(None, &["--keys", "keys.toml"]);
    knows_the_past(&world, &guarded, Some(key)).await;
    finds_no_fault(home, &guarded, &format!("[auth.openapi]\nbearer = {{ bearer = \"{key}\" }}\n"));
    guarded.stop();

    println!("== with a relayer");
    let relaying = world.gateway(Some(RELAYER), &[]);
    knows_the_past(&world, &relaying, None).await;
    finds_no_fault(home, &relaying, "");
    relaying.stop();
}
