//! What `up` says when it is ready: a table for people, or one line of JSON for programs.

use anvil_fixtures::demo;
use serde_json::{Value, json};

use super::{World, demo::Running, stages::Stages};
use crate::{config, out};

/// For people.
pub fn words(world: &World, stages: &Stages) -> String {
    let World { chain, gateway_url, gateway_admin_url, indexer_url, database_url, folder, demo, own_account, .. } =
        world;
    let deployed = &chain.deployed;
    let settings = folder.shown("rollcall.toml");
    let found = settings == config::UP_FILE;
    let rollcall = if found { program() } else { format!("{} --config {settings}", program()) };
    let readers = if found { "read by every command in this folder" } else { "read by commands with --config" };
    let mut text = format!(
        "\nrollcall is up after {:.1} s; Ctrl-C stops it, the next `up` continues\n\n",
        stages.elapsed().as_secs_f64()
    );
    let line = |name: &str, value: String, more: String| vec![format!("  {name}"), value, more];
    text.push_str(&out::table(&[
        line("gateway", gateway_url.to_string(), "documentation at /docs".into()),
        line("", gateway_admin_url.clone(), "/livez, /readyz, /metrics".into()),
        line("indexer", indexer_url.clone(), "/livez, /readyz, /metrics".into()),
        line("chain", chain.rpc_url.to_string(), format!("id {}", chain.registry.chain().chain_id())),
        line("registry", deployed.contract.to_string(), format!("since block {}", deployed.block)),
        line("endorsements", chain.endorsements.to_string(), String::new()),
        line("database", database_url.to_string(), String::new()),
        line("settings", settings, readers.into()),
        line("your key", folder.shown(super::folder::KEYSTORE), own_account.to_string()),
        line("their keys", folder.shown("keys.json"), "public development keys: never for anything of value".into()),
    ]));
    let mut first = None;
    if let Some(demo) = demo {
        let head = ["  SERVICE", "INSTANCE", "VERSION", "REGION", "ZONE", "PID"].map(String::from).to_vec();
        let rows: Vec<_> = std::iter::once(head).chain(demo.running.iter().map(row)).collect();
        text.push('\n');
        text.push_str(&out::table(&rows));
        first = demo.running.first();
    }
    text.push_str("\ntry\n");
    let mut tries = Vec::new();
    if let Some(Running { instance, pid }) = first {
        let service = format!("{}/{}", instance.namespace, instance.name);
        let path = format!("/v1/namespaces/{}/services/{}/instances", instance.namespace, instance.name);
        tries.push(vec![format!("  curl -s {}{path}", gateway_url)]);
        tries.push(vec![format!("  {rollcall} discover {service}")]);
        tries.push(vec![
            format!("  kill {pid}"),
            format!("# ends the heartbeats of {}: gone within {} s", instance.label, demo::TTL),
        ]);
    }
    tries
        .push(vec![format!("  {rollcall} register hello --label me --version 0.1.0 --endpoint http://127.0.0.1:9000")]);
    tries.push(vec![format!("  {rollcall} discover {own_account}/hello")]);
    for row in tries {
        text.push_str(&out::table(&[row]));
    }
    text
}

fn row(running: &Running) -> Vec<String> {
    let instance = &running.instance;
    let claimed = |name: &str| instance.metadata[name].as_str().unwrap_or("-").to_owned();
    vec![
        format!("  {}/{}", instance.namespace, instance.name),
        instance.label.to_owned(),
        instance.version.to_owned(),
        claimed("region"),
        claimed("zone"),
        running.pid.to_string(),
    ]
}

/// For programs: one line, once all is ready.
pub fn json(world: &World, stages: &Stages) -> Value {
    let demo = world.demo.as_ref().map_or(&[][..], |demo| &demo.running);
    let demo: Vec<Value> = demo
        .iter()
        .map(|Running { instance, pid }| {
            json!({
                "service": format!("{}/{}", instance.namespace, instance.name),
                "label": instance.label,
                "version": instance.version,
                "pid": pid,
            })
        })
        .collect();
    let seconds = |s: f64| (s * 1000.0).round() / 1000.0;
    let times: serde_json::Map<String, Value> =
        stages.times().into_iter().map(|(name, took)| (name.to_owned(), seconds(took).into())).collect();
    json!({
        "ready": true,
        "seconds": seconds(stages.elapsed().as_secs_f64()),
        "stages": times,
        "rpc_url": world.chain.rpc_url.to_string(),
        "chain_id": world.chain.registry.chain().chain_id(),
        "contract": world.chain.deployed.contract.to_string(),
        "endorsements": world.chain.endorsements.to_string(),
        "deploy_block": world.chain.deployed.block,
        "database_url": world.database_url.to_string(),
        "gateway_url": world.gateway_url.to_string(),
        "gateway_admin_url": world.gateway_admin_url,
        "indexer_url": world.indexer_url,
        "config": world.folder.path("rollcall.toml"),
        "keys": world.folder.path("keys.json"),
        "account": world.own_account.to_string(),
        "demo": demo,
    })
}

/// How the user called this program.
fn program() -> String {
    match std::env::var_os("CARGO") {
        Some(_) => "cargo run -q --".to_owned(),
        None => std::env::args().next().unwrap_or_else(|| "rollcall".to_owned()),
    }
}
