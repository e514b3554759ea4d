//! Runs the pinned native forge: the npm shim would answer 0 when tests fail.

use std::{
    path::Path,
    process::{Command, ExitCode},
};

use anyhow::{Context, Result};
use tools::Tools;

/// Runs forge in the repository's root; its exit code is ours.
pub fn run(tools: &Tools, root: &Path, args: &[String]) -> Result<ExitCode> {
    let status = command(tools, root).args(args).status().context("starting forge")?;
    let code = status.code().and_then(|code| u8::try_from(code).ok());
    Ok(code.map_or(ExitCode::FAILURE, ExitCode::from))
}

/// forge, told where the libraries are if the tools stand elsewhere than foundry.toml says.
pub fn command(tools: &Tools, root: &Path) -> Command {
    let mut command = Command::new(tools.forge());
    command.current_dir(root);
    if tools.dir() != root.join("tools") {
        let modules = tools.node_modules().display().to_string();
        command.env(
            "FOUNDRY_REMAPPINGS",
            format!(
                "forge-std/={modules}/@layerzerolabs/toolbox-foundry/lib/forge-std/\nsolady/={modules}/solady/src/"
            ),
        );
    }
    command
}
