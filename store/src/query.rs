//! What the gateway reads: the whole index once, then what changed; and, when somebody asks, what happened before
//! ([`history`]).
//!
//! Every read is one transaction that sees one state of the database, so the rows and the checkpoint belong together.

use std::collections::BTreeSet;

use alloy_primitives::{Address, B256};
use domain::{InstanceId, Lease, NamespaceId, ServiceKey};
use futures::TryStreamExt;
use sqlx::{Connection, PgConnection, PgPool, postgres::PgListener};

use crate::{
    StoreError,
    ingest::{
        columns::{Columns, big},
        load::{checkpoint_row, instance_row, lease, namespace_row, service_row},
    },
    rows::{Checkpoint, InstanceRow, NamespaceRow, ServiceRow},
    schema::connect_read_only,
};

pub mod history;

mod grants;

pub use grants::{Endorsement, Grants, InstanceGrants, LIST, List, NamespaceGrants, Operator, OwnerGrants, Registrar};

/// SQLSTATE of "undefined table": the indexer has not made the schema yet.
const UNDEFINED_TABLE: &str = "42P01";

/// How a read of one state of the database begins; then comes [`hold`].
pub(crate) const BEGIN: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY";

/// The channel that the writer rings after each commit.
const CHANNEL: &str = "rollcall_changes";

/// Rows per statement when everything is read: each stays well below the statement timeout.
const PAGE: i64 = 10_000;

/// The most changes that are read one by one; beyond, reading everything is cheaper.
const MAX_CHANGES: i64 = 50_000;

/// The leases of instances that have said nothing since a height, and of which nothing was said: a status with a reason comes
/// without an update.
const LEASES: &str = "SELECT instance_id, service_key, owner, last_heartbeat, ttl, status, epoch
    FROM instance JOIN live USING (instance_id)
    WHERE instance_id = ANY($1) AND updated_block <= $2 AND reason IS NULL";

/// The other ones of them.
const RECORDS: &str = "SELECT * FROM instance JOIN live USING (instance_id)
    WHERE instance_id = ANY($1) AND (updated_block > $2 OR reason IS NOT NULL)";

/// Reads the index. It never writes, and never migrates.
#[derive(Debug, Clone)]
pub struct Reader {
    pool: PgPool,
}

/// What a read found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Update {
    /// Everything: replaces what the reader knows.
    Snapshot(Snapshot),
    /// What changed: goes on top of what the reader knows.
    Delta(Delta),
}

/// The whole index at its checkpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// What the rows are true at.
    pub checkpoint: Checkpoint,
    /// All namespaces that the contract has a word for.
    pub namespaces: Vec<NamespaceRow>,
    /// All services.
    pub services: Vec<ServiceRow>,
    /// All instances, in whatever status.
    pub instances: Vec<InstanceRow>,
    /// All that is said of them in the present epochs; who has nothing is left out.
    pub grants: Grants,
}

/// The rows that changed since an earlier checkpoint, as they are now. Nothing was removed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delta {
    /// What the rows are true at.
    pub checkpoint: Checkpoint,
    /// Namespaces that changed.
    pub namespaces: Vec<NamespaceRow>,
    /// The services of the instances that changed.
    pub services: Vec<ServiceRow>,
    /// Instances that changed.
    pub instances: Vec<InstanceRow>,
    /// Instances of which the lease alone changed, as by a heartbeat.
    pub leases: Vec<(InstanceId, Lease)>,
    /// What is said of whom it changed of, also if it is nothing any more.
    pub grants: Grants,
}

impl Reader {
    /// Connects. Connections that break later are made anew.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn connect(url: &str) -> Result<Self, StoreError> {
        Ok(Self { pool: connect_read_only(url).await? })
    }

    /// Reads what happened after `known`, the checkpoint of the read before; everything, if that cannot be told apart:
    /// on a first read, when `changes` does not reach back that far, when the index is another one or has another
    /// writer, and after a reorg, which alone removes rows.
    ///
    /// # Errors
    /// [`StoreError::NoIndex`] if no indexer has worked on the database; [`StoreError::Database`],
    /// [`StoreError::Corrupt`].
    pub async fn read(&self, known: Option<&Checkpoint>) -> Result<Update, StoreError> {
        let mut connection = self.pool.acquire().await?;
        let update = read(&mut connection, known).await;
        if update.is_err() {
            // After a migration Postgres refuses, for ever, what this connection prepared for the schema before it.
            connection.close_on_drop();
        }
        update
    }

    /// Reads everything.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub async fn snapshot(&self) -> Result<Snapshot, StoreError> {
        let mut connection = self.pool.acquire().await?;
        let snapshot = whole(&mut connection).await;
        if snapshot.is_err() {
            connection.close_on_drop();
        }
        snapshot
    }

    /// Listens for the writer's bell. A read replica cannot: poll there.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn listen(&self) -> Result<Doorbell, StoreError> {
        let mut listener = PgListener::connect_with(&self.pool).await?;
        listener.listen(CHANNEL).await?;
        Ok(Doorbell { listener })
    }
}

/// Rings when the writer has committed. It says nothing but "read again", and may miss a ring: poll as well.
#[derive(Debug)]
pub struct Doorbell {
    listener: PgListener,
}

impl Doorbell {
    /// Waits until it rings, or until the connection was lost and made anew. May be dropped while it waits.
    ///
    /// # Errors
    /// [`StoreError::Database`] if the connection was lost and cannot be made anew.
    pub async fn ring(&mut self) -> Result<(), StoreError> {
        self.listener.try_recv().await?;
        // One read answers all rings that have come meanwhile.
        while self.listener.next_buffered().is_some() {}
        Ok(())
    }
}

async fn read(db: &mut PgConnection, known: Option<&Checkpoint>) -> Result<Update, StoreError> {
    let mut tx = db.begin_with(BEGIN).await?;
    hold(&mut tx).await?;
    let checkpoint = checkpoint(&mut tx).await?;
    let delta = match known {
        Some(known) if continues(known, &checkpoint) => delta(&mut tx, known, &checkpoint).await?,
        _ => None,
    };
    let update = match delta {
        Some(delta) => Update::Delta(delta),
        None => Update::Snapshot(snapshot(&mut tx, checkpoint).await?),
    };
    tx.commit().await?;
    Ok(update)
}

async fn whole(db: &mut PgConnection) -> Result<Snapshot, StoreError> {
    let mut tx = db.begin_with(BEGIN).await?;
    hold(&mut tx).await?;
    let checkpoint = checkpoint(&mut tx).await?;
    let snapshot = snapshot(&mut tx, checkpoint).await?;
    tx.commit().await?;
    Ok(snapshot)
}

/// Whether the changes after `known` lead to `now`.
fn continues(known: &Checkpoint, now: &Checkpoint) -> bool {
    known.origin == now.origin
        && known.writer_epoch == now.writer_epoch
        && (known.change_seq..=known.change_seq.saturating_add(MAX_CHANGES)).contains(&now.change_seq)
}

async fn checkpoint(db: &mut PgConnection) -> Result<Checkpoint, StoreError> {
    let row = sqlx::query("SELECT * FROM checkpoint").fetch_optional(db).await?;
    checkpoint_row(&row.ok_or(StoreError::NoIndex)?)
}

/// Keeps another index from taking this one's place before the transaction ends. This comes before its first query,
/// which takes the snapshot: else names could lead to the new tables, and the snapshot to what was in them before.
///
/// # Errors
/// [`StoreError::NoIndex`] if the schema is not made yet; [`StoreError::Database`].
pub(crate) async fn hold(db: &mut PgConnection) -> Result<(), StoreError> {
    match sqlx::raw_sql("LOCK TABLE checkpoint IN ACCESS SHARE MODE").execute(db).await {
        Err(sqlx::Error::Database(e)) if e.code().as_deref() == Some(UNDEFINED_TABLE) => Err(StoreError::NoIndex),
        Err(e) => Err(e.into()),
        Ok(_) => Ok(()),
    }
}

async fn snapshot(db: &mut PgConnection, checkpoint: Checkpoint) -> Result<Snapshot, StoreError> {
    let namespaces = sqlx::query("SELECT * FROM namespace").fetch_all(&mut *db).await?;
    let namespaces = namespaces.iter().map(namespace_row).collect::<Result<_, _>>()?;
    let services = sqlx::query("SELECT * FROM service").fetch_all(&mut *db).await?;
    let services = services.iter().map(service_row).collect::<Result<_, _>>()?;
    let mut instances: Vec<InstanceRow> = Vec::new();
    loop {
        let after: &[u8] = instances.last().map_or(&[], |row| row.id.0.as_slice());
        let page = sqlx::query(
            "SELECT * FROM instance JOIN live USING (instance_id)
             WHERE instance_id > $1 ORDER BY instance_id LIMIT $2",
        )
        .bind(after)
        .bind(PAGE)
        .fetch_all(&mut *db)
        .await?;
        if page.is_empty() {
            let ids: Vec<InstanceId> = instances.iter().map(|row| row.id).collect();
            let grants = grants::all(db, &ids).await?;
            return Ok(Snapshot { checkpoint, namespaces, services, instances, grants });
        }
        for row in &page {
            instances.push(instance_row(row)?);
        }
    }
}

/// The rows that changed after `known`, or nothing if changes are missing or a row is gone.
async fn delta(
    db: &mut PgConnection,
    known: &Checkpoint,
    checkpoint: &Checkpoint,
) -> Result<Option<Delta>, StoreError> {
    let mut delta = Delta {
        checkpoint: checkpoint.clone(),
        namespaces: Vec::new(),
        services: Vec::new(),
        instances: Vec::new(),
        leases: Vec::new(),
        grants: Grants::default(),
    };
    if checkpoint.change_seq == known.change_seq {
        return Ok(Some(delta));
    }
    let oldest: Option<i64> = sqlx::query_scalar("SELECT min(seq) FROM changes").fetch_one(&mut *db).await?;
    if oldest.is_none_or(|oldest| oldest > known.change_seq + 1) {
        return Ok(None);
    }
    let changes = sqlx::query("SELECT DISTINCT kind, subject FROM changes WHERE seq > $1 AND seq <= $2")
        .bind(known.change_seq)
        .bind(checkpoint.change_seq)
        .fetch_all(&mut *db)
        .await?;
    let (mut namespaces, mut instances): (Vec<NamespaceId>, Vec<InstanceId>) = Default::default();
    let (mut said_of, mut owners): (Vec<InstanceId>, Vec<Address>) = Default::default();
    for row in &changes {
        let columns = Columns { table: "changes", row };
        let subject = columns.word("subject")?;
        match columns.get("kind")? {
            "instance" => instances.push(InstanceId(subject)),
            "namespace" => namespaces.push(NamespaceId(subject)),
            "grants" => said_of.push(InstanceId(subject)),
            "operator" => owners.push(Address::from_word(subject)),
            // A reorg, or whatever a later version of the indexer adds.
            _ => return Ok(None),
        }
    }

    let mut services = BTreeSet::new();
    {
        // Most of what changes is heartbeats: what the instances publish is as it was, and wide.
        let ids = words(instances.iter().map(|id| &id.0));
        let height = big("block number", known.head.number)?;
        let mut rows = sqlx::query(LEASES).bind(&ids).bind(height).fetch(&mut *db);
        while let Some(row) = rows.try_next().await? {
            let columns = Columns { table: "instance", row: &row };
            delta.leases.push((InstanceId(columns.word("instance_id")?), lease(&columns)?));
            services.insert(ServiceKey(columns.word("service_key")?));
        }
        drop(rows);
        let mut rows = sqlx::query(RECORDS).bind(&ids).bind(height).fetch(&mut *db);
        while let Some(row) = rows.try_next().await? {
            let row = instance_row(&row)?;
            services.insert(row.service);
            delta.instances.push(row);
        }
    }
    let rows = sqlx::query("SELECT * FROM service WHERE service_key = ANY($1)")
        .bind(words(services.iter().map(|key| &key.0)))
        .fetch_all(&mut *db)
        .await?;
    delta.services = rows.iter().map(service_row).collect::<Result<_, _>>()?;
    let rows = sqlx::query("SELECT * FROM namespace WHERE namespace_id = ANY($1)")
        .bind(words(namespaces.iter().map(|id| &id.0)))
        .fetch_all(&mut *db)
        .await?;
    delta.namespaces = rows.iter().map(namespace_row).collect::<Result<_, _>>()?;
    delta.grants = Grants {
        instances: grants::of_instances(db, &said_of).await?,
        namespaces: grants::of_namespaces(db, &namespaces).await?,
        owners: grants::of_owners(db, &owners).await?,
    };
    // A personal namespace may have registrars and no row; of a claimed one, only a reorg takes the row.
    let found = delta.instances.len() + delta.leases.len();
    let whole = found == instances.len() && delta.services.len() == services.len();
    Ok(whole.then_some(delta))
}

fn words<'a>(ids: impl Iterator<Item = &'a B256>) -> Vec<&'a [u8]> {
    ids.map(B256::as_slice).collect()
}
