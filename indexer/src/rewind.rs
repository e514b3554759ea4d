//! After a reorg: find the common ancestor, and take the index back to it.

use domain::{BlockRef, Heads};

use crate::{
    IndexerError, guard,
    index::Index,
    reorg::{DeepSearch, Search, Step},
    source::Source,
};

/// Takes the index back to the highest block of it that the chain has. First makes sure that it is the same chain: an
/// index is never emptied because somebody put another chain in its place.
///
/// Deeper than the window, what is left are the blocks with events; the index then stands at the last of those that the
/// chain still has, is not well until it is at the tip again, and readers see it come back block by block.
pub(crate) async fn rewind(
    source: &Source,
    index: &mut Index,
    tip: BlockRef,
    heads: Heads,
) -> Result<(), IndexerError> {
    guard::check(source, &index.origin).await?;
    let blocks = index.writer.blocks().await?;
    let lowest = blocks.first().map_or(index.head.number, |block| block.number);
    let ancestor = match in_window(source, Search::new(blocks)).await? {
        Some(ancestor) => ancestor,
        None => {
            let problem = format!("a reorg is deeper than the window: rebuilding from below block {lowest}");
            tracing::error!(head = %index.head, tip = %tip, "{problem}");
            index.writer.set_problem(Some(&problem)).await?;
            below_window(source, index, lowest).await?
        }
    };
    if ancestor == index.head {
        return Ok(()); // The chain came back to us while we asked.
    }
    let block = source.block(ancestor.number).await?.filter(|block| block.block == ancestor);
    let block = block.ok_or_else(|| source.incoherent("its chain changed while we looked for the common ancestor"))?;
    index.rewind(block, tip, heads).await
}

async fn in_window(source: &Source, mut search: Search) -> Result<Option<BlockRef>, IndexerError> {
    loop {
        match search.step() {
            Step::Ask(number) => {
                let block = source.block(number).await?;
                search.answer(number, block.map(|block| block.block.hash));
            }
            Step::Ancestor(ancestor) => return Ok(Some(ancestor)),
            Step::TooDeep => return Ok(None),
        }
    }
}

async fn below_window(source: &Source, index: &Index, lowest: u64) -> Result<BlockRef, IndexerError> {
    let start = guard::start(source, index.origin.deploy_block).await?;
    let mut search = DeepSearch::new(start.block, lowest.saturating_sub(1));
    while let Some(height) = search.look_below() {
        let anchor = index.writer.known_block(height).await?;
        let Some(block) = search.looked(height, anchor) else { continue };
        let theirs = source.block(block.number).await?;
        if theirs.is_some_and(|theirs| theirs.block == block) {
            search.has(height, block);
        } else {
            search.lacks(block);
        }
    }
    Ok(search.found())
}
