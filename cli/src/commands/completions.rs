//! `rollcall completions`

use anyhow::Result;
use clap::CommandFactory;
use clap_complete::Shell;

use crate::{exit::Exit, out};

/// Print a completion script
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  rollcall completions bash > /etc/bash_completion.d/rollcall")]
pub struct Args {
    /// For which shell
    #[arg(value_enum)]
    pub shell: Shell,
}

/// Runs it.
pub fn run(args: &Args) -> Result<Exit> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut crate::args::Args::command(), "rollcall", &mut script);
    out::text(&String::from_utf8_lossy(&script))?;
    Ok(Exit::Ok)
}
