//! A bare axum server of some bytes: the most that a gateway built on it could do.

use std::{fs, net::SocketAddr, path::PathBuf, time::Duration};

use anyhow::{Context, Result};
use axum::{Router, body::Bytes, http::header, routing::get};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::{net::TcpListener, signal::ctrl_c};
use tools::free_port;

use super::file;
use crate::world::Process;

/// The arguments.
#[derive(clap::Args)]
pub struct Args {
    /// Where to listen
    #[arg(long)]
    listen: SocketAddr,
    /// What to answer with
    #[arg(long)]
    body: PathBuf,
    /// At which path
    #[arg(long)]
    path: String,
}

/// Serves until interrupted.
pub async fn run(args: Args) -> Result<Value> {
    let body = Bytes::from(fs::read(&args.body)?);
    let answer = move || async move { ([(header::CONTENT_TYPE, "application/json")], body.clone()) };
    let routes = Router::new().route(&args.path, get(answer));
    let listener = TcpListener::bind(args.listen).await?;
    eprintln!("listening");
    tokio::select! {
        ended = axum::serve(listener, routes) => ended?,
        interrupted = ctrl_c() => interrupted?,
    }
    Ok(json!({}))
}

/// Starts one in a process of its own.
pub async fn start(folder: &TempDir, path: &str, body: &[u8]) -> Result<(Process, String)> {
    let listen = format!("127.0.0.1:{}", free_port()?);
    let body = file(folder, "body.json", body)?.display().to_string();
    let bench = std::env::current_exe().context("where this program is")?;
    let mut process = Process::spawn(&bench, &["plain", "--listen", &listen, "--body", &body, "--path", path])?;
    process.says("listening", Duration::from_secs(10)).await?;
    Ok((process, format!("http://{listen}")))
}
