//! The parts of a write: one `INSERT … SELECT FROM unnest(…)` per table and [`CHUNK`] rows.

use alloy_primitives::B256;
use domain::{InstanceId, Lease};

use super::{
    CHANGES_KEPT,
    columns::big,
    statements::{CHUNK, Write},
};
use crate::{
    StoreError,
    rows::{BlockRow, EventRow, InstanceRow, NamespaceRow, ServiceRow},
};

/// What a row of `changes` is about.
pub(super) type Change = (&'static str, B256);

pub(super) async fn blocks(write: &mut Write<'_>, rows: &[BlockRow]) -> Result<(), StoreError> {
    for rows in rows.chunks(CHUNK) {
        write
            .part(
                "INSERT INTO block (number, hash, parent_hash, time)
                 SELECT t.*
                 FROM swapped, unnest($1::bigint[], $2::bytea[], $3::bytea[], $4::bigint[]) AS t
                 ON CONFLICT (number) DO UPDATE
                 SET hash = EXCLUDED.hash, parent_hash = EXCLUDED.parent_hash, time = EXCLUDED.time",
                rows.len(),
            )
            .await?
            .bind(column(rows, |row| big("block number", row.block.number))?)
            .bind(slices(rows, |row| row.block.hash.as_slice()))
            .bind(slices(rows, |row| row.parent_hash.as_slice()))
            .bind(column(rows, |row| big("block time", row.time))?);
    }
    Ok(())
}

pub(super) async fn events(write: &mut Write<'_>, rows: &[EventRow]) -> Result<(), StoreError> {
    for rows in rows.chunks(CHUNK) {
        write
            .part(
                "INSERT INTO event (block_number, log_index, block_hash, tx_hash, kind, instance_id, namespace_id,
                                    topics, data, contract, slot, time)
                 SELECT t.*
                 FROM swapped, unnest($1::bigint[], $2::bigint[], $3::bytea[], $4::bytea[], $5::text[], $6::bytea[],
                                      $7::bytea[], $8::bytea[], $9::bytea[], $10::bytea[], $11::bytea[],
                                      $12::bigint[]) AS t",
                rows.len(),
            )
            .await?
            .bind(column(rows, |row| big("block number", row.block.number))?)
            .bind(column(rows, |row| big("log index", row.log_index))?)
            .bind(slices(rows, |row| row.block.hash.as_slice()))
            .bind(slices(rows, |row| row.tx_hash.as_slice()))
            .bind(slices(rows, |row| row.kind.as_str()))
            .bind(slices(rows, |row| row.instance.as_ref().map(|id| id.0.as_slice())))
            .bind(slices(rows, |row| row.namespace.as_ref().map(|id| id.0.as_slice())))
            .bind(slices(rows, |row| row.topics.concat()))
            .bind(slices(rows, |row| row.data.as_ref()))
            .bind(slices(rows, |row| row.contract.as_slice()))
            .bind(slices(rows, |row| row.slot.as_ref().map(B256::as_slice)))
            .bind(column(rows, |row| row.time.map(|time| big("time", time)).transpose())?);
    }
    Ok(())
}

pub(super) async fn namespaces(write: &mut Write<'_>, rows: &[NamespaceRow]) -> Result<(), StoreError> {
    for rows in rows.chunks(CHUNK) {
        write
            .part(
                "INSERT INTO namespace (namespace_id, label, owner, open, epoch)
                 SELECT t.*
                 FROM swapped, unnest($1::bytea[], $2::text[], $3::bytea[], $4::boolean[], $5::integer[]) AS t
                 ON CONFLICT (namespace_id) DO UPDATE
                 SET label = EXCLUDED.label, owner = EXCLUDED.owner, open = EXCLUDED.open, epoch = EXCLUDED.epoch",
                rows.len(),
            )
            .await?
            .bind(slices(rows, |row| row.id.0.as_slice()))
            .bind(slices(rows, |row| row.label.as_deref()))
            .bind(slices(rows, |row| row.owner.as_slice()))
            .bind(slices(rows, |row| row.open))
            .bind(column(rows, |row| integer("epoch", row.epoch))?);
    }
    Ok(())
}

pub(super) async fn services(write: &mut Write<'_>, rows: &[ServiceRow]) -> Result<(), StoreError> {
    for rows in rows.chunks(CHUNK) {
        write
            .part(
                "INSERT INTO service (service_key, namespace_id, name, count, sequence)
                 SELECT t.*
                 FROM swapped, unnest($1::bytea[], $2::bytea[], $3::text[], $4::bigint[], $5::bigint[]) AS t
                 ON CONFLICT (service_key) DO UPDATE SET count = EXCLUDED.count, sequence = EXCLUDED.sequence",
                rows.len(),
            )
            .await?
            .bind(slices(rows, |row| row.key.0.as_slice()))
            .bind(slices(rows, |row| row.namespace.0.as_slice()))
            .bind(slices(rows, |row| row.name.as_str()))
            .bind(column(rows, |row| big("count", row.count))?)
            .bind(column(rows, |row| big("sequence", row.sequence))?);
    }
    Ok(())
}

/// Both tables of an instance.
pub(super) async fn instances(write: &mut Write<'_>, rows: &[InstanceRow]) -> Result<(), StoreError> {
    for rows in rows.chunks(CHUNK) {
        // `unnest` flattens arrays of arrays, so the endpoints of all rows come as one list, each with the number of
        // its row.
        let endpoints = || rows.iter().zip(1_i64..).flat_map(|(row, n)| row.endpoints.iter().map(move |e| (n, e)));
        write
            .part(
                "WITH endpoint AS (
                     SELECT n, array_agg(value ORDER BY place) AS values
                     FROM unnest($10::bigint[], $11::bytea[]) WITH ORDINALITY AS t (n, value, place) GROUP BY n
                 )
                 INSERT INTO instance (instance_id, service_key, label, registrant, version, metadata, record_hash,
                                       registered_block, updated_block, reason, endpoints)
                 SELECT t.instance_id, t.service_key, t.label, t.registrant, t.version, t.metadata, t.record_hash,
                        t.registered_block, t.updated_block, t.reason, coalesce(endpoint.values, '{}')
                 FROM swapped, unnest($1::bytea[], $2::bytea[], $3::text[], $4::bytea[], $5::text[], $6::bytea[],
                                      $7::bytea[], $8::bigint[], $9::bigint[], $12::bytea[]) WITH ORDINALITY
                      AS t (instance_id, service_key, label, registrant, version, metadata, record_hash,
                            registered_block, updated_block, reason, n)
                 LEFT JOIN endpoint USING (n)
                 ON CONFLICT (instance_id) DO UPDATE
                 SET version = EXCLUDED.version, metadata = EXCLUDED.metadata, record_hash = EXCLUDED.record_hash,
                     registered_block = EXCLUDED.registered_block, updated_block = EXCLUDED.updated_block,
                     reason = EXCLUDED.reason, endpoints = EXCLUDED.endpoints",
                rows.len(),
            )
            .await?
            .bind(slices(rows, |row| row.id.0.as_slice()))
            .bind(slices(rows, |row| row.service.0.as_slice()))
            .bind(slices(rows, |row| row.label.as_str()))
            .bind(slices(rows, |row| row.registrant.as_slice()))
            .bind(slices(rows, |row| row.version.as_str()))
            .bind(slices(rows, |row| row.metadata.as_ref()))
            .bind(slices(rows, |row| row.record_hash.as_slice()))
            .bind(column(rows, |row| big("block number", row.registered_block))?)
            .bind(column(rows, |row| big("block number", row.updated_block))?)
            .bind(endpoints().map(|(n, _)| n).collect::<Vec<_>>())
            .bind(endpoints().map(|(_, endpoint)| endpoint.as_ref()).collect::<Vec<&[u8]>>())
            .bind(slices(rows, |row| row.reason.as_ref().map(|reason| -> &[u8] { reason })));
    }
    leases(write, &rows.iter().map(|row| (row.id, row.lease)).collect::<Vec<_>>()).await
}

pub(super) async fn leases(write: &mut Write<'_>, rows: &[(InstanceId, Lease)]) -> Result<(), StoreError> {
    for rows in rows.chunks(CHUNK) {
        write
            .part(
                "INSERT INTO live (instance_id, owner, last_heartbeat, ttl, status, epoch)
                 SELECT t.*
                 FROM swapped, unnest($1::bytea[], $2::bytea[], $3::bigint[], $4::integer[], $5::smallint[],
                                      $6::integer[]) AS t
                 ON CONFLICT (instance_id) DO UPDATE
                 SET owner = EXCLUDED.owner, last_heartbeat = EXCLUDED.last_heartbeat, ttl = EXCLUDED.ttl,
                     status = EXCLUDED.status, epoch = EXCLUDED.epoch",
                rows.len(),
            )
            .await?
            .bind(slices(rows, |(id, _)| id.0.as_slice()))
            .bind(slices(rows, |(_, lease)| lease.owner.as_slice()))
            .bind(column(rows, |(_, lease)| big("last heartbeat", lease.last_heartbeat))?)
            .bind(column(rows, |(_, lease)| integer("ttl", lease.ttl))?)
            .bind(slices(rows, |(_, lease)| i16::from(lease.status as u8)))
            .bind(column(rows, |(_, lease)| integer("epoch", lease.epoch))?);
    }
    Ok(())
}

/// Appends to `changes`, with the numbers that the write took.
pub(super) async fn changes(write: &mut Write<'_>, rows: &[Change]) -> Result<(), StoreError> {
    let mut left = count(rows.len());
    for rows in rows.chunks(CHUNK) {
        write
            .part(
                "INSERT INTO changes (seq, kind, subject)
                 SELECT change_seq - $1 + n, kind, subject
                 FROM swapped, unnest($2::text[], $3::bytea[]) WITH ORDINALITY AS t (kind, subject, n)",
                rows.len(),
            )
            .await?
            .bind(left)
            .bind(slices(rows, |(kind, _)| *kind))
            .bind(slices(rows, |(_, subject)| subject.as_slice()));
        left -= count(rows.len());
    }
    Ok(())
}

/// Forgets blocks below a height, and changes that every gateway has read.
pub(super) async fn prune(write: &mut Write<'_>, floor: u64) -> Result<(), StoreError> {
    // A range with two ends, for without the values Postgres takes one end for a third of the table.
    write
        .part("DELETE FROM block USING swapped WHERE number >= 0 AND number < $1", 0)
        .await?
        .bind(big("block number", floor)?);
    prune_changes(write).await
}

pub(super) async fn prune_changes(write: &mut Write<'_>) -> Result<(), StoreError> {
    write
        .part("DELETE FROM changes USING swapped WHERE seq > 0 AND seq <= change_seq - $1", 0)
        .await?
        .bind(CHANGES_KEPT);
    Ok(())
}

/// The length of a list in memory: always fits.
pub(super) fn count(len: usize) -> i64 {
    i64::try_from(len).unwrap_or(i64::MAX)
}

pub(super) fn integer(what: &'static str, value: u32) -> Result<i32, StoreError> {
    i32::try_from(value).map_err(|_| StoreError::TooLarge { what, value: value.into() })
}

pub(super) fn slices<'a, R, T>(rows: &'a [R], of: impl Fn(&'a R) -> T) -> Vec<T> {
    rows.iter().map(of).collect()
}

pub(super) fn column<R, T>(rows: &[R], of: impl Fn(&R) -> Result<T, StoreError>) -> Result<Vec<T>, StoreError> {
    rows.iter().map(of).collect()
}
