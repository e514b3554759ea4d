//! Refusals whose words depend on the evidence.

use domain::{Address, InstanceId, Status};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

pub(super) fn namespace_closed(namespace: &str, caller: Address, owner: Option<Address>) -> String {
    match owner {
        Some(owner) => format!(
            "namespace {namespace} is owned by {owner}; {caller} may not register in it: use the owner's key, a \
             namespace of your own, or let the owner admit you (rollcall namespace registrar add {namespace} {caller})"
        ),
        None => unclaimed(namespace),
    }
}

pub(super) fn not_namespace_owner(namespace: &str, caller: Address, owner: Option<Address>) -> String {
    match owner {
        Some(owner) => format!("namespace {namespace} is owned by {owner}, not by {caller}: use the owner's key"),
        None => unclaimed(namespace),
    }
}

fn unclaimed(namespace: &str) -> String {
    format!("nobody owns the namespace {namespace}: claim it first (rollcall namespace claim {namespace})")
}

pub(super) fn not_proposed(subject: &str, caller: Address, proposed: Option<Address>) -> String {
    match proposed {
        Some(proposed) => format!("{proposed} was proposed as the next owner of {subject}, not {caller}: use that key"),
        None => format!("nobody is proposed as the next owner of {subject}: its owner has to propose {caller} first"),
    }
}

pub(super) fn already_registered(id: &InstanceId, status: Option<Status>) -> String {
    match status {
        Some(Status::Revoked) => {
            format!(
                "the instance {id} was revoked by the authority of its namespace and cannot register again: choose \
                 another label"
            )
        }
        status => format!(
            "the instance {id} is registered already ({}): use update to change its record",
            status.map_or("unknown", Status::as_str)
        ),
    }
}

pub(super) fn not_listed(id: &InstanceId, status: Option<Status>) -> String {
    match status {
        None => format!(
            "no instance {id} is listed: it was not registered, or is no more; check name, label and registrant"
        ),
        Some(Status::Revoked) => {
            format!("the instance {id} was revoked by the authority of its namespace, for ever: choose another label")
        }
        Some(status) => format!("the instance {id} is {}: register it again", status.as_str()),
    }
}

pub(super) fn invalid_transition(id: &InstanceId, from: Option<Status>, to: Option<Status>) -> String {
    match (from, to) {
        (None, _) => format!("there never was an instance {id}: check name, label and registrant"),
        (Some(Status::Revoked), _) => format!("the instance {id} was revoked, and that is for ever"),
        (Some(from), to) => {
            format!("the instance {id} is {}, so it cannot become {}", from.as_str(), to.map_or("that", Status::as_str))
        }
    }
}

/// Seconds since 1970 as `2026-11-21T09:00:00Z`.
pub(super) fn time(seconds: u64) -> String {
    let date = i64::try_from(seconds).ok().and_then(|seconds| OffsetDateTime::from_unix_timestamp(seconds).ok());
    date.and_then(|date| date.format(&Rfc3339).ok()).unwrap_or_else(|| format!("second {seconds}"))
}
