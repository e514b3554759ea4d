//! Which words of a contract are not those that follow from the index?

use std::collections::BTreeMap;

use domain::{Address, B256, BlockRef};

use super::{Difference, Roots};
use crate::{
    IndexerError,
    source::Source,
    storage::{self, Word, root, trie::Comparison},
};

/// How many proofs may be asked for to name what differs.
const PROOFS: usize = 1_000;

/// Compares the roots of one contract, and if they differ, says which words do: by subject, so that the first instance is the
/// same in every run.
pub(super) async fn compare(
    source: &Source,
    contract: Address,
    words: BTreeMap<B256, Word>,
    at: BlockRef,
) -> Result<(Roots, Vec<Difference>), IndexerError> {
    let chain = source.storage_root(contract, at).await?;
    let (index, words) = hash(source, words, Vec::new()).await?;
    if index == chain {
        return Ok((Roots { index, chain, zero_words: 0 }, Vec::new()));
    }
    let mut comparison = Comparison::new(words.iter().map(|(slot, word)| (*slot, word.word)), chain);
    for _ in 0..PROOFS {
        let Some(slot) = comparison.wants() else { break };
        let proof = source.storage_proof(contract, slot, at).await?;
        comparison.take(slot, &proof).map_err(|what| source.incoherent(what))?;
    }
    let zero =
        |difference: &storage::trie::Difference| difference.ours.is_none() && difference.theirs == Some(B256::ZERO);
    let (zeros, mut differences): (Vec<_>, Vec<_>) = comparison.found().into_iter().partition(zero);
    let zeros: Vec<B256> = zeros.into_iter().map(|difference| difference.key).collect();
    let zero_words = zeros.len() as u64;
    let (index, words) = hash(source, words, zeros).await?;
    let roots = Roots { index, chain, zero_words };
    if index == chain {
        return Ok((roots, Vec::new()));
    }
    let subject = |difference: &storage::trie::Difference| {
        difference.ours.and_then(|(slot, _)| words.get(&slot)).map(|word| word.subject)
    };
    differences.sort_by_key(|difference| (subject(difference).is_none(), subject(difference), difference.key));
    let named = differences.iter().map(|difference| match (subject(difference), difference.ours) {
        (Some(subject), Some((_, ours))) => {
            let theirs = difference.theirs.unwrap_or_default();
            Difference {
                what: format!("{subject}: the index says {ours}, the chain {theirs}"),
                instance: subject.instance(),
            }
        }
        _ => Difference {
            what: format!(
                "the chain has a word of {contract} that the index has not, with the key {}: events are missing",
                difference.key
            ),
            instance: None,
        },
    });
    let what = format!("the storage root of {contract} at block {at} is not the chain's");
    let mut named: Vec<Difference> = named.collect();
    if named.is_empty() {
        named.push(Difference { what, instance: None });
    }
    Ok((roots, named))
}

/// The root, on another thread: hashing takes a while.
async fn hash(
    source: &Source,
    words: BTreeMap<B256, Word>,
    zeros: Vec<B256>,
) -> Result<(B256, BTreeMap<B256, Word>), IndexerError> {
    let hashed = tokio::task::spawn_blocking(move || (root(&words, &zeros), words)).await;
    hashed.map_err(|_| source.incoherent("the root could not be computed"))
}
