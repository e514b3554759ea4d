use std::{
    process::{ExitStatus, Stdio},
    sync::Arc,
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};
use tokio::{
    process::{Child, Command},
    time,
};

use crate::{Error, guardian::Guardian, log::Log};

const POLL: Duration = Duration::from_millis(10);

/// A child process with its log and its guardian. It runs in a process group of its own: Ctrl-C does not reach it.
pub(crate) struct Supervised {
    name: &'static str,
    child: Child,
    pid: Pid,
    log: Log,
    guardian: Arc<Guardian>,
    signal_on_drop: Signal,
}

impl Supervised {
    pub(crate) fn spawn(
        name: &'static str,
        mut command: Command,
        log: Log,
        guardian: Arc<Guardian>,
        signal_on_drop: Signal,
    ) -> Result<Supervised, Error> {
        command.stdin(Stdio::null()).stdout(log.stdio()?).stderr(log.stdio()?).process_group(0);
        let program = command.as_std().get_program().to_owned();
        let child = command.spawn().map_err(Error::io("start", &program))?;
        let pid = child.id().and_then(|id| Pid::from_raw(id.cast_signed()));
        let pid = pid.ok_or(std::io::ErrorKind::NotFound.into()).map_err(Error::io("watch", &program))?;
        guardian.watch(pid);
        Ok(Supervised { name, child, pid, log, guardian, signal_on_drop })
    }

    pub(crate) fn pid(&self) -> u32 {
        self.pid.as_raw_nonzero().get().cast_unsigned()
    }

    /// Asks `ready` again and again until it says something, the child ends, or `limit` has passed.
    pub(crate) async fn wait_ready<T>(
        &mut self,
        limit: Duration,
        mut ready: impl FnMut(&Log) -> Option<T>,
    ) -> Result<T, Error> {
        let (name, child, log, guardian) = (self.name, &mut self.child, &self.log, &self.guardian);
        let poll = async {
            loop {
                if let Some(status) = child.try_wait().map_err(Error::io("watch", name))? {
                    guardian.release();
                    return Err(Error::Died { program: name, status, log: log.tail() });
                }
                if let Some(found) = ready(log) {
                    return Ok(found);
                }
                time::sleep(POLL).await;
            }
        };
        match time::timeout(limit, poll).await {
            Ok(result) => result,
            Err(_) => Err(Error::Timeout { program: name, state: "ready", limit, log: self.log.tail() }),
        }
    }

    /// Waits until it has ended. Safe to cancel; says the same when asked again.
    pub(crate) async fn exited(&mut self) -> Result<ExitStatus, Error> {
        let status = self.child.wait().await.map_err(Error::io("watch", self.name))?;
        self.guardian.release();
        Ok(status)
    }

    /// Waits until it has ended well: for programs that do a job.
    pub(crate) async fn succeed(mut self, limit: Duration) -> Result<(), Error> {
        let program = self.name;
        match time::timeout(limit, self.exited()).await {
            Ok(status) => match status? {
                status if status.success() => Ok(()),
                status => Err(Error::Died { program, status, log: self.log.tail() }),
            },
            Err(_) => Err(Error::Timeout { program, state: "done", limit, log: self.log.tail() }),
        }
    }

    /// Asks it by `signal` to end, kills it after `limit`, and returns when it is gone.
    pub(crate) async fn stop(&mut self, signal: Signal, limit: Duration) -> Result<ExitStatus, Error> {
        self.signal(signal);
        if let Ok(status) = time::timeout(limit, self.exited()).await {
            return status;
        }
        tracing::warn!(program = self.name, ?limit, "does not stop; killing it");
        self.signal(Signal::KILL);
        self.exited().await
    }

    /// While the child is not reaped its number is its own, so this cannot meet another process.
    fn signal(&self, signal: Signal) {
        if self.child.id().is_some()
            && let Err(error) = kill_process(self.pid, signal)
        {
            tracing::debug!(program = self.name, %error, "cannot signal");
        }
    }
}

impl Drop for Supervised {
    /// The guardian, dropped after this, sends the same and sees it through.
    fn drop(&mut self) {
        self.signal(self.signal_on_drop);
    }
}
