//! What others wrote to find faults: slither reads the contracts, halmos proves their `check_` functions, schemathesis asks the
//! gateway.

use std::{
    path::Path,
    process::{Command, ExitCode},
};

use anyhow::{Context, Result, ensure};
use tools::Tools;

use crate::{cargo, forge, python};

/// Findings of these kinds do not count.
const NO_FAULTS: [&str; 2] = [
    // A lease is a promise about time: the seconds by which a validator can bend it are part of the bargain.
    "timestamp",
    // A batch of signed heartbeats asks contract wallets for their signatures, each with bounded gas, by a static call.
    "calls-loop",
];

/// Runs slither over contracts/src; anything that it finds of low impact or more fails. What is in the libraries does not
/// count: slither.config.json says so.
pub fn slither(tools: &Tools, root: &Path, args: &[String]) -> Result<ExitCode> {
    let slither = python::tool(root, "slither")?;
    let (out, cache) = ("contracts/out/slither", "contracts/cache/slither");
    let status = forge::command(tools, root)
        .env("FOUNDRY_OUT", out)
        .env("FOUNDRY_CACHE_PATH", cache)
        .args(["build", "--quiet", "--force", "--build-info", "contracts/src"])
        .status()
        .context("starting forge")?;
    ensure!(status.success(), "forge build failed");
    // It is given what forge built: by itself it would look for a solc of its own. It asks forge for its configuration.
    let mut command = Command::new(slither);
    command.args([".", "--ignore-compile", "--foundry-out-directory", out, "--exclude", &NO_FAULTS.join(",")]);
    finish(tools, root, command.env("FOUNDRY_OUT", out).args(args))
}

/// Runs halmos over contracts/test/halmos; a property that does not hold, or could not be decided, fails.
pub fn halmos(tools: &Tools, root: &Path, args: &[String]) -> Result<ExitCode> {
    let mut command = Command::new(python::tool(root, "halmos")?);
    command.env("FOUNDRY_PROFILE", "halmos");
    command.args(["--forge-build-out", "contracts/out/halmos", "--no-status"]);
    finish(tools, root, command.args(args))
}

/// Runs the tests that hold gateways to their contract with schemathesis.
pub fn contract(root: &Path) -> Result<ExitCode> {
    let tests =
        ["test", "--locked", "--package", "cli", "--test", "it", "contract::", "--", "--ignored", "--nocapture"];
    let mut command = cargo();
    command.args(tests).current_dir(root).env("SCHEMATHESIS", python::tool(root, "schemathesis")?);
    Ok(forge::exit_code(command.status().context("starting cargo")?))
}

/// Runs it in the repository's root with the pinned forge first in the path; its exit code is ours.
fn finish(tools: &Tools, root: &Path, command: &mut Command) -> Result<ExitCode> {
    let forge = tools.forge();
    let folder = forge.parent().context("forge is in no folder")?;
    let old = std::env::var_os("PATH").unwrap_or_default();
    let path = std::env::join_paths(std::iter::once(folder.to_owned()).chain(std::env::split_paths(&old)))?;
    command.current_dir(root).env("PATH", path);
    if let Some(remappings) = forge::remappings(tools, root) {
        command.env("FOUNDRY_REMAPPINGS", remappings);
    }
    let status = command.status().with_context(|| format!("starting {}", command.get_program().display()))?;
    Ok(forge::exit_code(status))
}
