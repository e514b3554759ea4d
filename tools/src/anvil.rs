use std::{net::Ipv4Addr, path::PathBuf, process::ExitStatus, sync::Arc, time::Duration};

use rustix::process::Signal;
use tokio::process::Command;

use crate::{Error, Tools, child::Supervised, guardian::Guardian, log::Log, pid_file::PidFile};

/// A large `--state` takes its time to load and to write.
const START_LIMIT: Duration = Duration::from_secs(60);
const STOP_LIMIT: Duration = Duration::from_secs(30);

/// How to run Anvil. Fill in from the default: `AnvilConfig { chain_id: 7, ..Default::default() }`.
#[derive(Clone, Debug)]
pub struct AnvilConfig {
    /// `None`: a free one, chosen by the system.
    pub port: Option<u16>,
    /// The id of the chain.
    pub chain_id: u64,
    /// A block in every such time; `None`: one per transaction.
    pub block_time: Option<Duration>,
    /// Loaded at start if it exists, written at an orderly stop: without it the chain ends with the process.
    pub state: Option<PathBuf>,
    /// How often `state` is written meanwhile.
    pub state_interval: Option<Duration>,
    /// `safe` is this many blocks behind the head, `finalized` twice as many.
    pub slots_in_an_epoch: u64,
    /// Of the genesis block, in seconds.
    pub timestamp: Option<u64>,
    /// Appended to; `None`: kept only for error messages.
    pub log: Option<PathBuf>,
    /// Records the process, so that a later start with the same file stops what a crash has left.
    pub pid_file: Option<PathBuf>,
    /// Further arguments of `anvil`.
    pub extra_args: Vec<String>,
}

impl Default for AnvilConfig {
    /// A free port, chain 31337, a block per transaction, nothing kept.
    fn default() -> AnvilConfig {
        AnvilConfig {
            port: None,
            chain_id: 31337,
            block_time: None,
            state: None,
            state_interval: None,
            slots_in_an_epoch: 32,
            timestamp: None,
            log: None,
            pid_file: None,
            extra_args: Vec::new(),
        }
    }
}

/// A running Anvil on 127.0.0.1. [`Anvil::stop`] lets it write its state and waits; dropping it stops it, and does not
/// wait.
pub struct Anvil {
    child: Supervised,
    port: u16,
    pid_file: Option<PidFile>,
}

impl Anvil {
    /// Starts Anvil and returns when it answers. A leftover in `pid_file` is stopped first.
    ///
    /// # Errors
    /// [`Error::InUse`] when a living process owns `pid_file`; [`Error::Died`] with the log when Anvil does not
    /// start, for example because the port is taken.
    pub async fn spawn(tools: &Tools, config: AnvilConfig) -> Result<Anvil, Error> {
        let mut pid_file = config.pid_file.as_deref().map(PidFile::open).transpose()?;
        if let Some(file) = &mut pid_file {
            file.stop_leftover().await?;
        }
        // With a state to write it needs a moment; without one there is nothing to wait for.
        let signal = if config.state.is_some() { Signal::INT } else { Signal::KILL };
        let guardian = Arc::new(Guardian::spawn(signal, None)?);
        let log = Log::open(config.log.as_deref())?;
        let mut child = Supervised::spawn("anvil", command(tools, &config), log, guardian, signal)?;
        if let Some(file) = &mut pid_file {
            file.record(child.pid(), tools.anvil())?;
        }
        let pid = child.pid();
        let port =
            child.wait_ready(START_LIMIT, |log| listening_port(&log.head()).filter(|_| catches_interrupt(pid))).await?;
        Ok(Anvil { child, port, pid_file })
    }

    /// The port it listens on.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The number of its process.
    pub fn pid(&self) -> u32 {
        self.child.pid()
    }

    /// `http://127.0.0.1:PORT`
    pub fn rpc_url(&self) -> String {
        format!("http://{}:{}", Ipv4Addr::LOCALHOST, self.port)
    }

    /// `ws://127.0.0.1:PORT`
    pub fn ws_url(&self) -> String {
        format!("ws://{}:{}", Ipv4Addr::LOCALHOST, self.port)
    }

    /// Waits until it has ended by itself. Safe to cancel, as in `select!`.
    ///
    /// # Errors
    /// When the system cannot tell.
    pub async fn exited(&mut self) -> Result<ExitStatus, Error> {
        self.child.exited().await
    }

    /// Stops it in order, so that it writes its state; kills it after 30 s.
    ///
    /// # Errors
    /// When the system cannot tell that it has ended.
    pub async fn stop(mut self) -> Result<(), Error> {
        self.child.stop(Signal::INT, STOP_LIMIT).await?;
        self.forget()
    }

    /// Kills it, as a crash would: the state is not written.
    ///
    /// # Errors
    /// As [`Anvil::stop`].
    pub async fn kill(mut self) -> Result<(), Error> {
        self.child.stop(Signal::KILL, STOP_LIMIT).await?;
        self.forget()
    }

    fn forget(&mut self) -> Result<(), Error> {
        self.pid_file.as_mut().map_or(Ok(()), PidFile::own)
    }
}

fn command(tools: &Tools, config: &AnvilConfig) -> Command {
    let mut command = Command::new(tools.anvil());
    // A filter of our own logs must not change what Anvil prints.
    command.env_remove("RUST_LOG");
    command.args(["--host", "127.0.0.1"]);
    command.args(["--port", &config.port.unwrap_or(0).to_string()]);
    command.args(["--chain-id", &config.chain_id.to_string()]);
    command.args(["--slots-in-an-epoch", &config.slots_in_an_epoch.to_string()]);
    if let Some(time) = config.block_time {
        command.args(["--block-time", &time.as_secs_f64().to_string()]);
    }
    if let Some(path) = &config.state {
        command.arg("--state").arg(path);
    }
    if let Some(time) = config.state_interval {
        command.args(["--state-interval", &time.as_secs().max(1).to_string()]);
    }
    if let Some(seconds) = config.timestamp {
        command.args(["--timestamp", &seconds.to_string()]);
    }
    command.args(&config.extra_args);
    command
}

/// It listens a moment before it handles signals; a stop in that moment would lose the state. Where there is no
/// `/proc`, we take it for ready.
fn catches_interrupt(pid: u32) -> bool {
    let Ok(status) = std::fs::read_to_string(format!("/proc/{pid}/status")) else {
        return true;
    };
    let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:"));
    let caught = caught.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    caught.is_none_or(|mask| mask >> (Signal::INT.as_raw() - 1) & 1 == 1)
}

/// From the line `Listening on 127.0.0.1:8545`, once it is whole.
fn listening_port(log: &str) -> Option<u16> {
    let (_, rest) = log.split_once("Listening on 127.0.0.1:")?;
    rest.split_once('\n')?.0.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::listening_port;

    #[test]
    fn port_is_read_from_a_whole_line_only() {
        assert_eq!(listening_port("x\nListening on 127.0.0.1:8545\n"), Some(8545));
        assert_eq!(listening_port("x\nListening on 127.0.0.1:85"), None);
        assert_eq!(listening_port("x\n"), None);
    }
}
