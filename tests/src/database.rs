//! One Postgres for all tests of a process, a database for each.

use std::sync::{
    LazyLock,
    atomic::{AtomicU32, Ordering},
};

use anyhow::{Context, Result};
use sqlx::{Connection, PgConnection};
use store::schema;
use tokio::{runtime::Runtime, sync::OnceCell};
use tools::{TestPostgres, Tools};

/// The role that gateways read with.
pub const READER: &str = "rollcall_gateway";

/// Outlives the runtimes of the tests: the server belongs to all of them.
static RUNTIME: LazyLock<std::io::Result<Runtime>> = LazyLock::new(Runtime::new);
static SERVER: OnceCell<TestPostgres> = OnceCell::const_new();
static TOOLS: LazyLock<Result<Tools, tools::Error>> = LazyLock::new(Tools::ensure);
static DATABASES: AtomicU32 = AtomicU32::new(0);

/// The pinned tools, installed on first use.
pub fn tools() -> Result<&'static Tools> {
    TOOLS.as_ref().map_err(|error| anyhow::anyhow!("{error}"))
}

/// Makes a database on the server of this process; answers its URL.
pub async fn create() -> Result<String> {
    let runtime = RUNTIME.as_ref().map_err(|error| anyhow::anyhow!("{error}"))?;
    let server = SERVER
        .get_or_try_init(async || {
            runtime.spawn(async { TestPostgres::start(tools()?).await.context("Postgres") }).await?
        })
        .await?;
    create_on(&server.url("postgres")).await
}

/// Makes a database on a server, given the URL of one of its databases; answers the new one's URL. Its schema is up to
/// date and [`READER`] may read it, as an operator would set it up.
pub async fn create_on(admin_url: &str) -> Result<String> {
    let (server, _) = admin_url.rsplit_once('/').context("a database URL with a database")?;
    let url = format!("{server}/e2e_{}", DATABASES.fetch_add(1, Ordering::Relaxed));
    schema::ensure_database(&url).await.context("creating a database")?;
    let pool = schema::connect(&url).await?;
    schema::migrate(&pool).await?;
    schema::ensure_reader(&pool, READER).await?;
    pool.close().await;
    Ok(url)
}

/// The same database as the role that can only read.
pub fn reader(database_url: &str) -> Result<String> {
    let (_, rest) = database_url.split_once('@').context("a database URL with a user")?;
    Ok(format!("postgres://{READER}@{rest}"))
}

/// How many rows a table has.
pub async fn count(database_url: &str, table: &'static str) -> Result<i64> {
    let mut connection = PgConnection::connect(database_url).await?;
    let sql = match table {
        "heartbeat" => "SELECT count(*) FROM heartbeat",
        "event" => "SELECT count(*) FROM event",
        "event_orphan" => "SELECT count(*) FROM event_orphan",
        other => anyhow::bail!("no test counts {other}"),
    };
    Ok(sqlx::query_scalar(sql).fetch_one(&mut connection).await?)
}

/// The next block to be indexed, and what is wrong with the one before.
pub async fn next_block(database_url: &str) -> Result<(i64, Option<String>)> {
    let mut connection = PgConnection::connect(database_url).await?;
    Ok(sqlx::query_as("SELECT next_block, problem FROM checkpoint").fetch_one(&mut connection).await?)
}

/// How far the history is kept and rolled up.
pub async fn upkeep(database_url: &str) -> Result<store::rows::Upkeep> {
    let pool = schema::connect_read_only(database_url).await?;
    Ok(store::audit::Audit::begin(&pool).await?.upkeep())
}
