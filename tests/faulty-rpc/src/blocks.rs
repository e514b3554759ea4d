//! How a request names blocks: one by tag, number or hash, or a range of them.

use serde_json::{Map, Value};

use crate::message::{Answer, Request, error, number, quantity};

/// The place in a request where it names one block. A call that names none means the latest, and is made to say so.
fn one(request: &mut Request) -> Option<&mut Value> {
    let (place, may_lack) = match request.method.as_str() {
        "eth_getLogs" => return filter(request)?.get_mut("blockHash"),
        "eth_getBlockByNumber"
        | "eth_getBlockByHash"
        | "eth_getBlockReceipts"
        | "eth_getBlockTransactionCountByNumber"
        | "eth_getBlockTransactionCountByHash" => (0, false),
        "eth_call" | "eth_estimateGas" | "eth_getBalance" | "eth_getCode" | "eth_getTransactionCount" => (1, true),
        "eth_getStorageAt" | "eth_getProof" => (2, true),
        _ => return None,
    };
    if may_lack && request.params.len() == place {
        request.params.push("latest".into());
    }
    let name = request.params.get_mut(place)?;
    match name.as_object().map(|names| names.contains_key("blockHash")) {
        Some(true) => name.get_mut("blockHash"),
        Some(false) => name.get_mut("blockNumber"),
        None => Some(name),
    }
}

fn filter(request: &mut Request) -> Option<&mut Map<String, Value>> {
    request.params.get_mut(0)?.as_object_mut()
}

fn is_hash(name: &Value) -> bool {
    name.as_str().is_some_and(|name| name.len() == 66)
}

/// The block that a request names by its hash.
pub(crate) fn by_hash(request: &mut Request) -> Option<&mut Value> {
    one(request).filter(|name| is_hash(name))
}

/// The block that a request names by its number, once [`pin`] has left no tag.
pub(crate) fn by_number(request: &mut Request) -> Option<u64> {
    one(request).filter(|name| !is_hash(name)).and_then(|name| number(name))
}

/// The first and the last block that `eth_getLogs` asks for by range, once [`pin`] has left no tag.
pub(crate) fn range(request: &mut Request) -> Option<(u64, u64)> {
    if request.method != "eth_getLogs" {
        return None;
    }
    let filter = filter(request)?;
    Some((number(filter.get("fromBlock")?)?, number(filter.get("toBlock")?)?))
}

/// Puts numbers in place of the tags that `height` knows: so the answer is of that block even if a new one comes
/// meanwhile.
pub(crate) fn pin(request: &mut Request, height: impl Fn(&str) -> Option<u64>) {
    let pin = |name: &mut Value| {
        if let Some(number) = name.as_str().and_then(&height) {
            *name = quantity(number);
        }
    };
    if let Some(name) = one(request) {
        return pin(name);
    }
    if request.method == "eth_getLogs"
        && let Some(filter) = filter(request)
    {
        for end in ["fromBlock", "toBlock"] {
            let name = filter.entry(end).or_insert(Value::Null);
            if name.is_null() {
                *name = "latest".into();
            }
            pin(name);
        }
    }
}

/// What nodes say when they do not know the block that a request names.
pub(crate) fn unknown(method: &str) -> Answer {
    match method {
        "eth_getLogs" => error(-32000, "unknown block"),
        _ if method.starts_with("eth_getBlock") => Ok(Value::Null),
        _ => error(-32000, "header not found"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn pinned(method: &str, params: Value) -> Value {
        let mut request = Request::new(method, params.as_array().unwrap().clone());
        pin(&mut request, |tag| (tag == "latest").then_some(16));
        json!(request.params)
    }

    #[test]
    fn tags_become_numbers_wherever_they_stand() {
        assert_eq!(pinned("eth_getBlockByNumber", json!(["latest", false])), json!(["0x10", false]));
        assert_eq!(pinned("eth_getBlockByNumber", json!(["safe", false])), json!(["safe", false]));
        assert_eq!(pinned("eth_getBlockByNumber", json!(["0x3", false])), json!(["0x3", false]));
        assert_eq!(pinned("eth_getCode", json!(["0xaa"])), json!(["0xaa", "0x10"]));
        assert_eq!(
            pinned("eth_call", json!([{}, { "blockNumber": "latest" }])),
            json!([{}, { "blockNumber": "0x10" }])
        );
        assert_eq!(
            pinned("eth_getLogs", json!([{ "fromBlock": "0x1" }])),
            json!([{ "fromBlock": "0x1", "toBlock": "0x10" }])
        );
        let by_hash = json!([{ "blockHash": format!("0x{:064x}", 1) }]);
        assert_eq!(pinned("eth_getLogs", by_hash.clone()), by_hash);
        assert_eq!(pinned("eth_chainId", json!([])), json!([]));
    }

    #[test]
    fn a_block_is_named_by_hash_or_by_number() {
        let hash = format!("0x{:064x}", 1);
        let by = |method: &str, name: Value| {
            let mut request = Request::new(method, vec![name]);
            (by_hash(&mut request).is_some(), by_number(&mut request))
        };
        assert_eq!(by("eth_getBlockReceipts", json!(hash)), (true, None));
        assert_eq!(by("eth_getBlockReceipts", json!({ "blockHash": hash })), (true, None));
        assert_eq!(by("eth_getBlockReceipts", json!("0x10")), (false, Some(16)));
        assert_eq!(by("eth_getLogs", json!({ "blockHash": hash })), (true, None));
        assert_eq!(by("eth_getTransactionReceipt", json!(hash)), (false, None));
    }
}
