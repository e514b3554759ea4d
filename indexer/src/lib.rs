//! Mirrors the contract's logs into Postgres: exactly once, in chain order, through reorgs and restarts.
//!
//! [`run`] does all of it until it is told to stop. Trouble with the node or with Postgres never ends it: it waits,
//! tries again and recovers by itself. What ends it is what waiting cannot mend, such as a database that mirrors
//! another chain.
//!
//! What this crate does **not** do: SQL (`store`), decoding of logs (`bindings`), answering readers (`gateway`).
//!
//! In reading order:
//! - [`config`]: what to mirror, from where, into what
//! - [`apply`]: state + event → state; and the state of old, rebuilt from events (pure)
//! - [`reorg`]: which block the index and the chain share (pure)
//! - `nodes`: which of several nodes is asked; `scout`: whether another one has more; `source`: what we ask of it; `log`: its logs, decoded and checked
//! - `verify`: what its answers prove (pure); `witness`: what others say, where nothing is proved
//! - `guard`: is this node's chain the one that the database mirrors
//! - `index`: a batch, and a reorg, from node to database
//! - [`uptime`]: how long instances were live on a day (pure); `upkeep`: what becomes of a day when it is over
//! - `range`: how many blocks a node is asked for at once
//! - `backfill`: ranges of blocks that nobody doubts; `follow`: block by block at the tip; `rewind`: after a reorg
//! - `rebuild`: after a check that found something
//! - [`storage`]: the contracts' storage as the index has it, and its root (pure); [`check`]: is it the chain's?
//! - `supervise`: start, trouble, start again
//! - [`mod@reindex`]: an index built anew beside the one in use, until it takes its place
//! - [`progress`]: how far it is, for whoever draws a bar; `vitals`: how it feels; [`probes`]: both over HTTP, for
//!   machines; `metrics`: figures
//! - [`error`]: what goes wrong, and what of it is the end

pub mod apply;
pub mod check;
pub mod config;
pub mod error;
pub mod probes;
pub mod progress;
pub mod reindex;
pub mod reorg;
pub mod storage;
pub mod uptime;

mod backfill;
mod follow;
mod guard;
mod index;
mod log;
mod metrics;
mod nodes;
mod range;
mod rebuild;
mod rewind;
mod scout;
mod source;
mod supervise;
mod upkeep;
mod verify;
mod vitals;
mod witness;

pub use config::Config;
pub use error::{IndexerError, RpcFailure};
pub use progress::{Phase, Progress};
pub use reindex::reindex;
pub use supervise::{run, run_with_progress, run_with_vitals};
pub use verify::Verify;
pub use vitals::Vitals;
