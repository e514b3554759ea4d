//! How many connections there may be, in total and per client.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use rustix::process::{Resource, getrlimit};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::{config::Limits, peer::Client};

/// Files that the process needs for other things than connections: the database, operators, certificates, logs.
const OTHER_FILES: usize = 64;

/// As many connections as are wanted, or as the system's limit of open files leaves.
pub(super) fn affordable(wanted: usize) -> usize {
    let Some(files) = getrlimit(Resource::Nofile).current else { return wanted };
    let afford = afford(wanted, files);
    if afford < wanted {
        tracing::warn!(
            files,
            wanted,
            connections = afford,
            "the limit of open files leaves fewer connections than wanted: raise it (ulimit -n, LimitNOFILE)"
        );
    }
    afford
}

fn afford(wanted: usize, files: u64) -> usize {
    wanted.min(usize::try_from(files).unwrap_or(usize::MAX).saturating_sub(OTHER_FILES).max(1))
}

/// The places for connections.
#[derive(Debug)]
pub(super) struct Slots {
    total: Arc<Semaphore>,
    per_client: Option<usize>,
    clients: Arc<Mutex<HashMap<Client, usize>>>,
}

/// A place, and then whose it is. Dropping it frees it.
#[derive(Debug)]
pub(super) struct Slot {
    _permit: OwnedSemaphorePermit,
    client: Client,
    clients: Option<Arc<Mutex<HashMap<Client, usize>>>>,
}

impl Slots {
    pub(super) fn new(limits: &Limits) -> Self {
        Self {
            total: Arc::new(Semaphore::new(limits.connections.min(Semaphore::MAX_PERMITS))),
            per_client: limits.connections_per_client,
            clients: Arc::default(),
        }
    }

    /// Waits until there is a place for anybody. Never none, since nobody closes it.
    pub(super) async fn free(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.total).acquire_owned().await.ok()
    }

    /// The place for this client; none if it has all that it may have.
    pub(super) fn take(&self, permit: OwnedSemaphorePermit, client: Client) -> Option<Slot> {
        let Some(most) = self.per_client else { return Some(Slot { _permit: permit, client, clients: None }) };
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        let count = clients.entry(client).or_default();
        if *count >= most {
            return None;
        }
        *count += 1;
        Some(Slot { _permit: permit, client, clients: Some(Arc::clone(&self.clients)) })
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let Some(clients) = &self.clients else { return };
        let mut clients = clients.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = clients.get_mut(&self.client) {
            *count -= 1;
            if *count == 0 {
                clients.remove(&self.client);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use super::*;

    #[test]
    fn never_more_than_the_open_files_leave() {
        assert_eq!(afford(4_096, 1_048_576), 4_096);
        assert_eq!(afford(4_096, 1_024), 960);
        assert_eq!(afford(4_096, 20), 1);
        assert_eq!(afford(10, u64::MAX), 10);
    }

    #[tokio::test]
    async fn a_client_has_its_share_and_no_more() {
        let slots = Slots::new(&Limits { connections: 3, connections_per_client: Some(2), ..Limits::default() });
        let [a, b] = [1, 2].map(|n| Client::from(IpAddr::from(Ipv4Addr::new(192, 0, 2, n))));
        let first = slots.take(slots.free().await.expect("a place"), a).expect("the first");
        let _second = slots.take(slots.free().await.expect("a place"), a).expect("the second");
        assert!(slots.take(slots.free().await.expect("a place"), a).is_none(), "a third");
        let _other = slots.take(slots.free().await.expect("a place"), b).expect("of another");
        assert_eq!(slots.total.available_permits(), 0);
        drop(first);
        let again = slots.take(slots.free().await.expect("a place"), a).expect("again the second");
        drop((again, _second, _other));
        assert!(slots.clients.lock().expect("no panic").is_empty(), "who has gone is forgotten");
        assert_eq!(slots.total.available_permits(), 3);
    }
}
