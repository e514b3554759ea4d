use std::{ffi::OsStr, fs::File, io::Write, path::Path, process::Stdio};

use rustix::process::{Pid, Signal};
use tokio::process::{Child, Command};

use crate::Error;

/// A shell that stops a process, and removes a folder, when the pipe from us to it closes: when this value is
/// dropped, or when our process ends in any way, SIGKILL included.
///
/// Rust has no destructor for statics, and `PR_SET_PDEATHSIG` needs unsafe code and exists on Linux alone.
pub(crate) struct Guardian {
    pipe: File,
    shell: Child,
}

impl Guardian {
    /// `signal` stops the watched process; SIGKILL follows after 15 s. `folder` is removed after that.
    pub(crate) fn spawn(signal: Signal, folder: Option<&Path>) -> Result<Guardian, Error> {
        let failed = || Error::io("start", "/bin/sh (the guardian of a child process)");
        let mut shell = Command::new("/bin/sh")
            .args(["-c", include_str!("guardian.sh"), "rollcall-guardian"])
            .arg(signal.as_raw().to_string())
            .arg(folder.map_or(OsStr::new(""), Path::as_os_str))
            .current_dir("/")
            // Ctrl-C in the terminal is ours to handle, in order.
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(failed())?;
        let pipe = shell.stdin.take().ok_or(std::io::ErrorKind::BrokenPipe.into()).map_err(failed())?;
        Ok(Guardian { pipe: pipe.into_owned_fd().map_err(failed())?.into(), shell })
    }

    /// From now on this process goes with us.
    pub(crate) fn watch(&self, pid: Pid) {
        self.tell(&format!("watch {}\n", pid.as_raw_nonzero()));
    }

    /// The watched process has ended: its number may be given to another.
    pub(crate) fn release(&self) {
        self.tell("release\n");
    }

    /// Lets the shell do its work now, and waits until it is done.
    pub(crate) async fn finish(self) {
        let Guardian { pipe, mut shell } = self;
        drop(pipe);
        if let Err(error) = shell.wait().await {
            tracing::debug!(%error, "the guardian's end is unknown");
        }
    }

    /// A few bytes into an empty pipe do not block. A guardian that somebody has killed is no reason to stop.
    fn tell(&self, line: &str) {
        if let Err(error) = (&self.pipe).write_all(line.as_bytes()) {
            tracing::warn!(%error, "the guardian of a child process is gone");
        }
    }
}
