use std::{io, path::PathBuf, process::ExitStatus, time::Duration};

/// What went wrong, and what to do about it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No pinned binaries exist for this machine.
    #[error("the pinned tools exist for Linux and macOS on x86_64 and aarch64, not for {arch} {os}")]
    UnsupportedPlatform {
        /// `std::env::consts::OS`
        os: &'static str,
        /// `std::env::consts::ARCH`
        arch: &'static str,
    },
    /// `node` or `npm` is not in PATH.
    #[error("{program} was not found: install Node.js ≥ 20 with npm (https://nodejs.org) and try again")]
    NodeMissing {
        /// `node` or `npm`
        program: &'static str,
    },
    /// `node` is older than the tools need.
    #[error("Node.js {found} is too old: install Node.js ≥ 20 (https://nodejs.org) and try again")]
    NodeTooOld {
        /// What `node --version` said.
        found: String,
    },
    /// The checkout that this program was built from is gone.
    #[error("{} is not there: set ROLLCALL_TOOLS_DIR to a folder where the pinned tools may be installed", path.display())]
    FolderMissing {
        /// The folder.
        path: PathBuf,
    },
    /// A command of the installation failed.
    #[error("`{command}` failed in {} ({status}); is the network there? It said:\n{output}", dir.display())]
    Install {
        /// Where it ran.
        dir: PathBuf,
        /// The command line.
        command: &'static str,
        /// How it ended.
        status: ExitStatus,
        /// The end of its output.
        output: String,
    },
    /// npm succeeded, but a program is missing or does not run.
    #[error("{} does not work after `npm ci` ({reason}): delete node_modules beside it and try again", path.display())]
    BrokenInstall {
        /// The program.
        path: PathBuf,
        /// What the system or the program said.
        reason: String,
    },
    /// Another process holds the folder or the server.
    #[error("{} is in use by process {}: stop that one first", path.display(), pid.map_or("unknown".into(), |p| p.to_string()))]
    InUse {
        /// The lock file.
        path: PathBuf,
        /// The process that holds it, when it has said so.
        pid: Option<u32>,
    },
    /// A server of an earlier run is still there and cannot be stopped.
    #[error("process {pid} is left over from an earlier run and cannot be stopped ({source}): stop it by hand")]
    Leftover {
        /// The process.
        pid: u32,
        /// Why not.
        source: io::Error,
    },
    /// A child process ended before it was ready.
    #[error("{program} ended at its start ({status}); its log ends:\n{log}")]
    Died {
        /// The program.
        program: &'static str,
        /// How it ended.
        status: ExitStatus,
        /// The end of its log.
        log: String,
    },
    /// A child process did not get ready or did not end in time.
    #[error("{program} was not {state} after {limit:?}; its log ends:\n{log}")]
    Timeout {
        /// The program.
        program: &'static str,
        /// What was waited for.
        state: &'static str,
        /// How long.
        limit: Duration,
        /// The end of its log.
        log: String,
    },
    /// PostgreSQL refuses root, and none of the ways around that works here.
    #[error(
        "PostgreSQL does not run as root or as a user without a name, and the ways around that failed:\n{tried}\n\
         Run as a normal user, or give a server of your own in DATABASE_URL."
    )]
    NoIdentity {
        /// Each way with its reason, one a line.
        tried: String,
    },
    /// The folder holds something else than a PostgreSQL cluster.
    #[error("{} is not empty and holds no PostgreSQL data: name another folder, or remove it", path.display())]
    NotADataFolder {
        /// The folder.
        path: PathBuf,
    },
    /// The system refused something.
    #[error("cannot {action}: {source}")]
    Io {
        /// What was tried, on what.
        action: String,
        /// The answer.
        source: io::Error,
    },
}

impl Error {
    /// For `map_err`: names what was tried, on which path.
    pub(crate) fn io(action: &str, path: impl AsRef<std::path::Path>) -> impl FnOnce(io::Error) -> Error {
        let action = format!("{action} {}", path.as_ref().display());
        move |source| Error::Io { action, source }
    }
}
