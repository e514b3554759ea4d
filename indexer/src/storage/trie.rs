//! Where two storage tries differ: one of which we have all words, the other behind a node that proves what it says.
//! Pure: a [`Comparison`] says which slot to ask a proof for, and takes the proof.
//!
//! A proof shows all nodes on the way to a slot, and with each branch the hashes of all 16 ways on. Those that are our
//! own lead to the same words, and are not gone; so it takes few proofs to find the words that differ.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::LazyLock,
};

use alloy::primitives::{Bytes, U256, keccak256};
use alloy_rlp::Decodable;
use alloy_trie::{
    EMPTY_ROOT_HASH, HashBuilder, Nibbles,
    nodes::{RlpNode, TrieNode},
};
use domain::B256;

/// A word that is not the same in both tries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Difference {
    /// The key in the trie: keccak of the slot.
    pub key: B256,
    /// Our slot and word.
    pub ours: Option<(B256, B256)>,
    /// The other trie's word. It may be zero: some nodes for development keep such words, which no chain would. None with
    /// none of ours: words of theirs whose keys begin as this one does, and that no proof can be asked for.
    pub theirs: Option<B256>,
}

/// The longest way that a slot is looked for on: 16 million hashes.
const LONGEST: usize = 6;

/// A comparison that is under way.
pub struct Comparison {
    ours: BTreeMap<Nibbles, (B256, B256)>,
    root: B256,
    /// Ways that lead to something else than ours, not gone yet.
    open: BTreeSet<Nibbles>,
    gone: BTreeSet<Nibbles>,
    found: BTreeMap<B256, Difference>,
}

impl Comparison {
    /// Compares words by their slots with the trie that has a root.
    pub fn new(words: impl IntoIterator<Item = (B256, B256)>, root: B256) -> Self {
        let keyed = words.into_iter().map(|(slot, word)| (path(slot), (slot, word)));
        let mut comparison =
            Self { ours: keyed.collect(), root, open: BTreeSet::new(), gone: BTreeSet::new(), found: BTreeMap::new() };
        comparison.open_if(Nibbles::new(), root != comparison.root_below(&Nibbles::new()));
        comparison
    }

    /// A slot that a proof is needed for; none when all differences are found.
    pub fn wants(&mut self) -> Option<B256> {
        loop {
            let way = *self.open.first()?;
            let ours = self.below(&way).next().map(|(_, (slot, _))| *slot);
            if let Some(slot) = ours.or_else(|| slot_below(&way)) {
                return Some(slot);
            }
            self.open.remove(&way);
            self.note(way, None, None);
        }
    }

    /// Takes the proof of a slot that was wanted.
    ///
    /// # Errors
    /// Why it is no proof.
    pub fn take(&mut self, slot: B256, proof: &[Bytes]) -> Result<(), String> {
        let path = path(slot);
        let (mut way, mut expected) = (Nibbles::new(), RlpNode::word_rlp(&self.root));
        if self.root == EMPTY_ROOT_HASH {
            self.miss_below(&way);
            return Ok(());
        }
        let mut nodes = proof.iter();
        loop {
            // A small node is in its parent.
            let node = match expected.is_hash() {
                true => nodes.next().ok_or("the proof ends too early")?.as_ref(),
                false => expected.as_slice(),
            };
            if RlpNode::from_rlp(node) != expected {
                return Err("a node of the proof does not hash to what leads to it".to_owned());
            }
            let node = TrieNode::decode(&mut &*node).map_err(|e| format!("a node of the proof is none: {e}"))?;
            let known = !self.gone.insert(way);
            self.open.remove(&way);
            match node {
                TrieNode::EmptyRoot => return Err("the proof has an empty node".to_owned()),
                TrieNode::Leaf(leaf) => {
                    self.leaf(&way, way.join(&leaf.key), &leaf.value)?;
                    return Ok(());
                }
                TrieNode::Extension(extension) => {
                    let next = way.join(&extension.key);
                    self.miss(|key| key.starts_with(&way) && !key.starts_with(&next));
                    self.open_if(next, true);
                    if !path.starts_with(&next) {
                        return Ok(());
                    }
                    (way, expected) = (next, extension.child);
                }
                TrieNode::Branch(branch) => {
                    let mut further = None;
                    for (nibble, child) in branch.as_ref().children() {
                        let next = join(way, nibble);
                        match child {
                            None => self.miss_below(&next),
                            Some(child) => {
                                if !known {
                                    let differs = *child != self.node_below(&next);
                                    self.open_if(next, differs);
                                }
                                if path.starts_with(&next) {
                                    further = Some((next, child.clone()));
                                }
                            }
                        }
                    }
                    match further {
                        Some((next, child)) if self.open.contains(&next) || self.gone.contains(&next) => {
                            (way, expected) = (next, child);
                        }
                        _ => return Ok(()),
                    }
                }
            }
        }
    }

    /// What differs, as far as it was found, by keys.
    pub fn found(self) -> Vec<Difference> {
        self.found.into_values().collect()
    }

    fn leaf(&mut self, way: &Nibbles, full: Nibbles, value: &[u8]) -> Result<(), String> {
        if full.len() != 64 {
            return Err("a leaf of the proof is at no key".to_owned());
        }
        let theirs = U256::decode(&mut &*value).map_err(|e| format!("a leaf of the proof is no word: {e}"))?.into();
        let ours = self.ours.get(&full).copied();
        self.miss(|key| key.starts_with(way) && *key != full);
        if ours.is_none_or(|(_, word)| word != theirs) {
            self.note(full, ours, Some(theirs));
        }
        Ok(())
    }

    fn open_if(&mut self, way: Nibbles, differs: bool) {
        if differs && !self.gone.contains(&way) {
            self.open.insert(way);
        }
    }

    fn miss_below(&mut self, way: &Nibbles) {
        self.open.remove(way);
        self.miss(|key| key.starts_with(way));
    }

    fn miss(&mut self, gone: impl Fn(&Nibbles) -> bool) {
        let missing: Vec<_> = self.ours.iter().filter(|(key, _)| gone(key)).map(|(key, ours)| (*key, *ours)).collect();
        for (key, ours) in missing {
            self.note(key, Some(ours), None);
        }
    }

    fn note(&mut self, key: Nibbles, ours: Option<(B256, B256)>, theirs: Option<B256>) {
        let key = B256::right_padding_from(&key.pack());
        self.found.insert(key, Difference { key, ours, theirs });
    }

    fn below<'a>(&'a self, way: &'a Nibbles) -> impl Iterator<Item = (&'a Nibbles, &'a (B256, B256))> {
        self.ours.range(*way..).take_while(|(key, _)| key.starts_with(way))
    }

    fn root_below(&self, way: &Nibbles) -> B256 {
        root(self.below(way).map(|(key, (_, word))| (key.slice(way.len()..), *word)))
    }

    /// How our own node at a place would stand in its parent.
    fn node_below(&self, way: &Nibbles) -> RlpNode {
        RlpNode::word_rlp(&self.root_below(way))
    }
}

/// The root of a trie of words by their keys, in the order of these.
pub(super) fn root(words: impl IntoIterator<Item = (Nibbles, B256)>) -> B256 {
    let mut builder = HashBuilder::default();
    for (key, word) in words {
        builder.add_leaf(key, &alloy_rlp::encode_fixed_size(&U256::from_be_bytes(word.0)));
    }
    builder.root()
}

/// The way to a slot.
pub(super) fn path(slot: B256) -> Nibbles {
    Nibbles::unpack(keccak256(slot))
}

fn join(mut way: Nibbles, nibble: u8) -> Nibbles {
    way.push(nibble);
    way
}

/// A slot that lies on a way. The ways are short, for keys are hashes.
fn slot_below(way: &Nibbles) -> Option<B256> {
    // Almost always one of these will do; they are hashed once.
    static FIRST: LazyLock<BTreeMap<Nibbles, B256>> =
        LazyLock::new(|| slots().take(1 << 14).map(|slot| (path(slot), slot)).collect());
    let first = FIRST.range(*way..).next().filter(|(path, _)| path.starts_with(way)).map(|(_, slot)| *slot);
    first.or_else(|| (way.len() <= LONGEST).then(|| slots().find(|slot| path(*slot).starts_with(way))).flatten())
}

fn slots() -> impl Iterator<Item = B256> {
    (0_u64..).map(|n| B256::from(U256::from(n)))
}

#[cfg(test)]
mod tests {
    use alloy_trie::proof::ProofRetainer;
    use proptest::{collection::btree_map, prelude::*};

    use super::*;

    type Words = BTreeMap<B256, B256>;

    fn keyed(words: &Words) -> BTreeMap<Nibbles, B256> {
        words.iter().map(|(slot, word)| (path(*slot), *word)).collect()
    }

    fn proof(words: &Words, slot: B256) -> Vec<Bytes> {
        let mut builder = HashBuilder::default().with_proof_retainer(ProofRetainer::new(vec![path(slot)]));
        for (key, word) in keyed(words) {
            builder.add_leaf(key, &alloy_rlp::encode_fixed_size(&U256::from_be_bytes(word.0)));
        }
        builder.root();
        builder.take_proof_nodes().into_nodes_sorted().into_iter().map(|(_, node)| node).collect()
    }

    /// What a comparison finds, and how many proofs it takes.
    fn compare(ours: &Words, theirs: &Words) -> (Vec<Difference>, usize) {
        let mut comparison = Comparison::new(ours.clone(), root(keyed(theirs)));
        let mut proofs = 0;
        while let Some(slot) = comparison.wants() {
            comparison.take(slot, &proof(theirs, slot)).unwrap();
            proofs += 1;
        }
        (comparison.found(), proofs)
    }

    fn word(n: u64) -> B256 {
        B256::from(U256::from(n))
    }

    fn words(numbers: std::ops::Range<u64>) -> Words {
        numbers.map(|n| (word(n << 32), word(n + 1))).collect()
    }

    #[test]
    fn equal_tries_take_no_proof() {
        for ours in [words(0..0), words(0..1), words(0..1_000)] {
            assert_eq!(compare(&ours, &ours), (vec![], 0));
        }
    }

    #[test]
    fn one_changed_word_of_many_takes_one_proof() {
        let ours = words(0..2_000);
        let mut theirs = ours.clone();
        theirs.insert(word(77 << 32), word(5));
        let (found, proofs) = compare(&ours, &theirs);
        let key = keccak256(word(77 << 32));
        assert_eq!(found, [Difference { key, ours: Some((word(77 << 32), word(78))), theirs: Some(word(5)) }]);
        assert!(proofs <= 4, "{proofs}");
    }

    #[test]
    fn a_word_of_zero_is_told() {
        let ours = words(0..50);
        let mut theirs = ours.clone();
        theirs.insert(word(1), B256::ZERO);
        let key = keccak256(word(1));
        assert_eq!(compare(&ours, &theirs).0, [Difference { key, ours: None, theirs: Some(B256::ZERO) }]);
    }

    #[test]
    fn what_is_no_proof_is_refused() {
        let (ours, theirs) = (words(0..20), words(1..21));
        let mut comparison = Comparison::new(ours.clone(), root(keyed(&theirs)));
        let slot = comparison.wants().unwrap();
        assert!(comparison.take(slot, &[]).is_err());
        assert!(comparison.take(slot, &proof(&ours, slot)).is_err());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        #[test]
        fn all_that_differs_is_found_and_nothing_else(
            both in btree_map(0u64..400, 1u64..5, 0..60),
            ours in btree_map(0u64..400, 1u64..5, 0..8),
            theirs in btree_map(0u64..400, 0u64..5, 0..8),
        ) {
            let with = |more: BTreeMap<u64, u64>| -> Words {
                let all = both.clone().into_iter().chain(more);
                all.collect::<BTreeMap<_, _>>().into_iter().map(|(n, w)| (word(n), word(w))).collect()
            };
            let (ours, theirs) = (with(ours), with(theirs));
            let slots: BTreeSet<B256> = ours.keys().chain(theirs.keys()).copied().collect();
            let mut expected: Vec<Difference> = slots
                .into_iter()
                .filter(|slot| ours.get(slot) != theirs.get(slot))
                .map(|slot| Difference {
                    key: keccak256(slot),
                    ours: ours.get(&slot).map(|word| (slot, *word)),
                    theirs: theirs.get(&slot).copied(),
                })
                .collect();
            expected.sort_by_key(|difference| difference.key);
            prop_assert_eq!(compare(&ours, &theirs).0, expected);
        }
    }
}
