//! An account without ether registers through a gateway, on a real chain.

use std::{
    path::Path,
    process::{Child, Command, Stdio},
    sync::LazyLock,
};

use alloy::providers::Provider;
use serde_json::Value;
use tools::{Anvil, AnvilConfig, TestPostgres, Tools};

use crate::{
    gateway::Gateway,
    program::{BINARY, VARIABLES, code, folder, rollcall, stderr, stdout},
    traces::Collector,
};

/// Anvil's first two development keys: public, and rich on every Anvil. The others have no ether anywhere.
const DEPLOYER: &str = "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80";
pub const RELAYER: &str = "0x59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d";
const OWNER: &str = "0x1111111111111111111111111111111111111111111111111111111111111111";
const BEGGAR: &str = "0x2222222222222222222222222222222222222222222222222222222222222222";

const PATH: &str = "/v1/discovery/registration";

static TOOLS: LazyLock<Tools> = LazyLock::new(|| Tools::ensure().expect("the pinned tools"));

/// A chain with the registry, and its index.
pub struct World<'a> {
    home: &'a Path,
    pub anvil: Anvil,
    _postgres: TestPostgres,
    indexer: Child,
    database_url: String,
    pub contract: String,
    collector: Collector,
}

impl<'a> World<'a> {
    pub async fn start(home: &'a Path) -> Self {
        let anvil = Anvil::spawn(&TOOLS, AnvilConfig::default()).await.expect("Anvil");
        let postgres = TestPostgres::start(&TOOLS).await.expect("Postgres");
        let database_url = postgres.url("relay");
        store::schema::ensure_database(&database_url).await.expect("a database");
        let deploy = rollcall(home)
            .args(["chain", "deploy", "--json", "--rpc-url", &anvil.rpc_url()])
            .env("ROLLCALL_PRIVATE_KEY", DEPLOYER)
            .output()
            .expect("run");
        let deployed: Value = serde_json::from_str(&stdout(&deploy)).expect("JSON");
        let contract = deployed["contract"].as_str().expect("an address").to_owned();
        let mut indexer = Command::new(BINARY);
        indexer.args(["indexer", "--listen", "none", "--poll-interval", "20ms", "--rpc-url", &anvil.rpc_url()]);
        indexer.args(["--contract", &contract, "--endorsements", "none", "--database-url", &database_url]);
        for name in VARIABLES {
            indexer.env_remove(name);
        }
        let indexer = indexer.current_dir(home).stderr(Stdio::null()).spawn().expect("started");
        Self { home, anvil, _postgres: postgres, indexer, database_url, contract, collector: Collector::start() }
    }

    /// A gateway whose relayer has this key, if any.
    pub fn gateway(&self, key: Option<&str>, more: &[&str]) -> Gateway {
        let mut environment = vec![
            ("ROLLCALL_DATABASE_URL", self.database_url.clone()),
            ("ROLLCALL_RPC_URL", self.anvil.rpc_url()),
            ("ROLLCALL_CONTRACT", self.contract.clone()),
            ("OTEL_EXPORTER_OTLP_ENDPOINT", self.collector.url.clone()),
            // This one is for what its user asks for. It must not pay for strangers.
            ("ROLLCALL_PRIVATE_KEY", RELAYER.to_owned()),
        ];
        environment.extend(key.map(|key| ("ROLLCALL_RELAY_PRIVATE_KEY", key.to_owned())));
        let environment: Vec<_> = environment.iter().map(|(name, value)| (*name, &**value)).collect();
        Gateway::start(self.home, more, &environment)
    }

    /// What its owner signs, who has no ether.
    fn signed(&self, label: &str, more: &[&str]) -> Value {
        let mut command = rollcall(self.home);
        command.args(["register", "payments", "--label", label, "--version", "1.2.0", "--ttl", "1h", "--sign-only"]);
        command.args(["--endpoint", "https://a.example:8443", "--contract", &self.contract]).args(more);
        let output = command.args(["--rpc-url", &self.anvil.rpc_url()]).env("ROLLCALL_PRIVATE_KEY", OWNER).output();
        let output = output.expect("run");
        assert_eq!(code(&output), 0, "{}", stderr(&output));
        serde_json::from_str(&stdout(&output)).expect("JSON")
    }

    async fn pass(&self, seconds: u64) {
        self.chain("evm_increaseTime", &[seconds]).await;
        self.mine(1).await;
    }

    pub async fn mine(&self, blocks: u64) {
        self.chain("anvil_mine", &[blocks]).await;
    }

    async fn chain(&self, method: &'static str, params: &[u64]) {
        let chain = client::Chain::connect(&self.anvil.rpc_url().parse().expect("a URL")).await.expect("connected");
        chain.provider().raw_request::<_, Value>(method.into(), params).await.expect("done");
    }

    /// How many transactions the relayer has sent.
    async fn sent(&self) -> u64 {
        let chain = client::Chain::connect(&self.anvil.rpc_url().parse().expect("a URL")).await.expect("connected");
        let account = client::Key::from_hex(RELAYER).expect("a key").account();
        chain.provider().get_transaction_count(account).await.expect("a number")
    }
}

impl Drop for World<'_> {
    fn drop(&mut self) {
        let _ = self.indexer.kill();
        let _ = self.indexer.wait();
    }
}

/// Status, body, `Location`.
async fn hand_in(gateway: &Gateway, signed: &Value) -> (u16, Value, Option<String>) {
    let answer = gateway.http.post(gateway.url(PATH)).json(signed).send().await.expect("an answer");
    let location = answer.headers().get("location").map(|value| value.to_str().expect("text").to_owned());
    (answer.status().as_u16(), answer.json().await.expect("JSON"), location)
}

#[track_caller]
fn assert_problem((status, body, _): &(u16, Value, Option<String>), expected: u16, word: &str, text: &str) {
    assert_eq!(*status, expected, "{body}");
    assert_eq!(body["type"], format!("urn:rollcall:error:{word}"), "{body}");
    assert!(body["detail"].as_str().expect("a detail").contains(text), "{body}");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_no_ether_registers_and_is_discovered() {
    let folder = folder();
    let world = World::start(folder.path()).await;
    let gateway = world.gateway(Some(RELAYER), &[]);
    let signed = world.signed("a1", &[]);

    let (status, first, location) = hand_in(&gateway, &signed).await;
    assert!(matches!(status, 200 | 202), "{first}");
    let id = first["id"].as_str().expect("an id");
    assert_eq!(location, Some(format!("/v1/instances/{id}")));
    assert!(first["transaction"].is_string(), "{first}");
    let instance: Value = gateway.until(&format!("/v1/instances/{id}"), 200).await.json().await.expect("JSON");
    let owner = client::Key::from_hex(OWNER).expect("a key").account();
    assert_eq!(instance["instance"]["owner"], owner.to_string(), "{instance}");
    assert_eq!(instance["instance"]["label"], "a1");

    // Replayed: the same answer, and nothing is paid for twice.
    let (status, again, _) = hand_in(&gateway, &signed).await;
    assert_eq!((status, &again["status"], &again["transaction"]), (200, &"mined".into(), &first["transaction"]));
    assert_eq!(world.sent().await, 1);
    // A gateway that did not send it asks the contract.
    let other = world.gateway(Some(RELAYER), &[]);
    assert_problem(&hand_in(&other, &signed).await, 409, "registration-refused", "is registered");

    // Who wants to know how long it took is told.
    let timed = gateway.http.post(gateway.url(PATH)).header("X-Server-Timing", "1").json(&signed).send().await;
    let timed = timed.expect("an answer");
    let timing = timed.headers()["server-timing"].to_str().expect("text");
    assert!(timing.starts_with("total;dur=") && timing.contains(", relay;dur="), "{timing}");
    assert_eq!(world.sent().await, 1);
    gateway.stop();
    other.stop();

    // What was done for a request is in its trace, also what went on after the answer.
    let spans = world.collector.spans();
    let named = |name: &str| spans.iter().filter(|span| span.name == name).collect::<Vec<_>>();
    let requests = named(&format!("POST {PATH}"));
    let [sent] = named("send registration")[..] else { panic!("{spans:#?}") };
    let tried = named("try registration");
    assert_eq!((requests.len(), tried.len()), (4, 2));
    for span in tried.into_iter().chain([sent]) {
        let parent = requests.iter().find(|request| request.span_id == span.parent_span_id).expect("a parent");
        assert_eq!(span.trace_id, parent.trace_id);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_contract_would_refuse_is_told_and_never_sent() {
    let folder = folder();
    let world = World::start(folder.path()).await;
    let gateway = world.gateway(Some(RELAYER), &[]);
    let good = world.signed("a1", &[]);
    let with = |field: &str, value: Value| {
        let mut changed = good.clone();
        changed[field] = value;
        changed
    };
    let elsewhere = hand_in(&gateway, &with("chain_id", 1.into())).await;
    assert_problem(&elsewhere, 400, "bad-parameter", "another chain");
    assert_eq!(elsewhere.1["allowed"], "31337");
    let other = with("contract", "0x1111111111111111111111111111111111111111".into());
    assert_problem(&hand_in(&gateway, &other).await, 400, "bad-parameter", "another registry");
    for signature in ["0x", &format!("0x{}", "07".repeat(65)), &format!("0x{}", "00".repeat(20_000))] {
        let forged = hand_in(&gateway, &with("signature", signature.into())).await;
        assert_problem(&forged, 409, "registration-refused", "the signature is not one by");
    }
    let mut short = good.clone();
    short["message"]["ttl_s"] = 4.into();
    assert_problem(&hand_in(&gateway, &short).await, 400, "bad-body", "a ttl of 4 s");
    let mut changed = good.clone();
    changed["message"]["version"] = "6.6.6".into();
    assert_problem(&hand_in(&gateway, &changed).await, 409, "registration-refused", "the signature is not one by");

    let late = world.signed("a2", &["--valid-for", "1s"]);
    world.pass(10).await;
    assert_problem(&hand_in(&gateway, &late).await, 409, "registration-refused", "have it signed anew");
    assert_eq!(world.sent().await, 0);
    gateway.stop();

    // The first is paid for, the second is not.
    let poor = world.gateway(Some(RELAYER), &["--relay-gas-per-hour", "250000"]);
    assert!(matches!(hand_in(&poor, &good).await.0, 200 | 202));
    let b1 = world.signed("b1", &[]);
    assert_problem(&hand_in(&poor, &b1).await, 503, "relay-exhausted", "in an hour");
    assert_eq!(world.sent().await, 1);
    poor.stop();
    let poorer = world.gateway(Some(RELAYER), &["--relay-gas-per-hour", "100000"]);
    assert_problem(&hand_in(&poorer, &b1).await, 409, "registration-refused", "this gateway gives at most 100000");
    poorer.stop();
    // Nobody pays, or nobody can.
    let none = world.gateway(None, &[]);
    assert_problem(&hand_in(&none, &b1).await, 501, "not-implemented", "no relayer");
    none.stop();
    let beggar = world.gateway(Some(BEGGAR), &[]);
    assert_problem(&hand_in(&beggar, &b1).await, 503, "relay-unavailable", "cannot pay");
    beggar.stop();
    assert_eq!(world.sent().await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn reads_do_not_need_the_relayers_node_and_its_secrets_stay_secret() {
    let folder = folder();
    let database = "postgres://nobody@127.0.0.1:1/none";
    let contract = "0x5FbDB2315678afecb367f032d93F642f64180aa3";
    let environment =
        [("ROLLCALL_RELAY_PRIVATE_KEY", OWNER), ("ROLLCALL_RELAY_RPC_URL", "http://127.0.0.1:1/s3cr3tk3y")];
    let gateway = Gateway::start(folder.path(), &["--database-url", database, "--contract", contract], &environment);
    assert_eq!(gateway.get("/livez").await.status(), 200);
    let body = serde_json::json!({
        "chain_id": 31337, "contract": contract, "kind": "register", "deadline": 1, "signature": "0x",
        "message": { "service": "acme/payments", "registrant": contract, "label": "a1", "version": "1",
            "endpoints": ["0x00"], "metadata": "0x", "ttl_s": 30, "epoch": 0 },
    });
    let answer = hand_in(&gateway, &body).await;
    assert_problem(&answer, 503, "relay-unavailable", "the chain cannot be asked");
    assert!(!answer.1.to_string().contains("127.0.0.1"), "{}", answer.1);
    gateway.stop();

    // A key without a node, or a node without a contract, is no relayer.
    let start = |more: &[(&str, &str)]| {
        let mut command = rollcall(folder.path());
        command.args(["gateway", "--database-url", database]).env("ROLLCALL_RELAY_PRIVATE_KEY", OWNER);
        let output = command.envs(more.iter().copied()).output().expect("run");
        assert_eq!(code(&output), 2, "{}", stderr(&output));
        stderr(&output)
    };
    assert!(start(&[]).contains("give --relay-rpc-url, set ROLLCALL_RELAY_RPC_URL or ROLLCALL_RPC_URL"));
    assert!(start(&[("ROLLCALL_RPC_URL", "http://127.0.0.1:1")]).contains("give --contract"));
    let mistyped = start(&[("ROLLCALL_RELAY_PRIVATE_KEY", &OWNER[..60])]);
    assert!(mistyped.starts_with("error: ROLLCALL_RELAY_PRIVATE_KEY: no private key"), "{mistyped}");
    assert!(!mistyped.contains("1111"), "{mistyped}");
}
