//! A replacement of the latest block that the chain never had.

use serde_json::{Value, json};

use crate::{
    blocks,
    message::{Answer, Request, number, quantity},
};

/// A block, and the hash that its replacement has.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Replaced {
    number: u64,
    hash: String,
    other: String,
}

impl Replaced {
    /// The replacement of a block, from the block or its header.
    pub(crate) fn of(block: &Value) -> Option<Self> {
        let hash = block["hash"].as_str()?.to_ascii_lowercase();
        Some(Self { number: number(&block["number"])?, other: other(&hash), hash })
    }

    /// Asks about the true block in place of the replacement, or answers that the true one is unknown.
    pub(crate) fn question(&self, request: &mut Request) -> Option<Answer> {
        blocks::pin(request, |tag| matches!(tag, "latest" | "pending").then_some(self.number));
        let name = blocks::by_hash(request)?;
        let hash = name.as_str()?.to_ascii_lowercase();
        if hash == self.other {
            *name = self.hash.clone().into();
        }
        (hash == self.hash).then(|| blocks::unknown(&request.method))
    }

    /// Tells of the replacement in place of the true block.
    pub(crate) fn result(&self, mut result: Value) -> Value {
        self.tell(&mut result);
        result
    }

    fn tell(&self, value: &mut Value) {
        match value {
            Value::Array(items) => items.iter_mut().for_each(|item| self.tell(item)),
            Value::Object(fields) => {
                let ours = ["hash", "blockHash"].iter().any(|name| fields.get(*name).is_some_and(|h| *h == self.hash));
                for (name, field) in fields.iter_mut() {
                    match name.as_str() {
                        "hash" | "blockHash" if *field == self.hash => *field = self.other.clone().into(),
                        "timestamp" | "blockTimestamp" if ours => *field = later(field),
                        _ => self.tell(field),
                    }
                }
            }
            _ => {}
        }
    }
}

/// Another hash: the same one for the same.
fn other(hash: &str) -> String {
    hash.chars().enumerate().map(|(place, digit)| if place == 2 { turned(digit) } else { digit }).collect()
}

fn turned(digit: char) -> char {
    digit.to_digit(16).and_then(|digit| char::from_digit(digit ^ 8, 16)).unwrap_or(digit)
}

/// One second later. Nodes write times in hexadecimal, Anvil's receipts have theirs in decimal.
fn later(time: &Value) -> Value {
    match (number(time), time.as_u64()) {
        (Some(seconds), _) => quantity(seconds + 1),
        (_, Some(seconds)) => json!(seconds + 1),
        _ => time.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block() -> Value {
        json!({ "number": "0x9", "hash": full('a'), "parentHash": full('b'), "timestamp": "0x64", "transactions": [] })
    }

    fn full(digit: char) -> String {
        format!("0x{}", String::from(digit).repeat(64))
    }

    #[test]
    fn it_has_another_hash_and_time_and_nothing_else() {
        let replaced = Replaced::of(&block()).unwrap();
        let told = replaced.result(block());
        assert_eq!(told["timestamp"], "0x65");
        assert_eq!(told["hash"].as_str().unwrap().len(), 66);
        assert_ne!(told["hash"], block()["hash"]);
        let mut back = told.clone();
        (back["hash"], back["timestamp"]) = (block()["hash"].clone(), block()["timestamp"].clone());
        assert_eq!(back, block());
        let child = json!({ "number": "0xa", "hash": full('c'), "parentHash": full('a'), "timestamp": "0x66" });
        assert_eq!(replaced.result(child.clone()), child);
    }

    #[test]
    fn its_logs_and_transactions_name_it() {
        let replaced = Replaced::of(&block()).unwrap();
        let log = json!({ "blockHash": full('a'), "blockTimestamp": "0x64", "logIndex": "0x0" });
        let receipt = json!({ "blockHash": full('a'), "blockTimestamp": 100, "logs": [log] });
        let told = replaced.result(json!([receipt]));
        assert_eq!((&told[0]["blockHash"], &told[0]["blockTimestamp"]), (&json!(replaced.other), &json!(101)));
        let log = &told[0]["logs"][0];
        assert_eq!((&log["blockHash"], &log["blockTimestamp"]), (&json!(replaced.other), &json!("0x65")));
    }

    #[test]
    fn only_the_replacement_is_known_by_its_hash() {
        let replaced = Replaced::of(&block()).unwrap();
        let mut request = Request::new("eth_getLogs", vec![json!({ "blockHash": replaced.other })]);
        assert_eq!(replaced.question(&mut request), None);
        assert_eq!(request.params[0]["blockHash"], full('a'));
        let mut request = Request::new("eth_getBlockByHash", vec![json!(full('a')), json!(false)]);
        assert_eq!(replaced.question(&mut request), Some(Ok(Value::Null)));
        let mut request = Request::new("eth_getBlockByNumber", vec![json!("latest"), json!(false)]);
        assert_eq!(replaced.question(&mut request), None);
        assert_eq!(request.params[0], "0x9");
    }
}
