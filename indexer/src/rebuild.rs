//! What is done about an index that is not what the chain says: its state is made anew from its events; where these are
//! wrong, the index goes back to the last block up to which they are right, and on from there.

use domain::{BlockRef, Heads};
use store::{audit::Audit, ingest::Whole, rows::BlockRow};

use crate::{
    IndexerError,
    apply::{Entry, State},
    check, guard,
    index::Index,
    log::{Contracts, decode_row},
    metrics,
    range::Range,
    source::Source,
    storage::Storage,
};

/// Does it. The index may be wrong all the same afterwards, if the node says of old logs what is not so: the next check
/// tells.
///
/// # Errors
/// [`IndexerError::Store`], [`IndexerError::Rpc`]; the index is then as the last transaction left it.
pub(crate) async fn rebuild(source: &Source, index: &mut Index, range: &Range) -> Result<(), IndexerError> {
    let mut audit = index.writer.audit().await?;
    let (head, heads) = (audit.checkpoint().head, audit.checkpoint().heads);
    tracing::warn!(%head, "the state of the index is wrong: folds all events anew");
    if let Some(state) = fold(&mut audit, index, head.number).await?
        && check::wrong(source, Storage::of(&state), head).await?.is_none()
    {
        drop(audit);
        replace(source, index, head, heads, state).await?;
        metrics::rebuilt("state");
        return Ok(());
    }
    tracing::warn!(%head, "the events are wrong, too: compares them with the logs of the node");
    let Some(block) = first_wrong(source, &mut audit, index, range).await? else {
        tracing::error!(node = %source, "the events are the logs of this node, and do not lead to the chain's root");
        return Ok(());
    };
    let right = match index.writer.known_block(block.saturating_sub(1)).await? {
        Some(right) if right.number >= index.origin.deploy_block.number => right,
        _ => guard::start(source, index.origin.deploy_block).await?.block,
    };
    let Some(state) = fold(&mut audit, index, right.number).await? else {
        return Err(source.incoherent(format!("its logs up to block {right} do not follow on one another")));
    };
    drop(audit);
    tracing::warn!(%head, to = %right, "takes the index back to where its events are the chain's");
    index.rewind(known(source, right).await?, head, heads).await?;
    replace(source, index, right, heads, state).await?;
    metrics::rebuilt("events");
    Ok(())
}

async fn replace(
    source: &Source,
    index: &mut Index,
    head: BlockRef,
    heads: Heads,
    state: State,
) -> Result<(), IndexerError> {
    let whole = Whole {
        namespaces: state.namespaces.into_values().collect(),
        services: state.services.into_values().collect(),
        instances: state.instances.into_values().collect(),
        grants: state.grants.into_values().collect(),
    };
    let head = known(source, head).await?;
    index.vitals.write("rebuild", index.writer.replace(head, heads, &whole)).await?;
    tracing::info!(head = %head.block, instances = whole.instances.len(), "the state follows from the events again");
    Ok(())
}

/// The block as the node has it now.
async fn known(source: &Source, block: BlockRef) -> Result<BlockRow, IndexerError> {
    let row = source.block(block.number).await?.filter(|row| row.block == block);
    row.ok_or_else(|| source.incoherent(format!("it does not have block {block} any more")))
}

/// All state after the events up to a height; none if one of them does not fit.
async fn fold(audit: &mut Audit, index: &Index, up_to: u64) -> Result<Option<State>, IndexerError> {
    let contracts = Contracts { registry: index.origin.contract, endorsements: index.origin.endorsements };
    let (mut state, mut above) = (State::default(), 0);
    while let Some(to) = audit.next_events(above).await?.filter(|_| above < up_to) {
        let to = to.min(up_to);
        for row in audit.events(above, to).await? {
            let Ok(Entry { row, event }) = decode_row(contracts, row) else { return Ok(None) };
            if state.apply(row.block.number, row.log_index, &event).is_err() {
                return Ok(None);
            }
        }
        index.vitals.tick();
        above = to;
    }
    Ok(Some(state))
}

/// The first block whose events are not the node's logs.
async fn first_wrong(
    source: &Source,
    audit: &mut Audit,
    index: &Index,
    range: &Range,
) -> Result<Option<u64>, IndexerError> {
    let head = index.head.number;
    let mut above = index.origin.deploy_block.number.saturating_sub(1);
    while above < head {
        let to = audit.next_events(above).await?.unwrap_or(head).min(head);
        let (to, theirs) = range.rows(source, above, to).await?;
        let ours = audit.events(above, to).await?;
        if ours != theirs {
            let same = ours.iter().zip(&theirs).take_while(|(ours, theirs)| ours == theirs).count();
            let next = [ours.get(same), theirs.get(same)].into_iter().flatten().map(|row| row.block.number).min();
            return Ok(next);
        }
        index.vitals.tick();
        above = to;
    }
    Ok(None)
}
