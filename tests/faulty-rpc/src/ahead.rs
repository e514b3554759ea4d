//! A node whose head is said to be higher than the chain: what it claims, it does not have.

use serde_json::{Value, json};

use crate::{
    blocks,
    message::{Answer, Request, number, quantity},
};

/// What a node says of itself.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Claim {
    /// How high the chain is.
    latest: u64,
    /// How high it is said to be.
    claimed: u64,
}

impl Claim {
    pub(crate) fn new(latest: u64, more: u64) -> Self {
        Self { latest, claimed: latest.saturating_add(more) }
    }

    /// Makes the request one that the chain can answer, or answers it. Questions about state above the chain are answered
    /// as of its head, those about blocks there with none.
    pub(crate) fn question(self, request: &mut Request) -> Option<Answer> {
        let Self { latest, claimed } = self;
        if request.method == "eth_blockNumber" {
            return Some(Ok(quantity(claimed)));
        }
        if request.method.starts_with("eth_getBlock") && blocks::by_number(request).is_some_and(|at| at > latest) {
            return Some(blocks::unknown(&request.method));
        }
        blocks::pin(request, |tag| (tag == "latest").then_some(claimed));
        if blocks::range(request).is_some_and(|(from, _)| from > latest) {
            return Some(Ok(json!([])));
        }
        blocks::pin(request, |name| number(&name.into()).filter(|at| *at > latest).map(|_| latest));
        None
    }

    /// A block, if it is the one that is told as the latest.
    pub(crate) fn told(self, mut block: Value) -> Value {
        block["number"] = quantity(self.claimed);
        block
    }
}

/// Whether a request is for the latest block.
pub(crate) fn is_for_latest(request: &Request) -> bool {
    request.method == "eth_getBlockByNumber" && request.params.first().is_some_and(|name| name == "latest")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(method: &str, params: Value) -> (Option<Answer>, Value) {
        let mut request = Request::new(method, params.as_array().unwrap().clone());
        let answer = Claim::new(16, 100).question(&mut request);
        (answer, json!(request.params))
    }

    #[test]
    fn blocks_above_are_claimed_and_not_there() {
        assert_eq!(asked("eth_blockNumber", json!([])).0, Some(Ok(json!("0x74"))));
        assert_eq!(asked("eth_getBlockByNumber", json!(["0x11", false])).0, Some(Ok(Value::Null)));
        assert_eq!(asked("eth_getBlockReceipts", json!(["0x74"])).0, Some(Ok(Value::Null)));
        assert_eq!(asked("eth_getBlockByNumber", json!(["0x10", false])), (None, json!(["0x10", false])));
        assert_eq!(Claim::new(16, u64::MAX).told(json!({ "number": "0x10" }))["number"], "0xffffffffffffffff");
    }

    #[test]
    fn all_else_is_as_of_the_chains_head() {
        let logs = |from: &str, to: &str| asked("eth_getLogs", json!([{ "fromBlock": from, "toBlock": to }]));
        assert_eq!(logs("0x1", "0x20"), (None, json!([{ "fromBlock": "0x1", "toBlock": "0x10" }])));
        assert_eq!(logs("0x1", "latest"), (None, json!([{ "fromBlock": "0x1", "toBlock": "0x10" }])));
        assert_eq!(logs("0x11", "0x20").0, Some(Ok(json!([]))));
        assert_eq!(asked("eth_getCode", json!(["0xaa", "0x74"])), (None, json!(["0xaa", "0x10"])));
        assert_eq!(asked("eth_getCode", json!(["0xaa"])), (None, json!(["0xaa", "0x10"])));
        assert_eq!(asked("eth_getCode", json!(["0xaa", "0x3"])), (None, json!(["0xaa", "0x3"])));
    }

    #[test]
    fn only_the_latest_block_is_told_with_another_height() {
        let ask = |method: &str, name: &str| is_for_latest(&Request::new(method, vec![name.into(), false.into()]));
        assert!(ask("eth_getBlockByNumber", "latest"));
        assert!(!ask("eth_getBlockByNumber", "0x10") && !ask("eth_getBlockByNumber", "safe"));
        assert!(!ask("eth_getCode", "latest"));
    }
}
