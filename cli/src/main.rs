//! `rollcall`, the one binary: everything that operators, developers and auditors do from a terminal.
//!
//! It reads configuration, calls the libraries and prints. What it does **not** do: anything that a library should do.
//!
//! In reading order:
//! - `args`: the command line; `config`: flags, environment and file, and which of them counts
//! - `exit`: errors as exit codes; `out`: what goes to stdout; `logs`: what goes to stderr
//! - `key`: who signs; `relayer`: who sends what others signed to a gateway; `signals`: Ctrl-C; `traces`: what goes to an
//!   OpenTelemetry collector
//! - `commands`: a file for each command; `commands::up` starts a whole world

mod args;
mod commands;
mod config;
mod exit;
mod key;
mod logs;
mod out;
mod relayer;
mod signals;
mod traces;

use std::process::ExitCode;

use clap::Parser;

use crate::{args::Args, exit::Exit};

fn main() -> ExitCode {
    let args = Args::parse();
    let result = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => {
            let result = runtime.block_on(commands::run(args));
            // A password prompt that nobody answers must not keep the process.
            runtime.shutdown_background();
            traces::flush();
            result
        }
        Err(error) => Err(anyhow::Error::new(error).context("starting")),
    };
    match result {
        Ok(exit) => exit.into(),
        // Whoever read our output has seen enough: `rollcall discover … | head`.
        Err(error) if out::is_broken_pipe(&error) => Exit::Ok.into(),
        Err(error) => {
            // Not through println: stderr may be gone as well.
            let _ = out::to_stderr(&format!("error: {}\n", exit::describe(&error)));
            exit::of(&error).into()
        }
    }
}
