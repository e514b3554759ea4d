//! The state in the tables against the one that follows from the events.

use std::fmt::Display;

use domain::InstanceId;
use store::{
    audit::Audit,
    rows::{Grant, GrantRow, InstanceRow},
};

use super::{Check, Differences, events::merge};
use crate::IndexerError;

impl Check {
    pub(super) async fn compare_tables(&mut self, audit: &mut Audit) -> Result<(), IndexerError> {
        let head = self.stored.head;
        for block in audit.blocks().await? {
            let theirs = self.source.block(block.block.number).await?;
            if theirs != Some(block) && block.block.number >= self.stored.origin.deploy_block.number {
                self.found.note(None, format!("the block {} is not the chain's", block.block));
            }
        }
        if self.source.block(head.number).await?.is_some_and(|block| block.time != self.stored.head_time) {
            self.found.note(None, format!("the time of the head, block {head}, is not the chain's"));
        }

        let expected: Vec<_> = self.state.namespaces.values().cloned().collect();
        let stored = audit.namespaces().await?;
        compare(&mut self.found, &stored, &expected, |row| row.id, |row| (None, format!("the namespace {}", row.id)));
        let expected: Vec<_> = self.state.services.values().cloned().collect();
        let stored = audit.services().await?;
        compare(&mut self.found, &stored, &expected, |row| row.key, |row| (None, format!("the service {}", row.key)));

        let mut expected: Vec<(domain::B256, GrantRow)> =
            self.state.grants.iter().map(|(slot, row)| (*slot, row.clone())).collect();
        let mut stored = audit.grants().await?;
        expected.sort_by_key(|(slot, _)| *slot);
        stored.sort_by_key(|(slot, _)| *slot);
        compare(
            &mut self.found,
            &stored,
            &expected,
            |(slot, _)| *slot,
            |(slot, row)| (instance(&row.grant), format!("the {} in slot {slot}", kind(&row.grant))),
        );
        self.compare_instances(audit).await
    }

    async fn compare_instances(&mut self, audit: &mut Audit) -> Result<(), IndexerError> {
        let expected: Vec<InstanceRow> = self.state.instances.values().cloned().collect();
        let (mut after, mut stored) = (None, Vec::new());
        loop {
            let page = audit.instances(after).await?;
            let Some(last) = page.last() else { break };
            after = Some(last.id);
            stored.extend(page);
        }
        compare(
            &mut self.found,
            &stored,
            &expected,
            |row| row.id,
            |row| (Some(row.id), format!("the instance {}", row.id)),
        );
        let halves = audit.halves().await?;
        if halves > 0 {
            self.found.note(None, format!("{halves} instances have no lease, or leases no instance"));
        }
        Ok(())
    }
}

/// Notes what of two lists of rows, each ordered by a key, is not the same.
pub(super) fn compare<T: PartialEq, K: Ord>(
    found: &mut Differences,
    stored: &[T],
    expected: &[T],
    key: impl Fn(&T) -> K,
    name: impl Fn(&T) -> (Option<InstanceId>, String),
) {
    let mut note = |row: &T, what: &dyn Display| {
        let (instance, name) = name(row);
        found.note(instance, format!("{name} {what}"));
    };
    for pair in merge(stored, expected, key) {
        match pair {
            (Some(stored), None) => note(stored, &"follows from no event"),
            (None, Some(expected)) => note(expected, &"is missing"),
            (Some(stored), Some(expected)) if stored != expected => {
                note(expected, &"is not what follows from the events");
            }
            _ => {}
        }
    }
}

fn instance(grant: &Grant) -> Option<InstanceId> {
    match *grant {
        Grant::Proposal { instance, .. }
        | Grant::InstanceOperator { instance, .. }
        | Grant::Endorsement { instance, .. } => Some(instance),
        _ => None,
    }
}

fn kind(grant: &Grant) -> &'static str {
    match grant {
        Grant::NamespaceProposal { .. } => "proposed owner of a namespace",
        Grant::Registrar { .. } => "registrar",
        Grant::Proposal { .. } => "proposed owner of an instance",
        Grant::Operator { .. } => "operator of an owner",
        Grant::InstanceOperator { .. } => "operator of an instance",
        Grant::Endorsement { .. } => "endorsement",
    }
}
