//! What others say of an instance.

use client::{ChainError, InputError, Refusal};
use domain::{B256, Topic};

use crate::world::{World, already, refused, sent};

#[tokio::test]
async fn an_endorsement_is_given_and_withdrawn() {
    let world = World::start().await;
    let (owner, auditor) = (world.publisher(1), world.publisher(2));
    let id = world.instance(1, "a1").await.id();
    let (book, topic): (_, Topic) = (&world.endorsements, "audited".parse().expect("a topic"));
    let (digest, until) = (B256::repeat_byte(7), world.now().await + 3_600);

    assert!(matches!(refused(owner.endorse(book, id, 0, topic, until, digest).await), Refusal::OwnEndorsement { .. }));
    assert!(
        matches!(refused(auditor.withdraw_endorsement(book, id, topic).await), Refusal::NotEndorsed { topic, .. } if topic == "audited")
    );
    assert_eq!(book.endorsement(id, auditor.account(), topic).await.expect("an answer"), None);
    sent(auditor.endorse(book, id, 0, topic, until, digest).await);
    already(auditor.endorse(book, id, 0, topic, until, digest).await);
    let said = book.endorsement(id, auditor.account(), topic).await.expect("an answer").expect("an endorsement");
    assert_eq!((said.expires_at, said.withdrawn, said.digest), (until, false, digest));
    assert!(book.is_endorsed(id, auditor.account(), topic).await.expect("an answer"));
    sent(auditor.withdraw_endorsement(book, id, topic).await);
    already(auditor.withdraw_endorsement(book, id, topic).await);
    assert!(!book.is_endorsed(id, auditor.account(), topic).await.expect("an answer"));

    let passed = refused(auditor.endorse(book, id, 0, topic, 1, digest).await);
    assert!(matches!(passed, Refusal::ExpiryPassed { expiry: 1, .. }), "{passed}");
    let early = refused(auditor.endorse(book, id, 1, topic, until, digest).await);
    assert!(matches!(early, Refusal::EpochChanged { current: 0, given: 1, .. }), "{early}");
    let nobody = domain::InstanceId(B256::repeat_byte(1));
    assert!(matches!(refused(auditor.endorse(book, nobody, 0, topic, until, digest).await), Refusal::NotListed { .. }));
    let nothing = auditor.endorse(book, id, 0, topic, until, B256::ZERO).await;
    assert!(matches!(nothing, Err(ChainError::Input(InputError::EmptyDigest))));
}
