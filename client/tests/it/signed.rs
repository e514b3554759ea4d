//! What one signs, without ether, and another sends.

use std::sync::Mutex;

use client::{
    Body, ChainError, Envelope, EnvelopeError, Grant, InputError, Refusal, Service,
    signed::{self, Message},
};
use domain::{Address, B256, Permissions, Status};

use crate::world::{World, key, refused, registration, sent};

#[tokio::test]
async fn the_domain_is_the_contracts() {
    let world = World::start().await;
    let told = world.registry.domain().await.expect("an answer");
    assert_eq!(told, signed::domain(31337, world.registry.address()));
}

/// Two relayers find that the heartbeat would renew; one of them is mined first.
#[tokio::test]
async fn a_heartbeat_that_another_relayer_sent_first_is_not_told_as_relayed() {
    let world = World::start().await;
    let name = world.instance(1, "a1").await;
    world.pass(10).await;
    let (now, signer) = (world.now().await, world.signer(1));
    let envelope = signer.heartbeat(name.id(), now, now + 3_600).await.expect("signed");
    world.ask("evm_setAutomine", [false]).await;
    let (first, second) = (world.publisher(2), world.publisher(3));
    let mine = async {
        while world.ask("txpool_status", ()).await["pending"] != "0x2" {
            tokio::task::yield_now().await;
        }
        world.ask("evm_mine", ()).await;
    };
    let (first, second, ()) = tokio::join!(first.relay(&envelope), second.relay(&envelope), mine);
    let (renewed, late) = if first.is_ok() { (first, second) } else { (second, first) };
    renewed.expect("renewed");
    assert!(matches!(refused(late), Refusal::NothingRelayed { size: 1 }));
}

#[tokio::test]
async fn the_life_of_an_instance_whose_owner_sends_nothing() {
    let world = World::start().await;
    let (owner, relayer) = (world.signer(1), world.publisher(3));
    let own = Service::parse_for("payments", owner.account()).expect("a service");
    let registration = registration(own, "a1");
    let name = registration.name(owner.account());
    let deadline = world.now().await + 3_600;

    // Through JSON, as it travels.
    let relay = async |envelope: Envelope| {
        let text = serde_json::to_string(&envelope).expect("JSON");
        relayer.relay(&serde_json::from_str(&text).expect("an envelope")).await
    };
    let register = owner.register(&registration, deadline).await.expect("signed");
    relay(register.clone()).await.expect("registered");
    let lease = world.registry.lease(name.id()).await.expect("an answer").expect("a lease");
    assert_eq!((lease.owner, lease.status), (owner.account(), Status::Active));
    assert!(matches!(refused(relay(register).await), Refusal::AlreadyRegistered { .. }));
    assert!(matches!(refused(owner.register(&registration, deadline).await), Refusal::AlreadyRegistered { .. }));

    let body = Body { version: "2.0.0".into(), ttl: 60, ..registration.body.clone() };
    let update = owner.update(&name, &body, deadline).await.expect("signed");
    relay(update.clone()).await.expect("updated");
    assert_eq!(world.registry.current(name.id()).await.expect("an answer").expect("a record").body, body);
    assert!(matches!(refused(relay(update).await), Refusal::RecordChanged { .. }));

    world.pass(10).await;
    let now = world.now().await;
    let heartbeat = owner.heartbeat(name.id(), now, deadline).await.expect("signed");
    relay(heartbeat.clone()).await.expect("renewed");
    let lease = world.registry.lease(name.id()).await.expect("an answer").expect("a lease");
    assert_eq!(lease.last_heartbeat, now);
    assert!(matches!(refused(relay(heartbeat).await), Refusal::NothingRelayed { size: 1 }));
    let late = owner.heartbeat(name.id(), now, deadline).await;
    assert!(matches!(late, Err(ChainError::Input(InputError::NotAfter { .. }))));

    let deregister = owner.deregister(&name, deadline).await.expect("signed");
    relay(deregister.clone()).await.expect("deregistered");
    assert!(matches!(refused(relay(deregister).await), Refusal::NotListed { .. }));
    assert!(matches!(refused(owner.deregister(&name, deadline).await), Refusal::NotListed { .. }));
    // A new epoch: the signature of the first registration is void, a new one is not.
    let again = owner.register(&registration, deadline).await.expect("signed");
    assert!(matches!(again.message, Message::Register { epoch: 1, .. }));
    relay(again).await.expect("registered again");
}

#[tokio::test]
async fn what_was_signed_for_elsewhere_or_by_others_is_refused() {
    let world = World::start().await;
    let (relayer, name) = (world.publisher(3), world.instance(1, "a1").await);
    let deadline = world.now().await + 3_600;
    let good = world.signer(1).deregister(&name, deadline).await.expect("signed");

    let (contract, message) = (world.registry.address(), good.message.clone());
    let other_chain = Envelope::sign(&key(1), 1, contract, message.clone(), deadline).expect("signed");
    let refusal = relayer.relay(&other_chain).await;
    assert!(matches!(refusal, Err(ChainError::Envelope(EnvelopeError::OtherChain { signed: 1, here: 31337 }))));
    let other_contract = Envelope::sign(&key(1), 31337, Address::ZERO, message.clone(), deadline).expect("signed");
    let refusal = relayer.relay(&other_contract).await;
    assert!(matches!(refusal, Err(ChainError::Envelope(EnvelopeError::OtherContract { .. }))));
    // Told to be for here, they meet the contract itself.
    for forged in [
        Envelope { chain_id: 31337, ..other_chain },
        Envelope { contract, ..other_contract },
        Envelope { deadline: deadline + 1, ..good.clone() },
        Envelope::sign(&key(2), 31337, contract, message.clone(), deadline).expect("signed"),
        Envelope { signature: vec![7; 65].into(), ..good.clone() },
    ] {
        let refusal = refused(relayer.relay(&forged).await);
        assert!(
            matches!(refusal, Refusal::InvalidSignature { account, .. } if account == name.registrant),
            "{refusal}"
        );
    }
    world.pass(3_601).await;
    assert!(matches!(refused(relayer.relay(&good).await), Refusal::DeadlinePassed { .. }));
}

#[tokio::test]
async fn what_takes_more_gas_than_it_may_is_not_sent() {
    let world = World::start().await;
    let (owner, relayer) = (world.signer(1), world.publisher(3));
    let own = Service::parse_for("payments", owner.account()).expect("a service");
    let deadline = world.now().await + 3_600;
    let envelope = owner.register(&registration(own, "a1"), deadline).await.expect("signed");
    let gas = relayer.quote(&envelope).await.expect("a quote");
    let told = Mutex::new(Vec::<B256>::new());
    let tell = |hash| told.lock().expect("not poisoned").push(hash);
    let refused = relayer.relay_within(&envelope, gas - 1, &tell).await;
    assert!(matches!(refused, Err(ChainError::TooMuchGas { needed, max }) if needed == gas && max == gas - 1));
    assert!(told.lock().expect("not poisoned").is_empty());
    let done = relayer.relay_within(&envelope, gas, &tell).await.expect("sent");
    assert_eq!(*told.lock().expect("not poisoned"), [done.tx]);
    assert!(matches!(relayer.quote(&envelope).await, Err(ChainError::Refused(Refusal::AlreadyRegistered { .. }))));
}

#[tokio::test]
async fn heartbeats_go_in_batches_and_what_is_skipped_is_told() {
    let world = World::start().await;
    let (owner, relayer) = (world.publisher(1), world.publisher(3));
    let [a1, a2, a3] = [world.instance(1, "a1").await, world.instance(1, "a2").await, world.instance(1, "a3").await];
    let grant = Grant { permissions: Permissions::HEARTBEAT, expires_at: world.now().await + 3_600 };
    sent(owner.set_operator(world.publisher(2).account(), None, grant).await);
    world.pass(5).await;
    let (now, deadline) = (world.now().await, world.now().await + 60);
    let by = async |n: usize, name: &client::InstanceName, time| {
        world.signer(n).heartbeat(name.id(), time, deadline).await.expect("signed")
    };
    let batch = [
        by(1, &a1, now - 1).await,
        by(2, &a2, now).await,
        by(3, &a3, now).await,
        by(1, &a1, now).await,
        by(1, &a1, now).await,
    ];
    let relayed = relayer.relay_heartbeats(&batch).await.expect("relayed");
    assert_eq!(relayed.skipped, [2, 4], "a stranger's, and one that is there twice");
    let lease = world.registry.lease(a1.id()).await.expect("an answer").expect("a lease");
    assert_eq!(lease.last_heartbeat, now);

    let deregister = world.signer(1).deregister(&a1, deadline).await.expect("signed");
    let mixed = relayer.relay_heartbeats(&[deregister]).await;
    assert!(matches!(mixed, Err(ChainError::Envelope(EnvelopeError::NoHeartbeat("deregister")))));
}
