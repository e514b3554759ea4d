//! Whether an index may take the place of another one (pure).

use alloy_primitives::B256;
use domain::BlockRef;

use crate::{StoreError, rows::Checkpoint};

/// Why the new index does not take the place of the one in use yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotYet {
    /// It has not reached the tip of the chain.
    Filling,
    /// Its writer is in trouble.
    Troubled,
    /// Uptimes of some days that the one in use has are missing.
    Days,
    /// The one in use is further: readers would go back.
    Behind {
        /// The head of the one in use.
        live: BlockRef,
        /// Its own head.
        beside: BlockRef,
    },
    /// The chain was reorganised, and one of them has not heard of it.
    OtherBranch {
        /// The head of the one in use, which it does not know.
        live: BlockRef,
    },
    /// Somebody reads the index in use for long.
    InUse,
}

/// Whether both are of the same contracts on the same chain: what else an origin says the chain can tell anew.
///
/// # Errors
/// [`StoreError::NoSuccessor`] if not.
pub(super) fn same(live: &Checkpoint, beside: &Checkpoint) -> Result<(), StoreError> {
    let (live, beside) = (&live.origin, &beside.origin);
    let differs = [
        ("chain id", live.chain_id == beside.chain_id),
        ("genesis hash", live.genesis_hash == beside.genesis_hash),
        ("contract", live.contract == beside.contract),
        ("endorsements", live.endorsements == beside.endorsements),
    ];
    match differs.iter().find(|(_, same)| !same) {
        Some((what, _)) => Err(StoreError::NoSuccessor(format!(
            "it is of another {what}. Build it with the settings of the one in use, and --fresh"
        ))),
        None => Ok(()),
    }
}

/// Whether the new index may be used: it has been at the tip, and who reads it after the other one does not go back.
/// `known` is the hash that it has for the height of the other's head, if it remembers it; `rolled` whether it has the uptimes
/// of all days that the other one has.
///
/// # Errors
/// Why not yet.
pub(super) fn fits(
    live: &Checkpoint,
    beside: &Checkpoint,
    (known, rolled): (Option<B256>, bool),
    live_is_stuck: bool,
) -> Result<(), NotYet> {
    if beside.confirmations == 0 {
        return Err(NotYet::Filling);
    }
    if beside.problem.is_some() {
        return Err(NotYet::Troubled);
    }
    if live_is_stuck {
        return Ok(());
    }
    if !rolled {
        return Err(NotYet::Days);
    }
    if beside.head.number < live.head.number {
        return Err(NotYet::Behind { live: live.head, beside: beside.head });
    }
    // Blocks that it does not remember are below any reorg that is expected.
    if known.is_some_and(|known| known != live.head.hash) {
        return Err(NotYet::OtherBranch { live: live.head });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use alloy_primitives::Address;
    use domain::Heads;

    use super::*;
    use crate::rows::Origin;

    fn at(number: u64, hash: u8) -> Checkpoint {
        let block = |number, hash| BlockRef { number, hash: B256::repeat_byte(hash) };
        Checkpoint {
            origin: Origin {
                chain_id: 1,
                genesis_hash: B256::ZERO,
                contract: Address::ZERO,
                code_hash: B256::ZERO,
                endorsements: None,
                deploy_block: block(1, 1),
            },
            headers_hash: false,
            head: block(number, hash),
            head_time: number,
            heads: Heads { latest: number, safe: 0, finalized: 0 },
            confirmations: 1,
            change_seq: 7,
            writer_epoch: 1,
            problem: None,
        }
    }

    fn hash(hash: u8) -> Option<B256> {
        Some(B256::repeat_byte(hash))
    }

    #[test]
    fn one_at_or_above_the_head_in_use_on_its_chain_fits() {
        assert_eq!(fits(&at(5, 5), &at(5, 5), (hash(5), true), false), Ok(()));
        assert_eq!(fits(&at(5, 5), &at(9, 9), (hash(5), true), false), Ok(()));
        assert_eq!(fits(&at(5, 5), &at(9, 9), (None, true), false), Ok(()), "far below");
        assert_eq!(fits(&at(5, 5), &at(9, 9), (hash(5), false), false), Err(NotYet::Days));
        let behind = NotYet::Behind { live: at(5, 5).head, beside: at(4, 4).head };
        assert_eq!(fits(&at(5, 5), &at(4, 4), (None, true), false), Err(behind));
        let other = NotYet::OtherBranch { live: at(5, 5).head };
        assert_eq!(fits(&at(5, 5), &at(9, 9), (hash(6), true), false), Err(other));
    }

    #[test]
    fn one_that_is_not_done_or_not_well_fits_in_no_case() {
        let filling = Checkpoint { confirmations: 0, ..at(9, 9) };
        let troubled = Checkpoint { problem: Some("a log that does not fit".into()), ..at(9, 9) };
        for live_is_stuck in [false, true] {
            assert_eq!(fits(&at(5, 5), &filling, (hash(5), true), live_is_stuck), Err(NotYet::Filling));
            assert_eq!(fits(&at(5, 5), &troubled, (hash(5), true), live_is_stuck), Err(NotYet::Troubled));
        }
    }

    #[test]
    fn one_in_use_that_is_stuck_is_replaced_whatever_it_says() {
        assert_eq!(fits(&at(5, 5), &at(4, 4), (None, true), true), Ok(()));
        assert_eq!(fits(&at(5, 5), &at(9, 9), (hash(6), true), true), Ok(()));
        assert!(at(5, 5).is_where(&Checkpoint { problem: Some("x".into()), writer_epoch: 9, ..at(5, 5) }));
        assert!(!at(5, 5).is_where(&at(5, 6)));
        assert!(!at(5, 5).is_where(&Checkpoint { confirmations: 2, ..at(5, 5) }), "it is at the tip, and works");
    }

    #[test]
    fn another_contract_is_no_successor() {
        let (live, mut other) = (at(5, 5), at(9, 9));
        assert!(same(&live, &other).is_ok());
        other.origin.deploy_block.number = 3;
        assert!(same(&live, &other).is_ok(), "the chain said so anew");
        other.origin.endorsements = Some(Address::ZERO);
        assert!(same(&live, &other).expect_err("another").to_string().contains("endorsements"));
    }
}
