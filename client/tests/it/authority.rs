//! Namespaces and their owners: registrars, open namespaces, transfers, and what becomes of the instances.

use client::{ChainError, InputError, Refusal};
use domain::{Namespace, Status};

use crate::world::{World, already, refused, registration, sent};

fn acme() -> Namespace {
    Namespace::Label("acme".into())
}

#[tokio::test]
async fn an_owner_admits_whom_it_likes() {
    let world = World::start().await;
    let (owner, guest) = (world.publisher(1), world.publisher(2));
    sent(owner.claim_namespace("acme").await);
    let id = acme().id();
    let registration = |label| registration("acme/payments".parse().expect("a service"), label);
    assert!(matches!(refused(guest.register(&registration("a1")).await), Refusal::NamespaceClosed { .. }));

    let until = world.now().await + 3_600;
    assert!(matches!(
        refused(guest.set_registrar(&acme(), guest.account(), Some(until)).await),
        Refusal::NotNamespaceOwner { namespace, owner: Some(_), .. } if namespace == "acme"
    ));
    sent(owner.set_registrar(&acme(), guest.account(), Some(until)).await);
    already(owner.set_registrar(&acme(), guest.account(), Some(until)).await);
    assert_eq!(world.registry.registrar_expiry(id, guest.account()).await.expect("an answer"), Some(until));
    assert!(world.registry.may_register(id, guest.account()).await.expect("an answer"));
    sent(guest.register(&registration("a1")).await);
    world.pass(3_601).await;
    assert!(matches!(refused(guest.register(&registration("a2")).await), Refusal::NamespaceClosed { .. }));
    let passed = refused(owner.set_registrar(&acme(), guest.account(), Some(until - 1)).await);
    assert!(matches!(passed, Refusal::ExpiryPassed { expiry, .. } if expiry == until - 1), "{passed}");
    sent(owner.set_registrar(&acme(), guest.account(), None).await);
    already(owner.set_registrar(&acme(), guest.account(), None).await);

    sent(owner.set_namespace_open(&acme(), true).await);
    already(owner.set_namespace_open(&acme(), true).await);
    sent(guest.register(&registration("a2")).await);
    sent(owner.set_namespace_open(&acme(), false).await);
    assert!(matches!(refused(guest.register(&registration("a3")).await), Refusal::NamespaceClosed { .. }));
}

#[tokio::test]
async fn a_namespace_is_transferred_in_two_steps() {
    let world = World::start().await;
    let (owner, next, stranger) = (world.publisher(1), world.publisher(2), world.publisher(3));
    sent(owner.claim_namespace("acme").await);
    sent(owner.set_namespace_open(&acme(), true).await);
    let id = acme().id();

    sent(owner.propose_namespace_owner(&acme(), Some(next.account())).await);
    already(owner.propose_namespace_owner(&acme(), Some(next.account())).await);
    assert_eq!(world.registry.proposed_namespace_owner(id).await.expect("an answer"), Some(next.account()));
    assert!(matches!(
        refused(stranger.accept_namespace_owner(&acme()).await),
        Refusal::NotProposed { proposed: Some(_), .. }
    ));
    sent(owner.propose_namespace_owner(&acme(), None).await);
    assert!(matches!(refused(next.accept_namespace_owner(&acme()).await), Refusal::NotProposed { proposed: None, .. }));
    sent(owner.propose_namespace_owner(&acme(), Some(next.account())).await);
    sent(next.accept_namespace_owner(&acme()).await);
    already(next.accept_namespace_owner(&acme()).await);

    let now = world.registry.namespace(id).await.expect("an answer");
    assert_eq!((now.owner, now.open, now.epoch), (Some(next.account()), false, 1));
    let own = Namespace::Account(owner.account());
    let refusal = refused(owner.propose_namespace_owner(&own, Some(next.account())).await);
    assert!(matches!(&refusal, Refusal::PersonalNamespace { namespace } if *namespace == own.to_string()), "{refusal}");
}

#[tokio::test]
async fn the_authority_suspends_reinstates_and_revokes() {
    let world = World::start().await;
    let (owner, guest) = (world.publisher(1), world.publisher(2));
    sent(owner.claim_namespace("acme").await);
    sent(owner.set_namespace_open(&acme(), true).await);
    let registration = registration("acme/payments".parse().expect("a service"), "a1");
    sent(guest.register(&registration).await);
    let name = registration.name(guest.account());
    let status = async || world.registry.lease(name.id()).await.expect("an answer").expect("a lease").status;

    assert!(matches!(
        refused(guest.set_status(&name, Status::Suspended, "mine").await),
        Refusal::NotNamespaceOwner { .. }
    ));
    sent(owner.set_status(&name, Status::Suspended, "it answers nonsense").await);
    already(owner.set_status(&name, Status::Suspended, "again").await);
    assert_eq!(status().await, Status::Suspended);
    assert!(matches!(refused(guest.deregister(&name).await), Refusal::InstanceSuspended { .. }));
    sent(owner.set_status(&name, Status::Active, "mended").await);
    assert_eq!(status().await, Status::Active);
    sent(owner.set_status(&name, Status::Revoked, "again").await);
    already(owner.set_status(&name, Status::Revoked, "again").await);
    let refusal = refused(owner.set_status(&name, Status::Active, "").await);
    assert!(matches!(refusal, Refusal::InvalidTransition { from: Some(Status::Revoked), .. }), "{refusal}");
    assert!(matches!(refused(guest.register(&registration).await), Refusal::AlreadyRegistered { .. }));

    let unknown = client::InstanceName { label: "a2".into(), ..name.clone() };
    let refusal = refused(owner.set_status(&unknown, Status::Suspended, "").await);
    assert!(refusal.to_string().starts_with("there never was an instance"), "{refusal}");
    let long = owner.set_status(&name, Status::Active, &"x".repeat(257)).await;
    assert!(matches!(long, Err(ChainError::Input(InputError::ReasonLength(257)))));
    let reaped = owner.set_status(&name, Status::Reaped, "").await;
    assert!(matches!(reaped, Err(ChainError::Input(InputError::Status("reaped")))));
}
