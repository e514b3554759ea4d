//! Runs the pinned native forge: the npm shim would answer 0 when tests fail.

use std::{
    path::Path,
    process::{Command, ExitCode, ExitStatus},
};

use anyhow::{Context, Result};
use tools::Tools;

/// Runs forge in the repository's root; its exit code is ours.
pub fn run(tools: &Tools, root: &Path, args: &[String]) -> Result<ExitCode> {
    let mut command = command(tools, root);
    if args.first().is_some_and(|first| first == "lint") {
        // The linter compiles without bytecode and caches that: the next `forge test` would find "no tests" and pass.
        command.env("FOUNDRY_OUT", "contracts/out/lint").env("FOUNDRY_CACHE_PATH", "contracts/cache/lint");
    }
    let status = command.args(args).status().context("starting forge")?;
    Ok(exit_code(status))
}

/// What a command exited with, as our own.
pub fn exit_code(status: ExitStatus) -> ExitCode {
    let code = status.code().and_then(|code| u8::try_from(code).ok());
    code.map_or(ExitCode::FAILURE, ExitCode::from)
}

/// forge, told where the libraries are if the tools stand elsewhere than foundry.toml says.
pub fn command(tools: &Tools, root: &Path) -> Command {
    let mut command = Command::new(tools.forge());
    command.current_dir(root);
    if let Some(remappings) = remappings(tools, root) {
        command.env("FOUNDRY_REMAPPINGS", remappings);
    }
    command
}

/// Where the libraries are, unless they are where foundry.toml says.
pub fn remappings(tools: &Tools, root: &Path) -> Option<String> {
    if tools.dir() == root.join("tools") {
        return None;
    }
    let modules = tools.node_modules().display().to_string();
    Some(format!("forge-std/={modules}/@layerzerolabs/toolbox-foundry/lib/forge-std/\nsolady/={modules}/solady/src/"))
}
