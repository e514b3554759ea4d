//! End-to-end tests: one binary, a module per behaviour.

mod bad_queries;
mod check;
mod differential;
mod expiry;
mod governance;
mod history;
mod hostile;
mod lifecycle;
mod other_chain;
mod readiness;
mod reindex;
mod reorg;
mod restart;
mod scenarios;
mod snapshot;
