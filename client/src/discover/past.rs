//! What was: events of an instance, and its days.

use api::{Day, HistoryAnswer, UptimeAnswer, history::EventKind};
use domain::InstanceId;

use super::{DiscoverError, Gateway};

/// Which events of an instance are wanted; by default the newest 50, heartbeats left out.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct HistoryWanted {
    kinds: Vec<EventKind>,
    oldest_first: bool,
    cursor: Option<String>,
    limit: Option<u32>,
}

impl HistoryWanted {
    /// Of this kind, and those of other calls.
    #[must_use]
    pub fn kind(mut self, kind: EventKind) -> Self {
        self.kinds.push(kind);
        self
    }

    /// The oldest first, not the newest.
    #[must_use]
    pub fn oldest_first(self) -> Self {
        Self { oldest_first: true, ..self }
    }

    /// The page after the one with this `next_cursor`.
    #[must_use]
    pub fn cursor(self, cursor: impl Into<String>) -> Self {
        Self { cursor: Some(cursor.into()), ..self }
    }

    /// At most so many on a page, up to 200.
    #[must_use]
    pub fn limit(self, most: u32) -> Self {
        Self { limit: Some(most), ..self }
    }

    fn pairs(&self) -> Vec<(String, String)> {
        let kinds = self.kinds.iter().map(|kind| ("kind", kind.as_str().to_owned()));
        let order = self.oldest_first.then(|| ("order", "asc".to_owned()));
        let cursor = self.cursor.clone().map(|cursor| ("cursor", cursor));
        let limit = self.limit.map(|limit| ("limit", limit.to_string()));
        kinds.chain(order).chain(cursor).chain(limit).map(|(name, value)| (name.to_owned(), value)).collect()
    }
}

impl Gateway {
    /// A page of what ever happened to an instance.
    ///
    /// # Errors
    /// [`DiscoverError::Problem`] with status 404 if nobody registered it; others.
    pub async fn history(&self, id: InstanceId, wanted: &HistoryWanted) -> Result<HistoryAnswer, DiscoverError> {
        self.get(&["v1", "instances", &id.to_string(), "history"], &wanted.pairs()).await
    }

    /// How long an instance was up on each day; by default on the last 30 that are over and final.
    ///
    /// # Errors
    /// As [`Self::history`].
    pub async fn uptime(
        &self,
        id: InstanceId,
        from: Option<Day>,
        to: Option<Day>,
    ) -> Result<UptimeAnswer, DiscoverError> {
        let day = |name: &str, day: Option<Day>| day.map(|day| (name.to_owned(), day.to_string()));
        let query: Vec<_> = [day("from", from), day("to", to)].into_iter().flatten().collect();
        self.get(&["v1", "instances", &id.to_string(), "uptime"], &query).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_parameter_has_its_name() {
        let wanted = HistoryWanted::default().kind(EventKind::Heartbeat).kind(EventKind::StatusSet);
        let pairs = wanted.oldest_first().cursor("MTIvMw").limit(7).pairs();
        let pairs: Vec<(&str, &str)> = pairs.iter().map(|(name, value)| (&**name, &**value)).collect();
        let expected =
            [("kind", "heartbeat"), ("kind", "status_set"), ("order", "asc"), ("cursor", "MTIvMw"), ("limit", "7")];
        assert_eq!(pairs, expected);
        assert!(HistoryWanted::default().pairs().is_empty());
    }
}
