//! Claim, register, update, renew, deregister; and what the contract says to what it does not allow.

use client::{Body, ChainError, InputError, Refusal, Service, heartbeat, publish::Outcome};
use domain::{InstanceId, Namespace, Status};
use tokio_util::sync::CancellationToken;

use crate::world::{World, registration};

fn acme() -> Service {
    "acme/payments".parse().expect("a service")
}

#[tokio::test]
async fn the_life_of_an_instance() {
    let world = World::start().await;
    let acme_key = world.publisher(1);
    assert!(matches!(acme_key.claim_namespace("acme").await, Ok(Outcome::Done(_))));
    assert!(matches!(acme_key.claim_namespace("acme").await, Ok(Outcome::Already)));

    let registration = registration(acme(), "a1");
    assert!(matches!(acme_key.register(&registration).await, Ok(Outcome::Done(_))));
    assert!(matches!(acme_key.register(&registration).await, Ok(Outcome::Already)));
    let id = acme_key.instance(&acme(), "a1");
    let lease = world.registry.lease(id).await.expect("an answer").expect("a lease");
    assert_eq!((lease.owner, lease.ttl, lease.status), (acme_key.account(), 30, Status::Active));
    assert_eq!(world.registry.count(acme().key()).await.expect("an answer"), 1);

    let body = Body { version: "1.3.0".into(), ttl: 60, ..registration.body.clone() };
    let name = registration.name(acme_key.account());
    acme_key.update(&name, &body).await.expect("updated");
    let current = world.registry.current(id).await.expect("an answer").expect("a record");
    assert_eq!(current.body, body);
    // The updated record is the current one, the first is not any more.
    let updated = client::Registration { body, ..registration.clone() };
    assert!(matches!(acme_key.register(&updated).await, Ok(Outcome::Already)));
    let Err(ChainError::Refused(Refusal::AlreadyRegistered { status, .. })) = acme_key.register(&registration).await
    else {
        panic!("another record must not be registered over this one");
    };
    assert_eq!(status, Some(Status::Active));

    acme_key.heartbeat(id).await.expect("renewed");
    acme_key.deregister(&name).await.expect("deregistered");
    let Err(ChainError::Refused(Refusal::NotListed { status, .. })) = acme_key.heartbeat(id).await else {
        panic!("an instance that left must not be renewed");
    };
    assert_eq!(status, Some(Status::Deregistered));
    assert!(matches!(acme_key.register(&registration).await, Ok(Outcome::Done(_))), "it may come back");
}

#[tokio::test]
async fn what_is_anothers_is_refused_with_the_evidence() {
    let world = World::start().await;
    let (acme_key, stranger) = (world.publisher(1), world.publisher(2));
    acme_key.claim_namespace("acme").await.expect("claimed");
    acme_key.register(&registration(acme(), "a1")).await.expect("registered");

    let error = stranger.claim_namespace("acme").await.expect_err("taken").to_string();
    assert!(error.contains(&acme_key.account().to_string()), "{error}");
    let error = stranger.register(&registration(acme(), "b1")).await.expect_err("closed").to_string();
    assert!(error.starts_with(&format!("namespace acme is owned by {}", acme_key.account())), "{error}");
    let nobodys = Service { namespace: Namespace::Label("globex".into()), name: "search".into() };
    let error = stranger.register(&registration(nobodys, "b1")).await.expect_err("unclaimed").to_string();
    assert!(error.contains("claim it first"), "{error}");

    let id = acme_key.instance(&acme(), "a1");
    let Err(ChainError::Refused(Refusal::NotPermitted { caller, owner, .. })) = stranger.heartbeat(id).await else {
        panic!("a stranger must not renew");
    };
    assert_eq!((caller, owner), (stranger.account(), acme_key.account()));
    let unknown = stranger.deregister(&registration(acme(), "a1").name(stranger.account())).await.expect_err("unknown");
    assert!(matches!(unknown, ChainError::Refused(Refusal::NotListed { status: None, .. })), "{unknown}");
}

#[tokio::test]
async fn bad_input_is_never_sent() {
    let world = World::start().await;
    let publisher = world.publisher(1);
    let before = world.chain.head().await.expect("a head");
    let mut bad = registration(acme(), "a1");
    bad.body.endpoints.clear();
    assert!(matches!(publisher.register(&bad).await, Err(ChainError::Input(InputError::EndpointCount(0)))));
    assert!(matches!(publisher.claim_namespace("0xacme").await, Err(ChainError::Input(InputError::ReservedLabel(_)))));
    assert!(matches!(publisher.claim_namespace("Acme").await, Err(ChainError::Input(InputError::Text(_)))));
    assert!(matches!(publisher.heartbeat_batch(&[]).await, Err(ChainError::Input(InputError::NoInstances))));
    assert_eq!(world.chain.head().await.expect("a head"), before);
}

#[tokio::test]
async fn a_batch_renews_what_it_can_and_tells_the_rest() {
    let world = World::start().await;
    let publisher = world.publisher(1);
    let own = Service::parse_for("payments", publisher.account()).expect("a service");
    for label in ["a1", "a2"] {
        publisher.register(&registration(own.clone(), label)).await.expect("registered");
    }
    let [a1, a2, gone] = ["a1", "a2", "gone"].map(|label| publisher.instance(&own, label));
    let renewed = publisher.heartbeat_batch(&[a1, gone, a2]).await.expect("renewed");
    assert_eq!(renewed.skipped, [gone]);
    let none = publisher.heartbeat_batch(&[gone]).await.expect_err("nothing");
    assert!(matches!(none, ChainError::Refused(Refusal::NothingRenewed { .. })), "{none}");

    let pause = heartbeat::default_pause(&publisher, &[a1, a2]).await.expect("a pause");
    assert_eq!(pause.as_secs(), 10);
    assert!(heartbeat::default_pause(&publisher, &[a1, gone]).await.is_err());
}

#[tokio::test]
async fn heartbeats_go_on_until_told_to_stop() {
    let world = World::start().await;
    let publisher = world.publisher(1);
    let own = Service::parse_for("payments", publisher.account()).expect("a service");
    publisher.register(&registration(own.clone(), "a1")).await.expect("registered");
    let id = publisher.instance(&own, "a1");

    let stop = CancellationToken::new();
    let mut beats = 0;
    let often = std::time::Duration::from_millis(10);
    heartbeat::run(&publisher, &[id], often, &stop, |beat| {
        assert_eq!((beat.renewed, beat.skipped), (1, 0));
        beats += 1;
        if beats == 3 {
            stop.cancel();
        }
    })
    .await
    .expect("stopped in order");
    assert_eq!(beats, 3);

    // What does not pass by itself ends it.
    let nobody = InstanceId(domain::B256::repeat_byte(9));
    let error = heartbeat::run(&publisher, &[nobody], often, &CancellationToken::new(), |_| ()).await;
    assert!(matches!(error, Err(ChainError::Refused(Refusal::NotListed { .. }))));
}

#[tokio::test]
async fn an_account_without_ether_is_told_so() {
    let world = World::start().await;
    let poor = client::Key::from_hex(&"11".repeat(32)).expect("a key");
    let publisher = client::Publisher::new(world.registry.clone(), &poor, crate::world::PATIENCE);
    let error = publisher.claim_namespace("acme").await.expect_err("no ether");
    assert!(matches!(error, ChainError::InsufficientFunds { .. }), "{error}");
}

#[tokio::test]
async fn an_unreachable_node_is_named_without_its_secrets() {
    let url = "http://me:pa55word@127.0.0.1:1/v2/s3cr3tk3y".parse().expect("a URL");
    let error = client::Chain::connect(&url).await.expect_err("nobody there");
    assert!(matches!(error, ChainError::Unreachable { .. }), "{error}");
    let shown = format!("{error} {error:?}");
    assert!(shown.contains("127.0.0.1:1") && !shown.contains("pa55") && !shown.contains("s3cr3t"), "{shown}");
}
