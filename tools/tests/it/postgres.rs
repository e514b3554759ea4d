use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use tempfile::TempDir;
use tools::{Error, Postgres, PostgresConfig, TestPostgres, Tools};

use super::{
    helper::{Owner, until},
    wire::{listens, query},
};

fn folder(mode: u32) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(mode)).unwrap();
    folder
}

fn config(folder: &Path) -> PostgresConfig {
    PostgresConfig { fsync: false, ..PostgresConfig::new(folder.join("run/postgres")) }
}

/// Start, write, end, start, read.
async fn keeps_its_data(folder: &Path, crash: bool) {
    let tools = Tools::ensure().unwrap();
    // Without sync a kill may lose what was committed last.
    let config = PostgresConfig { fsync: crash, ..config(folder) };
    let postgres = Postgres::start(&tools, config.clone()).await.unwrap();
    assert_eq!(postgres.url("x"), format!("postgres://rollcall@127.0.0.1:{}/x", postgres.port()));
    query(postgres.port(), "CREATE TABLE t AS SELECT 'kept' AS word");
    let port = postgres.port();
    if crash {
        postgres.kill().await.unwrap()
    } else {
        postgres.stop().await.unwrap()
    }
    assert!(!listens(port));

    let postgres = Postgres::start(&tools, config).await.unwrap();
    assert_eq!(query(postgres.port(), "SELECT word FROM t"), "kept");
    postgres.stop().await.unwrap();
}

#[tokio::test]
async fn data_lasts_over_a_stop() {
    keeps_its_data(folder(0o755).path(), false).await;
}

#[tokio::test]
async fn data_lasts_over_a_kill() {
    keeps_its_data(folder(0o755).path(), true).await;
}

/// As root this is the user namespace: nobody else gets into the folder.
#[tokio::test]
async fn a_folder_that_is_closed_to_others_works() {
    keeps_its_data(folder(0o700).path(), false).await;
}

#[tokio::test]
async fn settings_and_encoding_are_what_was_asked() {
    let folder = folder(0o755);
    let log = folder.path().join("postgres.log");
    let settings = vec![("max_connections".into(), "7".into())];
    let config = PostgresConfig { settings, log: Some(log.clone()), ..config(folder.path()) };
    let postgres = Postgres::start(&Tools::ensure().unwrap(), config).await.unwrap();
    let ask = |sql| query(postgres.port(), sql);
    assert_eq!(ask("SHOW max_connections"), "7");
    assert_eq!(ask("SHOW server_encoding"), "UTF8");
    assert_eq!(ask("SHOW timezone"), "UTC");
    assert_eq!(ask("SHOW fsync"), "off");
    assert_eq!(ask("SHOW unix_socket_directories"), "");
    assert!(fs::read_to_string(log).unwrap().contains("ready to accept connections"));
    postgres.stop().await.unwrap();
}

#[tokio::test]
async fn a_half_made_data_folder_is_made_anew_and_a_foreign_one_is_refused() {
    let tools = Tools::ensure().unwrap();
    let folder = folder(0o755);
    let half = folder.path().join("run/postgres.init");
    fs::create_dir_all(half.join("base")).unwrap();
    Postgres::start(&tools, config(folder.path())).await.unwrap().stop().await.unwrap();
    assert!(!half.exists());

    let foreign = folder.path().join("foreign");
    fs::create_dir(&foreign).unwrap();
    fs::write(foreign.join("letter.txt"), "dear").unwrap();
    let refused = Postgres::start(&tools, PostgresConfig::new(&foreign)).await;
    assert!(matches!(refused, Err(Error::NotADataFolder { .. })));
    assert!(foreign.join("letter.txt").exists());
}

#[tokio::test]
async fn a_taken_port_is_an_error_that_says_so() {
    let folder = folder(0o755);
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = Some(taken.local_addr().unwrap().port());
    let refused = Postgres::start(&Tools::ensure().unwrap(), PostgresConfig { port, ..config(folder.path()) }).await;
    let Err(Error::Died { log, .. }) = refused else { panic!("two on one port") };
    assert!(log.contains("Address already in use"), "{log}");
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_leftover_is_stopped_and_a_living_owner_is_respected() {
    let tools = Tools::ensure().unwrap();
    let folder = folder(0o755);
    let config = PostgresConfig { fsync: false, ..PostgresConfig::new(folder.path().join("postgres")) };
    let owner = Owner::start("own_postgres", folder.path());
    let port = owner.port();
    query(port, "CREATE TABLE t AS SELECT 'kept' AS word");

    let refused = Postgres::start(&tools, config.clone()).await;
    assert!(matches!(refused, Err(Error::InUse { pid: Some(_), .. })));

    owner.kill_with_guardians();
    assert!(listens(port));
    let postgres = Postgres::start(&tools, config).await.unwrap();
    assert!(!listens(port));
    assert_eq!(query(postgres.port(), "SELECT word FROM t"), "kept");
    postgres.stop().await.unwrap();
}

#[tokio::test]
async fn it_goes_with_an_owner_that_is_killed() {
    let folder = folder(0o755);
    let owner = Owner::start("own_postgres", folder.path());
    let port = owner.port();
    owner.kill();
    until(|| !listens(port)).await;
}

#[tokio::test]
async fn the_test_server_comes_back_on_its_port_and_leaves_nothing() {
    let mut postgres = TestPostgres::start(&Tools::ensure().unwrap()).await.unwrap();
    let port = postgres.port();
    let data = PathBuf::from(query(port, "SHOW data_directory"));
    query(port, "CREATE TABLE t AS SELECT 'kept' AS word");
    postgres.stop_server().await.unwrap();
    assert!(!listens(port));
    postgres.start_server().await.unwrap();
    assert_eq!(query(port, "SELECT word FROM t"), "kept");
    postgres.stop().await.unwrap();
    assert!(!listens(port) && !data.parent().unwrap().exists());
}

#[tokio::test]
async fn the_test_server_recovers_from_a_kill_on_its_port_and_leaves_nothing() {
    let mut postgres = TestPostgres::start(&Tools::ensure().unwrap()).await.unwrap();
    let port = postgres.port();
    let data = PathBuf::from(query(port, "SHOW data_directory"));
    query(port, "CREATE TABLE t (word text)");
    for n in ["1", "12", "123"] {
        query(port, "SET synchronous_commit = on; INSERT INTO t SELECT count(*) + 1 FROM t");
        postgres.kill_server().await.unwrap();
        assert!(!listens(port) && data.join("postmaster.pid").exists(), "it was not stopped in order");
        postgres.start_server().await.unwrap();
        assert_eq!(query(port, "SELECT string_agg(word, '' ORDER BY word) FROM t"), n);
    }
    postgres.stop().await.unwrap();
    assert!(!listens(port) && !data.parent().unwrap().exists());
}

#[tokio::test]
async fn the_test_server_of_a_static_leaves_nothing_at_the_end_of_the_process() {
    let folder = folder(0o755);
    let owner = Owner::start("own_test_postgres", folder.path());
    let (port, data) = (owner.port(), PathBuf::from(&owner.said[1]));
    assert!(data.starts_with(std::env::temp_dir()));
    owner.kill();
    until(|| !listens(port) && !data.parent().unwrap().exists()).await;
}
