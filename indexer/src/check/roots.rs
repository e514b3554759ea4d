//! Do the contracts hold the words that follow from the events?

use std::collections::BTreeMap;

use domain::{Address, B256, BlockRef};

use super::{Check, Roots};
use crate::{
    IndexerError,
    storage::{
        Storage, Word, root,
        trie::{Comparison, Difference},
    },
};

/// How many proofs may be asked for to name what differs.
const PROOFS: usize = 1_000;

impl Check<'_> {
    /// Both roots of each contract. The words that differ are named.
    pub(super) async fn roots(&mut self, at: BlockRef) -> Result<(Roots, Option<Roots>), IndexerError> {
        let storage = Storage::of(&self.state);
        let registry = self.roots_of(self.source.contract(), &storage.registry, at).await?;
        let Some(address) = self.source.endorsements() else { return Ok((registry, None)) };
        if storage.endorsements.is_empty() && self.source.code(address, at.number).await?.is_empty() {
            return Ok((registry, None));
        }
        Ok((registry, Some(self.roots_of(address, &storage.endorsements, at).await?)))
    }

    async fn roots_of(
        &mut self,
        contract: Address,
        words: &BTreeMap<B256, Word>,
        at: BlockRef,
    ) -> Result<Roots, IndexerError> {
        let chain = self.source.storage_root(contract, at).await?;
        let index = root(words, &[]);
        if index == chain {
            return Ok(Roots { index, chain, zero_words: 0 });
        }
        let mut comparison = Comparison::new(words.iter().map(|(slot, word)| (*slot, word.word)), chain);
        for _ in 0..PROOFS {
            let Some(slot) = comparison.wants() else { break };
            let proof = self.source.storage_proof(contract, slot, at).await?;
            comparison.take(slot, &proof).map_err(|what| self.source.incoherent(what))?;
        }
        let zero = |difference: &Difference| difference.ours.is_none() && difference.theirs == Some(B256::ZERO);
        let (zeros, differences): (Vec<_>, Vec<_>) = comparison.found().into_iter().partition(zero);
        let zeros: Vec<B256> = zeros.into_iter().map(|difference| difference.key).collect();
        let roots = Roots { index: root(words, &zeros), chain, zero_words: zeros.len() as u64 };
        if roots.index != chain {
            self.found.note(None, format!("the storage root of {contract} at block {at} is not the chain's"));
            self.name(words, differences);
        }
        Ok(roots)
    }

    /// Notes words that differ by subject, so that the first instance is the same in every run.
    fn name(&mut self, words: &BTreeMap<B256, Word>, mut differences: Vec<Difference>) {
        let subject =
            |difference: &Difference| difference.ours.and_then(|(slot, _)| words.get(&slot)).map(|word| word.subject);
        differences.sort_by_key(|difference| (subject(difference).is_none(), subject(difference), difference.key));
        for difference in differences {
            let (ours, theirs) = (difference.ours.map_or(B256::ZERO, |(_, word)| word), difference.theirs);
            match (subject(&difference), theirs.unwrap_or_default()) {
                (Some(subject), theirs) => {
                    self.found
                        .note(subject.instance(), format!("{subject}: the index says {ours}, the chain {theirs}"));
                }
                (None, _) => {
                    let key = difference.key;
                    self.found.note(None, format!("the chain has a word at key {key} that follows from no event here"));
                }
            }
        }
    }
}
