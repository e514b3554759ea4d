use tools::{Anvil, AnvilConfig, Error, Tools};

use super::{
    helper::{Owner, until},
    wire::{listens, rpc},
};

#[tokio::test]
async fn it_answers_with_its_chain_id_and_stops() {
    let tools = Tools::ensure().unwrap();
    let anvil = Anvil::spawn(&tools, AnvilConfig { chain_id: 7777, ..Default::default() }).await.unwrap();
    let port = anvil.port();
    assert_eq!(anvil.rpc_url(), format!("http://127.0.0.1:{port}"));
    assert!(rpc(port, "eth_chainId").contains(r#""result":"0x1e61""#));
    anvil.stop().await.unwrap();
    assert!(!listens(port));
}

#[tokio::test]
async fn its_state_lasts_over_an_orderly_stop() {
    let tools = Tools::ensure().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let config = AnvilConfig { state: Some(folder.path().join("state.json")), ..Default::default() };
    let anvil = Anvil::spawn(&tools, config.clone()).await.unwrap();
    rpc(anvil.port(), "evm_mine");
    rpc(anvil.port(), "evm_mine");
    anvil.stop().await.unwrap();

    let anvil = Anvil::spawn(&tools, config).await.unwrap();
    assert!(rpc(anvil.port(), "eth_blockNumber").contains(r#""result":"0x2""#));
    anvil.stop().await.unwrap();
}

#[tokio::test]
async fn a_drop_kills_it() {
    let anvil = Anvil::spawn(&Tools::ensure().unwrap(), AnvilConfig::default()).await.unwrap();
    let port = anvil.port();
    drop(anvil);
    until(|| !listens(port)).await;
}

#[tokio::test]
async fn its_own_end_is_seen() {
    let mut anvil = Anvil::spawn(&Tools::ensure().unwrap(), AnvilConfig::default()).await.unwrap();
    let pid = rustix::process::Pid::from_raw(anvil.pid().cast_signed()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
    assert!(!anvil.exited().await.unwrap().success());
    anvil.stop().await.unwrap();
}

#[tokio::test]
async fn a_taken_port_is_an_error_that_says_so() {
    let tools = Tools::ensure().unwrap();
    let first = Anvil::spawn(&tools, AnvilConfig::default()).await.unwrap();
    let second = Anvil::spawn(&tools, AnvilConfig { port: Some(first.port()), ..Default::default() }).await;
    let Err(Error::Died { log, .. }) = second else { panic!("two on one port") };
    assert!(log.contains("in use"), "{log}");
}

#[tokio::test]
async fn it_goes_with_an_owner_that_is_killed() {
    let folder = tempfile::tempdir().unwrap();
    let owner = Owner::start("own_anvil", folder.path());
    let port = owner.port();
    assert!(listens(port));
    owner.kill();
    until(|| !listens(port)).await;
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_leftover_is_stopped_and_a_living_owner_is_respected() {
    let tools = Tools::ensure().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let config = AnvilConfig { pid_file: Some(folder.path().join("anvil.pid")), ..Default::default() };
    let owner = Owner::start("own_anvil", folder.path());
    let port = owner.port();

    let refused = Anvil::spawn(&tools, config.clone()).await;
    assert!(matches!(refused, Err(Error::InUse { pid: Some(_), .. })));
    assert!(listens(port));

    owner.kill_with_guardians();
    assert!(listens(port));
    let anvil = Anvil::spawn(&tools, config).await.unwrap();
    assert!(!listens(port));
    anvil.stop().await.unwrap();
}

#[tokio::test]
async fn a_reused_pid_is_left_alone() {
    let tools = Tools::ensure().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let pid_file = folder.path().join("anvil.pid");
    let mut stranger = std::process::Command::new("sleep").arg("60").spawn().unwrap();
    std::fs::write(&pid_file, format!("1\n{}\n{}\n", stranger.id(), tools.anvil().display())).unwrap();

    let config = AnvilConfig { pid_file: Some(pid_file), ..Default::default() };
    Anvil::spawn(&tools, config).await.unwrap().stop().await.unwrap();
    assert!(stranger.try_wait().unwrap().is_none());
    stranger.kill().unwrap();
    stranger.wait().unwrap();
}
