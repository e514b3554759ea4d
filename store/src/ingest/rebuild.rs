//! All state anew, where it was found to be wrong.

use domain::Heads;
use sqlx::PgConnection;

use super::{Writer, grants, write};
use crate::{
    StoreError,
    audit::Audit,
    rows::{BlockRow, GrantRow, InstanceRow, NamespaceRow, ServiceRow},
};

/// All state that follows from the events.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Whole {
    /// All namespaces.
    pub namespaces: Vec<NamespaceRow>,
    /// All services.
    pub services: Vec<ServiceRow>,
    /// All instances, with their leases.
    pub instances: Vec<InstanceRow>,
    /// All proposals, grants and endorsements.
    pub grants: Vec<GrantRow>,
}

impl Writer {
    /// One moment of the index.
    ///
    /// # Errors
    /// As [`Audit::begin`].
    pub async fn audit(&self) -> Result<Audit, StoreError> {
        Audit::begin(&self.pool).await
    }

    /// Puts other state in the place of what is there, as of `head`, where the index stands. Readers see the one or the
    /// other, and are told as after a reorg: to read everything anew.
    ///
    /// # Errors
    /// As [`apply`](Self::apply).
    pub async fn replace(&self, head: BlockRow, heads: Heads, whole: &Whole) -> Result<(), StoreError> {
        let mut write = self.begin(head.block, &head, heads, 1)?;
        clear(write.alone().await?).await?;
        write::namespaces(&mut write, &whole.namespaces).await?;
        write::services(&mut write, &whole.services).await?;
        write::instances(&mut write, &whole.instances).await?;
        grants::write(&mut write, &whole.grants).await?;
        write::changes(&mut write, &[("reorg", head.block.hash)]).await?;
        write::prune_changes(&mut write).await?;
        write.commit().await
    }
}

async fn clear(db: &mut PgConnection) -> Result<(), StoreError> {
    // Not TRUNCATE, whose lock readers would wait for.
    for statement in ["DELETE FROM namespace", "DELETE FROM service", "DELETE FROM instance", "DELETE FROM live"] {
        sqlx::query(statement).execute(&mut *db).await?;
    }
    grants::delete_above(db, -1).await
}
