//! A range that is too large, a method that is unknown, and a chain that is another.

use serde_json::Value;

use crate::{
    blocks,
    message::{Answer, Request, error, quantity},
};

/// What is said to a request for logs over more than `limit` blocks; its tags must be pinned.
pub(crate) fn range(request: &mut Request, limit: u64, turn: impl FnOnce() -> usize) -> Option<Answer> {
    let (from, to) = blocks::range(request)?;
    if to.checked_sub(from)? < limit {
        return None;
    }
    // As Infura, QuickNode, BNB Chain and Reth say it.
    Some(match turn() % 4 {
        0 => error(-32005, "query returned more than 10000 results"),
        1 => error(-32600, "block range is too wide"),
        2 => error(-32000, format!("exceed maximum block range: {limit}")),
        _ => {
            let last = from.saturating_add(limit.saturating_sub(1));
            error(-32602, format!("query exceeds max results 20000, retry with the range {from}-{last}"))
        }
    })
}

/// What is said to a method that a node does not know.
pub(crate) fn unknown(method: &str) -> Answer {
    error(-32601, format!("the method {method} does not exist/is not available"))
}

/// What a node of another chain says.
pub(crate) fn chain(request: &Request, chain_id: u64) -> Option<Answer> {
    match request.method.as_str() {
        "eth_chainId" => Some(Ok(quantity(chain_id))),
        "net_version" => Some(Ok(Value::String(chain_id.to_string()))),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_a_range_of_more_blocks_is_refused() {
        let said = |to: &str, turn| {
            let mut request = Request::new("eth_getLogs", vec![json!({ "fromBlock": "0x64", "toBlock": to })]);
            range(&mut request, 10, || turn).map(|answer| answer.unwrap_err()["message"].as_str().unwrap().to_owned())
        };
        assert_eq!(said("0x6d", 0), None);
        assert_eq!(said("0x6e", 0).unwrap(), "query returned more than 10000 results");
        assert_eq!(said("0x6e", 1).unwrap(), "block range is too wide");
        assert_eq!(said("0x6e", 2).unwrap(), "exceed maximum block range: 10");
        assert_eq!(said("0x6e", 3).unwrap(), "query exceeds max results 20000, retry with the range 100-109");
        assert_eq!(said("0x6e", 4), said("0x6e", 0));
        assert_eq!(said("0x1", 0), None);
    }
}
