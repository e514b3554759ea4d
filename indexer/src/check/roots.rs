//! The short check: are the words that follow from the state in the tables the chain's, at the head of the index?
//!
//! It reads no event and asks for no old state, so it can be done every few minutes. It is exact, although the head is not
//! final: the state in the tables is that of one block, and the chain's root is asked for by that block's hash and proved
//! against its header. What it does not see is what the contracts do not keep: [`check`](super::check) does.

use domain::{BlockRef, InstanceId};
use store::{
    audit::Audit,
    pulse::Pulse,
    schema::{self, PgPool},
};

use super::{Difference, words};
use crate::{Config, IndexerError, Verify, apply::State, guard, log::Contracts, source::Source, storage::Storage};

/// What the short check found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Found {
    /// The head of the index.
    pub(crate) at: BlockRef,
    /// The first word that is wrong, if one is.
    pub(crate) wrong: Option<Difference>,
}

impl Found {
    pub(crate) fn agrees(&self) -> bool {
        self.wrong.is_none()
    }

    /// What is wrong, in words.
    pub(crate) fn fault(&self) -> Option<String> {
        let wrong = self.wrong.as_ref()?;
        Some(format!("at block {} the index is not what the chain says: {}", self.at, wrong.what))
    }

    pub(crate) fn instance(&self) -> Option<InstanceId> {
        self.wrong.as_ref()?.instance
    }
}

/// Does it, by the first node that can.
///
/// # Errors
/// Why it could not be done, by the last node; that says nothing about the index.
pub(crate) async fn roots(config: &Config) -> Result<Found, IndexerError> {
    let mut last = IndexerError::Config { setting: "rpc_url", reason: "there is none".to_owned() };
    for url in &config.rpc_urls {
        match roots_by(url, config).await {
            Err(error) if error.node().is_some() => last = error,
            done => return done,
        }
    }
    Err(last)
}

async fn roots_by(url: &str, config: &Config) -> Result<Found, IndexerError> {
    let contracts = Contracts { registry: config.contract, endorsements: config.endorsements };
    let mut source = Source::connect(url, contracts, config.rpc_urls.len() > 1).await?;
    source.verify(Verify::Headers).await?;
    let pool = schema::connect_to(&config.database_url, config.place).await?;
    let mut pulse = Pulse::connect(&pool, config.database_patience).await?;
    let found = pulse.guard(&pool, compare(&source, &pool)).await?;
    pool.close().await;
    Ok(found)
}

async fn compare(source: &Source, pool: &PgPool) -> Result<Found, IndexerError> {
    let mut audit = Audit::begin(pool).await?;
    let stored = audit.checkpoint().clone();
    let words = all_words(&mut audit).await?;
    drop(audit);
    guard::check(source, &stored.origin).await?;
    guard::headers(source, &stored)?;
    let wrong = match wrong(source, words, stored.head).await? {
        // Nobody knows whose a word is that is not there.
        Some(Difference { what, instance: None }) => {
            let instance = Audit::begin(pool).await?.first_lost_instance().await?;
            let what = instance.map_or(what.clone(), |id| format!("{what}: the instance {id} has events and no state"));
            Some(Difference { what, instance })
        }
        wrong => wrong,
    };
    Ok(Found { at: stored.head, wrong })
}

/// All words, of all that the tables say, a page at a time.
async fn all_words(audit: &mut Audit) -> Result<Storage, IndexerError> {
    let state = State {
        namespaces: audit.namespaces().await?.into_iter().map(|row| (row.id, row)).collect(),
        services: audit.services().await?.into_iter().map(|row| (row.key, row)).collect(),
        grants: audit.grants().await?.into_iter().map(|(_, row)| (row.grant.slot(), row)).collect(),
        ..State::default()
    };
    let mut storage = Storage::of(&state);
    let mut after = None;
    loop {
        let page = audit.instances(after).await?;
        let Some(last) = page.last() else { return Ok(storage) };
        after = Some(last.id);
        let instances = page.into_iter().map(|row| (row.id, row)).collect();
        storage.extend(Storage::of(&State { instances, ..State::default() }));
    }
}

/// The first of these words that is not the chain's at a block, if they have another root.
pub(crate) async fn wrong(source: &Source, words: Storage, at: BlockRef) -> Result<Option<Difference>, IndexerError> {
    let Storage { registry, endorsements } = words;
    let contracts = [(Some(source.contract()), registry), (source.endorsements(), endorsements)];
    for (contract, words) in contracts {
        let Some(contract) = contract else { continue };
        if words.is_empty() && source.code(contract, at.number).await?.is_empty() {
            continue;
        }
        if let Some(first) = words::compare(source, contract, words, at).await?.1.into_iter().next() {
            return Ok(Some(first));
        }
    }
    Ok(None)
}
