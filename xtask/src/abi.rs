//! ABI and bytecode of contracts: what the Rust side compiles against, so that building it needs no forge.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use tools::Tools;

use crate::{forge, write};

/// The contracts and the folders of their files; the last two are of benchmarks alone: what the gas is compared with, and
/// who makes the events of long chains.
const CONTRACTS: [(&str, &str); 4] = [
    ("ServiceRegistry", "contracts/abi"),
    ("Endorsements", "contracts/abi"),
    ("TextbookRegistry", "bench/abi"),
    ("Crowd", "bench/abi"),
];

/// Builds the contracts and writes ABI and bytecode of each.
pub fn remake(tools: &Tools, root: &Path) -> Result<()> {
    let status = forge::command(tools, root).args(["build", "--quiet"]).status().context("starting forge")?;
    ensure!(status.success(), "forge build failed");
    for (name, folder) in CONTRACTS {
        let artifact = root.join(format!("contracts/out/{name}.sol/{name}.json"));
        let artifact = std::fs::read(&artifact).with_context(|| format!("reading {}", artifact.display()))?;
        let artifact: Value = serde_json::from_slice(&artifact)?;
        let kept = json!({
            "abi": artifact["abi"],
            "bytecode": { "object": code(&artifact, "bytecode")? },
            "deployedBytecode": {
                "object": code(&artifact, "deployedBytecode")?,
                "immutableReferences": immutable_references(&artifact),
            },
        });
        let mut text = serde_json::to_string_pretty(&kept)?;
        text.push('\n');
        write(root, &format!("{folder}/{name}.json"), text.as_bytes())?;
    }
    Ok(())
}

/// Where the immutables are in the code: `[{"start", "length"}]` in bytes, zero in the artifact.
fn immutable_references(artifact: &Value) -> Vec<Value> {
    let by_variable = artifact["deployedBytecode"]["immutableReferences"].as_object();
    by_variable.into_iter().flat_map(|map| map.values()).filter_map(Value::as_array).flatten().cloned().collect()
}

fn code<'a>(artifact: &'a Value, which: &str) -> Result<&'a str> {
    let code = artifact[which]["object"].as_str().filter(|code| code.len() > 2);
    code.with_context(|| format!("forge built no {which}: remove contracts/out and contracts/cache, and try again"))
}
