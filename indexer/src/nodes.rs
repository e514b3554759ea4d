//! Which of several nodes is asked. One at a time: the first in order that is not set aside.

use std::time::Duration;

use crate::range::Range;

/// For how long a node is set aside at its first failure, and at most.
const ASIDE: Duration = Duration::from_secs(1);
const ASIDE_MOST: Duration = Duration::from_secs(60);

/// For how long one that told a lie is.
const ASIDE_LIAR: Duration = Duration::from_secs(600);

/// The nodes of the settings.
#[derive(Debug)]
pub(crate) struct Nodes {
    nodes: Vec<Node>,
    current: usize,
}

#[derive(Debug)]
struct Node {
    url: String,
    failures: u32,
    /// Until when it is set aside.
    until: Duration,
    /// Whether for a lie.
    lied: bool,
    /// How many blocks it gives at once.
    range: Range,
}

impl Nodes {
    pub(crate) fn new(urls: &[String], max_range: u64) -> Self {
        let range = || Range::new(max_range);
        let node =
            |url: &String| Node { url: url.clone(), failures: 0, until: Duration::ZERO, lied: false, range: range() };
        Self { nodes: urls.iter().map(node).collect(), current: 0 }
    }

    /// Whether there is more than one.
    pub(crate) fn are_several(&self) -> bool {
        self.nodes.len() > 1
    }

    /// The node to ask now, its URL and how many blocks it gives at once: the one that is asked already, unless it is set aside; else the first that is
    /// not; else the one that is for the shortest time.
    pub(crate) fn pick(&mut self, now: Duration) -> Option<(&str, Range)> {
        let free = |node: &Node| node.until <= now;
        if !self.nodes.get(self.current).is_some_and(free) {
            let soonest = (0..self.nodes.len()).min_by_key(|n| self.nodes[*n].until);
            self.current = self.nodes.iter().position(free).or(soonest).unwrap_or_default();
        }
        self.nodes.get(self.current).map(|node| (node.url.as_str(), node.range.clone()))
    }

    /// The URLs of the others, but for those that are set aside for a lie: what they say of their heads says nothing.
    pub(crate) fn others(&self, now: Duration) -> Vec<String> {
        let others =
            self.nodes.iter().enumerate().filter(|(n, node)| *n != self.current && !(node.lied && node.until > now));
        others.map(|(_, node)| node.url.clone()).collect()
    }

    /// Sets the node that is asked aside, longer each time. Returns whether another one can be asked at once.
    pub(crate) fn blame(&mut self, now: Duration, lied: bool) -> bool {
        if let Some(node) = self.nodes.get_mut(self.current) {
            // One that has done well since is forgiven.
            if now.saturating_sub(node.until) > ASIDE_MOST {
                node.failures = 0;
            }
            let aside = ASIDE.saturating_mul(1 << node.failures.min(8)).min(ASIDE_MOST);
            node.failures = node.failures.saturating_add(1);
            (node.until, node.lied) = (now + if lied { ASIDE_LIAR } else { aside }, lied);
        }
        self.nodes.iter().any(|node| node.until <= now)
    }

    /// Whether there is none that did not lie.
    pub(crate) fn all_lied(&self) -> bool {
        self.nodes.iter().all(|node| node.lied)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(nodes: &mut Nodes, now: Duration) -> &str {
        nodes.pick(now).expect("there is one").0
    }

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn the_next_is_asked_at_once_and_the_first_again_when_the_next_fails() {
        let mut nodes = Nodes::new(&["a".into(), "b".into()], 1);
        assert_eq!(url(&mut nodes, at(0)), "a");
        assert!(nodes.blame(at(0), false));
        assert_eq!(url(&mut nodes, at(0)), "b");
        assert_eq!(nodes.others(at(0)), ["a"]);
        // It stays with the one that does well.
        assert_eq!(url(&mut nodes, at(100)), "b");
        assert!(nodes.blame(at(100), true));
        assert_eq!(url(&mut nodes, at(100)), "a");
        assert!(nodes.others(at(100)).is_empty());
        assert_eq!(nodes.others(at(1_000)), ["b"]);
        // A liar is the last resort.
        assert!(!nodes.blame(at(100), false));
        assert_eq!(url(&mut nodes, at(100)), "a");
        assert!(!nodes.all_lied());
        assert!(!nodes.blame(at(200), true), "both lie");
        assert!(nodes.all_lied());
        assert_eq!(url(&mut nodes, at(200)), "b", "the one that is set aside for the shorter time");
    }

    #[test]
    fn one_node_is_asked_whatever_it_does() {
        let mut nodes = Nodes::new(&["a".into()], 1);
        for n in 0..20 {
            assert_eq!(url(&mut nodes, at(n)), "a");
            assert!(!nodes.blame(at(n), n % 2 == 0));
        }
        assert!(!nodes.are_several());
    }
}
