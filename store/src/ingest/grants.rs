//! Proposals, grants and endorsements: a table for each kind, one row for each slot.

use std::collections::BTreeSet;

use alloy_primitives::B256;
use domain::InstanceId;
use sqlx::PgConnection;

use super::{
    Writer,
    columns::{Columns, big},
    statements::{CHUNK, Write},
    write::{Change, column, integer, slices},
};
use crate::{
    StoreError,
    rows::{Grant, GrantRow},
};

/// What gateways have to read again because of a grant.
pub(super) fn change(row: &GrantRow) -> Change {
    match row.grant {
        Grant::NamespaceProposal { namespace, .. } | Grant::Registrar { namespace, .. } => ("namespace", namespace.0),
        Grant::Operator { owner, .. } => ("operator", owner.into_word()),
        Grant::Proposal { instance, .. }
        | Grant::InstanceOperator { instance, .. }
        | Grant::Endorsement { instance, .. } => ("grants", instance.0),
    }
}

/// Deletes what the blocks above a height have set.
pub(super) async fn delete_above(db: &mut PgConnection, number: i64) -> Result<(), StoreError> {
    for statement in [
        "DELETE FROM namespace_proposal WHERE block_number > $1",
        "DELETE FROM registrar WHERE block_number > $1",
        "DELETE FROM proposal WHERE block_number > $1",
        "DELETE FROM operator WHERE block_number > $1",
        "DELETE FROM instance_operator WHERE block_number > $1",
        "DELETE FROM endorsement WHERE block_number > $1",
    ] {
        sqlx::query(statement).bind(number).execute(&mut *db).await?;
    }
    Ok(())
}

pub(super) async fn write(write: &mut Write<'_>, rows: &[GrantRow]) -> Result<(), StoreError> {
    for rows in rows.chunks(CHUNK) {
        proposals(write, rows).await?;
        registrars(write, rows).await?;
        operators(write, rows).await?;
        endorsements(write, rows).await?;
    }
    Ok(())
}

async fn proposals(write: &mut Write<'_>, rows: &[GrantRow]) -> Result<(), StoreError> {
    let of_namespaces = pick(rows, |grant| match grant {
        Grant::NamespaceProposal { namespace, epoch, account } => Some((&namespace.0, epoch, account)),
        _ => None,
    });
    let of_instances = pick(rows, |grant| match grant {
        Grant::Proposal { instance, epoch, account } => Some((&instance.0, epoch, account)),
        _ => None,
    });
    for (rows, statement) in [
        (
            of_namespaces,
            "INSERT INTO namespace_proposal (slot, block_number, log_index, namespace_id, epoch, account)
             SELECT t.*
             FROM swapped, unnest($1::bytea[], $2::bigint[], $3::bigint[], $4::bytea[], $5::integer[],
                                  $6::bytea[]) AS t
             ON CONFLICT (slot) DO UPDATE
             SET account = EXCLUDED.account, block_number = EXCLUDED.block_number, log_index = EXCLUDED.log_index",
        ),
        (
            of_instances,
            "INSERT INTO proposal (slot, block_number, log_index, instance_id, epoch, account)
             SELECT t.*
             FROM swapped, unnest($1::bytea[], $2::bigint[], $3::bigint[], $4::bytea[], $5::integer[],
                                  $6::bytea[]) AS t
             ON CONFLICT (slot) DO UPDATE
             SET account = EXCLUDED.account, block_number = EXCLUDED.block_number, log_index = EXCLUDED.log_index",
        ),
    ] {
        if rows.is_empty() {
            continue;
        }
        write
            .part(statement, rows.len())
            .await?
            .bind(slices(&rows, |(row, _)| row.grant.slot().to_vec()))
            .bind(column(&rows, |(row, _)| big("block number", row.block_number))?)
            .bind(column(&rows, |(row, _)| big("log index", row.log_index))?)
            .bind(slices(&rows, |(_, (of, _, _))| of.as_slice()))
            .bind(column(&rows, |(_, (_, epoch, _))| integer("epoch", **epoch))?)
            .bind(slices(&rows, |(_, (_, _, account))| account.as_slice()));
    }
    Ok(())
}

async fn registrars(write: &mut Write<'_>, rows: &[GrantRow]) -> Result<(), StoreError> {
    let rows = pick(rows, |grant| match grant {
        Grant::Registrar { namespace, epoch, registrar, expires_at } => Some((namespace, epoch, registrar, expires_at)),
        _ => None,
    });
    if rows.is_empty() {
        return Ok(());
    }
    write
        .part(
            "INSERT INTO registrar (slot, block_number, log_index, namespace_id, epoch, registrar, expires_at)
             SELECT t.*
             FROM swapped, unnest($1::bytea[], $2::bigint[], $3::bigint[], $4::bytea[], $5::integer[], $6::bytea[],
                                  $7::bigint[]) AS t
             ON CONFLICT (slot) DO UPDATE
             SET expires_at = EXCLUDED.expires_at, block_number = EXCLUDED.block_number, log_index = EXCLUDED.log_index",
            rows.len(),
        )
        .await?
        .bind(slices(&rows, |(row, _)| row.grant.slot().to_vec()))
        .bind(column(&rows, |(row, _)| big("block number", row.block_number))?)
        .bind(column(&rows, |(row, _)| big("log index", row.log_index))?)
        .bind(slices(&rows, |(_, (namespace, ..))| namespace.0.as_slice()))
        .bind(column(&rows, |(_, (_, epoch, ..))| integer("epoch", **epoch))?)
        .bind(slices(&rows, |(_, (_, _, registrar, _))| registrar.as_slice()))
        .bind(column(&rows, |(_, (.., expires_at))| big("expiry", **expires_at))?);
    Ok(())
}

async fn operators(write: &mut Write<'_>, rows: &[GrantRow]) -> Result<(), StoreError> {
    let of_owners = pick(rows, |grant| match grant {
        Grant::Operator { owner, operator, permissions, expires_at } => {
            Some((owner.as_slice(), 0, operator, permissions, expires_at))
        }
        _ => None,
    });
    let of_instances = pick(rows, |grant| match grant {
        Grant::InstanceOperator { instance, epoch, operator, permissions, expires_at } => {
            Some((instance.0.as_slice(), *epoch, operator, permissions, expires_at))
        }
        _ => None,
    });
    for (rows, statement) in [
        (
            of_owners,
            // An owner's grants have no epoch.
            "INSERT INTO operator (slot, block_number, log_index, owner, operator, permissions, expires_at)
             SELECT t.slot, t.block, t.log, t.owner, t.operator, t.permissions, t.expires_at
             FROM swapped, unnest($1::bytea[], $2::bigint[], $3::bigint[], $4::bytea[], $5::integer[], $6::bytea[],
                                  $7::smallint[], $8::bigint[])
                  AS t (slot, block, log, owner, epoch, operator, permissions, expires_at)
             ON CONFLICT (slot) DO UPDATE
             SET permissions = EXCLUDED.permissions, expires_at = EXCLUDED.expires_at,
                 block_number = EXCLUDED.block_number, log_index = EXCLUDED.log_index",
        ),
        (
            of_instances,
            "INSERT INTO instance_operator (slot, block_number, log_index, instance_id, epoch, operator, permissions,
                                            expires_at)
             SELECT t.*
             FROM swapped, unnest($1::bytea[], $2::bigint[], $3::bigint[], $4::bytea[], $5::integer[],
                                  $6::bytea[], $7::smallint[], $8::bigint[]) AS t
             ON CONFLICT (slot) DO UPDATE
             SET permissions = EXCLUDED.permissions, expires_at = EXCLUDED.expires_at,
                 block_number = EXCLUDED.block_number, log_index = EXCLUDED.log_index",
        ),
    ] {
        if rows.is_empty() {
            continue;
        }
        write
            .part(statement, rows.len())
            .await?
            .bind(slices(&rows, |(row, _)| row.grant.slot().to_vec()))
            .bind(column(&rows, |(row, _)| big("block number", row.block_number))?)
            .bind(column(&rows, |(row, _)| big("log index", row.log_index))?)
            .bind(slices(&rows, |(_, (of, ..))| *of))
            .bind(column(&rows, |(_, (_, epoch, ..))| integer("epoch", *epoch))?)
            .bind(slices(&rows, |(_, (_, _, operator, ..))| operator.as_slice()))
            .bind(slices(&rows, |(_, (_, _, _, permissions, _))| i16::from(permissions.bits())))
            .bind(column(&rows, |(_, (.., expires_at))| big("expiry", **expires_at))?);
    }
    Ok(())
}

async fn endorsements(write: &mut Write<'_>, rows: &[GrantRow]) -> Result<(), StoreError> {
    let rows = pick(rows, |grant| match grant {
        Grant::Endorsement { instance, epoch, endorser, topic, expires_at, digest, withdrawn } => {
            Some((instance, epoch, (endorser, topic), (expires_at, digest, withdrawn)))
        }
        _ => None,
    });
    if rows.is_empty() {
        return Ok(());
    }
    write
        .part(
            "INSERT INTO endorsement (slot, block_number, log_index, instance_id, epoch, endorser, topic, expires_at,
                                      digest, withdrawn)
             SELECT t.*
             FROM swapped, unnest($1::bytea[], $2::bigint[], $3::bigint[], $4::bytea[], $5::integer[], $6::bytea[],
                                  $7::bytea[], $8::bigint[], $9::bytea[], $10::boolean[]) AS t
             ON CONFLICT (slot) DO UPDATE
             SET expires_at = EXCLUDED.expires_at, digest = EXCLUDED.digest, withdrawn = EXCLUDED.withdrawn,
                 block_number = EXCLUDED.block_number, log_index = EXCLUDED.log_index",
            rows.len(),
        )
        .await?
        .bind(slices(&rows, |(row, _)| row.grant.slot().to_vec()))
        .bind(column(&rows, |(row, _)| big("block number", row.block_number))?)
        .bind(column(&rows, |(row, _)| big("log index", row.log_index))?)
        .bind(slices(&rows, |(_, (instance, ..))| instance.0.as_slice()))
        .bind(column(&rows, |(_, (_, epoch, ..))| integer("epoch", **epoch))?)
        .bind(slices(&rows, |(_, (_, _, (endorser, _), _))| endorser.as_slice()))
        .bind(slices(&rows, |(_, (_, _, (_, topic), _))| topic.0.as_slice()))
        .bind(column(&rows, |(_, (.., (expires_at, ..)))| big("expiry", **expires_at))?)
        .bind(slices(&rows, |(_, (.., (_, digest, _)))| digest.as_slice()))
        .bind(slices(&rows, |(_, (.., (_, _, withdrawn)))| **withdrawn));
    Ok(())
}

/// The rows of one kind, with what is in them.
fn pick<'a, T>(rows: &'a [GrantRow], of: impl Fn(&'a Grant) -> Option<T>) -> Vec<(&'a GrantRow, T)> {
    rows.iter().filter_map(|row| Some((row, of(&row.grant)?))).collect()
}

impl Writer {
    /// The endorsements in these slots. Slots without a row are left out.
    ///
    /// # Errors
    /// [`StoreError::Database`], [`StoreError::Corrupt`].
    pub async fn endorsements(&self, slots: &BTreeSet<B256>) -> Result<Vec<GrantRow>, StoreError> {
        let slots: Vec<&[u8]> = slots.iter().map(B256::as_slice).collect();
        let rows = sqlx::query("SELECT * FROM endorsement WHERE slot = ANY($1)").bind(slots).fetch_all(&self.pool);
        rows.await?.iter().map(|row| endorsement_row(&Columns { table: "endorsement", row })).collect()
    }
}

pub(crate) fn endorsement_row(c: &Columns<'_>) -> Result<GrantRow, StoreError> {
    let grant = Grant::Endorsement {
        instance: InstanceId(c.word("instance_id")?),
        epoch: c.small("epoch")?,
        endorser: c.address("endorser")?,
        topic: domain::Topic(c.word("topic")?),
        expires_at: c.number("expires_at")?,
        digest: c.word("digest")?,
        withdrawn: c.get("withdrawn")?,
    };
    Ok(GrantRow { grant, block_number: c.number("block_number")?, log_index: c.number("log_index")? })
}
