mod identity;
mod initdb;
mod server;
mod test;

pub use server::{Postgres, PostgresConfig};
pub use test::TestPostgres;
