//! The calls of node and npm.

use std::{
    io,
    path::Path,
    process::{Command, Output, Stdio},
};

use crate::Error;

const OLDEST_NODE: u32 = 20;

/// Installs what the lock file in `dir` says, in place of what is there.
pub(crate) fn ci(dir: &Path) -> Result<(), Error> {
    check_node()?;
    // The platform's packages are optional dependencies: a user's `omit=optional` must not win.
    let args = ["ci", "--include=optional", "--no-audit", "--no-fund", "--no-progress"];
    let output = run("npm", &args, dir)?;
    if output.status.success() {
        return Ok(());
    }
    Err(Error::Install { dir: dir.into(), command: "npm ci", status: output.status, output: text(&output) })
}

/// Makes the library symlinks of the PostgreSQL package, which npm archives cannot carry. Its own install script
/// does it, unless the user has switched scripts off.
pub(crate) fn hydrate(package: &Path) -> Result<(), Error> {
    let output = run("node", &["scripts/hydrate-symlinks.js"], package)?;
    if output.status.success() {
        return Ok(());
    }
    let command = "node scripts/hydrate-symlinks.js";
    Err(Error::Install { dir: package.into(), command, status: output.status, output: text(&output) })
}

fn check_node() -> Result<(), Error> {
    let output = run("node", &["--version"], Path::new("."))?;
    let found = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    match major(&found) {
        Some(major) if major >= OLDEST_NODE => Ok(()),
        _ => Err(Error::NodeTooOld { found }),
    }
}

/// `v20.11.1` → 20
fn major(version: &str) -> Option<u32> {
    version.strip_prefix('v')?.split('.').next()?.parse().ok()
}

fn run(program: &'static str, args: &[&str], dir: &Path) -> Result<Output, Error> {
    Command::new(program).args(args).current_dir(dir).stdin(Stdio::null()).output().map_err(|source| {
        if source.kind() == io::ErrorKind::NotFound {
            Error::NodeMissing { program }
        } else {
            Error::Io { action: format!("run {program}"), source }
        }
    })
}

/// Both streams, the end of them.
fn text(output: &Output) -> String {
    let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    lines[lines.len().saturating_sub(30)..].join("\n")
}

#[cfg(test)]
mod tests {
    use super::major;

    #[test]
    fn major_of_a_node_version() {
        assert_eq!(major("v20.11.1"), Some(20));
        assert_eq!(major("v8.0.0"), Some(8));
        assert_eq!(major("nonsense"), None);
    }
}
