//! Who may act for whom, and who endorses what, in the present epoch. Strangers can endorse without limit: what is read
//! of each list is bounded.

use alloy_primitives::{Address, B256};
use domain::{InstanceId, NamespaceId, Permissions, Topic};
use serde::{Deserialize, Serialize};
use sqlx::{PgConnection, postgres::PgRow};

use super::{PAGE, words};
use crate::{StoreError, ingest::columns::Columns};

/// The most items of one list that are read, the newest first.
pub const LIST: usize = 100;

/// What is said in the present epoch of some instances, namespaces and owners. Each of them is here, also with nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Grants {
    /// Of instances.
    pub instances: Vec<InstanceGrants>,
    /// Of namespaces.
    pub namespaces: Vec<NamespaceGrants>,
    /// Of owners.
    pub owners: Vec<OwnerGrants>,
}

/// The newest items of a list, and how many there are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct List<T> {
    /// At most [`LIST`] items, the newest first; of endorsements the newest of each endorser before all others.
    pub items: Vec<T>,
    /// How many there are.
    pub total: u64,
}

impl<T> Default for List<T> {
    fn default() -> Self {
        Self { items: Vec::new(), total: 0 }
    }
}

/// What is said of an instance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InstanceGrants {
    /// The instance.
    pub id: InstanceId,
    /// The epoch in which it is said.
    pub epoch: u32,
    /// Who may accept to be its next owner.
    pub proposed_owner: Option<Address>,
    /// Who may act for its owner; those whose grant was withdrawn are left out.
    pub operators: List<Operator>,
    /// Who endorses it; what was withdrawn is left out.
    pub endorsements: List<Endorsement>,
}

/// What is said of a namespace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NamespaceGrants {
    /// The namespace.
    pub id: NamespaceId,
    /// The epoch in which it is said.
    pub epoch: u32,
    /// Who may accept to be its next owner.
    pub proposed_owner: Option<Address>,
    /// Who is admitted to register in it; those who were dismissed are left out.
    pub registrars: List<Registrar>,
}

/// Who may act for an owner, for all of its instances; those whose grant was withdrawn are left out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OwnerGrants {
    /// The owner.
    pub owner: Address,
    /// The operators.
    pub operators: List<Operator>,
}

/// An account that may act for an owner.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Operator {
    /// The account.
    pub account: Address,
    /// What it may do.
    pub permissions: Permissions,
    /// Until when, in seconds of chain time.
    pub expires_at: u64,
}

/// An account that may register in a namespace.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Registrar {
    /// The account.
    pub account: Address,
    /// Until when, in seconds of chain time.
    pub expires_at: u64,
}

/// What somebody says of an instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Endorsement {
    /// Who says it.
    pub endorser: Address,
    /// What about.
    pub topic: Topic,
    /// What it says or points to.
    pub digest: B256,
    /// Until when, in seconds of chain time.
    pub expires_at: u64,
}

/// What is said of these instances.
pub(super) async fn of_instances(db: &mut PgConnection, ids: &[InstanceId]) -> Result<Vec<InstanceGrants>, StoreError> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let ids = words(ids.iter().map(|id| &id.0));
    let rows = sqlx::query(
        "SELECT instance_id, live.epoch, account FROM live LEFT JOIN proposal USING (instance_id, epoch)
         WHERE instance_id = ANY($1) ORDER BY instance_id",
    );
    let mut all = Vec::new();
    for row in rows.bind(&ids).fetch_all(&mut *db).await? {
        let c = Columns { table: "proposal", row: &row };
        all.push(InstanceGrants {
            id: InstanceId(c.word("instance_id")?),
            epoch: c.small("epoch")?,
            proposed_owner: c.optional_account("account")?,
            operators: List::default(),
            endorsements: List::default(),
        });
    }
    let rows = sqlx::query(
        "SELECT live.instance_id, grants.*, counted.total FROM live
         CROSS JOIN LATERAL (SELECT count(*) AS total FROM instance_operator
                             WHERE instance_id = live.instance_id AND epoch = live.epoch AND permissions <> 0) counted
         CROSS JOIN LATERAL (SELECT operator, permissions, expires_at FROM instance_operator
                             WHERE instance_id = live.instance_id AND epoch = live.epoch AND permissions <> 0
                             ORDER BY block_number DESC, log_index DESC LIMIT $2) grants
         WHERE live.instance_id = ANY($1)",
    );
    for row in rows.bind(&ids).bind(limit()).fetch_all(&mut *db).await? {
        let c = Columns { table: "instance_operator", row: &row };
        push(&mut all, |of| &of.id.0, c.word("instance_id")?, |of| &mut of.operators, operator(&c)?, &c)?;
    }
    // First what each endorser said last, then what each said before: one that says a lot hides nobody else.
    let rows = sqlx::query(
        "SELECT live.instance_id, grants.*, counted.total FROM live
         CROSS JOIN LATERAL (SELECT count(*) AS total FROM endorsement
                             WHERE instance_id = live.instance_id AND epoch = live.epoch AND NOT withdrawn) counted
         CROSS JOIN LATERAL (SELECT endorser, topic, digest, expires_at FROM endorsement
                             WHERE instance_id = live.instance_id AND epoch = live.epoch AND NOT withdrawn
                             ORDER BY row_number() OVER (PARTITION BY endorser ORDER BY block_number DESC, log_index DESC),
                                      block_number DESC, log_index DESC LIMIT $2) grants
         WHERE live.instance_id = ANY($1)",
    );
    for row in rows.bind(&ids).bind(limit()).fetch_all(&mut *db).await? {
        let c = Columns { table: "endorsement", row: &row };
        let endorsement = Endorsement {
            endorser: c.address("endorser")?,
            topic: Topic(c.word("topic")?),
            digest: c.word("digest")?,
            expires_at: c.number("expires_at")?,
        };
        push(&mut all, |of| &of.id.0, c.word("instance_id")?, |of| &mut of.endorsements, endorsement, &c)?;
    }
    Ok(all)
}

/// What is said of these namespaces.
pub(super) async fn of_namespaces(
    db: &mut PgConnection,
    ids: &[NamespaceId],
) -> Result<Vec<NamespaceGrants>, StoreError> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let ids = words(ids.iter().map(|id| &id.0));
    // A personal namespace that was never opened has no row, and is in its first epoch for ever.
    let rows = sqlx::query(
        "SELECT wanted.id AS namespace_id, coalesce(namespace.epoch, 0) AS epoch, account
         FROM (SELECT DISTINCT unnest($1::bytea[]) AS id) wanted
         LEFT JOIN namespace ON namespace.namespace_id = wanted.id
         LEFT JOIN namespace_proposal p ON p.namespace_id = wanted.id AND p.epoch = coalesce(namespace.epoch, 0)
         ORDER BY wanted.id",
    );
    let mut all = Vec::new();
    for row in rows.bind(&ids).fetch_all(&mut *db).await? {
        let c = Columns { table: "namespace_proposal", row: &row };
        all.push(NamespaceGrants {
            id: NamespaceId(c.word("namespace_id")?),
            epoch: c.small("epoch")?,
            proposed_owner: c.optional_account("account")?,
            registrars: List::default(),
        });
    }
    let rows = sqlx::query(
        "SELECT wanted.id AS namespace_id, grants.*, counted.total
         FROM (SELECT t.id, coalesce(namespace.epoch, 0) AS epoch FROM (SELECT DISTINCT unnest($1::bytea[]) AS id) t
               LEFT JOIN namespace ON namespace.namespace_id = t.id) wanted
         CROSS JOIN LATERAL (SELECT count(*) AS total FROM registrar
                             WHERE namespace_id = wanted.id AND epoch = wanted.epoch AND expires_at <> 0) counted
         CROSS JOIN LATERAL (SELECT registrar, expires_at FROM registrar
                             WHERE namespace_id = wanted.id AND epoch = wanted.epoch AND expires_at <> 0
                             ORDER BY block_number DESC, log_index DESC LIMIT $2) grants",
    );
    for row in rows.bind(&ids).bind(limit()).fetch_all(&mut *db).await? {
        let c = Columns { table: "registrar", row: &row };
        let registrar = Registrar { account: c.address("registrar")?, expires_at: c.number("expires_at")? };
        push(&mut all, |of| &of.id.0, c.word("namespace_id")?, |of| &mut of.registrars, registrar, &c)?;
    }
    Ok(all)
}

/// Who may act for these owners.
pub(super) async fn of_owners(db: &mut PgConnection, owners: &[Address]) -> Result<Vec<OwnerGrants>, StoreError> {
    if owners.is_empty() {
        return Ok(Vec::new());
    }
    let mut all: Vec<OwnerGrants> =
        owners.iter().map(|owner| OwnerGrants { owner: *owner, operators: List::default() }).collect();
    all.sort_by_key(|of| of.owner);
    all.dedup_by_key(|of| of.owner);
    let rows = sqlx::query(
        "SELECT wanted.owner, grants.*, counted.total FROM (SELECT DISTINCT unnest($1::bytea[]) AS owner) wanted
         CROSS JOIN LATERAL (SELECT count(*) AS total FROM operator
                             WHERE owner = wanted.owner AND permissions <> 0) counted
         CROSS JOIN LATERAL (SELECT operator, permissions, expires_at FROM operator
                             WHERE owner = wanted.owner AND permissions <> 0
                             ORDER BY block_number DESC, log_index DESC LIMIT $2) grants",
    );
    let slices: Vec<&[u8]> = owners.iter().map(|owner| owner.as_slice()).collect();
    for row in rows.bind(slices).bind(limit()).fetch_all(&mut *db).await? {
        let c = Columns { table: "operator", row: &row };
        push(&mut all, |of| &of.owner, c.address("owner")?, |of| &mut of.operators, operator(&c)?, &c)?;
    }
    Ok(all)
}

/// All that is said of the instances of these ids, and all else. Who has nothing is left out.
pub(super) async fn all(db: &mut PgConnection, instances: &[InstanceId]) -> Result<Grants, StoreError> {
    let mut all = Grants::default();
    for page in instances.chunks(page()) {
        let said = of_instances(db, page).await?.into_iter();
        all.instances
            .extend(said.filter(|of| of.proposed_owner.is_some() || of.operators.total + of.endorsements.total > 0));
    }
    let rows = sqlx::query("SELECT namespace_id FROM registrar UNION SELECT namespace_id FROM namespace_proposal");
    let read = |row: &PgRow| Columns { table: "registrar", row }.word("namespace_id").map(NamespaceId);
    let ids = rows.fetch_all(&mut *db).await?.iter().map(read).collect::<Result<Vec<_>, _>>()?;
    for page in ids.chunks(page()) {
        all.namespaces.extend(of_namespaces(db, page).await?);
    }
    let rows = sqlx::query("SELECT DISTINCT owner FROM operator");
    let read = |row: &PgRow| Columns { table: "operator", row }.address("owner");
    let owners = rows.fetch_all(&mut *db).await?.iter().map(read).collect::<Result<Vec<_>, _>>()?;
    for page in owners.chunks(page()) {
        all.owners.extend(of_owners(db, page).await?);
    }
    Ok(all)
}

fn page() -> usize {
    usize::try_from(PAGE).unwrap_or(usize::MAX)
}

fn limit() -> i64 {
    i64::try_from(LIST).unwrap_or(i64::MAX)
}

fn operator(c: &Columns<'_>) -> Result<Operator, StoreError> {
    Ok(Operator {
        account: c.address("operator")?,
        permissions: c.permissions("permissions")?,
        expires_at: c.number("expires_at")?,
    })
}

/// Adds an item to a list of the one that has the key; they are ordered by it. The rows come with the total.
fn push<O, K: Ord, T>(
    all: &mut [O],
    key_of: impl Fn(&O) -> &K,
    key: K,
    list: impl Fn(&mut O) -> &mut List<T>,
    item: T,
    c: &Columns<'_>,
) -> Result<(), StoreError> {
    if let Some(of) = all.binary_search_by(|of| key_of(of).cmp(&key)).ok().and_then(|at| all.get_mut(at)) {
        let list = list(of);
        list.items.push(item);
        list.total = c.number("total")?;
    }
    Ok(())
}
