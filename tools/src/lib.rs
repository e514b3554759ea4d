//! The pinned external programs: Foundry, solc and PostgreSQL, installed by npm and run as supervised children.
//!
//! What it does: [`Tools::ensure`] installs exactly what `package-lock.json` says, once; [`Anvil`] and [`Postgres`]
//! start a server, wait until it answers, and stop it in order; a guardian process stops it when ours dies in any
//! way, SIGKILL included; [`TestPostgres`] is a server in a temporary folder for one test process.
//!
//! What it does **not**: no connection to the servers (no SQL, no JSON-RPC), no compiling of contracts, nothing for
//! production. PostgreSQL listens on 127.0.0.1 alone but trusts whoever connects: for development and tests.
//!
//! In reading order:
//! - `install`: [`Tools`], the lock and the stamp; `npm`: the calls of node and npm
//! - `guardian`: the shell process that outlives us for a moment; `child`: a child process with its guardian and log
//! - `pid_file`: who owns a folder and what it left behind; `run_dir`: [`RunDir`], the folder of one `rollcall up`
//! - `anvil`: [`Anvil`]
//! - `postgres`: [`Postgres`], `postgres::identity` (it refuses root), `postgres::test`: [`TestPostgres`]
//! - `port`: [`free_port`]; `log`: where a child writes, and its tail for errors; `error`: [`Error`]

mod anvil;
mod child;
mod error;
mod guardian;
mod install;
mod log;
mod npm;
mod pid_file;
mod port;
mod postgres;
mod run_dir;

pub use anvil::{Anvil, AnvilConfig};
pub use error::Error;
pub use install::Tools;
pub use port::free_port;
pub use postgres::{Postgres, PostgresConfig, TestPostgres};
pub use run_dir::RunDir;
