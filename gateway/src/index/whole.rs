//! An index that was read as a whole, in the place of the one before.

use std::{collections::HashMap, sync::Arc};

use domain::ServiceKey;
use store::query::Snapshot;

use super::{Boards, Index, path};
use crate::{freshness::At, past::Heads, service::Service};

/// What goes on of an index in the one that replaces it: a copy, so that nobody who reads it, or lets a lease end in it, waits
/// while the other one is made.
#[derive(Debug)]
pub(crate) struct Before {
    pub(super) services: HashMap<ServiceKey, Service>,
    heads: Heads,
}

impl Index {
    /// What goes on in an index that replaces this one.
    pub(crate) fn to_go_on(&self) -> Before {
        Before { services: self.services.clone(), heads: self.heads.clone() }
    }

    /// The index of a snapshot. What was seen of heartbeats `before` goes on, and who watches a service is woken only if it
    /// differs.
    pub(crate) fn new(snapshot: Snapshot, at: &At, boards: Arc<Boards>, mut before: Option<Before>) -> Self {
        let changes = u64::try_from(snapshot.checkpoint.change_seq).unwrap_or_default();
        let mut heads = before.as_mut().map(|before| std::mem::take(&mut before.heads)).unwrap_or_default();
        heads.see(&snapshot.checkpoint, true);
        let mut index = Self { boards, changes, heads, ..Self::default() };
        let head = snapshot.checkpoint.head.number;
        index.put(snapshot.namespaces, snapshot.services, snapshot.instances, None, before.as_ref());
        index.put_grants(snapshot.grants);
        for (key, service) in &mut index.services {
            match before.as_mut().and_then(|before| before.services.get_mut(key)) {
                Some(before) => {
                    service.go_on(before, head, at.now);
                    service.judge(at.now, at.resumed);
                    if !before.is_same(service) {
                        index.news.insert(*key);
                    }
                }
                None => service.judge_first(at.now),
            }
            index.due.extend(service.due().map(|due| (due, *key)));
            index.live += service.live();
            index.remembered += service.past.len();
            if at.now > at.head_time && service.is_ahead_of(at.head_time) {
                index.ahead.push((at.now, *key));
            }
        }
        index
    }

    /// Lets readers see this index in the place of the one before.
    pub(crate) fn publish(&mut self, before: Option<&Self>) {
        let news = std::mem::take(&mut self.news);
        for (key, service) in &self.services {
            match before.and_then(|before| before.services.get(key)) {
                Some(known) if !Arc::ptr_eq(&known.board, &service.board) => {
                    self.boards.pin().insert(path(service), Arc::clone(&service.board));
                    known.board.change(self.changes);
                }
                Some(_) if news.contains(key) => service.board.change(self.changes),
                Some(_) => {}
                None => _ = self.boards.pin().insert(path(service), Arc::clone(&service.board)),
            }
        }
        for (key, service) in before.iter().flat_map(|before| &before.services) {
            if !self.services.contains_key(key) {
                self.boards.pin().remove(&path(service));
                service.board.change(self.changes);
            }
        }
    }
}
