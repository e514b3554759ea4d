//! Operators with their permissions and expiry, and the transfer of an instance.

use client::{Grant, Refusal};
use domain::Permissions;

use crate::world::{World, already, refused, registration, sent};

#[tokio::test]
async fn an_operator_may_do_what_its_owner_lets_it_for_as_long() {
    let world = World::start().await;
    let (owner, operator) = (world.publisher(1), world.publisher(2));
    let name = world.instance(1, "a1").await;
    let id = name.id();
    let lacks = refused(operator.heartbeat(id).await);
    assert!(matches!(lacks, Refusal::NotPermitted { permissions: Permissions::HEARTBEAT, .. }), "{lacks}");

    let expires_at = world.now().await + 3_600;
    let grant = Grant { permissions: Permissions::HEARTBEAT, expires_at };
    sent(owner.set_operator(operator.account(), None, grant).await);
    already(owner.set_operator(operator.account(), None, grant).await);
    assert_eq!(world.registry.operator(owner.account(), operator.account()).await.expect("an answer"), Some(grant));
    operator.heartbeat(id).await.expect("renewed");
    assert_eq!(operator.heartbeat_batch(&[id]).await.expect("renewed").skipped, []);
    let body = registration(name.service.clone(), "a1").body;
    let other_ttl = client::Body { ttl: 60, ..body.clone() };
    assert!(matches!(refused(operator.update(&name, &body).await), Refusal::NotPermitted { .. }));

    // For this instance alone: one grant has to let all of it.
    let update = Grant { permissions: Permissions::UPDATE, expires_at };
    sent(owner.set_operator(operator.account(), Some(id), update).await);
    assert_eq!(world.registry.instance_operator(id, operator.account()).await.expect("an answer"), Some(update));
    operator.update(&name, &body).await.expect("updated");
    let both = Permissions::UPDATE.with(Permissions::HEARTBEAT);
    assert!(!world.registry.is_permitted(id, operator.account(), both).await.expect("an answer"));
    let lacks = refused(operator.update(&name, &other_ttl).await);
    assert!(matches!(lacks, Refusal::NotPermitted { permissions, .. } if permissions == both), "{lacks}");
    sent(owner.set_operator(operator.account(), Some(id), Grant { permissions: both, expires_at }).await);
    operator.update(&name, &other_ttl).await.expect("updated");

    world.pass(3_601).await;
    assert!(matches!(refused(operator.heartbeat(id).await), Refusal::NotPermitted { .. }), "its time is over");
    let all = Grant { permissions: Permissions::ALL, expires_at: world.now().await + 60 };
    sent(owner.set_operator(operator.account(), None, all).await);
    let none = Grant { permissions: Permissions::NONE, expires_at: 0 };
    sent(owner.set_operator(operator.account(), None, none).await);
    already(owner.set_operator(operator.account(), None, none).await);
    assert!(matches!(refused(operator.deregister(&name).await), Refusal::NotPermitted { .. }));
    sent(owner.set_operator(operator.account(), None, all).await);
    operator.deregister(&name).await.expect("deregistered");

    let stranger = world.publisher(3);
    let other = world.instance(1, "a2").await;
    assert!(matches!(
        refused(stranger.set_operator(operator.account(), Some(other.id()), all).await),
        Refusal::NotOwner { .. }
    ));
}

#[tokio::test]
async fn an_instance_is_transferred_in_two_steps() {
    let world = World::start().await;
    let (owner, next, stranger) = (world.publisher(1), world.publisher(2), world.publisher(3));
    let name = world.instance(1, "a1").await;
    let id = name.id();

    assert!(matches!(refused(stranger.propose_owner(id, Some(next.account())).await), Refusal::NotOwner { .. }));
    sent(owner.propose_owner(id, Some(next.account())).await);
    already(owner.propose_owner(id, Some(next.account())).await);
    assert_eq!(world.registry.proposed_owner(id).await.expect("an answer"), Some(next.account()));
    assert!(matches!(refused(stranger.accept_owner(&name).await), Refusal::NotProposed { .. }));
    sent(owner.propose_owner(id, None).await);
    already(owner.propose_owner(id, None).await);
    assert!(matches!(refused(next.accept_owner(&name).await), Refusal::NotProposed { proposed: None, .. }));
    sent(owner.propose_owner(id, Some(next.account())).await);
    sent(next.accept_owner(&name).await);
    already(next.accept_owner(&name).await);

    let lease = world.registry.lease(id).await.expect("an answer").expect("a lease");
    assert_eq!((lease.owner, lease.epoch), (next.account(), 1));
    assert!(matches!(refused(owner.heartbeat(id).await), Refusal::NotPermitted { .. }));
    next.heartbeat(id).await.expect("renewed");
    let body = client::Body { version: "2.0.0".into(), ..registration(name.service.clone(), "a1").body };
    next.update(&name, &body).await.expect("updated");
}
