//! Connect, migrate, the roles.
//!
//! The index is in whatever schema the role finds its tables in, commonly `public`: [`Place::Live`]. One that is built
//! anew is in [`BESIDE`] until it takes the other's place ([`reindex`](crate::reindex)).

use std::time::Duration;

use sqlx::{
    ConnectOptions, Connection,
    migrate::MigrateDatabase,
    postgres::{PgConnectOptions, PgPoolOptions},
};

use crate::{StoreError, pulse::NOTICED};

pub use sqlx::PgPool;

/// The schema of an index that is built anew beside the one in use. SQL that must differ there asks `current_schema()`.
pub const BESIDE: &str = "rollcall_next";

/// Which index of a database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Place {
    /// The one that gateways read.
    #[default]
    Live,
    /// The one that is to replace it. Nothing of the live one can be seen from there.
    Beside,
}

/// For how long after its last use a connection counts as alive.
const JUST_NOW: Duration = Duration::from_secs(1);

/// SQLSTATE of "duplicate database", and of the unique violation that comes instead when two create it at once.
const DATABASE_EXISTS: [&str; 2] = ["42P04", "23505"];

/// Connects the writer. `url` is `postgres://user:password@host:port/database`.
///
/// Connections are made anew when they break; a query fails when none can be had for 5 s. A statement may take 60 s
/// (the largest reorg), a lock 10 s.
///
/// # Errors
/// [`StoreError::Database`] if the URL is none, or if Postgres does not let us in.
pub async fn connect(url: &str) -> Result<PgPool, StoreError> {
    connect_to(url, Place::Live).await
}

/// As [`connect`], to one of the indexes of the database.
///
/// # Errors
/// As [`connect`].
pub async fn connect_to(url: &str, place: Place) -> Result<PgPool, StoreError> {
    let options = quiet(url)?.application_name("rollcall-indexer").options([
        ("statement_timeout", "60s"),
        ("lock_timeout", "10s"),
        ("idle_in_transaction_session_timeout", "60s"),
        ("client_min_messages", "warning"),
        // Compiling takes longer than any statement here.
        ("jit", "off"),
    ]);
    let options = options.options(NOTICED);
    let options = match place {
        Place::Live => options,
        Place::Beside => options.options([("search_path", BESIDE)]),
    };
    pool(4).connect_with(options).await.map_err(StoreError::from)
}

/// Connects a reader: every transaction is read-only, whatever the role may do. A statement may take 10 s.
///
/// # Errors
/// As [`connect`].
pub async fn connect_read_only(url: &str) -> Result<PgPool, StoreError> {
    let options = quiet(url)?.application_name("rollcall-gateway").options([
        ("default_transaction_read_only", "on"),
        ("jit", "off"),
        ("statement_timeout", "10s"),
        ("idle_in_transaction_session_timeout", "30s"),
    ]);
    pool(8).connect_with(options).await.map_err(StoreError::from)
}

/// What a URL says. sqlx logs no statements: to ask whether it would log a slow one swallows the next line of ours, where spans
/// are collected.
pub(crate) fn quiet(url: &str) -> Result<PgConnectOptions, StoreError> {
    Ok(url.parse::<PgConnectOptions>()?.disable_statement_logging())
}

fn pool(size: u32) -> PgPoolOptions {
    // A connection that was of use just now is not asked whether it still is: at the tip of a chain that takes as long as
    // the rest of the work.
    let options = PgPoolOptions::new().max_connections(size).acquire_timeout(Duration::from_secs(5));
    options.test_before_acquire(false).before_acquire(|db, metadata| {
        Box::pin(async move { Ok(metadata.idle_for < JUST_NOW || db.ping().await.is_ok()) })
    })
}

/// Creates the database that `url` names, if its server does not have it. The role in `url` must be allowed to.
///
/// # Errors
/// [`StoreError::Database`].
pub async fn ensure_database(url: &str) -> Result<(), StoreError> {
    if sqlx::Postgres::database_exists(url).await? {
        return Ok(());
    }
    match sqlx::Postgres::create_database(url).await {
        Err(sqlx::Error::Database(e)) if e.code().is_some_and(|code| DATABASE_EXISTS.contains(&&*code)) => Ok(()),
        other => Ok(other?),
    }
}

/// Brings the schema up to date. Several may call it at once: sqlx holds an advisory lock.
///
/// # Errors
/// [`StoreError::Migrate`] if the database has migrations that this program does not know, or other ones than it
/// knows; [`StoreError::Database`] if Postgres does not answer.
pub async fn migrate(pool: &PgPool) -> Result<(), StoreError> {
    // A connection of its own, for one that fails in a migration still holds the lock: it must not live on in the pool.
    // To move large tables takes its time.
    let options = pool.connect_options().as_ref().clone().options([("statement_timeout", "0")]);
    let own = self::pool(1).connect_with(options).await?;
    let migrated = sqlx::migrate!().run(&own).await;
    own.close().await;
    Ok(migrated?)
}

/// Makes `role` a role that may log in and read every table, present and future, and nothing else. It has no password:
/// where the server asks for one, give it one by `ALTER ROLE`. Safe to call again, and from several databases of one
/// server at once (roles belong to the server).
///
/// # Errors
/// [`StoreError::InvalidRole`] unless `role` is 1 to 63 of `a-z 0-9 _`, not starting with a digit;
/// [`StoreError::Database`], such as when the caller's own role may not create roles.
pub async fn ensure_reader(pool: &PgPool, role: &str) -> Result<(), StoreError> {
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    if role.is_empty()
        || role.len() > 63
        || role.starts_with(|c: char| c.is_ascii_digit())
        || !role.chars().all(allowed)
    {
        return Err(StoreError::InvalidRole(domain::text::clip(role)));
    }
    let mut tx = pool.begin().await?;
    // Two writers of one database must not grant at once: Postgres fails with "tuple concurrently updated".
    sqlx::query("SELECT pg_advisory_xact_lock(hashtext('rollcall_reader'))").execute(&mut *tx).await?;
    // DO takes no parameters, so the name goes in as a setting of this transaction; %I quotes it.
    sqlx::query("SELECT set_config('rollcall.reader', $1, true)").bind(role).execute(&mut *tx).await?;
    sqlx::raw_sql(
        "DO $$
         DECLARE reader text := current_setting('rollcall.reader');
         BEGIN
             IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = reader) THEN
                 BEGIN
                     EXECUTE format('CREATE ROLE %I LOGIN', reader);
                 EXCEPTION WHEN duplicate_object OR unique_violation THEN
                     NULL; -- another database of this server was faster
                 END;
             END IF;
             EXECUTE format('GRANT USAGE ON SCHEMA public TO %I', reader);
             EXECUTE format('GRANT SELECT ON ALL TABLES IN SCHEMA public TO %I', reader);
             EXECUTE format('ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT ON TABLES TO %I', reader);
         END $$",
    )
    .execute(&mut *tx)
    .await?;
    Ok(tx.commit().await?)
}
