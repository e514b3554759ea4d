//! A process of `rollcall gateway`, and what it is asked.

use std::{
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
    sync::mpsc::channel,
    time::Duration,
};

use reqwest::{Client, Response};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::program::{BINARY, VARIABLES};

const PATIENCE: Duration = Duration::from_secs(60);

/// One that runs.
pub struct Gateway {
    child: Child,
    address: String,
    pub http: Client,
}

impl Gateway {
    /// Starts one on a free port, and waits until it listens.
    pub fn start(home: &Path, args: &[&str], environment: &[(&str, &str)]) -> Self {
        let mut command = Command::new(BINARY);
        command.args([
            "gateway",
            "--listen",
            "127.0.0.1:0",
            "--admin-listen",
            "none",
            "--poll-interval",
            "20ms",
            "--log-format",
            "json",
        ]);
        command.args(args).current_dir(home);
        for name in VARIABLES {
            command.env_remove(name);
        }
        command.envs(environment.iter().copied());
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("started");
        let lines = BufReader::new(child.stderr.take().expect("stderr"));
        let (send, receive) = channel();
        std::thread::spawn(move || {
            // To its end: whoever writes must not wait.
            for line in lines.lines().map_while(Result::ok) {
                let _ = send.send(line);
            }
        });
        let mut said = Vec::new();
        let address = loop {
            let Ok(line) = receive.recv_timeout(PATIENCE) else { panic!("it does not listen: {said:#?}") };
            let parsed: Value = serde_json::from_str(&line).unwrap_or_default();
            if let Some(address) = parsed["fields"]["address"].as_str() {
                break address.to_owned();
            }
            said.push(line);
        };
        Self { child, address, http: Client::builder().no_proxy().build().expect("a client") }
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub async fn get(&self, path: &str) -> Response {
        self.http.get(self.url(path)).send().await.expect("an answer")
    }

    /// Asks until it answers with a status; each question takes its time, and there is an end.
    pub async fn until(&self, path: &str, status: u16) -> Response {
        let ask = async {
            let mut every = tokio::time::interval(Duration::from_millis(20));
            loop {
                every.tick().await;
                let response = self.get(path).await;
                if response.status() == status {
                    return response;
                }
            }
        };
        tokio::time::timeout(PATIENCE, ask).await.unwrap_or_else(|_| panic!("{path} never answers {status}"))
    }

    /// By a signal, as an operator does.
    pub fn stop(mut self) {
        kill_process(Pid::from_child(&self.child), Signal::INT).expect("signalled");
        assert!(self.child.wait().expect("ended").success());
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
