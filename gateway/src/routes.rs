//! A file per route: its handler, its parameters, its documentation.

pub(crate) mod discovery;
pub(crate) mod docs;
pub(crate) mod health;
pub(crate) mod history;
pub(crate) mod instance;
pub(crate) mod instances;
pub(crate) mod namespace;
pub(crate) mod probes;
pub(crate) mod registration;
pub(crate) mod services;
pub(crate) mod uptime;
pub(crate) mod watch;
