//! Where headers prove nothing, other nodes are asked: on a chain whose headers hash in another way than Ethereum's, no node
//! can prove its logs. So the nodes that have the blocks vote.

use std::sync::Arc;

use domain::BlockRef;
use futures::{StreamExt, future::join_all, stream};
use store::rows::BlockRow;

use crate::{
    IndexerError,
    apply::Entry,
    source::{QUESTIONS, Source},
};

/// What the others say of the logs that a node gave.
#[derive(Debug, Default, PartialEq, Eq)]
struct Votes {
    agree: usize,
    /// Who says otherwise, and of which block.
    differ: Vec<(String, BlockRef)>,
}

/// What follows from the votes.
#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    /// The node is believed.
    Believed,
    /// Most others say otherwise.
    Outvoted,
    /// As many say so as say otherwise.
    Tied,
}

impl Votes {
    /// The node itself has a vote too.
    fn verdict(&self) -> Verdict {
        match (self.agree + 1).cmp(&self.differ.len()) {
            std::cmp::Ordering::Greater => Verdict::Believed,
            std::cmp::Ordering::Less => Verdict::Outvoted,
            std::cmp::Ordering::Equal => Verdict::Tied,
        }
    }
}

/// Compares a node's logs of some blocks with those of the others that have these blocks. Who does not answer has no vote.
///
/// # Errors
/// [`IndexerError::Lied`] if most say otherwise; [`IndexerError::Incoherent`] if nobody can tell who is right.
pub(crate) async fn compare(
    source: &Source,
    others: &[Arc<Source>],
    blocks: &[BlockRow],
    logs: &[Vec<Entry>],
) -> Result<(), IndexerError> {
    let mut votes = Votes::default();
    for vote in join_all(others.iter().map(|other| first_difference(other, blocks, logs))).await {
        match vote {
            None => {}
            Some(Ok(())) => votes.agree += 1,
            Some(Err(difference)) => votes.differ.push(difference),
        }
    }
    let Some((other, block)) = votes.differ.first() else { return Ok(()) };
    let what =
        format!("it and {other} do not say the same about the logs of block {block}, and this chain proves nothing");
    match votes.verdict() {
        Verdict::Believed => {
            tracing::warn!(node = %other, %block, "this node says of the logs of a block what most others do not");
            Ok(())
        }
        Verdict::Outvoted => Err(IndexerError::Lied { node: source.to_string(), what }),
        Verdict::Tied => Err(source.incoherent(what)),
    }
}

/// None if the node does not have all of the blocks, or does not answer.
async fn first_difference(
    other: &Source,
    blocks: &[BlockRow],
    logs: &[Vec<Entry>],
) -> Option<Result<(), (String, BlockRef)>> {
    let questions: Vec<_> = blocks.iter().map(|row| other.logs_of(row)).collect();
    let mut answers = stream::iter(questions).buffered(QUESTIONS);
    for (row, ours) in blocks.iter().zip(logs) {
        let theirs = answers.next().await?.ok()?;
        let same = ours.len() == theirs.len()
            && ours.iter().zip(&theirs).all(|(ours, theirs)| {
                // Not every node gives the time with a log.
                let (ours, theirs) = (&ours.row, &theirs.row);
                ours == &store::rows::EventRow { time: ours.time, ..theirs.clone() }
            });
        if !same {
            return Some(Err((other.to_string(), row.block)));
        }
    }
    Some(Ok(()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn most_nodes_are_right() {
        let votes = |agree, differ| {
            let block = BlockRef { number: 1, hash: domain::B256::ZERO };
            Votes { agree, differ: vec![("node".to_owned(), block); differ] }.verdict()
        };
        assert_eq!(votes(0, 0), Verdict::Believed, "the others are away");
        assert_eq!(votes(1, 1), Verdict::Believed);
        assert_eq!(votes(0, 1), Verdict::Tied);
        assert_eq!(votes(1, 2), Verdict::Tied);
        assert_eq!(votes(0, 2), Verdict::Outvoted);
    }
}
