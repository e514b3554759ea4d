//! End-to-end tests: one binary, a module per behaviour.

mod bad_queries;
mod check;
mod cut_wire;
mod differential;
mod expiry;
mod governance;
mod high_heads;
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
mod watching;
