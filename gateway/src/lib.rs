//! Serves the index over HTTP, from memory: no database and no RPC node on the read path, histories aside.
//!
//! The feed reads the index out of Postgres and keeps it up to date in an [`AppState`]; the routes answer from there.
//! Who is live is computed at each read, on chain time. When Postgres, the indexer or the chain stands still, the
//! gateway goes on with what it knows and says so in each answer ([`api::Mode`]).
//!
//! What this crate does **not** do: write to the database or migrate it (`indexer`), or ask the chain, or hold a key.
//!
//! In reading order:
//! - `config`: [`Config`]; `server`: [`Gateway`], the listeners and their limits; `peer`: who asks; `rate`: how often
//! - `front`: what requests are handed to; `app`: all routes; `surround`: what surrounds them
//! - [`openapi`]: their contract; `contract`: what it says of all of them
//! - `state`: [`AppState`], what is known, how fresh it is, and in which mode it is served
//! - `index`: the index in memory; `service`: a service and its roster; `liveness`: who of it is alive
//! - `past`: what rosters were, for answers as of a final block
//! - `board`: what readers see of a service without a lock; `wait`: waiting for it to change; `encoding`: compression
//! - `freshness`: chain time and the mode
//! - `feed`: Postgres → memory; `history`: the past, which memory does not hold, out of Postgres
//! - `disk`: what is known, in a file for a start without Postgres
//! - `filter`: which instances a request wants, and in which order; `wanted`: the answer
//! - `routes`: a file per route: its handler, its parameters, its documentation
//! - `access`: who may ask what; `peer`: who is at the other end
//! - `relay`: registrations that others signed, sent by a [`Relayer`] that the program brings
//! - `params`: query strings; `answer`: headers of answers; `error`: problems; `telemetry`: metrics; `traces`: a span for each
//!   request; `timing`: `Server-Timing`

mod access;
mod answer;
mod app;
mod board;
mod config;
mod contract;
mod disk;
mod encoding;
mod error;
mod feed;
mod filter;
mod freshness;
mod front;
mod history;
mod index;
mod liveness;
mod params;
mod past;
mod peer;
mod rate;
mod relay;
mod routes;
mod server;
mod service;
mod state;
mod surround;
mod telemetry;
mod timing;
mod traces;
mod wait;
mod wanted;

#[cfg(test)]
mod tests;

pub use access::{AccessError, AccessRules, ApiKey, KeyInfo, KeysFile, NewKey, Rate, TokenRules};
pub use app::openapi;
pub use config::{ClientRate, ClientTls, Config, Limits, Tls};
pub use error::GatewayError;
pub use filter::canonical_filter;
pub use history::Histories;
pub use relay::{Mined, Relay, RelayRefusal, Relayer, Told, Work};
pub use server::Gateway;
pub use state::AppState;
pub use traces::SPANS;
