//! What an index consists of in the catalogue of Postgres, and how two of them change places.
//!
//! The schema of the index in use may hold things of others, so it is not renamed: what belongs to the index moves. What
//! that is the new index says, whose schema holds nothing else: what goes by the same kind and name, and the partitions
//! of that. Indexes, constraints and triggers go with their tables, and so do the names by which views and functions
//! know them, or their own `search_path` finds them anew.

use sqlx::{AssertSqlSafe, PgConnection, raw_sql};

use crate::StoreError;

/// Begins a query over what moves: `coming` from beside, `going` of the index in use, `place` the schema of the latter.
macro_rules! over_objects {
    ($query:literal) => {
        concat!(
            "WITH RECURSIVE place AS (
                 SELECT nspname AS name, pg_namespace.oid FROM pg_namespace JOIN pg_class ON relnamespace = pg_namespace.oid
                 WHERE pg_class.oid = to_regclass('checkpoint')
             ),
             coming AS (
                 SELECT c.oid, c.relname, c.relkind, c.relowner FROM pg_class c
                 WHERE c.relnamespace = to_regnamespace('rollcall_next') AND c.relkind IN ('r', 'p', 'v', 'm', 'S')
                   -- a sequence of a column goes with it
                   AND NOT EXISTS (SELECT FROM pg_depend WHERE c.relkind = 'S' AND classid = 'pg_class'::regclass
                                   AND objid = c.oid AND deptype IN ('a', 'i'))
             ),
             namesakes AS (
                 SELECT c.oid FROM pg_class c JOIN place ON c.relnamespace = place.oid
                 JOIN coming USING (relname, relkind)
                 UNION SELECT inhrelid FROM pg_inherits JOIN namesakes ON inhparent = namesakes.oid
             ),
             going AS (
                 SELECT c.oid, c.relname, c.relkind, c.relowner, c.relacl
                 FROM namesakes JOIN pg_class c USING (oid) JOIN place ON c.relnamespace = place.oid
             ) ",
            $query
        )
    };
}

/// Views and tables of others that know ours: they would go on to show the old index, and stand in the way of its end.
const STRANGERS: &str = over_objects!(
    "SELECT DISTINCT ev_class::regclass::text FROM pg_depend
     JOIN pg_rewrite ON pg_rewrite.oid = objid JOIN going ON going.oid = refobjid
     WHERE classid = 'pg_rewrite'::regclass AND refclassid = 'pg_class'::regclass
       AND ev_class NOT IN (SELECT oid FROM going)
     UNION SELECT conrelid::regclass::text FROM pg_constraint JOIN going ON going.oid = confrelid
     WHERE contype = 'f' AND conrelid NOT IN (SELECT oid FROM going)
     UNION SELECT inhparent::regclass::text FROM pg_inherits JOIN going ON going.oid = inhrelid
     WHERE inhparent NOT IN (SELECT oid FROM going)"
);

/// Statements that let everybody do with a new table what they may do with the one of its name; a partition without a
/// namesake is like the whole.
const GRANTS: &str = over_objects!(
    "SELECT statement FROM coming
     CROSS JOIN LATERAL (
         SELECT going.relowner, going.relacl FROM going
         WHERE going.relname IN (coming.relname, (SELECT relname FROM pg_class WHERE oid = pg_partition_root(coming.oid)))
         ORDER BY going.relname = coming.relname DESC LIMIT 1
     ) AS before
     CROSS JOIN LATERAL (
         SELECT 1 AS step, format('ALTER TABLE rollcall_next.%I OWNER TO %s', coming.relname, before.relowner::regrole)
                AS statement WHERE before.relowner <> coming.relowner
         UNION ALL
         SELECT 2, format('GRANT %s ON rollcall_next.%I TO %s%s', privilege_type, coming.relname,
                          CASE grantee WHEN 0 THEN 'PUBLIC' ELSE grantee::regrole::text END,
                          CASE WHEN is_grantable THEN ' WITH GRANT OPTION' ELSE '' END)
         FROM aclexplode(before.relacl) WHERE grantee <> before.relowner
     ) AS statements
     ORDER BY step"
);

/// Statements that move the one index out and the other one in. The last fails if anything was forgotten.
const MOVES: &str = over_objects!(
    ", functions AS (
         SELECT proname, proargtypes, oid FROM pg_proc WHERE pronamespace = to_regnamespace('rollcall_next')
     ),
     types AS (
         SELECT typname, typtype FROM pg_type
         WHERE typnamespace = to_regnamespace('rollcall_next') AND typelem = 0
           AND (typtype IN ('e', 'd') OR (SELECT relkind = 'c' FROM pg_class WHERE oid = typrelid))
     )
     SELECT statement FROM (
         SELECT 1 AS step, 'CREATE SCHEMA rollcall_old' AS statement
         UNION ALL SELECT 2, format('ALTER TABLE %I.%I SET SCHEMA rollcall_old', place.name, relname)
         FROM going CROSS JOIN place
         UNION ALL SELECT 2, format('ALTER ROUTINE %I.%I(%s) SET SCHEMA rollcall_old', place.name, p.proname,
                                    pg_get_function_identity_arguments(p.oid))
         FROM functions JOIN pg_proc p USING (proname, proargtypes) JOIN place ON p.pronamespace = place.oid
         UNION ALL SELECT 2, format('ALTER TYPE %I.%I SET SCHEMA rollcall_old', place.name, t.typname)
         FROM types JOIN pg_type t USING (typname, typtype) JOIN place ON t.typnamespace = place.oid
         UNION ALL SELECT 3, format('ALTER TABLE rollcall_next.%I SET SCHEMA %I', relname, place.name)
         FROM coming CROSS JOIN place
         UNION ALL SELECT 3, format('ALTER ROUTINE rollcall_next.%I(%s) OWNER TO %s', proname,
                                    pg_get_function_identity_arguments(functions.oid), c.relowner::regrole)
         FROM functions JOIN pg_class c ON c.oid = to_regclass('checkpoint')
         UNION ALL SELECT 4, format('ALTER ROUTINE rollcall_next.%I(%s) SET SCHEMA %I', proname,
                                    pg_get_function_identity_arguments(functions.oid), place.name)
         FROM functions CROSS JOIN place
         UNION ALL SELECT 4, format('ALTER TYPE rollcall_next.%I SET SCHEMA %I', typname, place.name)
         FROM types CROSS JOIN place
         UNION ALL SELECT 5, 'DROP SCHEMA rollcall_next'
     ) AS moves
     ORDER BY step, statement"
);

/// Whether the tables may change places.
///
/// # Errors
/// [`StoreError::NoSuccessor`] if strangers depend on them, or the schemas are not of the same version;
/// [`StoreError::Database`].
pub(super) async fn check(db: &mut PgConnection) -> Result<(), StoreError> {
    let strangers: Vec<String> = sqlx::query_scalar(STRANGERS).fetch_all(&mut *db).await?;
    if !strangers.is_empty() {
        let names = strangers.join(", ");
        return Err(StoreError::NoSuccessor(format!(
            "{names} depend on its tables and are not ours. Drop them, and make them anew afterwards"
        )));
    }
    let same: bool = sqlx::query_scalar(
        "SELECT array_agg(checksum ORDER BY version) = (SELECT array_agg(checksum ORDER BY version)
                                                        FROM rollcall_next._sqlx_migrations)
         FROM _sqlx_migrations",
    )
    .fetch_one(db)
    .await?;
    if same {
        return Ok(());
    }
    let reason = "its schema has another version than the one in use. Run the reindex of the newest indexer";
    Err(StoreError::NoSuccessor(reason.to_owned()))
}

/// Copies what only the index in use can know: the events that reorgs took out.
pub(super) async fn keep_orphans(db: &mut PgConnection) -> Result<(), StoreError> {
    raw_sql(
        "INSERT INTO rollcall_next.event_orphan SELECT * FROM event_orphan AS lost
         WHERE NOT EXISTS (SELECT FROM rollcall_next.event_orphan AS known
                           WHERE (known.block_hash, known.log_index) = (lost.block_hash, lost.log_index))",
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Moves the tables of the index in use to the schema of the old one, and the new one's to where they were.
pub(super) async fn change_places(db: &mut PgConnection) -> Result<(), StoreError> {
    for statements in [GRANTS, MOVES] {
        let statements: Vec<String> = sqlx::query_scalar(statements).fetch_all(&mut *db).await?;
        // Every name in them was quoted by Postgres.
        raw_sql(AssertSqlSafe(statements.join(";\n"))).execute(&mut *db).await?;
    }
    Ok(())
}
