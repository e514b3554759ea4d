//! A node whose head is lower than the chain's: it knows nothing above.

use serde_json::{Value, json};

use crate::{
    blocks,
    message::{Answer, Request, number, quantity},
};

/// The heights of the tags.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Heads {
    pub(crate) latest: u64,
    pub(crate) safe: u64,
    pub(crate) finalized: u64,
}

impl Heads {
    /// As of a node that is so many blocks behind.
    pub(crate) fn lagging(self, blocks: u64) -> Self {
        let back = |height: u64| height.saturating_sub(blocks);
        Self { latest: back(self.latest), safe: back(self.safe), finalized: back(self.finalized) }
    }

    /// As of a node whose head went back so many blocks.
    pub(crate) fn gone_back(self, blocks: u64) -> Self {
        let latest = self.latest.saturating_sub(blocks);
        Self { latest, safe: self.safe.min(latest), finalized: self.finalized.min(latest) }
    }

    /// How high a tag is; none for what is no tag, and for the earliest block.
    pub(crate) fn height(&self, tag: &str) -> Option<u64> {
        match tag {
            "latest" | "pending" => Some(self.latest),
            "safe" => Some(self.safe),
            "finalized" => Some(self.finalized),
            _ => None,
        }
    }
}

/// Makes the request one about blocks that such a node knows, or answers it. `named` is the height of the block that
/// it names by hash.
pub(crate) fn question(request: &mut Request, heads: Heads, named: Option<u64>) -> Option<Answer> {
    if request.method == "eth_blockNumber" {
        return Some(Ok(quantity(heads.latest)));
    }
    blocks::pin(request, |tag| heads.height(tag));
    if let Some((from, _)) = blocks::range(request) {
        return (from > heads.latest).then(|| Ok(json!([])));
    }
    let height = named.or_else(|| blocks::by_number(request))?;
    (height > heads.latest).then(|| blocks::unknown(&request.method))
}

/// Takes out of a result what such a node does not know.
pub(crate) fn result(method: &str, heads: Heads, mut result: Value) -> Value {
    let above = |it: &Value| number(&it["blockNumber"]).is_some_and(|height| height > heads.latest);
    match (method, &mut result) {
        ("eth_getLogs", Value::Array(logs)) => logs.retain(|log| !above(log)),
        ("eth_getTransactionReceipt" | "eth_getTransactionByHash", transaction) if above(transaction) => {
            return Value::Null;
        }
        _ => {}
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADS: Heads = Heads { latest: 20, safe: 12, finalized: 4 };

    #[test]
    fn lag_moves_every_tag_and_going_back_only_those_above() {
        assert_eq!(HEADS.lagging(10), Heads { latest: 10, safe: 2, finalized: 0 });
        assert_eq!(HEADS.gone_back(10), Heads { latest: 10, safe: 10, finalized: 4 });
    }

    #[test]
    fn what_is_above_is_unknown() {
        let ask = |method: &str, params: Vec<Value>| question(&mut Request::new(method, params), HEADS, None);
        assert_eq!(ask("eth_blockNumber", vec![]), Some(Ok(json!("0x14"))));
        assert_eq!(ask("eth_getBlockByNumber", vec![json!("0x14"), json!(false)]), None);
        assert_eq!(ask("eth_getBlockByNumber", vec![json!("0x15"), json!(false)]), Some(Ok(Value::Null)));
        assert_eq!(ask("eth_getCode", vec![json!("0xaa"), json!("0x15")]).unwrap().unwrap_err()["code"], -32000);
        assert_eq!(ask("eth_getLogs", vec![json!({ "fromBlock": "0x15", "toBlock": "0x16" })]), Some(Ok(json!([]))));
        assert_eq!(ask("eth_getLogs", vec![json!({ "fromBlock": "0x1", "toBlock": "0x16" })]), None);
        assert_eq!(ask("eth_chainId", vec![]), None);
    }

    #[test]
    fn a_block_above_is_unknown_by_its_hash() {
        let hash = format!("0x{:064x}", 1);
        let ask =
            |method: &str, name: Value, height| question(&mut Request::new(method, vec![name]), HEADS, Some(height));
        assert_eq!(ask("eth_getBlockByHash", json!(hash), 20), None);
        assert_eq!(ask("eth_getBlockByHash", json!(hash), 21), Some(Ok(Value::Null)));
        assert_eq!(ask("eth_getBlockReceipts", json!(hash), 21), Some(Ok(Value::Null)));
        let logs = ask("eth_getLogs", json!({ "blockHash": hash }), 21);
        assert_eq!(logs.unwrap().unwrap_err()["message"], "unknown block");
    }

    #[test]
    fn logs_and_transactions_above_are_taken_out() {
        let (low, high) = (json!({ "blockNumber": "0x14" }), json!({ "blockNumber": "0x15" }));
        assert_eq!(result("eth_getLogs", HEADS, json!([low, high])), json!([low]));
        assert_eq!(result("eth_getTransactionReceipt", HEADS, low.clone()), low);
        assert_eq!(result("eth_getTransactionReceipt", HEADS, high), Value::Null);
    }
}
