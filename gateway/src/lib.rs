//! Serves the index over HTTP, from memory: no database and no RPC node on the read path.
//!
//! The feed reads the index out of Postgres and keeps it up to date in an [`AppState`]; the routes answer from there.
//! Who is live is computed at each read, on chain time. When Postgres, the indexer or the chain stands still, the
//! gateway goes on with what it knows and says so in each answer ([`api::Mode`]).
//!
//! What this crate does **not** do: write to the database or migrate it (`indexer`), or ask the chain, or hold a key.
//!
//! In reading order:
//! - `config`: [`Config`]; `server`: [`Gateway`], the listener and its limits
//! - `app`: [`app`], all routes and what surrounds them; [`openapi`], their contract
//! - `state`: [`AppState`], what is known, how fresh it is, and in which mode it is served
//! - `index`: the index in memory; `freshness`: chain time and the mode
//! - `feed`: Postgres → memory
//! - `routes`: a file per route: its handler, its parameters, its documentation
//! - `relay`: registrations that others signed, sent by a [`Relayer`] that the program brings
//! - `params`: query strings; `answer`: headers of answers; `error`: problems; `telemetry`: metrics; `traces`: a span for each
//!   request; `timing`: `Server-Timing`

mod answer;
mod app;
mod config;
mod error;
mod feed;
mod freshness;
mod index;
mod params;
mod relay;
mod routes;
mod server;
mod state;
mod telemetry;
mod timing;
mod traces;

#[cfg(test)]
mod tests;

pub use app::{app, openapi};
pub use config::Config;
pub use error::GatewayError;
pub use relay::{Mined, Relay, RelayRefusal, Relayer, Told, Work};
pub use server::Gateway;
pub use state::AppState;
pub use traces::SPANS;
