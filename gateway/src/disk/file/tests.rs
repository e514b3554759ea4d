use std::os::unix::fs::PermissionsExt;

use domain::{
    Address, B256, BlockRef, Bytes, Heads, InstanceId, Lease, NamespaceId, Permissions, ServiceKey, Status, Topic,
};
use proptest::prelude::*;
use store::{
    query::{Endorsement, List, Operator, Registrar},
    rows::Origin,
};

use super::*;

/// One row of each kind, with every field set.
fn kept() -> Kept {
    let account = Address::repeat_byte(1);
    let block = BlockRef { number: 300, hash: B256::repeat_byte(2) };
    let (id, service, namespace) =
        (InstanceId(B256::repeat_byte(3)), ServiceKey(B256::repeat_byte(4)), NamespaceId(B256::repeat_byte(5)));
    let operators =
        List { items: vec![Operator { account, permissions: Permissions::ALL, expires_at: u64::MAX }], total: 5 };
    let endorsement =
        Endorsement { endorser: account, topic: Topic(B256::ZERO), digest: B256::repeat_byte(6), expires_at: 7 };
    let registrars = List { items: vec![Registrar { account, expires_at: 8 }], total: 1 };
    Kept {
        saved_at: Duration::from_millis(1_700_000_000_250),
        head_age: Duration::from_secs(2),
        snapshot: Snapshot {
            checkpoint: Checkpoint {
                origin: Origin {
                    chain_id: 31_337,
                    genesis_hash: B256::repeat_byte(7),
                    contract: account,
                    code_hash: B256::repeat_byte(8),
                    endorsements: Some(account),
                    deploy_block: block,
                },
                head: block,
                head_time: 1_700_000_000,
                heads: Heads { latest: 301, safe: 200, finalized: 100 },
                confirmations: 9,
                change_seq: 10,
                writer_epoch: 11,
                problem: Some("unwell".into()),
                headers_hash: true,
            },
            namespaces: vec![NamespaceRow {
                id: namespace,
                label: Some("acme".into()),
                owner: account,
                open: true,
                epoch: 12,
            }],
            services: vec![ServiceRow { key: service, namespace, name: "payments".into(), count: 1, sequence: 13 }],
            instances: vec![InstanceRow {
                id,
                service,
                label: "a1".into(),
                registrant: account,
                version: "1.0.0".into(),
                endpoints: vec![Bytes::from_static(b"\xff\0"), Bytes::from_static(b"https://a1.example")],
                metadata: Bytes::from_static(br#"{"zone":"z1"}"#),
                record_hash: B256::repeat_byte(9),
                registered_block: 250,
                updated_block: 260,
                reason: Some(Bytes::from_static(b"why")),
                lease: Lease {
                    owner: account,
                    last_heartbeat: 1_700_000_000,
                    ttl: 30,
                    status: Status::Suspended,
                    epoch: 14,
                },
            }],
            grants: Grants {
                instances: vec![InstanceGrants {
                    id,
                    epoch: 14,
                    proposed_owner: Some(account),
                    operators: operators.clone(),
                    endorsements: List { items: vec![endorsement], total: 1_000 },
                }],
                namespaces: vec![NamespaceGrants { id: namespace, epoch: 12, proposed_owner: None, registrars }],
                owners: vec![OwnerGrants { owner: account, operators }],
            },
        },
    }
}

fn encoded(kept: &Kept) -> Vec<u8> {
    let mut bytes = Vec::new();
    encode(kept, &mut bytes).expect("memory");
    bytes
}

/// As somebody would write it who knows the checksum.
fn summed(mut bytes: Vec<u8>) -> Vec<u8> {
    let sum = blake3::hash(&bytes);
    bytes.extend_from_slice(sum.as_bytes());
    bytes
}

fn reason(bytes: &[u8]) -> String {
    decode(bytes).expect_err("of no use").to_string()
}

#[test]
fn what_is_written_is_read() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("snapshot");
    assert!(read(&path).expect("no file is no error").is_none());
    // A crash left the beginning of one.
    fs::write(folder.path().join("snapshot.new"), b"rollcall-ga").expect("a file");
    write(&path, &kept()).expect("written");
    assert_eq!(read(&path).expect("readable"), Some(kept()));
    assert_eq!(fs::metadata(&path).expect("a file").permissions().mode() & 0o777, 0o600);
    let newer = Kept { saved_at: Duration::from_secs(1_800_000_000), ..kept() };
    write(&path, &newer).expect("written");
    assert_eq!(read(&path).expect("readable"), Some(newer));
    assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 1);
}

#[test]
fn a_change_of_the_rows_takes_a_new_version() {
    let sum = blake3::hash(&encoded(&kept())).to_hex();
    let known = (1, "cc92c3f666cf7f6ab45cdd1e5030ee559dc291d872ba1c32910703f557170b16");
    assert_eq!((VERSION, sum.as_str()), known, "the format is another one: raise VERSION, then set both here");
}

#[test]
fn no_part_of_a_file_is_taken_for_one_and_no_byte_may_change() {
    let whole = encoded(&kept());
    for length in 0..whole.len() {
        assert!(decode(&whole[..length]).is_err(), "{length} of {} bytes", whole.len());
    }
    for at in 0..whole.len() {
        let mut bytes = whole.clone();
        bytes[at] ^= 1;
        assert!(decode(&bytes[..]).is_err(), "byte {at}");
    }
    assert!(reason(&[&whole[..], b"x"].concat()).contains("goes on after its end"));
    assert!(reason(&whole[..whole.len() - 1]).contains("ends too early"));
    let mut other = whole.clone();
    other[MAGIC.len()] = 2;
    assert!(reason(&other).contains("format 2"), "{}", reason(&other));
    assert!(reason(b"#!/bin/sh\necho hello world").contains("not a snapshot"));
    let mut last = whole;
    *last.last_mut().expect("bytes") ^= 1;
    assert!(reason(&last).contains("checksum"));
}

#[test]
fn lengths_and_counts_that_lie_take_no_memory() {
    let mut long = [&MAGIC[..], &VERSION.to_le_bytes(), &u32::MAX.to_le_bytes()].concat();
    assert!(reason(&long).contains("too long"));
    long.truncate(MAGIC.len() + 4);
    // A head that claims a chain with a problem of 2^63 bytes.
    let mut record = postcard::to_stdvec(&Written::Head {
        saved_at: Duration::ZERO,
        head_age: Duration::ZERO,
        checkpoint: &Checkpoint { problem: None, ..kept().snapshot.checkpoint },
    })
    .expect("memory");
    record.pop();
    record.extend([1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f]);
    long.extend(u32::try_from(record.len()).expect("small").to_le_bytes());
    long.extend(record);
    assert!(reason(&summed(long)).contains("cannot be read"));
}

#[test]
fn what_others_may_write_to_and_what_is_no_file_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("snapshot");
    write(&path, &kept()).expect("written");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o620)).expect("permissions");
    assert!(matches!(read(&path), Err(FileError::Exposed)));
    assert!(matches!(read(folder.path()), Err(FileError::NoFile)));
    assert!(matches!(write(&folder.path().join("none/snapshot"), &kept()), Err(FileError::Io(_))));
}

proptest! {
    #[test]
    fn any_records_are_read_or_refused(records in proptest::collection::vec(any::<Vec<u8>>(), 0..8)) {
        let mut bytes = [&MAGIC[..], &VERSION.to_le_bytes()].concat();
        for record in records {
            bytes.extend(u32::try_from(record.len()).expect("small").to_le_bytes());
            bytes.extend(record);
        }
        prop_assert!(decode(&summed(bytes)[..]).is_err());
    }
}
