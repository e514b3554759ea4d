//! Proposals, grants and endorsements: one row for each slot of the contracts' storage, set by the newest event of each
//! kind.

use bindings::Event;
use store::rows::{Grant, GrantRow};

use super::State;

impl State {
    pub(super) fn set_grant(&mut self, block_number: u64, log_index: u64, event: &Event) {
        let Some(slot) = event.slot() else { return };
        let grant = match *event {
            Event::NamespaceOwnerProposed { namespace, epoch, account } => {
                Grant::NamespaceProposal { namespace, epoch, account }
            }
            Event::RegistrarSet { namespace, epoch, registrar, expires_at } => {
                Grant::Registrar { namespace, epoch, registrar, expires_at }
            }
            Event::OwnerProposed { id, epoch, account } => Grant::Proposal { instance: id, epoch, account },
            Event::OperatorSet { owner, operator, permissions, expires_at } => {
                Grant::Operator { owner, operator, permissions, expires_at }
            }
            Event::InstanceOperatorSet { id, epoch, operator, permissions, expires_at } => {
                Grant::InstanceOperator { instance: id, epoch, operator, permissions, expires_at }
            }
            Event::Endorsed { id, endorser, topic, epoch, expires_at, digest } => {
                Grant::Endorsement { instance: id, epoch, endorser, topic, expires_at, digest, withdrawn: false }
            }
            Event::Withdrawn { .. } => {
                // It keeps its expiry and its digest.
                if let Some(row) = self.grants.get_mut(&slot)
                    && let Grant::Endorsement { withdrawn, .. } = &mut row.grant
                {
                    *withdrawn = true;
                    (row.block_number, row.log_index) = (block_number, log_index);
                }
                return;
            }
            _ => return,
        };
        self.grants.insert(slot, GrantRow { grant, block_number, log_index });
    }
}
