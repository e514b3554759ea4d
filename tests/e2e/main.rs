//! End-to-end tests: one binary, a module per behaviour.

mod bad_queries;
mod caching_proxy;
mod check;
mod cut_wire;
mod database_lost;
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
mod replica;
mod restart;
mod scenarios;
mod silence;
mod snapshot;
mod watching;
