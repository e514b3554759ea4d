//! Benchmarks: `cargo run -p bench -- --help`. The last line of each is one JSON object,
//! `{"bench": name, "figures": {…}}`; docs/benchmarks.md keeps the figures with the commands that gave them.

mod backfill;
mod chains;
mod cold_start;
mod failover;
mod filled;
mod gas;
mod lag;
mod memory;
mod numbers;
mod read;
mod watch;
mod world;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Benchmarks of Rollcall. The last line printed is one JSON object.
#[derive(Parser)]
struct Args {
    #[command(subcommand)]
    bench: Bench,
}

#[derive(Subcommand)]
enum Bench {
    /// How fast an index is made of a long chain, beside a bare `eth_getLogs`; needs a release build
    Backfill(backfill::Args),
    /// Make a chain with many events, and keep it until interrupted: for measurements by hand and by other programs
    Chain(chains::Args),
    /// How long `rollcall up` takes to its table, the first time and the next, and to the first live answer
    ColdStart(cold_start::Args),
    /// How long an index stands still when an indexer or a node fails; needs a release build
    Failover(failover::Args),
    /// How long after a block is mined it is in the database and in a gateway's answer; needs a release build
    Lag(lag::Args),
    /// What a large index takes of a gateway: memory, time to start, heartbeats while others read; needs a release build
    Memory(memory::Args),
    /// What a read takes of a gateway, beside a bare axum server, nginx and etcd; needs a release build, wrk, h2load
    Read(read::Args),
    /// Serve some bytes, as bare as it gets
    #[command(hide = true)]
    Plain(read::plain::Args),
    /// How soon all who wait for a service are told that it changed; needs a release build
    Watch(watch::Args),
    /// What each call of the contract costs, from receipts, beside the contract that articles print
    Gas,
}

#[tokio::main]
async fn main() -> ExitCode {
    let result = match Args::parse().bench {
        Bench::Backfill(args) => backfill::run(args).await,
        Bench::Chain(args) => chains::run(args).await,
        Bench::ColdStart(args) => cold_start::run(args).await,
        Bench::Failover(args) => failover::run(args).await,
        Bench::Lag(args) => lag::run(args).await,
        Bench::Memory(args) => memory::run(args).await,
        Bench::Read(args) => read::run(args).await,
        Bench::Plain(args) => read::plain::run(args).await,
        Bench::Watch(args) => watch::run(args).await,
        Bench::Gas => gas::run().await,
    };
    match result {
        Ok(line) => {
            println!("{line}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
