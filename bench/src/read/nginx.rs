//! nginx, which serves the same bytes as a file.

use std::{fs, os::unix::fs::PermissionsExt, path::Path, time::Duration};

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;
use tokio::time::{sleep, timeout};
use tools::free_port;

use super::file;
use crate::world::Process;

const CONFIG: &str = include_str!("../../peers/nginx/nginx.conf");

/// Starts it.
pub async fn start(nginx: &Path, folder: &TempDir, path: &str, body: &[u8]) -> Result<(Process, String)> {
    let root = folder.path().join("nginx");
    let at = root.join(path.trim_start_matches('/'));
    fs::create_dir_all(at.parent().context("a path without a folder")?)?;
    fs::write(&at, body)?;
    // Its workers may run as another user.
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755))?;
    let port = free_port()?;
    let config = CONFIG.replace("@PORT@", &port.to_string()).replace("@ROOT@", &root.display().to_string());
    let config = file(folder, "nginx.conf", config.as_bytes())?.display().to_string();
    let mut process = Process::spawn(nginx, &["-c", &config, "-p", &root.display().to_string()])?;
    let url = format!("http://127.0.0.1:{port}");
    let answer = async {
        loop {
            match reqwest::get(format!("{url}{path}")).await {
                Ok(answer) => return anyhow::Ok(answer.error_for_status()?.bytes().await?),
                Err(_) => process.check()?,
            }
            sleep(Duration::from_millis(20)).await;
        }
    };
    let answer = timeout(Duration::from_secs(10), answer).await.context("nginx does not answer")??;
    ensure!(answer == body, "nginx answers with something else");
    Ok((process, url))
}
