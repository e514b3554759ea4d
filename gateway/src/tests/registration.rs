//! Registrations that others signed.

use std::sync::{
    Mutex,
    atomic::{AtomicU64, AtomicUsize, Ordering},
};

use api::SignedRegistration;
use serde_json::json;
use tokio::sync::Semaphore;

use super::*;
use crate::{Mined, Relay, RelayRefusal, Relayer, Told, Work};

const PATH: &str = "/v1/discovery/registration";
pub(super) const GAS: u64 = 100_000;
const HASH: B256 = B256::repeat_byte(0x77);
const BLOCK: BlockRef = BlockRef { number: 101, hash: B256::repeat_byte(0x88) };

/// Does as it is told, and counts.
#[derive(Debug)]
pub(super) struct Fake {
    gas: AtomicU64,
    quotes: AtomicUsize,
    sent: AtomicUsize,
    /// What it says when it is asked, or when it has sent.
    on_quote: Mutex<Option<RelayRefusal>>,
    on_send: Mutex<Option<RelayRefusal>>,
    after_sending: Mutex<Option<RelayRefusal>>,
    /// A permit lets a quote through, or a block be mined.
    quoting: Semaphore,
    mining: Semaphore,
}

impl Fake {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self {
            gas: GAS.into(),
            quotes: 0.into(),
            sent: 0.into(),
            on_quote: Mutex::default(),
            on_send: Mutex::default(),
            after_sending: Mutex::default(),
            quoting: Semaphore::new(1_000),
            mining: Semaphore::new(0),
        })
    }

    fn sent(&self) -> usize {
        self.sent.load(Ordering::SeqCst)
    }
}

fn said(refusal: &Mutex<Option<RelayRefusal>>) -> Result<(), RelayRefusal> {
    refusal.lock().expect("not poisoned").clone().map_or(Ok(()), Err)
}

impl Relayer for Fake {
    fn quote<'a>(&'a self, _: &'a SignedRegistration) -> Work<'a, u64> {
        Box::pin(async {
            self.quotes.fetch_add(1, Ordering::SeqCst);
            self.quoting.acquire().await.expect("open").forget();
            said(&self.on_quote)?;
            Ok(self.gas.load(Ordering::SeqCst))
        })
    }

    fn send<'a>(&'a self, _: &'a SignedRegistration, max_gas: u64, sent: &'a Told<'a>) -> Work<'a, Mined> {
        Box::pin(async move {
            assert_eq!(max_gas, self.gas.load(Ordering::SeqCst));
            said(&self.on_send)?;
            self.sent.fetch_add(1, Ordering::SeqCst);
            sent(HASH);
            self.mining.acquire().await.expect("open").forget();
            said(&self.after_sending)?;
            Ok(Mined { transaction: HASH, block: BLOCK })
        })
    }
}

/// A world whose gateway may spend the gas of so many registrations in an hour.
fn world(registrations: u64) -> (World, Arc<Fake>) {
    let (world, fake) = (World::new(), Fake::new());
    world.state.relay_by(&Relay { relayer: fake.clone(), gas_per_hour: registrations * GAS });
    (world, fake)
}

pub(super) fn signed(label: &str) -> Value {
    json!({
        "chain_id": 31337,
        "contract": Address::repeat_byte(3),
        "kind": "register",
        "message": {
            "service": "acme/payments", "registrant": OWNER, "label": label, "version": "1.2.0",
            "endpoints": ["0x68747470733a2f2f612e6578616d706c65"], "metadata": "0x7b7d", "ttl_s": 30, "epoch": 0,
        },
        "deadline": NOW + 3_600,
        "signature": format!("0x{}", "ab".repeat(65)),
    })
}

fn id(label: &str) -> InstanceId {
    InstanceId::new(ServiceKey::new(acme().id(), "payments"), OWNER, label)
}

impl World {
    async fn hand_in(&self, signed: &Value) -> Answer {
        self.post(PATH, signed.to_string()).await
    }

    /// Hands it in until it is answered with a status: what was sent is told by another task.
    async fn until(&self, signed: &Value, status: u16) -> Answer {
        loop {
            let answer = self.hand_in(signed).await;
            if answer.status == status {
                return answer;
            }
            tokio::task::yield_now().await;
        }
    }
}

#[tokio::test]
async fn a_gateway_without_a_relayer_never_fakes_an_answer() {
    let world = World::new();
    for body in [signed("a1").to_string(), "{}".to_owned(), "garbage".to_owned()] {
        let answer = world.post(PATH, body).await;
        assert!(answer.problem(501, "not-implemented").contains("rollcall relay"));
    }
}

#[tokio::test]
async fn it_is_sent_once_and_the_answer_tells_how_far_it_got() {
    let (world, fake) = world(10);
    let first = world.hand_in(&signed("a1")).await;
    assert_eq!(first.status, 202, "{}", first.body);
    assert_eq!(first.header("location"), format!("/v1/instances/{}", id("a1")));
    assert_eq!(first.header("cache-control"), "no-store");
    let pending = json!({ "id": id("a1"), "status": "pending", "transaction": HASH, "block": null });
    assert_eq!(first.body, pending);
    serde_json::from_value::<api::RegistrationAnswer>(first.body).expect("the client reads it");

    // The same in other words: case, order and the form of the signature say nothing.
    let mut same = signed("a1");
    same["contract"] = same["contract"].as_str().expect("text").to_uppercase().replacen("0X", "0x", 1).into();
    same["signature"] = format!("0x{}", "cd".repeat(64)).into();
    assert_eq!(world.hand_in(&same).await.body, pending);

    fake.mining.add_permits(1);
    let mined = world.until(&signed("a1"), 200).await;
    assert_eq!(mined.body["status"], "mined");
    assert_eq!(mined.body["block"], json!({ "number": 101, "hash": BLOCK.hash }));
    assert_eq!(mined.header("location"), format!("/v1/instances/{}", id("a1")));
    assert_eq!(fake.sent(), 1);

    // Another one of the same instance is another matter, and another one's too.
    let mut other = signed("a1");
    other["message"]["epoch"] = 1.into();
    assert_eq!(world.hand_in(&other).await.status, 202);
    assert_eq!(world.hand_in(&signed("a2")).await.status, 202);
    assert_eq!(fake.sent(), 3);
}

#[tokio::test]
async fn of_two_at_once_one_is_sent() {
    let (world, fake) = world(10);
    fake.quoting.forget_permits(1_000);
    let (same, mut other) = (signed("a1"), signed("a1"));
    other["message"]["version"] = "2.0.0".into();
    let let_both_in = async {
        while fake.quotes.load(Ordering::SeqCst) < 3 {
            tokio::task::yield_now().await;
        }
        fake.quoting.add_permits(3);
    };
    let (first, second, third, ()) =
        tokio::join!(world.hand_in(&same), world.hand_in(&same), world.hand_in(&other), let_both_in);
    assert_eq!((first.status.as_u16(), second.status.as_u16()), (202, 202));
    assert_eq!(first.body, second.body);
    assert!(third.problem(409, "registration-refused").contains("on its way"));
    assert_eq!(fake.sent(), 1);
}

#[tokio::test]
async fn what_is_refused_is_told_in_words_and_costs_nothing() {
    let (world, fake) = world(1);
    let refusals = [
        (RelayRefusal::Refused("it was so already".into()), 409, "registration-refused", "it was so already"),
        (RelayRefusal::Input("a ttl of 4 s".into()), 400, "bad-body", "a ttl of 4 s"),
        (RelayRefusal::Unavailable("no answer".into()), 503, "relay-unavailable", "no answer"),
        (RelayRefusal::OtherChain { here: 1 }, 400, "bad-parameter", "chain_id"),
        (RelayRefusal::OtherRegistry { here: OWNER }, 400, "bad-parameter", "contract"),
    ];
    for (refusal, status, word, text) in refusals.clone() {
        *fake.on_quote.lock().expect("not poisoned") = Some(refusal);
        let answer = world.hand_in(&signed("a1")).await;
        assert!(answer.problem(status, word).contains(text), "{}", answer.body);
        assert_eq!(answer.headers.contains_key("retry-after"), status == 503);
    }
    *fake.on_quote.lock().expect("not poisoned") = Some(RelayRefusal::OtherChain { here: 1 });
    let answer = world.hand_in(&signed("a1")).await;
    assert_eq!((&answer.body["sent"], &answer.body["allowed"]), (&"31337".into(), &"1".into()));
    *fake.on_quote.lock().expect("not poisoned") = None;

    // So does what the contract refuses only when it is sent: the gas is there for the next.
    for (refusal, status, word, _) in [refusals[0].clone(), refusals[1].clone()] {
        *fake.on_send.lock().expect("not poisoned") = Some(refusal);
        world.hand_in(&signed("a1")).await.problem(status, word);
    }
    *fake.on_send.lock().expect("not poisoned") = None;
    assert_eq!(world.hand_in(&signed("a1")).await.status, 202);
    assert_eq!(fake.sent(), 1);
}

#[tokio::test]
async fn what_failed_in_its_block_can_be_handed_in_again_and_what_may_still_come_is_not_sent_twice() {
    let (world, fake) = world(10);
    *fake.after_sending.lock().expect("not poisoned") = Some(RelayRefusal::Unavailable("in no block yet".into()));
    assert_eq!(world.hand_in(&signed("a1")).await.status, 202);
    fake.mining.add_permits(1);
    while fake.mining.available_permits() > 0 {
        tokio::task::yield_now().await;
    }
    assert_eq!(world.hand_in(&signed("a1")).await.body["status"], "pending");
    let mut other = signed("a1");
    other["message"]["version"] = "2.0.0".into();
    world.hand_in(&other).await.problem(409, "registration-refused");
    assert_eq!(fake.sent(), 1);
    // Not for ever.
    world.clock.advance(Duration::from_secs(3_600));
    assert_eq!(world.hand_in(&other).await.status, 202);
    assert_eq!(fake.sent(), 2);

    *fake.after_sending.lock().expect("not poisoned") = Some(RelayRefusal::Refused("another came first".into()));
    assert_eq!(world.hand_in(&signed("b1")).await.status, 202);
    fake.mining.add_permits(2);
    while fake.sent() < 4 {
        let answer = world.hand_in(&signed("b1")).await;
        assert_eq!(answer.status, 202, "{}", answer.body);
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn strangers_cannot_spend_more_than_an_hours_gas() {
    let (world, fake) = world(2);
    assert_eq!(world.hand_in(&signed("a1")).await.status, 202);
    assert_eq!(world.hand_in(&signed("a2")).await.status, 202);
    let answer = world.hand_in(&signed("a3")).await;
    answer.problem(503, "relay-exhausted");
    let wait: u64 = answer.header("retry-after").parse().expect("seconds");
    assert!((1_800..=1_801).contains(&wait), "{wait}");
    // What was sent is still told.
    assert_eq!(world.hand_in(&signed("a1")).await.status, 202);
    world.clock.advance(Duration::from_secs(wait));
    assert_eq!(world.hand_in(&signed("a3")).await.status, 202);
    world.hand_in(&signed("a4")).await.problem(503, "relay-exhausted");
    assert_eq!(fake.sent(), 3);

    // One that takes more than any should, such as a contract that signs and burns gas.
    fake.gas.store(1_000_001, Ordering::SeqCst);
    assert!(world.hand_in(&signed("a5")).await.problem(409, "registration-refused").contains("gas"));
    let metrics = world.state.telemetry().render(&world.state);
    for (outcome, count) in [("taken", 4), ("exhausted", 2), ("refused", 1)] {
        let line = format!("rollcall_gateway_registrations_total{{outcome=\"{outcome}\"}} {count}\n");
        assert!(metrics.contains(&line), "{line}{metrics}");
    }
}

#[tokio::test]
async fn a_crowd_is_turned_away_and_a_node_that_hangs_is_not_waited_for() {
    tokio::time::pause();
    let (world, fake) = world(100);
    fake.quoting.forget_permits(1_000);
    let crowd: Vec<Value> = (0..33).map(|n| signed(&format!("a{n}"))).collect();
    let answers = tokio::spawn({
        let state = world.state.clone();
        let world = World { state, clock: world.clock.clone(), rows: world.rows.clone(), access: world.access.clone() };
        async move {
            let mut all = tokio::task::JoinSet::new();
            let world = Arc::new(world);
            for signed in crowd {
                let world = Arc::clone(&world);
                all.spawn(async move { world.hand_in(&signed).await });
            }
            all.join_all().await
        }
    });
    let answers = answers.await.expect("no panic");
    let mut details: Vec<&str> = answers.iter().map(|answer| answer.problem(503, "relay-unavailable")).collect();
    details.sort_unstable();
    assert_eq!(details.iter().filter(|detail| detail.contains("many registrations are handed in")).count(), 1);
    assert_eq!(details.iter().filter(|detail| detail.contains("took too long")).count(), 32);
    assert_eq!(fake.sent(), 0);
}

#[tokio::test]
async fn what_is_no_registration_is_a_problem() {
    let (world, fake) = world(10);
    let change = |change: fn(&mut Value)| {
        let mut changed = signed("a1");
        change(&mut changed);
        changed.to_string()
    };
    for (body, words) in [
        (String::new(), "EOF"),
        ("[]".into(), "object"),
        ("null".into(), "object"),
        ("{".into(), "EOF"),
        ("{}".into(), "chain_id"),
        (format!("{}{}", signed("a1"), signed("a2")), "trailing"),
        (signed("a1").to_string().replacen('{', "{\"chain_id\":1,", 1), "duplicate"),
        (change(|v| v["more"] = 1.into()), "unknown field `more`"),
        (change(|v| v["message"]["more"] = 1.into()), "unknown field `more`"),
        (change(|v| v["message"] = json!(["acme/payments"])), "object"),
        (change(|v| v["kind"] = "heartbeat".into()), "rollcall relay"),
        (change(|v| v["kind"] = "burn".into()), "unknown variant"),
        (change(|v| v["chain_id"] = "31337".into()), "expected u64"),
        (change(|v| v["chain_id"] = json!(-1)), "-1"),
        (change(|v| v["deadline"] = json!(1e30)), "1e+30"),
        (change(|v| v["contract"] = "0x12".into()), "hexadecimal"),
        (change(|v| v["contract"] = json!(vec![3; 20])), "expected a string"),
        (change(|v| v["message"]["registrant"] = "acme.eth".into()), "hexadecimal"),
        (change(|v| v["message"]["endpoints"] = json!([[1, 2]])), "expected a string"),
        (change(|v| v["message"]["endpoints"] = json!({})), "expected a sequence"),
        (change(|v| v["message"]["metadata"] = "7b7d".into()), "hexadecimal"),
        (change(|v| v["message"]["epoch"] = json!(4_294_967_296_u64)), "expected u32"),
        (change(|v| v["signature"] = "0xabc".into()), "hexadecimal"),
        (change(|v| v["signature"] = Value::Null), "expected a string"),
    ] {
        let answer = world.post(PATH, body.clone()).await;
        assert!(answer.problem(400, "bad-body").contains(words), "{body}: {}", answer.body);
    }
    for (field, wrong) in [
        ("service", "payments"),
        ("service", "ac me/payments"),
        ("service", "acme/pay/ments"),
        ("service", "0x12/payments"),
        ("service", "acme/\u{202e}stnemyap"),
        ("label", ""),
        ("label", "A1"),
        ("label", "a1\r\nLocation: evil"),
    ] {
        let mut changed = signed("a1");
        changed["message"][field] = wrong.into();
        let answer = world.hand_in(&changed).await;
        answer.problem(400, "bad-parameter");
        assert_eq!((&answer.body["parameter"], &answer.body["sent"]), (&field.into(), &wrong.into()));
    }
    let large = change(|v| v["message"]["metadata"] = format!("0x{}", "00".repeat(40_000)).into());
    world.post(PATH, large).await.problem(413, "body-too-large");
    let plain = Request::post(PATH).body(Body::from(signed("a1").to_string())).expect("a request");
    world.send(plain).await.problem(415, "unsupported-media-type");
    world.get(PATH).await.problem(405, "method-not-allowed");
    assert_eq!((fake.quotes.load(Ordering::SeqCst), fake.sent()), (0, 0));
}
