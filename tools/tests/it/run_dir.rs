use tools::{Error, RunDir, Tools};

#[test]
fn a_folder_has_one_owner_at_a_time() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(".rollcall");
    let first = RunDir::open(&path).unwrap();
    let Err(Error::InUse { pid, .. }) = RunDir::open(&path) else { panic!("two owners") };
    assert_eq!(pid, Some(std::process::id()));
    drop(first);
    RunDir::open(&path).unwrap();
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn leftovers_in_the_folder_are_stopped_and_named() {
    use super::{helper::Owner, wire::listens};

    Tools::ensure().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let run = RunDir::open(folder.path()).unwrap();
    assert_eq!(run.pid_file("anvil"), folder.path().join("anvil.pid"));
    let (anvil, postgres) = (Owner::start("own_anvil", run.path()), Owner::start("own_postgres", run.path()));
    let ports = [anvil.port(), postgres.port()];
    assert!(run.stop_leftovers().await.unwrap().is_empty());

    anvil.kill_with_guardians();
    postgres.kill_with_guardians();
    assert!(ports.into_iter().all(listens));
    let mut stopped = run.stop_leftovers().await.unwrap();
    stopped.sort();
    assert!(stopped[0].starts_with("anvil (process ") && stopped[1].starts_with("postgres (process "), "{stopped:?}");
    assert!(!ports.into_iter().any(listens));
}

/// A process that is just being started holds a copy of every open file for a moment, the lock among them.
#[test]
fn a_folder_is_free_at_once_while_other_threads_start_processes() {
    let folder = tempfile::tempdir().unwrap();
    let done = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        let spawner = scope.spawn(|| {
            while !done.load(std::sync::atomic::Ordering::Relaxed) {
                std::process::Command::new("true").status().unwrap();
            }
        });
        let busy = (0..3000).filter(|_| RunDir::open(folder.path()).is_err()).count();
        done.store(true, std::sync::atomic::Ordering::Relaxed);
        spawner.join().unwrap();
        assert_eq!(busy, 0);
    });
}
