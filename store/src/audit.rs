//! What an audit of the index reads: all of it, as of one moment.

use alloy_primitives::{Address, B256};
use domain::{InstanceId, NamespaceId};
use sqlx::{PgPool, Postgres, Transaction};

use crate::{
    StoreError,
    ingest::{
        columns::{Columns, big},
        grants::endorsement_row,
        load::{block_row, checkpoint_row, heartbeat_row, instance_row, namespace_row, service_row},
        uptime,
    },
    query::{BEGIN, hold},
    rows::{
        BlockRow, Checkpoint, EventRow, Grant, GrantRow, HeartbeatRow, InstanceRow, LeaseRow, NamespaceRow, ServiceRow,
        Upkeep, UptimeRow,
    },
};

/// Rows per statement.
const PAGE: i64 = 10_000;

/// One moment of the index. A writer may go on meanwhile: nothing of that is seen here.
pub struct Audit {
    tx: Transaction<'static, Postgres>,
    checkpoint: Checkpoint,
    upkeep: Upkeep,
}

impl Audit {
    /// The moment is now.
    ///
    /// # Errors
    /// [`StoreError::NoIndex`], [`StoreError::Database`], [`StoreError::Corrupt`].
    pub async fn begin(pool: &PgPool) -> Result<Self, StoreError> {
        let mut tx = pool.begin_with(BEGIN).await?;
        hold(&mut tx).await?;
        // Whoever audits asks nodes between two reads: longer than a writer may be idle.
        sqlx::query("SET LOCAL idle_in_transaction_session_timeout = '15min'").execute(&mut *tx).await?;
        // Before anything is read: else a partition could be dropped that this moment still has.
        sqlx::query("LOCK TABLE heartbeat, heartbeat_old IN ACCESS SHARE MODE").execute(&mut *tx).await?;
        let row = sqlx::query("SELECT * FROM checkpoint").persistent(false).fetch_optional(&mut *tx).await?;
        let checkpoint = checkpoint_row(&row.ok_or(StoreError::NoIndex)?)?;
        let upkeep = uptime::upkeep(&mut tx).await?;
        Ok(Self { tx, checkpoint, upkeep })
    }

    /// What the index says of itself at this moment.
    pub fn checkpoint(&self) -> &Checkpoint {
        &self.checkpoint
    }

    /// How far the history is kept and rolled up at this moment.
    pub fn upkeep(&self) -> Upkeep {
        self.upkeep
    }

    /// The height up to which the next few thousand events above `number` go, all of a block or none; none if there are
    /// no more.
    pub async fn next_events(&mut self, number: u64) -> Result<Option<u64>, StoreError> {
        uptime::next_events(&mut self.tx, number).await
    }

    /// The events above one height up to another, in order.
    pub async fn events(&mut self, above: u64, to: u64) -> Result<Vec<EventRow>, StoreError> {
        uptime::events(&mut self.tx, above, to).await
    }

    /// The heartbeats above one height up to another, in the order of the events, then of the instances.
    pub async fn heartbeats(&mut self, above: u64, to: u64) -> Result<Vec<HeartbeatRow>, StoreError> {
        let rows = sqlx::query(
            "SELECT * FROM heartbeat_all WHERE block_number > $1 AND block_number <= $2
             ORDER BY block_number, log_index, instance_id",
        );
        let rows = rows.bind(big("block number", above)?).bind(big("block number", to)?).fetch_all(&mut *self.tx);
        rows.await?.iter().map(heartbeat_row).collect()
    }

    /// What the days from one up to and without another were like.
    pub async fn uptimes(&mut self, from: u64, to: u64) -> Result<Vec<UptimeRow>, StoreError> {
        let rows = sqlx::query(
            "SELECT instance_id, day - date '1970-01-01' AS day, seconds_up, heartbeats FROM uptime
             WHERE day >= date '1970-01-01' + $1 AND day < date '1970-01-01' + $2 ORDER BY uptime.day, instance_id",
        );
        let rows = rows.bind(uptime::date(from)?).bind(uptime::date(to)?).fetch_all(&mut *self.tx);
        rows.await?.iter().map(uptime::uptime_row).collect()
    }

    /// How many rows there are of days that cannot be rolled up: before 1970, or from this one on.
    pub async fn uptimes_beyond(&mut self, day: u64) -> Result<u64, StoreError> {
        let count: i64 = sqlx::query_scalar(
            "SELECT count(*) FROM uptime WHERE day < date '1970-01-01' OR day >= date '1970-01-01' + $1",
        )
        .bind(uptime::date(day)?)
        .fetch_one(&mut *self.tx)
        .await?;
        Ok(count.cast_unsigned())
    }

    /// All leases as they were when the first day began that is not rolled up.
    pub async fn rolled_leases(&mut self) -> Result<Vec<LeaseRow>, StoreError> {
        uptime::rolled_leases(&mut self.tx).await
    }

    /// The blocks that are remembered, lowest first.
    pub async fn blocks(&mut self) -> Result<Vec<BlockRow>, StoreError> {
        let rows = sqlx::query("SELECT * FROM block ORDER BY number").fetch_all(&mut *self.tx).await?;
        rows.iter().map(block_row).collect()
    }

    /// All namespaces that the contract has a word for.
    pub async fn namespaces(&mut self) -> Result<Vec<NamespaceRow>, StoreError> {
        let rows = sqlx::query("SELECT * FROM namespace ORDER BY namespace_id").fetch_all(&mut *self.tx).await?;
        rows.iter().map(namespace_row).collect()
    }

    /// All services.
    pub async fn services(&mut self) -> Result<Vec<ServiceRow>, StoreError> {
        let rows = sqlx::query("SELECT * FROM service ORDER BY service_key").fetch_all(&mut *self.tx).await?;
        rows.iter().map(service_row).collect()
    }

    /// The next few thousand instances after this one that have a lease, in the order of their ids; empty at the end.
    pub async fn instances(&mut self, after: Option<InstanceId>) -> Result<Vec<InstanceRow>, StoreError> {
        let rows = sqlx::query(
            "SELECT * FROM instance JOIN live USING (instance_id)
             WHERE instance_id > $1 ORDER BY instance_id LIMIT $2",
        );
        let after = after.as_ref().map_or(&[][..], |id| id.0.as_slice());
        let rows = rows.bind(after).bind(PAGE).fetch_all(&mut *self.tx).await?;
        rows.iter().map(instance_row).collect()
    }

    /// How many instances have no lease, or leases no instance.
    pub async fn halves(&mut self) -> Result<u64, StoreError> {
        let count: i64 = sqlx::query_scalar(
            "SELECT count(*) FROM instance FULL JOIN live USING (instance_id) WHERE label IS NULL OR epoch IS NULL",
        )
        .fetch_one(&mut *self.tx)
        .await?;
        Ok(count.cast_unsigned())
    }

    /// The first instance that was registered, by the events, and is not in the tables.
    pub async fn first_lost_instance(&mut self) -> Result<Option<InstanceId>, StoreError> {
        let row = sqlx::query(
            "SELECT min(event.instance_id) AS instance_id FROM event
             LEFT JOIN instance ON instance.instance_id = event.instance_id
             LEFT JOIN live ON live.instance_id = event.instance_id
             WHERE event.kind = 'Registered' AND (instance.label IS NULL OR live.epoch IS NULL)
             HAVING count(*) > 0",
        )
        .fetch_optional(&mut *self.tx)
        .await?;
        row.map(|row| instance(&Columns { table: "event", row: &row })).transpose()
    }

    /// All proposals, grants and endorsements of whatever epoch, each with the slot that it is filed under.
    pub async fn grants(&mut self) -> Result<Vec<(B256, GrantRow)>, StoreError> {
        let mut all = Vec::new();
        for (table, statement, grant) in TABLES {
            for row in sqlx::query(statement).fetch_all(&mut *self.tx).await? {
                let c = Columns { table, row: &row };
                let (block_number, log_index) = (c.number("block_number")?, c.number("log_index")?);
                all.push((c.word("slot")?, GrantRow { grant: grant(&c)?, block_number, log_index }));
            }
        }
        Ok(all)
    }
}

type Read = fn(&Columns<'_>) -> Result<Grant, StoreError>;

const TABLES: [(&str, &str, Read); 6] = [
    ("namespace_proposal", "SELECT * FROM namespace_proposal", |c| {
        let (namespace, epoch, account) = (namespace(c)?, c.small("epoch")?, c.address("account")?);
        Ok(Grant::NamespaceProposal { namespace, epoch, account })
    }),
    ("registrar", "SELECT * FROM registrar", |c| {
        let (registrar, expires_at) = (c.address("registrar")?, c.number("expires_at")?);
        Ok(Grant::Registrar { namespace: namespace(c)?, epoch: c.small("epoch")?, registrar, expires_at })
    }),
    ("proposal", "SELECT * FROM proposal", |c| {
        Ok(Grant::Proposal { instance: instance(c)?, epoch: c.small("epoch")?, account: c.address("account")? })
    }),
    ("operator", "SELECT * FROM operator", |c| {
        let (owner, operator): (Address, Address) = (c.address("owner")?, c.address("operator")?);
        let (permissions, expires_at) = (c.permissions("permissions")?, c.number("expires_at")?);
        Ok(Grant::Operator { owner, operator, permissions, expires_at })
    }),
    ("instance_operator", "SELECT * FROM instance_operator", |c| {
        let (instance, epoch, operator) = (instance(c)?, c.small("epoch")?, c.address("operator")?);
        let (permissions, expires_at) = (c.permissions("permissions")?, c.number("expires_at")?);
        Ok(Grant::InstanceOperator { instance, epoch, operator, permissions, expires_at })
    }),
    ("endorsement", "SELECT * FROM endorsement", |c| Ok(endorsement_row(c)?.grant)),
];

fn instance(c: &Columns<'_>) -> Result<InstanceId, StoreError> {
    c.word("instance_id").map(InstanceId)
}

fn namespace(c: &Columns<'_>) -> Result<NamespaceId, StoreError> {
    c.word("namespace_id").map(NamespaceId)
}
