//! What owners, operators, authorities and relayers do, through the program, on a real chain.

use std::{path::Path, process::Output, sync::LazyLock};

use alloy::providers::Provider;
use serde_json::Value;
use tools::{Anvil, AnvilConfig, Tools};

use crate::program::{code, folder, rollcall, stderr, stdout};

/// Anvil's first development keys: public, and rich on every Anvil. The last key has no ether anywhere.
const KEYS: [&str; 4] = [
    "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80",
    "0x59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d",
    "0x5de4111afa1a4b94908f83103eb1f1706367c2e68ca870fc3fb9a804cdab365a",
    "0x1111111111111111111111111111111111111111111111111111111111111111",
];
const OWNER: usize = 0;
const GUEST: usize = 1;
const OTHER: usize = 2;
const POOR: usize = 3;

static TOOLS: LazyLock<Tools> = LazyLock::new(|| Tools::ensure().expect("the pinned tools"));

struct World<'a> {
    home: &'a Path,
    anvil: Anvil,
    contract: String,
}

impl<'a> World<'a> {
    async fn start(home: &'a Path) -> Self {
        let anvil = Anvil::spawn(&TOOLS, AnvilConfig::default()).await.expect("Anvil");
        let mut world = Self { home, anvil, contract: String::new() };
        let first = world.json(OWNER, &["chain", "deploy"]);
        let again = world.json(GUEST, &["chain", "deploy"]);
        assert_eq!((&first["deployed"], &again["deployed"]), (&true.into(), &false.into()));
        assert!(first["endorsements_tx"].is_string() && again["endorsements_tx"].is_null());
        for same in ["contract", "endorsements", "chain_id", "deploy_block"] {
            assert_eq!(first[same], again[same]);
        }
        world.contract = first["contract"].as_str().expect("an address").to_owned();
        world
    }

    fn run(&self, key: usize, args: &[&str]) -> Output {
        self.run_with(key, args, "")
    }

    fn run_with(&self, key: usize, args: &[&str], input: &str) -> Output {
        let mut command = rollcall(self.home);
        command.args(args).env("ROLLCALL_RPC_URL", self.anvil.rpc_url()).env("ROLLCALL_PRIVATE_KEY", KEYS[key]);
        command.env("ROLLCALL_CONTRACT", &self.contract).write_stdin(input).output().expect("run")
    }

    #[track_caller]
    fn text(&self, key: usize, args: &[&str]) -> String {
        let output = self.run(key, args);
        assert_eq!(code(&output), 0, "{args:?}: {}", stderr(&output));
        stdout(&output)
    }

    #[track_caller]
    fn json(&self, key: usize, args: &[&str]) -> Value {
        let text = self.text(key, &[args, &["--json"]].concat());
        serde_json::from_str(&text).expect("JSON")
    }

    #[track_caller]
    fn refused(&self, key: usize, args: &[&str]) -> String {
        let output = self.run(key, args);
        assert_eq!(code(&output), 3, "{args:?}: {}{}", stdout(&output), stderr(&output));
        stderr(&output)
    }

    fn account(&self, key: usize) -> String {
        self.json(key, &["key", "address"])["account"].as_str().expect("an account").to_owned()
    }

    async fn pass(&self, seconds: u64) {
        let chain = client::Chain::connect(&self.anvil.rpc_url().parse().expect("a URL")).await.expect("connected");
        let provider = chain.provider();
        provider.raw_request::<_, Value>("evm_increaseTime".into(), [seconds]).await.expect("moved");
        provider.raw_request::<_, Value>("evm_mine".into(), ()).await.expect("mined");
    }
}

const RECORD: [&str; 6] = ["--version", "1.0.0", "--endpoint", "https://a.example", "--ttl", "1h"];

#[tokio::test]
async fn a_namespace_is_governed() {
    let folder = folder();
    let world = World::start(folder.path()).await;
    let (guest, other) = (world.account(GUEST), world.account(OTHER));
    let service = ["acme/payments", "--label", "a1"];
    let register = [&["register"], &service[..], &RECORD].concat();

    world.text(OWNER, &["namespace", "claim", "acme"]);
    assert!(world.refused(GUEST, &register).contains(&format!("rollcall namespace registrar add acme {guest}")));
    let added =
        world.json(OWNER, &["namespace", "registrar", "add", "acme", &guest, "--until", "2100-01-01T00:00:00Z"]);
    assert_eq!(added["expires_at"], "2100-01-01T00:00:00Z");
    assert_eq!(world.json(GUEST, &register)["registered"], true);
    let shown = world.json(OWNER, &["namespace", "show", "acme", "--account", &guest]);
    assert_eq!((&shown["open"], &shown["account"]["may_register"]), (&false.into(), &true.into()));
    assert!(world.text(OWNER, &["namespace", "open", "acme"]).starts_with("acme is open to all (since block "));
    assert_eq!(world.text(OWNER, &["namespace", "open", "acme"]), "acme is open to all (it was so already)\n");
    assert_eq!(world.json(OWNER, &["namespace", "close", "acme"])["open"], false);

    // The authority over an instance of another.
    let of_guest = [&service[..], &["--registrant", &guest, "--reason", "a test"]].concat();
    let suspend = [&["suspend"], &of_guest[..]].concat();
    assert!(world.refused(GUEST, &suspend).contains("use the owner's key"));
    assert_eq!(world.json(OWNER, &suspend)["status"], "suspended");
    assert!(world.json(OWNER, &suspend)["transaction"].is_null());
    assert!(world.refused(GUEST, &[&["deregister"], &service[..]].concat()).contains("is suspended"));
    assert_eq!(world.json(OWNER, &[&["reinstate"], &of_guest[..]].concat())["status"], "active");
    let revoke = [&["revoke"], &of_guest[..]].concat();
    let unsure = world.run(OWNER, &revoke);
    assert_eq!(code(&unsure), 2);
    assert!(stderr(&unsure).contains("--yes"), "{}", stderr(&unsure));
    assert_eq!(world.json(OWNER, &[&revoke[..], &["--yes"]].concat())["status"], "revoked");
    assert!(world.refused(GUEST, &register).contains("choose another label"));
    assert!(world.json(OWNER, &["namespace", "registrar", "remove", "acme", &guest])["expires_at"].is_null());

    world.text(OWNER, &["namespace", "transfer", "acme", &other]);
    assert!(world.refused(GUEST, &["namespace", "accept", "acme"]).contains("use that key"));
    assert_eq!(world.json(OTHER, &["namespace", "accept", "acme"])["owner"], other.as_str());
    assert!(world.json(OTHER, &["namespace", "transfer", "acme", "--cancel"])["proposed"].is_null());
}

#[tokio::test]
async fn operators_next_owners_and_endorsers_act() {
    let folder = folder();
    let world = World::start(folder.path()).await;
    let (owner, guest) = (world.account(OWNER), world.account(GUEST));
    let service = ["payments", "--label", "a1"];
    let id =
        world.json(OWNER, &[&["register"], &service[..], &RECORD].concat())["id"].as_str().expect("an id").to_owned();

    let theirs = format!("{owner}/payments");
    let named = [theirs.as_str(), "--label", "a1", "--registrant", &owner];
    assert!(world.refused(GUEST, &["heartbeat", "--id", &id]).contains("--allow heartbeat"));
    let set = world.json(OWNER, &["operator", "set", &guest, "--allow", "heartbeat,update", "--instance", &id]);
    assert_eq!(set["allow"], serde_json::json!(["heartbeat", "update"]));
    assert_eq!(world.json(GUEST, &["heartbeat", "--id", &id])["renewed"], 1);
    assert_eq!(world.json(GUEST, &[&["heartbeat"], &named[..]].concat())["renewed"], 1);
    assert_eq!(world.json(GUEST, &[&["update"], &named[..], &["--version", "2.0.0"]].concat())["version"], "2.0.0");
    assert!(world.refused(GUEST, &[&["deregister"], &named[..]].concat()).contains("--allow deregister"));
    let shown = world.text(POOR, &["operator", "show", &guest, "--instance", &id]);
    assert!(shown.starts_with(&format!("{guest} may do heartbeat,update for {id} until ")), "{shown}");
    world.text(OWNER, &["operator", "remove", &guest, "--instance", &id]);
    let shown = world.json(POOR, &["operator", "show", &guest, "--instance", &id]);
    assert_eq!(shown["grants"][0]["holds"], false);

    fs_write(folder.path(), "report", "all is well");
    let said = world.json(GUEST, &["endorse", &id, "audited", "--file", "report", "--for", "30d"]);
    assert_eq!(said["digest"], alloy::primitives::keccak256("all is well").to_string());
    assert_eq!(world.json(GUEST, &["endorse", &id, "audited", "--withdraw"])["withdrawn"], true);
    assert!(world.refused(OWNER, &["endorse", &id, "audited"]).contains("cannot endorse its own"));

    world.text(OWNER, &[&["transfer", "propose"], &service[..], &["--to", &guest]].concat());
    world.text(OWNER, &["transfer", "cancel", "--id", &id]);
    assert!(world.refused(GUEST, &[&["transfer", "accept"], &named[..]].concat()).contains("has to propose"));
    world.text(OWNER, &["transfer", "propose", "--id", &id, "--to", &guest]);
    assert_eq!(world.json(GUEST, &[&["transfer", "accept"], &named[..]].concat())["owner"], guest.as_str());
    assert_eq!(world.json(GUEST, &[&["deregister"], &named[..]].concat())["id"], id.as_str());
}

#[tokio::test]
async fn who_has_no_ether_signs_and_another_relays() {
    let folder = folder();
    let world = World::start(folder.path()).await;
    let relay = |input: &str, code_: i32| -> Value {
        let output = world.run_with(OTHER, &["relay", "-", "--json"], input);
        assert_eq!(code(&output), code_, "{}", stderr(&output));
        serde_json::from_slice(&output.stdout).expect("JSON")
    };
    let sign = |args: &[&str]| world.text(POOR, &[args, &["--sign-only"]].concat());
    let register = |label: &str| sign(&[&["register", "payments", "--label", label][..], &RECORD].concat());

    let both = register("a1") + &register("a2");
    assert_eq!(both.lines().count(), 2);
    let done = relay(&both, 0);
    assert_eq!(done["relayed"].as_array().map(Vec::len), Some(2), "{done}");
    let again = relay(&both, 3);
    assert!(again["skipped"][1]["reason"].as_str().expect("a reason").contains("is registered"), "{again}");

    world.pass(10).await;
    let beats = sign(&["heartbeat", "payments", "--label", "a1", "--label", "a2"]);
    let (first, second) = beats.split_once('\n').expect("two lines");
    let done = relay(&format!("[{first},{second}]"), 0);
    assert_eq!(done["relayed"][0]["transaction"]["tx"], done["relayed"][1]["transaction"]["tx"], "one batch");
    let stale = relay(&beats, 3);
    assert_eq!(stale["skipped"].as_array().map(Vec::len), Some(2));

    let update = sign(&["update", "payments", "--label", "a1", "--version", "2.0.0"]);
    let leave = sign(&["deregister", "payments", "--label", "a2", "--valid-for", "10m"]);
    fs_write(folder.path(), "signed.json", &format!("{update}{leave}"));
    let words = world.text(OTHER, &["relay", "signed.json"]);
    assert!(words.starts_with("1: update of 0x") && words.contains("\n2: deregister of 0x"), "{words}");

    let elsewhere = update.replace("\"chain_id\":31337", "\"chain_id\":1");
    let output = world.run_with(OTHER, &["relay", "-"], &elsewhere);
    assert_eq!(code(&output), 2);
    assert!(
        stderr(&output).contains("document 1: it was signed for chain 1, and this is chain 31337"),
        "{}",
        stderr(&output)
    );
    let output = world.run_with(OTHER, &["relay", "-"], "{}");
    assert_eq!(code(&output), 2, "{}", stderr(&output));
}

fn fs_write(folder: &Path, name: &str, text: &str) {
    std::fs::write(folder.join(name), text).expect("written");
}
