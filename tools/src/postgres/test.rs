use std::{fs, os::unix::fs::PermissionsExt, sync::Arc};

use super::server::{self, Postgres, PostgresConfig};
use crate::{Error, Tools, guardian::Guardian};

/// A PostgreSQL in a temporary folder, for the tests of one process. Not durable, and fast.
///
/// Keep it in a `static OnceCell` and give each test a database of its own. Statics are never dropped; the guardian
/// stops the server and removes the folder when the process ends, however it ends.
pub struct TestPostgres {
    tools: Tools,
    config: PostgresConfig,
    port: u16,
    server: Option<Postgres>,
    guardian: Arc<Guardian>,
}

impl TestPostgres {
    /// Makes a new cluster (about half a second) and starts it.
    ///
    /// # Errors
    /// As [`Postgres::start`].
    pub async fn start(tools: &Tools) -> Result<TestPostgres, Error> {
        let folder = tempfile::Builder::new().prefix("rollcall-postgres-").tempdir();
        let folder = folder.map_err(Error::io("create a folder in", std::env::temp_dir()))?;
        // The server may run as another user, who has to get through to its data.
        let open = fs::Permissions::from_mode(0o711);
        fs::set_permissions(folder.path(), open).map_err(Error::io("open", folder.path()))?;

        let settings = [
            ("max_connections", "300"),
            ("shared_buffers", "64MB"),
            ("wal_level", "minimal"),
            ("max_wal_senders", "0"),
        ];
        let config = PostgresConfig {
            fsync: false,
            settings: settings.map(|(name, value)| (name.into(), value.into())).into(),
            ..PostgresConfig::new(folder.path().join("data"))
        };
        let guardian = Arc::new(Guardian::spawn(server::signal(&config), Some(folder.path()))?);
        // From here the guardian removes it, after the server has ended.
        let _ = folder.keep();
        let server = Postgres::start_guarded(tools, config.clone(), Arc::clone(&guardian)).await?;
        Ok(TestPostgres { tools: tools.clone(), config, port: server.port(), server: Some(server), guardian })
    }

    /// The port it listens on; the same after [`TestPostgres::start_server`].
    pub fn port(&self) -> u16 {
        self.port
    }

    /// `postgres://rollcall@127.0.0.1:PORT/DATABASE`; the database `postgres` is always there.
    pub fn url(&self, database: &str) -> String {
        server::url(self.port, database)
    }

    /// Stops the server and keeps its data and its port, to see what others do without it.
    ///
    /// # Errors
    /// As [`Postgres::stop`].
    pub async fn stop_server(&mut self) -> Result<(), Error> {
        match self.server.take() {
            Some(server) => server.stop().await,
            None => Ok(()),
        }
    }

    /// Kills the server by SIGKILL, as a crash would, and keeps its data and its port. A commit returns before it is
    /// written, so the last of them may be lost; set `synchronous_commit` in a URL's `options` where none may be.
    ///
    /// # Errors
    /// As [`Postgres::kill`].
    pub async fn kill_server(&mut self) -> Result<(), Error> {
        match self.server.take() {
            Some(server) => server.kill().await,
            None => Ok(()),
        }
    }

    /// Starts the stopped or killed server again, on the same port.
    ///
    /// # Errors
    /// As [`Postgres::start`].
    pub async fn start_server(&mut self) -> Result<(), Error> {
        if self.server.is_none() {
            let config = PostgresConfig { port: Some(self.port), ..self.config.clone() };
            self.server = Some(Postgres::start_guarded(&self.tools, config, Arc::clone(&self.guardian)).await?);
        }
        Ok(())
    }

    /// Stops the server and removes its folder; returns when both are gone.
    ///
    /// # Errors
    /// As [`Postgres::stop`].
    pub async fn stop(mut self) -> Result<(), Error> {
        self.stop_server().await?;
        if let Some(guardian) = Arc::into_inner(self.guardian) {
            guardian.finish().await;
        }
        Ok(())
    }
}
