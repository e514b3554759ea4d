use std::{
    fs,
    net::Ipv4Addr,
    path::{Path, PathBuf},
    process::ExitStatus,
    sync::Arc,
    time::Duration,
};

use rustix::process::Signal;
use tokio::time;

use super::{
    identity::Identity,
    initdb::{self, USER, beside},
};
use crate::{Error, Tools, child::Supervised, free_port, guardian::Guardian, log::Log, pid_file::PidFile};

const NAME: &str = "PostgreSQL";
const START_LIMIT: Duration = Duration::from_secs(60);
const STOP_LIMIT: Duration = Duration::from_secs(30);
/// Starts that are tried when the reason of a failure goes away by itself.
const ATTEMPTS: u32 = 10;

/// How to run PostgreSQL.
#[derive(Clone, Debug)]
pub struct PostgresConfig {
    /// Made on first use. `<data_dir>.pid` beside it is locked while the server runs.
    pub data_dir: PathBuf,
    /// `None`: a free one.
    pub port: Option<u16>,
    /// Whether what is committed survives a crash of the server or the machine; false is for tests, and faster.
    pub fsync: bool,
    /// Appended to; `None`: kept only for error messages.
    pub log: Option<PathBuf>,
    /// Further settings, name and value, as in `postgresql.conf`.
    pub settings: Vec<(String, String)>,
}

impl PostgresConfig {
    /// Durable, on a free port, without a log.
    pub fn new(data_dir: impl Into<PathBuf>) -> PostgresConfig {
        PostgresConfig { data_dir: data_dir.into(), port: None, fsync: true, log: None, settings: Vec::new() }
    }
}

/// A running PostgreSQL on 127.0.0.1, without a unix socket. Dropping it stops it.
///
/// Whoever reaches the port of this machine is let in as `rollcall`, the superuser, without a password. That is for
/// development and tests; in production run a server of your own.
pub struct Postgres {
    child: Supervised,
    port: u16,
    pid_file: PidFile,
}

impl Postgres {
    /// Starts PostgreSQL and returns when it takes connections. Makes the data folder on first use. A server that a
    /// dead owner left in this data folder is stopped first.
    ///
    /// # Errors
    /// [`Error::InUse`] when a living process owns the data folder; [`Error::NoIdentity`] when it cannot run as this
    /// user; [`Error::Died`] with the log when it does not start, for example because the port is taken.
    pub async fn start(tools: &Tools, config: PostgresConfig) -> Result<Postgres, Error> {
        let guardian = Guardian::spawn(signal(&config), None)?;
        Postgres::start_guarded(tools, config, Arc::new(guardian)).await
    }

    pub(super) async fn start_guarded(
        tools: &Tools,
        mut config: PostgresConfig,
        guardian: Arc<Guardian>,
    ) -> Result<Postgres, Error> {
        config.data_dir = canonical(&config.data_dir)?;
        let mut pid_file = PidFile::open(&beside(&config.data_dir, ".pid"))?;
        pid_file.stop_leftover().await?;
        let identity = initdb::ensure(tools, &config.data_dir, config.fsync, &guardian).await?;
        let mut attempt = 1;
        loop {
            match launch(tools, &config, identity, &guardian, &mut pid_file).await {
                Ok((child, port)) => {
                    return Ok(Postgres { child, port, pid_file });
                }
                Err(Error::Died { log, .. }) if attempt < ATTEMPTS && passes(&log, &config) => {
                    attempt += 1;
                    time::sleep(Duration::from_millis(100)).await;
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// The port it listens on.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The number of its first process.
    pub fn pid(&self) -> u32 {
        self.child.pid()
    }

    /// `postgres://rollcall@127.0.0.1:PORT/DATABASE`; the database `postgres` is always there.
    pub fn url(&self, database: &str) -> String {
        url(self.port, database)
    }

    /// Waits until it has ended by itself. Safe to cancel, as in `select!`.
    ///
    /// # Errors
    /// When the system cannot tell.
    pub async fn exited(&mut self) -> Result<ExitStatus, Error> {
        self.child.exited().await
    }

    /// Stops it in order (the fast shutdown: connections are cut); kills it after 30 s.
    ///
    /// # Errors
    /// When the system cannot tell that it has ended.
    pub async fn stop(mut self) -> Result<(), Error> {
        self.child.stop(Signal::INT, STOP_LIMIT).await?;
        self.pid_file.own()
    }

    /// Kills it, as a crash would: the next start recovers.
    ///
    /// # Errors
    /// As [`Postgres::stop`].
    pub async fn kill(mut self) -> Result<(), Error> {
        self.child.stop(Signal::KILL, STOP_LIMIT).await?;
        self.pid_file.own()
    }
}

pub(super) fn url(port: u16, database: &str) -> String {
    format!("postgres://{USER}@{}:{port}/{database}", Ipv4Addr::LOCALHOST)
}

/// What stops it when nobody waits: an orderly end for data that is to last, else at once.
pub(super) fn signal(config: &PostgresConfig) -> Signal {
    if config.fsync { Signal::INT } else { Signal::QUIT }
}

async fn launch(
    tools: &Tools,
    config: &PostgresConfig,
    identity: Identity,
    guardian: &Arc<Guardian>,
    pid_file: &mut PidFile,
) -> Result<(Supervised, u16), Error> {
    let port = config.port.map_or_else(free_port, Ok)?;
    let mut command = identity.command(&tools.postgres_bin().join("postgres"));
    command.arg("-D").arg(&config.data_dir).args(["-p", &port.to_string()]);
    let mut settings = vec!["listen_addresses=127.0.0.1".to_owned(), "unix_socket_directories=".to_owned()];
    if !config.fsync {
        settings.extend(["fsync=off", "synchronous_commit=off", "full_page_writes=off"].map(String::from));
    }
    settings.extend(config.settings.iter().map(|(name, value)| format!("{name}={value}")));
    for setting in settings {
        command.args(["-c", &setting]);
    }
    command.current_dir(&config.data_dir);

    let log = Log::open(config.log.as_deref())?;
    let mut child = Supervised::spawn(NAME, command, log, Arc::clone(guardian), signal(config))?;
    let pid = child.pid();
    pid_file.record(pid, &config.data_dir)?;
    let status = config.data_dir.join("postmaster.pid");
    child.wait_ready(START_LIMIT, |_| is_ready(&fs::read_to_string(&status).ok()?, pid).then_some(())).await?;
    Ok((child, port))
}

/// `postmaster.pid`: its pid in line 1, `ready` in line 8.
fn is_ready(status: &str, pid: u32) -> bool {
    let mut lines = status.lines();
    lines.next().is_some_and(|line| line.trim() == pid.to_string())
        && lines.nth(6).is_some_and(|line| line.trim() == "ready")
}

/// Whether the next try may go well: a free port was taken under us, or processes of a killed server are still going.
fn passes(log: &str, config: &PostgresConfig) -> bool {
    (config.port.is_none() && log.contains("could not create any TCP/IP sockets"))
        || log.contains("pre-existing shared memory block")
}

/// One spelling of the path, so that a leftover is found by it. The folder itself need not exist.
fn canonical(path: &Path) -> Result<PathBuf, Error> {
    let path = std::path::absolute(path).map_err(Error::io("resolve", path))?;
    let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(Error::NotADataFolder { path });
    };
    fs::create_dir_all(parent).map_err(Error::io("create", parent))?;
    Ok(parent.canonicalize().map_err(Error::io("resolve", parent))?.join(name))
}

#[cfg(test)]
mod tests {
    use super::is_ready;

    #[test]
    fn ready_is_line_eight_of_our_own_server() {
        let status = |pid, word| format!("{pid}\n/data\n1\n5432\n\n127.0.0.1\n 1 2\n{word}\n");
        assert!(is_ready(&status(7, "ready   "), 7));
        assert!(!is_ready(&status(7, "starting"), 7));
        assert!(!is_ready(&status(8, "ready   "), 7));
        assert!(!is_ready("7\n", 7));
    }
}
