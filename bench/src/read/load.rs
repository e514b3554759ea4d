//! Load by `wrk` and `h2load`, and what it takes of the server.

use std::{
    env,
    fmt::Write,
    path::{Path, PathBuf},
    process::Stdio,
};

use anyhow::{Context, Result, ensure};
use tokio::process::Command;

use crate::world::Process;

/// Clients, each with a connection and a request at a time: enough that the server always has something to do.
const CONNECTIONS: &str = "64";

/// What Debian's packages install.
pub struct Programs {
    pub wrk: PathBuf,
    pub h2load: PathBuf,
    pub nginx: PathBuf,
    pub etcd: PathBuf,
}

impl Programs {
    /// Finds all of them.
    pub fn find() -> Result<Self> {
        let find = |name: &str| {
            let path = env::var_os("PATH").unwrap_or_default();
            // Where Debian has daemons is not on everybody's path.
            let folders = env::split_paths(&path).chain([PathBuf::from("/usr/sbin")]);
            folders.map(|folder| folder.join(name)).find(|file| file.is_file()).with_context(|| {
                format!("no {name} on the path: install Debian's packages wrk, nghttp2-client, nginx and etcd-server")
            })
        };
        Ok(Self { wrk: find("wrk")?, h2load: find("h2load")?, nginx: find("nginx")?, etcd: find("etcd")? })
    }
}

/// Requests for wrk, one after the other over many connections.
pub struct Load {
    url: String,
    /// If there are several, one of them at random each time.
    paths: Vec<String>,
    headers: Vec<String>,
    status: u16,
}

impl Load {
    pub fn one(url: &str, path: &str) -> Self {
        Self::random(url, vec![path.to_owned()])
    }

    pub fn random(url: &str, paths: Vec<String>) -> Self {
        Self { url: url.to_owned(), paths, headers: Vec::new(), status: 200 }
    }

    /// With a header `Name: value`.
    pub fn with(mut self, header: &str) -> Self {
        self.headers.push(header.to_owned());
        self
    }

    /// Answered with this status.
    pub fn status(self, status: u16) -> Self {
        Self { status, ..self }
    }

    /// For wrk. It fails where an answer has another status, and says so in the end.
    fn script(&self) -> String {
        let mut script = String::from("local requests = {}\n");
        for header in &self.headers {
            let (name, value) = header.split_once(": ").unwrap_or((header, ""));
            let _ = writeln!(script, "wrk.headers[{name:?}] = {value:?}");
        }
        let _ = writeln!(script, "function init(args)");
        for path in &self.paths {
            let _ = writeln!(script, "requests[#requests + 1] = wrk.format(\"GET\", {path:?})");
        }
        let _ = writeln!(script, "end");
        if self.paths.len() > 1 {
            script += "function request() return requests[math.random(#requests)] end\n";
        } else {
            script += "function request() return requests[1] end\n";
        }
        script
    }
}

/// Requests per second of CPU that the server took for them.
pub async fn measure(programs: &Programs, load: &Load, seconds: u32, server: &mut Process) -> Result<f64> {
    check(load).await?;
    let script = tempfile::Builder::new().suffix(".lua").tempfile()?;
    std::fs::write(script.path(), load.script())?;
    let duration = format!("{seconds}s");
    let arguments = ["-t", "1", "-c", CONNECTIONS, "-d", &duration, "-s"];
    let before = server.cpu()?;
    let text = output(Command::new(&programs.wrk).args(arguments).arg(script.path()).arg(&load.url)).await?;
    let took = server.cpu()? - before;
    server.check()?;
    let failed = ["Non-2xx", "Socket errors"].iter().any(|word| text.contains(word));
    ensure!(!failed, "wrk was refused:\n{text}");
    let line = text.lines().find_map(|line| line.trim().split_once(" requests in "));
    let requests: f64 = line.with_context(|| format!("wrk says:\n{text}"))?.0.parse()?;
    Ok(requests / took)
}

/// One request, as wrk sends them all: it tells a 304 from a 200 by nothing.
async fn check(load: &Load) -> Result<()> {
    let request = reqwest::Client::new().get(format!("{}{}", load.url, load.paths[0]));
    let mut request = request.header("accept-encoding", "identity");
    for header in &load.headers {
        let (name, value) = header.split_once(": ").context("a header without a value")?;
        request = request.header(name, value);
    }
    let status = request.send().await?.status();
    ensure!(status == load.status, "{} instead of {}", status, load.status);
    Ok(())
}

/// Requests over HTTP/2, per second of CPU that the server took for them. With
/// the bytes of a file they are calls of gRPC.
pub async fn measure_h2(
    programs: &Programs,
    url: &str,
    call: Option<&Path>,
    seconds: u32,
    server: &mut Process,
) -> Result<f64> {
    let duration = seconds.to_string();
    let mut command = Command::new(&programs.h2load);
    command.args(["-c", CONNECTIONS, "-m", "1", "-t", "1", "-D", &duration]);
    if let Some(call) = call {
        command.args(["-H", "content-type: application/grpc", "-H", "te: trailers", "-d"]).arg(call);
    }
    let before = server.cpu()?;
    let text = output(command.arg(url)).await?;
    let took = server.cpu()? - before;
    server.check()?;
    // requests: 71 total, 71 started, 71 done, 71 succeeded, 0 failed, 0 errored, 0 timeout
    let line =
        text.lines().find(|line| line.starts_with("requests:")).with_context(|| format!("h2load says:\n{text}"))?;
    let number = |what: &str| -> Result<f64> {
        let part = line.split([',', ':']).find_map(|part| part.trim().strip_suffix(what));
        Ok(part.with_context(|| format!("h2load says no {what:?}: {line}"))?.trim().parse()?)
    };
    ensure!(number("failed")? == 0.0 && number("succeeded")? > 0.0, "h2load was refused:\n{text}");
    Ok(number("succeeded")? / took)
}

async fn output(command: &mut Command) -> Result<String> {
    let output = command.stdin(Stdio::null()).kill_on_drop(true).output().await?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    ensure!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    Ok(text)
}
