use std::{
    fs::{self, File, TryLockError},
    io::{self, Read, Seek, Write},
    path::{Path, PathBuf},
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};
use tokio::time;

use crate::Error;

const STOP_LIMIT: Duration = Duration::from_secs(15);

/// A file that is locked as long as its owner lives, and says what the owner runs.
///
/// The lock is the truth about the owner: the system frees it with the process. What the file says, once the lock
/// is ours, is therefore about a process that nobody owns any more: a leftover. Three lines: the owner's pid; the
/// child's pid; a text that the child's command line holds, so that a reused pid is never taken for it.
pub(crate) struct PidFile {
    file: File,
    path: PathBuf,
}

struct Leftover {
    pid: Pid,
    mark: String,
}

impl PidFile {
    /// Takes the lock, or says who has it. Never waits.
    pub(crate) fn open(path: &Path) -> Result<PidFile, Error> {
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).map_err(Error::io("create", parent))?;
        }
        let file = File::options().create(true).truncate(false).read(true).write(true).open(path);
        let file = file.map_err(Error::io("open", path))?;
        match file.try_lock() {
            Ok(()) => Ok(PidFile { file, path: path.into() }),
            Err(TryLockError::WouldBlock) => {
                let pid = fs::read_to_string(path).ok().and_then(|text| text.lines().next()?.parse().ok());
                Err(Error::InUse { path: path.into(), pid })
            }
            Err(TryLockError::Error(error)) => Err(Error::io("lock", path)(error)),
        }
    }

    /// Says that we own it, and nothing runs yet.
    pub(crate) fn own(&mut self) -> Result<(), Error> {
        self.write(&format!("{}\n", std::process::id()))
    }

    /// Says what runs: a process whose command line holds `mark`.
    pub(crate) fn record(&mut self, pid: u32, mark: &Path) -> Result<(), Error> {
        self.write(&format!("{}\n{pid}\n{}\n", std::process::id(), mark.display()))
    }

    /// Stops the process that an earlier owner left running. `None`: there was none.
    pub(crate) async fn stop_leftover(&mut self) -> Result<Option<u32>, Error> {
        let Some(leftover) = self.leftover().filter(Leftover::alive) else {
            return Ok(None);
        };
        let pid = leftover.pid.as_raw_nonzero().get().cast_unsigned();
        leftover.stop().await.map_err(|source| Error::Leftover { pid, source })?;
        tracing::warn!(pid, file = %self.path.display(), "stopped a process that an earlier run had left");
        self.own()?;
        Ok(Some(pid))
    }

    fn leftover(&mut self) -> Option<Leftover> {
        let mut text = String::new();
        self.file.rewind().and_then(|()| self.file.read_to_string(&mut text)).ok()?;
        let mut lines = text.lines().skip(1);
        let pid = Pid::from_raw(lines.next()?.parse().ok()?)?;
        let mark = lines.next().filter(|mark| !mark.is_empty())?.to_owned();
        Some(Leftover { pid, mark })
    }

    fn write(&mut self, text: &str) -> Result<(), Error> {
        let file = &mut self.file;
        let written = file.set_len(0).and_then(|()| file.rewind()).and_then(|()| file.write_all(text.as_bytes()));
        written.map_err(Error::io("write", &self.path))
    }
}

impl Drop for PidFile {
    /// Closing the file is not enough: a process that another thread is just starting has a copy of it until it
    /// runs its program.
    fn drop(&mut self) {
        if let Err(error) = self.file.unlock() {
            tracing::debug!(file = %self.path.display(), %error, "cannot unlock");
        }
    }
}

impl Leftover {
    fn alive(&self) -> bool {
        command_line(self.pid).is_some_and(|line| line.contains(&self.mark))
    }

    async fn stop(&self) -> io::Result<()> {
        kill_process(self.pid, Signal::INT)?;
        if time::timeout(STOP_LIMIT, self.gone()).await.is_ok() {
            return Ok(());
        }
        if self.alive() {
            kill_process(self.pid, Signal::KILL)?;
        }
        time::timeout(STOP_LIMIT, self.gone()).await.map_err(|_| io::ErrorKind::TimedOut.into())
    }

    async fn gone(&self) {
        while !self.has_ended() {
            time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Also that its ports are free: a process loses its command line first, and its files later.
    fn has_ended(&self) -> bool {
        match command_line(self.pid) {
            None => true,
            Some(line) if line.is_empty() => is_dead(self.pid),
            Some(line) => !line.contains(&self.mark),
        }
    }
}

/// Whether nothing but the entry in the process table is left: a zombie whose last thread has gone.
fn is_dead(pid: Pid) -> bool {
    let folder = PathBuf::from(format!("/proc/{}", pid.as_raw_nonzero()));
    let Ok(stat) = fs::read_to_string(folder.join("stat")) else {
        return true;
    };
    let zombie = stat.rsplit_once(')').is_some_and(|(_, rest)| rest.trim_start().starts_with(['Z', 'X']));
    zombie && fs::read_dir(folder.join("task")).map_or(0, Iterator::count) <= 1
}

/// Empty for one that is ending and for a zombie; `None` when there is no such process.
fn command_line(pid: Pid) -> Option<String> {
    let pid = pid.as_raw_nonzero();
    let bytes = if cfg!(target_os = "linux") {
        let bytes = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
        bytes.into_iter().map(|byte| if byte == 0 { b' ' } else { byte }).collect()
    } else {
        std::process::Command::new("ps").args(["-o", "command=", "-p", &pid.to_string()]).output().ok()?.stdout
    };
    Some(String::from_utf8_lossy(&bytes).into_owned())
}
