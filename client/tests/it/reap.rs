//! What is long dead is taken out, by anyone.

use client::{
    ChainError, InputError, Refusal,
    reap::{self, GRACE, MAX_REAP},
};
use domain::Status;

use crate::world::{World, refused};

#[tokio::test]
async fn leases_that_expired_long_ago_are_reaped() {
    let world = World::start().await;
    let stranger = world.publisher(3);
    let (dead, alive) = (world.instance(1, "dead").await, world.instance(1, "alive").await);
    world.pass(GRACE + 40).await;
    world.publisher(1).heartbeat(alive.id()).await.expect("renewed");

    let lease = world.registry.lease(dead.id()).await.expect("an answer").expect("a lease");
    assert!(reap::is_due(&lease, world.now().await));
    assert!(!reap::is_due(&lease, lease.expires_at() + GRACE));
    let reaped = stranger.reap(&[alive.clone(), dead.clone()]).await.expect("reaped");
    assert_eq!((reaped.ids, reaped.skipped), (vec![dead.id()], vec![alive.id()]));
    let lease = world.registry.lease(dead.id()).await.expect("an answer").expect("a lease");
    assert_eq!((lease.status, lease.epoch), (Status::Reaped, 1));

    let nothing = refused(stranger.reap(&[alive.clone(), dead]).await);
    assert!(nothing.to_string().ends_with("more than 7 days ago"), "{nothing}");
    assert!(matches!(nothing, Refusal::NothingReaped { .. }));
    assert!(matches!(stranger.reap(&[]).await, Err(ChainError::Input(InputError::NoInstances))));
    let many = vec![alive; MAX_REAP + 1];
    assert!(matches!(stranger.reap(&many).await, Err(ChainError::Input(InputError::BatchSize { max: 200, .. }))));
}
