//! Other processes: this test binary again, which runs one ignored "test" as its main function.

use std::{
    env,
    io::{BufRead, BufReader},
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};
use tools::{Anvil, AnvilConfig, Postgres, PostgresConfig, TestPostgres, Tools};

/// The command that runs `name` of this file in a process of its own.
pub fn command(name: &str) -> Command {
    let mut command = Command::new(env::current_exe().unwrap());
    command.args(["--exact", &format!("helper::{name}"), "--ignored", "--nocapture", "--test-threads=1"]);
    command
}

/// A process that has said `ready …` and runs until it is killed.
pub struct Owner {
    process: Child,
    /// The words after `ready`.
    pub said: Vec<String>,
}

impl Owner {
    pub fn start(name: &str, folder: &std::path::Path) -> Owner {
        let mut command = command(name);
        command.env("HELPER_FOLDER", folder).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = command.spawn().unwrap();
        let lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let said = lines.map(Result::unwrap).find_map(|line| Some(line.split_once("ready ")?.1.to_owned())).unwrap();
        Owner { process, said: said.split(' ').map(str::to_owned).collect() }
    }

    pub fn port(&self) -> u16 {
        self.said[0].parse().unwrap()
    }

    /// SIGKILL: no destructor runs.
    pub fn kill(mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    /// SIGKILL to its guardians and then to it: nobody is left to stop its servers.
    #[cfg(target_os = "linux")]
    pub fn kill_with_guardians(self) {
        let id = self.process.id();
        // A guardian is a child of the thread that started it.
        let guardians: Vec<i32> = std::fs::read_dir(format!("/proc/{id}/task"))
            .unwrap()
            .flat_map(|task| {
                let children = std::fs::read_to_string(task.unwrap().path().join("children")).unwrap();
                children.split_whitespace().map(str::to_owned).collect::<Vec<_>>()
            })
            .filter(|pid| {
                std::fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap().contains("rollcall-guardian")
            })
            .map(|pid| pid.parse().unwrap())
            .collect();
        assert!(!guardians.is_empty());
        for pid in guardians {
            kill_process(Pid::from_raw(pid).unwrap(), Signal::KILL).unwrap();
        }
        self.kill();
    }
}

/// Fails after ten seconds.
pub async fn until(mut condition: impl FnMut() -> bool) {
    let mut ticks = tokio::time::interval(Duration::from_millis(10));
    let poll = async {
        while !condition() {
            ticks.tick().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), poll).await.unwrap();
}

fn folder() -> PathBuf {
    env::var_os("HELPER_FOLDER").unwrap().into()
}

fn wait_to_be_killed() {
    std::io::stdin().lines().for_each(drop);
}

#[test]
#[ignore = "a process for other tests"]
fn install() {
    match Tools::ensure_with(|line| println!("\nprogress {line}")) {
        Ok(tools) => println!("\nready {}", tools.anvil().display()),
        Err(error) => println!("\nfailed {error}"),
    }
}

#[tokio::test]
#[ignore = "a process for other tests"]
async fn own_anvil() {
    let config = AnvilConfig { pid_file: Some(folder().join("anvil.pid")), ..Default::default() };
    let anvil = Anvil::spawn(&Tools::ensure().unwrap(), config).await.unwrap();
    println!("\nready {}", anvil.port());
    wait_to_be_killed();
}

#[tokio::test]
#[ignore = "a process for other tests"]
async fn own_postgres() {
    let config = PostgresConfig { fsync: false, ..PostgresConfig::new(folder().join("postgres")) };
    let postgres = Postgres::start(&Tools::ensure().unwrap(), config).await.unwrap();
    println!("\nready {}", postgres.port());
    wait_to_be_killed();
}

#[tokio::test]
#[ignore = "a process for other tests"]
async fn own_test_postgres() {
    // As a static would: never dropped.
    let postgres = std::mem::ManuallyDrop::new(TestPostgres::start(&Tools::ensure().unwrap()).await.unwrap());
    println!("\nready {} {}", postgres.port(), super::wire::query(postgres.port(), "SHOW data_directory"));
}
