//! Proposals, grants and endorsements.

use domain::{Address, B256, NamespaceId, Permissions, Topic};
use store::{
    ingest::{Batch, Reorg, Touched},
    query::{LIST, Reader, Update},
    rows::{Grant, GrantRow},
};

use super::{batch, block, heads, index, instance, snapshot};

fn endorsement(number: u64, log_index: u64, endorser: u64, withdrawn: bool) -> GrantRow {
    let grant = Grant::Endorsement {
        instance: instance(3).id,
        epoch: instance(3).lease.epoch,
        endorser: Address::left_padding_from(&endorser.to_be_bytes()),
        topic: Topic(B256::repeat_byte(0xff)),
        expires_at: (1 << 40) - 1,
        digest: B256::repeat_byte(7),
        withdrawn,
    };
    GrantRow { grant, block_number: number, log_index }
}

#[tokio::test]
async fn grants_come_back_bounded_and_newest_first_and_a_reorg_takes_them_back() {
    let (url, pool, writer) = index().await;
    let (id, epoch) = (instance(3).id, instance(3).lease.epoch);
    let (namespace, account) = (NamespaceId(B256::repeat_byte(0xaa)), Address::repeat_byte(5));
    let (permissions, expires_at) = (Permissions::ALL, 77);
    let mut log_index = 0;
    let mut at = |grant| {
        log_index += 1;
        GrantRow { grant, block_number: 10, log_index }
    };
    let mut first = batch(10, 3);
    first.grants = vec![
        at(Grant::NamespaceProposal { namespace, epoch: 7, account }),
        at(Grant::Registrar { namespace, epoch: 7, registrar: account, expires_at }),
        at(Grant::Registrar { namespace, epoch: 6, registrar: account, expires_at }),
        at(Grant::Registrar { namespace, epoch: 7, registrar: Address::ZERO, expires_at: 0 }),
        at(Grant::Proposal { instance: id, epoch, account }),
        at(Grant::Operator { owner: account, operator: Address::ZERO, permissions, expires_at }),
        at(Grant::InstanceOperator { instance: id, epoch, operator: account, permissions, expires_at }),
        at(Grant::InstanceOperator { instance: id, epoch: 0, operator: account, permissions, expires_at }),
    ];
    first.grants.extend((0..150).map(|n| endorsement(10, 100 + n, n, n % 10 == 0)));
    writer.apply(block(9).block, block(10), heads(20), 256, &first).await.expect("applied");
    let before = snapshot(&url).await;
    let said = &before.grants.instances[0];
    assert_eq!((said.epoch, said.proposed_owner, said.operators.total), (epoch, Some(account), 1));
    assert_eq!((said.endorsements.items.len(), said.endorsements.total), (LIST, 135));
    assert_eq!(said.endorsements.items[0].endorser, Address::left_padding_from(&149_u64.to_be_bytes()));
    let said = &before.grants.namespaces[0];
    assert_eq!((said.epoch, said.proposed_owner, said.registrars.total), (7, Some(account), 1));
    assert_eq!(before.grants.owners[0].operators.items[0].permissions, permissions);

    // What changed comes as a delta; what was withdrawn is gone from it.
    let slots = [endorsement(0, 0, 149, false).grant.slot()].into();
    assert_eq!(writer.endorsements(&slots).await.expect("read"), [endorsement(10, 249, 149, false)]);
    let second = Batch {
        blocks: vec![block(11)],
        grants: vec![
            endorsement(11, 0, 149, true),
            GrantRow {
                grant: Grant::Proposal { instance: id, epoch, account: Address::ZERO },
                block_number: 11,
                log_index: 1,
            },
        ],
        ..Batch::default()
    };
    writer.apply(block(10).block, block(11), heads(20), 256, &second).await.expect("applied");
    let reader = Reader::connect(&url).await.expect("a reader");
    let Update::Delta(delta) = reader.read(Some(&before.checkpoint)).await.expect("a read") else {
        panic!("nothing was removed");
    };
    assert_eq!((delta.grants.instances[0].endorsements.total, delta.grants.instances[0].proposed_owner), (134, None));

    // A reorg deletes what the block above has set, and puts back what it is told was there.
    let reorg = Reorg {
        ancestor: block(10),
        found_at: B256::repeat_byte(9),
        touched: writer.touched_above(10).await.expect("touched"),
        namespaces: Vec::new(),
        services: Vec::new(),
        instances: Vec::new(),
        heartbeats: Vec::new(),
        grants: vec![endorsement(10, 249, 149, false), first.grants[4].clone()],
    };
    assert_eq!(reorg.touched, Touched::default(), "what is said of an instance does not touch it");
    writer.reorg(block(11).block, heads(20), &reorg).await.expect("taken back");
    assert_eq!(snapshot(&url).await.grants, before.grants);
    let kept: i64 = sqlx::query_scalar("SELECT count(*) FROM endorsement").fetch_one(&pool).await.expect("a count");
    assert_eq!(kept, 150);
}

#[tokio::test]
async fn an_endorser_that_says_a_lot_hides_nobody_else() {
    let (url, _pool, writer) = index().await;
    let by = |log_index: u64, endorser: u8, topic: u64| {
        let mut row = endorsement(10, log_index, endorser.into(), false);
        if let Grant::Endorsement { topic: about, .. } = &mut row.grant {
            *about = Topic(B256::left_padding_from(&topic.to_be_bytes()));
        }
        row
    };
    let mut first = batch(10, 3);
    first.grants = vec![by(1, 1, 0), by(2, 2, 0)];
    first.grants.extend((0..150).map(|n| by(10 + n, 3, n)));
    writer.apply(block(9).block, block(10), heads(20), 256, &first).await.expect("applied");
    let said = snapshot(&url).await.grants.instances.remove(0).endorsements;
    assert_eq!((said.items.len(), said.total), (LIST, 152));
    let endorsers: Vec<u8> = said.items.iter().take(4).map(|said| said.endorser[19]).collect();
    assert_eq!(endorsers, [3, 2, 1, 3]);
}
